//! The statements that change all rows of a group at once, on servers. The lines of a batch are in a temporary table, so that
//! their values never become SQL text. Each statement checks the conditions of the group for every row itself.
//!
//! The temporary table has the alias `wanted`. A row of it holds the number of its line, the name of the row, its image before, and
//! its new values.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::model::catalog::Column;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::ids::RelationId;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::row_group::RowChangeKind;
use crate::model::row_group::RowGroup;
use crate::model::schema::Schema;
use crate::sql::capabilities;
use crate::sql::grammar::Reading;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::WANTED;
use crate::sql::phrases::column;
use crate::sql::phrases::key_parts;
use crate::sql::query::Query;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::repair::Repair;
use crate::sql::scan::source;

mod load;
mod mysql;
mod postgres;

pub use load::BatchLoad;
pub use load::LoadedRows;

/// Returns the statements of a schema's engine; `None` if it changes rows in another way.
pub fn of(schema: &Schema) -> Option<&'static dyn Batch> {
    capabilities::of(schema.database.engine).batch
}

/// The statement that changes the rows of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum BatchChange {
    /// A query that changes the rows. Its only row holds the number of changed rows, and how many of them are stored as planned,
    /// such as (400, 400).
    Query(Sql),
    Statement {
        change: Sql,
        /// The query for the number of rows that are stored as planned afterwards.
        stored: Option<Sql>,
        /// True if the server writes each row to a temporary table of its own before it changes it, and counts both.
        is_buffered: bool,
    },
}

/// The statements about a batch, for an engine whose groups change in one statement.
pub trait Batch: Repair {
    /// True if the rows of a group can be changed by one statement.
    fn is_possible(&self, group: &RowGroup<'_>) -> bool;

    /// Returns the statements that make the temporary table of a group, or empty it.
    fn make_empty(&self, group: &RowGroup<'_>) -> Vec<Sql>;

    /// Returns the statement that loads this number of lines into the temporary table, or as many of them as one statement can load.
    fn load(&self, group: &RowGroup<'_>, rows: usize) -> BatchLoad;

    /// Returns the statement after which the server knows the size of the temporary table; `None` if it needs none.
    fn measure(&self, _: &RowGroup<'_>) -> Option<Sql> {
        None
    }

    /// Returns the query whose only value is 1 if the table of a group stores new rows exactly as [`Self::insert_directly`] loads them: a
    /// trigger or a rule may replace values. `None` if no query can tell, or if a statement has to check conditions of the rows.
    fn stores_as_loaded(&self, _: &RowGroup<'_>) -> Option<Sql> {
        None
    }

    /// Returns the statement that inserts this number of new rows, or as many of them as one statement can insert, without the temporary
    /// table. The values of a row are those of [`BatchLine::new_values`](crate::model::row_group::BatchLine::new_values).
    fn insert_directly(&self, group: &RowGroup<'_>, rows: usize) -> BatchLoad;

    /// Returns the statement that changes the rows whose conditions hold.
    fn change(&self, group: &RowGroup<'_>) -> BatchChange;

    /// The stored columns of an alias hold exactly these values, to the bit. An example of a pair is
    /// ("note", "wanted.`fk-doctor before 1`").
    fn holds(&self, table: &Table, alias: &str, values: &[(&str, String)]) -> String;

    /// Returns the name of the temporary table.
    fn batch_table(&self, group: &RowGroup<'_>) -> String;

    /// Returns the query for the number of lines that fit. It leaves out that a changed row needs a parent.
    fn count_fitting(&self, group: &RowGroup<'_>) -> Sql {
        let mut query = self.query();
        let wanted = self.wanted(group);
        if group.kind == RowChangeKind::Insert {
            let named = self.is_named(group, "named");
            let stored = source(self, group.schema, &group.table, "named", Reading::AnyIndex);
            let mut conditions = vec![format!("NOT EXISTS (SELECT 1 FROM {stored} WHERE {named})")];
            conditions.extend(self.key_is_missing(group, &|relation| !group.is_named_by_key(relation)));
            return query.finish(format!("SELECT count(*) FROM {wanted} WHERE {}", conditions.join(" AND ")));
        }
        let fits = self.stored_row_fits(&mut query, group, false);
        let child = source(self, group.schema, &group.table, "child", Reading::AnyIndex);
        let join = self.facts().ordered_join;
        query.finish(format!(
            "SELECT count(*) FROM {wanted} {join} {child} ON {} WHERE {fits}",
            self.is_named(group, "child")
        ))
    }

    /// Returns the query that locks the stored rows of the lines, except those that another session holds. A row holds the number of
    /// the line, such as (3).
    fn lock_rows(&self, group: &RowGroup<'_>) -> Sql;

    /// Returns the query for the numbers of the lines whose row exists.
    fn existing_rows(&self, group: &RowGroup<'_>) -> Sql {
        plain(self.stored_rows(group))
    }

    /// Returns the clause that locks the rows which a query of a transaction decides by; empty if other locks do so.
    fn locking_read(&self) -> &'static str {
        ""
    }

    /// Returns the query for the child rows that refer to rows of the batch, which are rows of the relation's parent. A row holds
    /// the number of the line, the columns that identify the child, and its stored foreign key, such as (3, 17, 5).
    fn references(&self, group: &RowGroup<'_>, relation: &Relation) -> Sql {
        self.query().finish(format!(
            "SELECT {WANTED}.{}, {} {}{}",
            self.number_column(),
            self.shown_child(group.schema, relation),
            self.children(group, relation),
            self.locking_read(),
        ))
    }

    /// Returns the query for the numbers of the lines to whose rows some child refers, each once. These are rows of the relation's
    /// parent.
    fn referenced(&self, group: &RowGroup<'_>, relation: &Relation) -> Sql {
        let (number, join) = (self.number_column(), self.facts().ordered_join);
        let Parents { from, refers } = self.parents(group, relation);
        let child = source(self, group.schema, group.schema.child(relation), "child", Reading::AnyIndex);
        plain(format!("SELECT DISTINCT {WANTED}.{number} {from} {join} {child} ON {refers}{}", self.locking_read()))
    }

    /// Returns the query for the number of lines whose row was an orphan before its change and has a parent now, or whose changed row
    /// lacks a parent that it needs. The lines have all columns of these keys.
    fn unconfirmed(&self, group: &RowGroup<'_>) -> Sql {
        let schema = group.schema;
        let found = group.orphan_of.iter().filter_map(|&relation| {
            let relation = &schema.relations[relation];
            let refers = key_parts(schema, relation).filter_map(|part| {
                let index = group.before.iter().position(|name| *name == part.child.name)?;
                let value = format!("{WANTED}.{}", self.before_column(index));
                Some(self.refers(&part, &self.qualified("parent", &part.parent?.name), &value))
            });
            let refers = self.all_conditions(refers);
            let parent = source(self, schema, schema.parent(relation)?, "parent", Reading::AnyIndex);
            Some(format!("EXISTS (SELECT 1 FROM {parent} WHERE {refers})"))
        });
        let lost = self.has_parents(group).into_iter().map(|has_parent| format!("NOT {has_parent}"));
        let unconfirmed: Vec<String> = found.chain(lost).collect();
        plain(format!("SELECT count(*) FROM {} WHERE {}", self.wanted(group), unconfirmed.join(" OR ")))
    }

    /// Returns the query for the orphans of a relation. A row holds the columns that identify the child, and its stored foreign
    /// key, such as (17, 5).
    fn orphan_children(&self, schema: &Schema, relation: &Relation) -> Sql {
        let mut query = self.query();
        let parent = self.parent_query(schema, relation);
        let is_orphan = self.is_orphan(&mut query, schema, relation, parent.as_deref());
        let child = source(self, schema, schema.child(relation), "child", Reading::AnyIndex);
        let shown = self.shown_child(schema, relation);
        query.finish(format!("SELECT {shown} FROM {child} WHERE {is_orphan}{}", self.locking_read()))
    }
}

/// The rows of a batch as parents of a relation.
struct Parents {
    /// The FROM clause, without the child.
    from: String,
    /// The child refers to the parent.
    refers: String,
}

/// The pieces of the statements, for every engine that has them.
trait BatchPhrases: Batch {
    /// Returns the temporary table under its alias.
    fn wanted(&self, group: &RowGroup<'_>) -> String {
        format!("{} AS {WANTED}", self.batch_table(group))
    }

    fn name_column(&self, index: usize) -> String {
        self.quoted(&format!("fk-doctor name {index}"))
    }

    fn before_column(&self, index: usize) -> String {
        self.quoted(&format!("fk-doctor before {index}"))
    }

    fn after_column(&self, position: usize) -> String {
        self.quoted(&format!("fk-doctor after {position}"))
    }

    /// Returns the columns of the temporary table after the number, each with the column whose values it holds.
    fn batch_columns<'g>(&self, group: &'g RowGroup<'_>) -> Vec<(String, &'g Column)> {
        let stored = |name: &str| column(&group.table, name);
        let names = names_beside_image(group).iter().enumerate();
        let names = names.map(|(index, name)| (self.name_column(index), stored(name)));
        let before = group.before.iter().enumerate().map(|(index, name)| (self.before_column(index), stored(name)));
        let mut after: Vec<(usize, &String)> = group.set.iter().map(|(name, position)| (*position, name)).collect();
        after.sort_unstable();
        let after = after.into_iter().map(|(position, name)| (self.after_column(position), stored(name)));
        names.chain(before).chain(after).filter_map(|(name, column)| Some((name, column?))).collect()
    }

    /// The row of an alias has the name of the line.
    fn is_named(&self, group: &RowGroup<'_>, alias: &str) -> String {
        let equal = group.name.iter().enumerate().map(|(index, name)| {
            self.equal(column(&group.table, name), &self.qualified(alias, name), &self.name_value(group, index))
        });
        self.all_conditions(equal)
    }

    /// Returns the value of a column that identifies the row. If the image of the line has the value too, the temporary table holds it
    /// only once.
    fn name_value(&self, group: &RowGroup<'_>, index: usize) -> String {
        let in_image = |name: &String| match group.before.iter().position(|stored| stored == name) {
            Some(index) => Some(format!("{WANTED}.{}", self.before_column(index))),
            None => self.set_value(group, name),
        };
        let in_image = if group.is_named_by_image { in_image(&group.name[index]) } else { None };
        in_image.unwrap_or_else(|| format!("{WANTED}.{}", self.name_column(index)))
    }

    /// Returns the FROM clause of a query for the child rows that refer to rows of the batch.
    fn children(&self, group: &RowGroup<'_>, relation: &Relation) -> String {
        let join = self.facts().ordered_join;
        format!(
            "{} {join} {} ON {}",
            self.stored_parents(group),
            source(self, group.schema, group.schema.child(relation), "child", Reading::AnyIndex),
            self.refers_to_stored(group, relation),
        )
    }

    /// Returns the rows of the batch as parents of a relation. The line of a new parent has the whole key, so its stored row need not
    /// be read.
    fn parents(&self, group: &RowGroup<'_>, relation: &Relation) -> Parents {
        let is_new = |column: &Column| group.set.iter().any(|(set, _)| *set == column.name);
        if group.kind == RowChangeKind::Insert && group.schema.parent_columns(relation).all(is_new) {
            let key = |column: &Column| self.set_value(group, &column.name).unwrap_or_default();
            let from = format!("FROM {}", self.wanted(group));
            return Parents { from, refers: self.refers_to(group, relation, &key) };
        }
        Parents { from: self.stored_parents(group), refers: self.refers_to_stored(group, relation) }
    }

    /// Returns the FROM clause of a query for the rows of the batch, which are parents.
    fn stored_parents(&self, group: &RowGroup<'_>) -> String {
        format!(
            "FROM {} {} {} ON {}",
            self.wanted(group),
            self.facts().ordered_join,
            source(self, group.schema, &group.table, "parent", Reading::AnyIndex),
            self.is_named(group, "parent"),
        )
    }

    /// The child of a relation refers to the stored parent.
    fn refers_to_stored(&self, group: &RowGroup<'_>, relation: &Relation) -> String {
        self.refers_to(group, relation, &|column| self.qualified("parent", &column.name))
    }

    /// The child of a relation refers to the parent with these values of its key.
    fn refers_to(&self, group: &RowGroup<'_>, relation: &Relation, key: &dyn Fn(&Column) -> String) -> String {
        let refers = key_parts(group.schema, relation).filter_map(|part| {
            let parent = key(part.parent?);
            Some(self.refers_to_known(&part, &parent, &self.child_value(&part)))
        });
        format!("{} AND {}", self.all_conditions(refers), self.in_scope(relation))
    }

    /// Returns the columns that identify a child, and its stored foreign key.
    fn shown_child(&self, schema: &Schema, relation: &Relation) -> String {
        let child = schema.child(relation);
        let names = identity_columns(child).into_iter().map(|name| {
            let value = self.qualified("child", name);
            column(child, name).map_or_else(|| self.shown_address(&value), |column| self.shown(&value, column))
        });
        let key = schema.child_columns(relation).filter(|column| !column.generated);
        let key = key.map(|column| self.lossless(&self.qualified("child", &column.name), column));
        names.chain(key).collect::<Vec<String>>().join(", ")
    }

    /// Returns the query for the numbers of the lines whose row is stored.
    fn stored_rows(&self, group: &RowGroup<'_>) -> String {
        format!(
            "SELECT {WANTED}.{} FROM {} {} {} ON {}",
            self.number_column(),
            self.wanted(group),
            self.facts().ordered_join,
            source(self, group.schema, &group.table, "child", Reading::AnyIndex),
            self.is_named(group, "child"),
        )
    }

    /// Returns the new value of a column, for a column that the group sets.
    fn set_value(&self, group: &RowGroup<'_>, name: &str) -> Option<String> {
        let (_, position) = group.set.iter().find(|(set, _)| set == name)?;
        Some(format!("{WANTED}.{}", self.after_column(*position)))
    }

    /// Returns the image of a row before or after its change, as pairs of a column and its value.
    fn image<'g>(&self, group: &'g RowGroup<'_>, is_after: bool) -> Vec<(&'g str, String)> {
        if group.kind == RowChangeKind::Insert {
            let set = group.set.iter();
            return set.filter_map(|(name, _)| Some((name.as_str(), self.set_value(group, name)?))).collect();
        }
        let before = group.before.iter().enumerate().map(|(index, name)| {
            let new = if is_after { self.set_value(group, name) } else { None };
            (name.as_str(), new.unwrap_or_else(|| format!("{WANTED}.{}", self.before_column(index))))
        });
        before.collect()
    }

    /// The stored row has the image of the line, and is an orphan. If `is_changed`, it also has the parents that it needs after its
    /// change.
    fn stored_row_fits(&self, query: &mut Query, group: &RowGroup<'_>, is_changed: bool) -> String {
        let mut conditions = vec![self.holds(&group.table, "child", &self.image(group, false))];
        for &relation in &group.orphan_of {
            let relation = &group.schema.relations[relation];
            let parent = self.parent_query(group.schema, relation);
            conditions.push(self.is_orphan(query, group.schema, relation, parent.as_deref()));
        }
        if is_changed {
            conditions.extend(self.has_parents(group));
        }
        conditions.join(" AND ")
    }

    /// No parent of some relations has the key of the new row.
    fn key_is_missing(&self, group: &RowGroup<'_>, is_wanted: &dyn Fn(RelationId) -> bool) -> Vec<String> {
        let missing = group.missing_in.iter().filter(|&&relation| is_wanted(relation)).map(|&relation| {
            let about = &group.schema.relations[relation];
            let equal = group.schema.parent_columns(about).filter_map(|column| {
                let new = self.set_value(group, &column.name)?;
                Some(self.equal_to_listed(column, &self.qualified("parent", &column.name), &new))
            });
            let equal = self.all_conditions(equal);
            let parent = source(self, group.schema, &group.table, "parent", Reading::AnyIndex);
            format!("NOT EXISTS (SELECT 1 FROM {parent} WHERE {equal})")
        });
        missing.collect()
    }

    /// The row has the parents that its new values need.
    fn has_parents(&self, group: &RowGroup<'_>) -> Vec<String> {
        group.needs_parent_in.iter().map(|&relation| self.has_parent(group, relation)).collect()
    }

    fn has_parent(&self, group: &RowGroup<'_>, relation: RelationId) -> String {
        let about = &group.schema.relations[relation];
        let (mut nulls, mut refers) = (Vec::new(), Vec::new());
        for part in key_parts(group.schema, about) {
            let value = self.set_value(group, &part.child.name);
            let value = value.unwrap_or_else(|| self.child_value(&part));
            nulls.extend(self.is_present(part.child, &value).map(|present| format!("NOT ({present})")));
            if let Some(parent) = part.parent {
                refers.push(self.refers(&part, &self.qualified("parent", &parent.name), &value));
            }
        }
        let refers_to_nothing = match about.match_rule {
            _ if nulls.is_empty() => self.truth(false).to_owned(),
            Match::Simple => nulls.join(" OR "),
            Match::Full => nulls.join(" AND "),
        };
        match group.schema.parent(about) {
            None => format!("({refers_to_nothing})"),
            Some(parent) => {
                let parent = source(self, group.schema, parent, "parent", Reading::AnyIndex);
                let refers = self.all_conditions(refers);
                format!("({refers_to_nothing} OR EXISTS (SELECT 1 FROM {parent} WHERE {refers}))")
            }
        }
    }

    /// Returns the INSERT of the rows whose conditions hold. `middle` follows the columns.
    fn insert_wanted(&self, group: &RowGroup<'_>, middle: &str) -> String {
        let image = self.image(group, true);
        let names: Vec<String> = image.iter().map(|(name, _)| self.quoted(name)).collect();
        let values: Vec<&str> = image.iter().map(|(_, value)| value.as_str()).collect();
        let is_missing = self.key_is_missing(group, &|_| true);
        let conditions: Vec<String> = is_missing.into_iter().chain(self.has_parents(group)).collect();
        let only = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        format!(
            "INSERT INTO {}({}){middle} SELECT {} FROM {}{only} ORDER BY {WANTED}.{}",
            self.table_name(None, &group.table),
            names.join(", "),
            values.join(", "),
            self.wanted(group),
            self.number_column(),
        )
    }
}

impl<B: Batch + ?Sized> BatchPhrases for B {}

/// Returns the columns that identify the row and are not in the image of the line.
fn names_beside_image<'g>(group: &'g RowGroup<'_>) -> &'g [String] {
    if group.is_named_by_image { &[] } else { &group.name }
}

/// True if the rows of a group are new, and a statement need not check their conditions.
fn inserts_freely(group: &RowGroup<'_>) -> bool {
    let is_refused_twice = |&relation: &RelationId| group.is_kept_unique(relation);
    group.kind == RowChangeKind::Insert
        && group.missing_in.iter().all(is_refused_twice)
        && group.needs_parent_in.is_empty()
}

/// Returns the name of a group's temporary table, which depends on the columns of the table alone.
fn batch_name(group: &RowGroup<'_>) -> String {
    let mut hasher = DefaultHasher::new();
    (&group.table.name, names_beside_image(group), &group.before, &group.set).hash(&mut hasher);
    format!("fk-doctor batch {:016x}", hasher.finish())
}

/// True if the group has only columns that a temporary table can have, and no address.
fn has_only_columns(group: &RowGroup<'_>) -> bool {
    let is_column = |name: &String| column(&group.table, name).is_some();
    group.address.is_none() && group.name.iter().chain(group.before.iter()).all(is_column)
}
