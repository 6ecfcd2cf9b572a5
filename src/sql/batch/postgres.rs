//! The statements about a batch on PostgreSQL. The temporary table has the types of the table, and the function
//! `record_image_eq` compares stored bytes: it depends on no collation and on no operator of a type.

use super::Batch;
use super::BatchChange;
use super::BatchLoad;
use super::BatchPhrases;
use super::Parents;
use super::batch_name;
use super::has_only_columns;
use super::inserts_freely;
use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::row_group::RowChangeKind;
use crate::model::row_group::RowGroup;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::postgres::Postgres;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::quoted;
use crate::sql::scan::source;

/// The server's mark of a trigger that INSERT fires.
const OF_INSERT: u32 = 4;

impl Batch for Postgres {
    fn is_possible(&self, group: &RowGroup<'_>) -> bool {
        has_only_columns(group)
    }

    fn batch_table(&self, group: &RowGroup<'_>) -> String {
        format!("pg_temp.{}", quoted(&batch_name(group)))
    }

    fn make_empty(&self, group: &RowGroup<'_>) -> Vec<Sql> {
        let columns = self.batch_columns(group).into_iter();
        let columns: Vec<String> =
            columns.map(|(name, column)| format!(", {} AS {name}", self.qualified("child", &column.name))).collect();
        let name = self.batch_table(group);
        let create = format!(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {name} ON COMMIT DELETE ROWS AS SELECT 0::int8 AS {}{} FROM {} WITH NO DATA",
            self.number_column(),
            columns.concat(),
            self.source(None, &group.table, "child", Reading::AnyIndex),
        );
        vec![plain(create), plain(format!("TRUNCATE {name}"))]
    }

    fn load(&self, group: &RowGroup<'_>, _: usize) -> BatchLoad {
        BatchLoad::Stream(format!("COPY {} FROM STDIN", self.batch_table(group)))
    }

    fn stores_as_loaded(&self, group: &RowGroup<'_>) -> Option<Sql> {
        if !inserts_freely(group) {
            return None;
        }
        let mut query = self.query();
        let name = query.parameter(Value::text(self.table_name(None, &group.table)));
        Some(query.finish(format!(
            "SELECT count(*) FROM pg_catalog.pg_class AS c WHERE c.oid = {name}::text::regclass AND c.relkind = 'r' \
             AND NOT c.relhasrules AND NOT c.relrowsecurity AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS t \
             WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & {OF_INSERT} <> 0)"
        )))
    }

    /// COPY runs no rule, and is refused where a policy hides rows.
    fn insert_directly(&self, group: &RowGroup<'_>, _: usize) -> BatchLoad {
        let columns: Vec<String> = group.set.iter().map(|(name, _)| quoted(name)).collect();
        BatchLoad::Stream(format!("COPY {}({}) FROM STDIN", self.table_name(None, &group.table), columns.join(", ")))
    }

    /// Without statistics the server takes the table for small. Those of one column tell its size.
    fn measure(&self, group: &RowGroup<'_>) -> Option<Sql> {
        Some(plain(format!("ANALYZE {}({})", self.batch_table(group), self.number_column())))
    }

    fn change(&self, group: &RowGroup<'_>) -> BatchChange {
        let mut query = self.query();
        let image = self.image(group, true);
        let (change, is_as_planned) = match group.kind {
            RowChangeKind::Insert => {
                let insert = self.insert_wanted(group, " OVERRIDING SYSTEM VALUE");
                let stored: Vec<String> = new_columns(group).map(quoted).collect();
                let change = format!("{insert} RETURNING {}", stored.join(", "));
                // The new rows are compared with their lines by their names.
                let text = format!(
                    "WITH changed AS ({change}) SELECT (SELECT count(*) FROM changed), count(*) FROM changed JOIN {} ON {} WHERE {}",
                    self.wanted(group),
                    self.is_named(group, "changed"),
                    self.holds(&group.table, "changed", &image),
                );
                return BatchChange::Query(query.finish(text));
            }
            RowChangeKind::Update => {
                let set: Vec<String> = group
                    .set
                    .iter()
                    .filter_map(|(name, _)| Some(format!("{} = {}", quoted(name), self.set_value(group, name)?)))
                    .collect();
                let update = format!(
                    "UPDATE {} SET {} FROM {}",
                    self.source(None, &group.table, "child", Reading::AnyIndex),
                    set.join(", "),
                    self.wanted(group),
                );
                (update, self.holds(&group.table, "child", &image))
            }
            RowChangeKind::Delete => {
                let target = self.source(None, &group.table, "child", Reading::AnyIndex);
                (format!("DELETE FROM {target} USING {}", self.wanted(group)), self.truth(true).to_owned())
            }
        };
        let (named, fits) = (self.is_named(group, "child"), self.stored_row_fits(&mut query, group, true));
        BatchChange::Query(query.finish(format!(
            "WITH changed AS ({change} WHERE {named} AND {fits} RETURNING {is_as_planned} AS is_as_planned) \
             SELECT count(*), count(*) FILTER (WHERE is_as_planned) FROM changed"
        )))
    }

    /// The first child is enough.
    fn referenced(&self, group: &RowGroup<'_>, relation: &Relation) -> Sql {
        let Parents { from, refers } = self.parents(group, relation);
        let child = source(self, group.schema, group.schema.child(relation), "child", Reading::AnyIndex);
        let number = self.number_column();
        plain(format!("SELECT {WANTED}.{number} {from} WHERE EXISTS (SELECT 1 FROM {child} WHERE {refers})"))
    }

    /// An UPDATE of a key needs a stronger lock than that of other columns.
    fn lock_rows(&self, group: &RowGroup<'_>) -> Sql {
        let sets = |column: usize| group.set.iter().any(|(set, _)| *set == group.table.columns[column].name);
        let mut unique = group.table.indexes.iter().filter(|index| index.unique);
        let sets_key = unique.any(|index| index.columns.iter().any(|part| part.column.is_none_or(sets)));
        let lock = if group.kind == RowChangeKind::Delete || sets_key { "UPDATE" } else { "NO KEY UPDATE" };
        plain(format!("{} FOR {lock} OF child SKIP LOCKED", self.stored_rows(group)))
    }

    fn holds(&self, _: &Table, alias: &str, values: &[(&str, String)]) -> String {
        let stored: Vec<String> = values.iter().map(|(name, _)| self.qualified(alias, name)).collect();
        let images: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
        format!("record_image_eq(ROW({}), ROW({}))", stored.join(", "), images.join(", "))
    }
}

/// Returns the columns that name a new row, and those that it stores.
fn new_columns<'g>(group: &'g RowGroup<'_>) -> impl Iterator<Item = &'g str> {
    let set = group.set.iter().map(|(name, _)| name.as_str());
    let is_new = |name: &&str| !group.set.iter().any(|(set, _)| set == name);
    group.name.iter().map(String::as_str).filter(is_new).chain(set)
}
