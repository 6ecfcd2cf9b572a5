//! The statements of a scan that are different on PostgreSQL.

use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::postgres::Postgres;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
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

    /// A whole number has one notation only, and the server lets no other type refer to it, so it has no near misses.
    fn near_misses(&self, schema: &Schema, relation: &Relation, keys: &[&Key], limit: u64) -> Option<Sql> {
        let column = schema.parent_columns(relation).next().filter(|column| column.family != Family::Integer)?;
        let mut query = self.query();
        let wanted = self.text_keys(&mut query, keys);
        let value = self.qualified("parent", &column.name);
        Some(query.finish(format!(
            "WITH sought AS MATERIALIZED (SELECT {WANTED}.{} AS i, {} AS n FROM {wanted}) \
             SELECT sought.i, min(p.k), count(DISTINCT p.k) FROM \
             (SELECT {} AS k FROM {} WHERE {value} IS NOT NULL LIMIT {limit}) AS p \
             JOIN sought ON sought.n = {} GROUP BY sought.i ORDER BY sought.i",
            self.number_column(),
            self.bare(&format!("{WANTED}.{}", self.value_column(0))),
            self.plain_text(&value, Some(column)),
            source(self, schema, schema.parent(relation)?, "parent", Reading::AnyIndex),
            self.bare("p.k"),
        )))
    }
}

impl Postgres {
    /// Returns a text without white space, case, leading zeros and the punctuation of a UUID.
    fn bare(&self, text: &str) -> String {
        let trimmed = self.trimmed(&self.plain_text(text, None));
        format!("ltrim(lower(replace(replace(replace({trimmed}, '-', ''), '{{', ''), '}}', '')), '0')")
    }
}

/// Returns the condition that the child's row has one of the addresses; `None` if they are unknown.
fn has_suspect_address(query: &mut Query, child: &Table, hints: &ScanHints<'_>) -> Option<String> {
    let (rows, address) = (hints.rows?, child.row_address.as_ref()?);
    let rows: Vec<String> = rows.iter().map(|row| format!("\"({},{})\"", row >> 16, row & 0xFFFF)).collect();
    let rows = query.parameter(Value::text(format!("{{{}}}", rows.join(","))));
    Some(format!("child.{} = ANY ({rows}::text::tid[])", crate::sql::quoted(address)))
}
