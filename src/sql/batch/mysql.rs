//! The statements about a batch on MySQL and MariaDB. A statement that writes reads every table as it is now, and locks what it
//! reads, absence included.

use super::Batch;
use super::BatchChange;
use super::BatchLoad;
use super::BatchPhrases;
use super::batch_name;
use super::has_only_columns;
use super::inserts_freely;
use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::row_group::RowChangeKind;
use crate::model::row_group::RowGroup;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::Reading;
use crate::sql::grammar::WriteGrammar;
use crate::sql::grammar::mysql::Mysql;
use crate::sql::grammar::mysql::charset_of;
use crate::sql::grammar::mysql::holds_bits;
use crate::sql::grammar::mysql::holds_shape;
use crate::sql::grammar::mysql::kept_times;
use crate::sql::in_backticks;
use crate::sql::mysql::hidden;
use crate::sql::mysql::variant::Variant;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column;
use crate::sql::phrases::key_parts;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::scan::source;

/// The largest number of parameters of a statement. The server allows 65,535.
const PARAMETERS: usize = 20_000;

/// The largest number of rows in one INSERT.
const ROWS: usize = 1_000;

impl Batch for Mysql {
    /// The server cannot read a table in a subquery of the statement that changes it, and counts no row that a cascade changes. Without
    /// an index, MySQL would read the whole parent for each row that it changes.
    fn is_possible(&self, group: &RowGroup<'_>) -> bool {
        let schema = group.schema;
        let reads_itself = group.kind != RowChangeKind::Insert && reads_itself(group);
        let sets = |name: &str| group.set.iter().any(|(set, _)| set == name);
        let may_cascade = group.kind == RowChangeKind::Update
            && schema.relations.ids().any(|id| {
                is_parent_of(group, id) && schema.parent_columns(&schema.relations[id]).any(|column| sets(&column.name))
            });
        let finds_parents = self.variant == Variant::Mariadb
            || group.kind == RowChangeKind::Insert
            || conditions(group).all(|relation| is_found_by_index(group, relation));
        has_only_columns(group) && !reads_itself && !may_cascade && finds_parents
    }

    fn batch_table(&self, group: &RowGroup<'_>) -> String {
        in_backticks(&batch_name(group))
    }

    /// An empty table is made anew, because TRUNCATE would commit.
    fn make_empty(&self, group: &RowGroup<'_>) -> Vec<Sql> {
        let columns =
            self.batch_columns(group).into_iter().map(|(name, column)| format!(", {name} {} NULL", type_of(column)));
        let (name, number) = (self.batch_table(group), self.number_column());
        vec![
            plain(format!("DROP TEMPORARY TABLE IF EXISTS {name}")),
            plain(format!(
                "CREATE TEMPORARY TABLE {name}({number} bigint PRIMARY KEY{}) ENGINE = InnoDB",
                columns.collect::<String>()
            )),
        ]
    }

    fn load(&self, group: &RowGroup<'_>, rows: usize) -> BatchLoad {
        let columns = self.batch_columns(group);
        let marks = columns.iter().map(|(_, column)| match holds_bits(column) {
            // Such a column would store the digits of a text.
            true => self.typed("?".to_owned(), Some(column), &Value::text("")),
            false => "?".to_owned(),
        });
        let marks: Vec<String> = std::iter::once("?".to_owned()).chain(marks).collect();
        insert_rows(&self.batch_table(group), &marks, rows)
    }

    /// MySQL hides the triggers of a table from a user without the privilege TRIGGER on it, and does not list privileges by roles.
    fn stores_as_loaded(&self, group: &RowGroup<'_>) -> Option<Sql> {
        let mut columns = group.set.iter().map(|(name, _)| column(&group.table, name));
        if !inserts_freely(group) || !columns.all(|column| column.is_some_and(stores_exactly)) {
            return None;
        }
        let mut query = self.query();
        let name = |query: &mut Query| query.parameter(Value::text(&group.table.name.table));
        let triggers = format!(
            "SELECT 1 FROM information_schema.triggers WHERE event_object_schema = database() AND event_object_table = {}",
            name(&mut query)
        );
        let are_seen = match self.variant {
            // A schema may be excepted from a privilege for everything.
            Variant::Mysql => {
                format!(" AND ({}) /*!80016 AND @@partial_revokes = 0 */", hidden::may_see_triggers(&name(&mut query)))
            }
            Variant::Mariadb => String::new(),
        };
        Some(query.finish(format!("SELECT 1 FROM dual WHERE NOT EXISTS ({triggers}){are_seen}")))
    }

    fn insert_directly(&self, group: &RowGroup<'_>, rows: usize) -> BatchLoad {
        let names: Vec<String> = group.set.iter().map(|(name, _)| in_backticks(name)).collect();
        let table = format!("{}({})", self.table_name(None, &group.table), names.join(", "));
        insert_rows(&table, &vec!["?".to_owned(); names.len()], rows)
    }

    fn change(&self, group: &RowGroup<'_>) -> BatchChange {
        let mut query = self.query();
        let target = source(self, group.schema, &group.table, "child", Reading::AnyIndex);
        let join = format!("{} STRAIGHT_JOIN {target} ON {}", self.wanted(group), self.is_named(group, "child"));
        let statement = match group.kind {
            RowChangeKind::Insert => self.insert_wanted(group, ""),
            RowChangeKind::Update => {
                let set = group.set.iter().filter_map(|(name, _)| {
                    Some(format!("{} = {}", self.qualified("child", name), self.set_value(group, name)?))
                });
                let is_set = |column: &Column| group.set.iter().any(|(set, _)| *set == column.name);
                let kept = kept_times(&group.table, &is_set).map(|column| self.qualified("child", &column.name));
                let kept = kept.map(|name| format!("{name} = {name}"));
                let set: Vec<String> = set.chain(kept).collect();
                let fits = self.stored_row_fits(&mut query, group, true);
                format!("UPDATE {join} SET {} WHERE {fits}", set.join(", "))
            }
            RowChangeKind::Delete => {
                let fits = self.stored_row_fits(&mut query, group, true);
                self.without_cascades(format!("DELETE child FROM {join} WHERE {fits}"))
            }
        };
        let stored = (group.kind != RowChangeKind::Delete).then(|| {
            plain(format!(
                "SELECT count(*) FROM {} STRAIGHT_JOIN {target} ON {} WHERE {}",
                self.wanted(group),
                self.is_named_after(group, "child"),
                self.holds(&group.table, "child", &self.image(group, true)),
            ))
        });
        BatchChange::Statement { change: query.finish(statement), stored, is_buffered: self.is_buffered(group) }
    }

    fn lock_rows(&self, group: &RowGroup<'_>) -> Sql {
        plain(format!("{} FOR UPDATE SKIP LOCKED", self.stored_rows(group)))
    }

    /// A plain query would read the snapshot of the transaction.
    fn locking_read(&self) -> &'static str {
        " LOCK IN SHARE MODE"
    }

    fn holds(&self, table: &Table, alias: &str, values: &[(&str, String)]) -> String {
        let same = values
            .iter()
            .filter_map(|(name, value)| Some(self.is_same(column(table, name)?, &self.qualified(alias, name), value)));
        self.all_conditions(same)
    }
}

impl Mysql {
    /// Two values of one column are stored alike.
    fn is_same(&self, column: &Column, left: &str, right: &str) -> String {
        let as_bytes = |value: &str| match column.declared_type.as_str() {
            "json" => format!("CAST(CAST({value} AS CHAR) AS BINARY)"),
            _ => format!("CAST({value} AS BINARY)"),
        };
        let is_text = column.collation.is_some() || is_of_new_text(column);
        if is_text || column.declared_type == "json" || holds_shape(column) {
            return format!("{} <=> {}", as_bytes(left), as_bytes(right));
        }
        let equal = format!("{left} <=> {right}");
        match column.family {
            // The server takes -0 for 0.
            Family::Real => {
                format!("{equal} AND ({left} <> 0 OR {left} IS NULL OR concat({left}) = concat({right}))")
            }
            _ => equal,
        }
    }

    /// True if MySQL collects all rows in a temporary table before it changes the first: those of a table that is not the first of a
    /// joined UPDATE, and new rows of a table that the statement reads. MariaDB does not count the rows of its own tables.
    fn is_buffered(&self, group: &RowGroup<'_>) -> bool {
        let collects = match group.kind {
            RowChangeKind::Update => true,
            RowChangeKind::Insert => reads_itself(group),
            RowChangeKind::Delete => false,
        };
        collects && self.variant == Variant::Mysql
    }

    /// The row of an alias has the name that the line has after its change.
    fn is_named_after(&self, group: &RowGroup<'_>, alias: &str) -> String {
        let equal = group.name.iter().enumerate().map(|(index, name)| {
            let value = self.set_value(group, name).unwrap_or_else(|| self.name_value(group, index));
            self.equal(column(&group.table, name), &self.qualified(alias, name), &value)
        });
        self.all_conditions(equal)
    }
}

/// Returns the statement that inserts this number of rows, or as many of them as one statement can insert.
fn insert_rows(table: &str, marks: &[String], rows: usize) -> BatchLoad {
    let rows = rows.min(ROWS).min(PARAMETERS / marks.len().max(1)).max(1);
    let lists = vec![format!("({})", marks.join(", ")); rows].join(", ");
    BatchLoad::Rows(format!("INSERT INTO {table} VALUES {lists}"), rows)
}

/// True if a column stores whole numbers and texts exactly as they are sent, or refuses them. Types that round, pad or parse a value do
/// not.
fn stores_exactly(column: &Column) -> bool {
    let kind = column.declared_type.split(['(', ' ']).next().unwrap_or_default();
    match kind {
        // The plan creates the column.
        "" => true,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => true,
        "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
            column.collation.as_deref().is_some_and(|collation| charset_of(collation).0 == "utf8mb4")
        }
        _ => false,
    }
}

/// True if a table is the parent of a relation.
fn is_parent_of(group: &RowGroup<'_>, relation: RelationId) -> bool {
    let schema = group.schema;
    schema.parent(&schema.relations[relation]).is_some_and(|parent| parent.name == group.table.name)
}

/// True if the conditions of a group read the table that it changes.
fn reads_itself(group: &RowGroup<'_>) -> bool {
    conditions(group).any(|relation| is_parent_of(group, relation))
}

/// Returns the relations whose parents the conditions of a group read.
fn conditions(group: &RowGroup<'_>) -> impl Iterator<Item = RelationId> {
    group.orphan_of.iter().chain(&group.missing_in).chain(&group.needs_parent_in).copied()
}

/// True if an index finds the parent of a row, because its values need no conversion.
fn is_found_by_index(group: &RowGroup<'_>, relation: RelationId) -> bool {
    let relation = &group.schema.relations[relation];
    let Some(parent) = group.schema.parent(relation) else { return true };
    let is_alike =
        |child: &Column, parent: &Column| child.family == parent.family && child.collation == parent.collation;
    parent.indexes.iter().any(|index| index.begins_with(&relation.parent.columns))
        && key_parts(group.schema, relation).all(|part| part.parent.is_some_and(|parent| is_alike(part.child, parent)))
}

/// Returns the type of a column with its collation. A table that a plan creates has no types yet.
fn type_of(column: &Column) -> String {
    let (set, order) = match column.collation.as_deref().map(charset_of) {
        Some(collation) => collation,
        None if is_of_new_text(column) => ("utf8mb4".to_owned(), "utf8mb4_bin".to_owned()),
        None if column.declared_type.is_empty() => return "bigint".to_owned(),
        None => return column.declared_type.clone(),
    };
    let declared = if column.declared_type.is_empty() { "longtext" } else { &column.declared_type };
    format!("{declared} CHARACTER SET {set} COLLATE {order}")
}

/// True if a plan creates the column as a text.
fn is_of_new_text(column: &Column) -> bool {
    column.declared_type.is_empty() && column.family != Family::Integer
}
