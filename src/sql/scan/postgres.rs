//! The statements of a scan that are different on PostgreSQL.

use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Reading;
use crate::sql::grammar::postgres::Postgres;
use crate::sql::phrases::Phrases;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::scan::Candidates;
use crate::sql::scan::Scan;
use crate::sql::scan::ScanHints;
use crate::sql::scan::source;

impl Scan for Postgres {
    /// If the bitmap of the parent's keys has named the only suspects, the query reads them by their addresses.
    fn orphans(&self, schema: &Schema, relation: &Relation, hints: &ScanHints<'_>) -> Sql {
        let mut query = self.query();
        let child = schema.child(relation);
        let only = has_suspect_address(&mut query, child, hints);
        let from = source(self, schema, child, "child", Reading::WholeTable);
        let parent = self.parent_query(schema, relation);
        let candidates = Candidates { from: &from, only: only.as_deref(), parent: parent.as_deref() };
        self.orphans_among(query, schema, relation, &candidates)
    }

    fn without_indexes(&self, query: &Sql) -> Option<Sql> {
        Some(query.clone().without_indexes())
    }
}

/// Returns the condition that the child's row has one of the addresses; `None` if they are unknown.
fn has_suspect_address(query: &mut Query, child: &Table, hints: &ScanHints<'_>) -> Option<String> {
    let (rows, address) = (hints.rows?, child.row_address.as_ref()?);
    let rows: Vec<String> = rows.iter().map(|row| format!("\"({},{})\"", row >> 16, row & 0xFFFF)).collect();
    let rows = query.parameter(Value::text(format!("{{{}}}", rows.join(","))));
    Some(format!("child.{} = ANY ({rows}::text::tid[])", crate::sql::quoted(address)))
}
