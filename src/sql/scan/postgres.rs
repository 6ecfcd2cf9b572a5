//! The statements of a scan that PostgreSQL has for itself.

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
    /// Rows that the parents' bitmap left over are read by their addresses.
    fn orphans(&self, schema: &Schema, relation: &Relation, among: &ScanHints<'_>) -> Sql {
        let mut query = self.query();
        let child = schema.child(relation);
        let only = is_among(&mut query, child, among);
        let from = source(self, schema, child, "child", Reading::WholeTable);
        let parent = self.parent_query(schema, relation);
        let candidates = Candidates { from: &from, only: only.as_deref(), parent: parent.as_deref() };
        self.orphans_among(query, schema, relation, &candidates)
    }

    fn without_indexes(&self, question: &Sql) -> Option<Sql> {
        Some(question.clone().without_indexes())
    }
}

/// The child's row has one of the addresses.
fn is_among(query: &mut Query, child: &Table, among: &ScanHints<'_>) -> Option<String> {
    let (rows, address) = (among.rows?, child.row_address.as_ref()?);
    let rows: Vec<String> = rows.iter().map(|row| format!("\"({},{})\"", row >> 16, row & 0xFFFF)).collect();
    let rows = query.parameter(Value::text(format!("{{{}}}", rows.join(","))));
    Some(format!("child.{} = ANY ({rows}::text::tid[])", crate::sql::quoted(address)))
}
