//! The statements of a scan that are different on a cluster.
//!
//! A cluster counts the missing keys and their rows first, and streams neither. Rows are asked for only where there are
//! orphans. How many rows an answer has is known before it is asked.

use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::KeyPart;
use crate::sql::grammar::Reading;
use crate::sql::grammar::spark::Spark;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::phrases::column;
use crate::sql::phrases::key_parts;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::row_name_columns;
use crate::sql::scan::Candidates;
use crate::sql::scan::Scan;
use crate::sql::scan::source;

impl Scan for Spark {
    /// The count of one column may come from the statistics of the files, without reading them. A text may be the name of a folder
    /// that stands for NULL.
    fn count_of_incomplete(&self, schema: &Schema, relation: &Relation) -> String {
        let parts: Vec<KeyPart<'_>> = key_parts(schema, relation).collect();
        match parts.as_slice() {
            [part] if part.child.declared_type != "STRING" => format!("count(*) - count({})", self.child_value(part)),
            _ => self.count_of(&self.refers_to_nothing(schema, relation)),
        }
    }

    /// All rows come under one number, because a window over all rows would bring them to one machine.
    fn orphans_among(
        &self,
        mut query: Query,
        schema: &Schema,
        relation: &Relation,
        candidates: &Candidates<'_>,
    ) -> Sql {
        let columns = row_columns(self, schema, relation);
        let is_orphan = self.is_orphan(&mut query, schema, relation, candidates.parent);
        let order: Vec<String> = (0..columns.len()).map(|i| format!("c{i}")).collect();
        query.finish(format!(
            "SELECT 0 AS g, {}, 0 AS p FROM {} WHERE {is_orphan} ORDER BY {}",
            named(&columns),
            candidates.from,
            order.join(", ")
        ))
    }

    fn orphan_totals(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let mut query = self.query();
        let missing = missing(self, &mut query, schema, relation);
        Some(query.finish(format!("SELECT count(*), coalesce(sum(m.n), 0) FROM ({missing}) AS m")))
    }

    fn missing_keys(&self, schema: &Schema, relation: &Relation, most: u64) -> Option<Sql> {
        let mut query = self.query();
        let missing = missing(self, &mut query, schema, relation);
        let keys: Vec<String> = key_parts(schema, relation).map(|part| format!("m.k{}", part.index)).collect();
        let keys = keys.join(", ");
        Some(query.finish(format!("SELECT m.n, {keys} FROM ({missing}) AS m ORDER BY m.n DESC, {keys} LIMIT {most}")))
    }

    fn orphan_samples(&self, schema: &Schema, relation: &Relation, keys: &[&Key], most: usize) -> Option<Sql> {
        let mut query = self.query();
        let child_columns: Vec<&Column> = schema.child_columns(relation).collect();
        let wanted = self.searched_keys(&mut query, &child_columns, keys)?;
        let columns = row_columns(self, schema, relation);
        let must = self.must_have_parent(&mut query, schema, relation);
        let number = format!("{WANTED}.{}", self.number_column());
        let order = row_order(self, schema.child(relation));
        let shown: Vec<String> = (0..columns.len()).map(|i| format!("s.c{i}")).collect();
        let shown = shown.join(", ");
        Some(query.finish(format!(
            "SELECT s.g, {shown}, 0 AS p FROM (SELECT {number} AS g, {}, row_number() OVER (PARTITION BY {number} ORDER BY {}) AS r \
             FROM {} JOIN {wanted} ON {} WHERE {must}) AS s WHERE s.r <= {most} ORDER BY s.g, s.r",
            named(&columns),
            order.join(", "),
            source(self, schema, schema.child(relation), "child", Reading::AnyIndex),
            self.equals_wanted_key("child", child_columns),
        )))
    }

    fn parent_has_rows(&self, schema: &Schema, relation: &Relation) -> Option<Sql> {
        let parent = source(self, schema, schema.parent(relation)?, "parent", Reading::AnyIndex);
        Some(plain(format!("SELECT count(*) FROM (SELECT 1 FROM {parent} LIMIT 1) AS one")))
    }

    fn repeated_keys(&self, schema: &Schema, table: &Table, columns: &[usize]) -> Option<Sql> {
        let keys: Vec<String> =
            columns.iter().map(|&column| self.qualified("parent", &table.columns[column].name)).collect();
        let present: Vec<String> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
        Some(plain(format!(
            "SELECT count(*), coalesce(sum(m.n), 0) FROM (SELECT count(*) AS n FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1) AS m",
            source(self, schema, table, "parent", Reading::AnyIndex),
            present.join(" AND "),
            keys.join(", "),
        )))
    }
}

/// Returns the query for every missing key: its columns `k0` and so on, and the number `n` of its rows.
fn missing(grammar: &Spark, query: &mut Query, schema: &Schema, relation: &Relation) -> String {
    let parts: Vec<KeyPart<'_>> = key_parts(schema, relation).collect();
    let keys: Vec<String> = parts.iter().map(|part| grammar.child_value(part)).collect();
    let named: Vec<String> = keys.iter().enumerate().map(|(i, key)| format!("{key} AS k{i}")).collect();
    let parent = grammar.parent_query(schema, relation);
    let is_orphan = grammar.is_orphan(query, schema, relation, parent.as_deref());
    format!(
        "SELECT {}, count(*) AS n FROM {} WHERE {is_orphan} GROUP BY {}",
        named.join(", "),
        source(grammar, schema, schema.child(relation), "child", Reading::WholeTable),
        keys.join(", ")
    )
}

/// Returns the columns of a row of [`Scan::orphans`] between its number and the last one: the key as the parent would store it,
/// the key as the child stores it, and the row's name.
fn row_columns(grammar: &Spark, schema: &Schema, relation: &Relation) -> Vec<String> {
    let key: Vec<String> = key_parts(schema, relation).map(|part| grammar.child_value(&part)).collect();
    key.iter().cloned().chain(key.iter().cloned()).chain(names(grammar, schema.child(relation))).collect()
}

fn names(grammar: &Spark, child: &Table) -> Vec<String> {
    row_name_columns(child).into_iter().map(|name| grammar.qualified("child", name)).collect()
}

/// Returns the sort keys of a row's name. Sail does not sort bytes in a window.
fn row_order(grammar: &Spark, child: &Table) -> Vec<String> {
    let is_binary = |name: &str| column(child, name).is_some_and(|column| column.declared_type == "BINARY");
    let key = |name: &str| {
        let value = grammar.qualified("child", name);
        if is_binary(name) { format!("hex({value})") } else { value }
    };
    row_name_columns(child).into_iter().map(key).collect()
}

/// Gives each column a name of its own: `child.a AS c0`.
fn named(columns: &[String]) -> String {
    let named: Vec<String> = columns.iter().enumerate().map(|(i, column)| format!("{column} AS c{i}")).collect();
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::Engine;
    use crate::model::resolve::sample;

    /// Returns the question for the rows of a child that refers by a column of this type.
    fn counts(declared_type: &str) -> String {
        let column = Column { declared_type: declared_type.to_owned(), ..Column::unknown("r".to_owned()) };
        let schema = sample::one_relation(Engine::Spark, &column);
        let relation = schema.relations.iter().next().unwrap();
        Spark.counts(&schema, relation.child, &[relation]).text().to_owned()
    }

    #[test]
    fn rows_without_a_number_are_counted_by_statistics_and_those_without_a_text_by_value() {
        let number = counts("BIGINT");
        assert_eq!(number, "SELECT count(*), count(*), count(*) - count(child.`r`), 0 FROM `c` AS child");
        let text = counts("STRING");
        assert!(text.contains("count(CASE WHEN NOT (nullif(child.`r`, '__HIVE_DEFAULT_PARTITION__')"), "{text}");
    }
}
