//! Reads the definitions from the server's catalogs, by oid and column number. `information_schema` is not used,
//! because it hides objects that the user does not own, and cannot tell apart objects with the same name.

use std::collections::HashMap;

use super::connection::Connection;
use crate::engine::Deadline;
use crate::engine::catalog_row::CatalogRow;
use crate::engine::wire::Failure;
use crate::model::catalog;
use crate::model::catalog::Action;
use crate::model::catalog::Catalog;
use crate::model::catalog::Column;
use crate::model::catalog::Comparison;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Flaw;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::Match;
use crate::model::catalog::NameRule;
use crate::model::catalog::QualifiedName;
use crate::model::catalog::SqlType;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::ids::TableId;
use crate::model::remote;

/// The schema whose tables have no prefix. It is fixed, so that a relation's id does not depend on the user.
pub(super) const DEFAULT_SCHEMA: &str = "public";

pub(super) fn catalog(exporter: &mut Connection, deadline: &Deadline) -> Result<Catalog, Failure> {
    let mut database = DatabaseName {
        engine: Engine::Postgres,
        name: String::new(),
        version: String::new(),
        default_schema: Some(DEFAULT_SCHEMA.to_owned()),
    };
    let identity = "SELECT current_database()::text, split_part(current_setting('server_version'), ' ', 1)";
    each(exporter, deadline, identity, |row| {
        database.name = row.text();
        database.version = row.text();
    })?;
    let mut tables = Tables::default();
    each(exporter, deadline, include_str!("tables.sql"), |row| tables.add(row))?;
    each(exporter, deadline, include_str!("columns.sql"), |row| tables.add_column(row))?;
    each(exporter, deadline, include_str!("partitions.sql"), |row| tables.add_partition(row))?;
    each(exporter, deadline, include_str!("remote_views.sql"), |row| tables.mark_remote_view(row.number()))?;
    each(exporter, deadline, include_str!("indexes.sql"), |row| tables.add_index_column(row))?;
    each(exporter, deadline, include_str!("foreign_code.sql"), |row| tables.exclude(row))?;
    let mut keys = Keys { known: &tables, last: None, found: Vec::new() };
    each(exporter, deadline, include_str!("foreign_keys.sql"), |row| keys.add_column(row))?;
    let mut foreign_keys = keys.found;
    foreign_keys.sort_by_key(|key| key.child);
    Ok(Catalog { database, names: NameRule::Exact, tables: tables.found, foreign_keys })
}

fn each(
    exporter: &mut Connection,
    deadline: &Deadline,
    question: &str,
    mut take: impl FnMut(&mut CatalogRow<'_>),
) -> Result<(), Failure> {
    exporter.ask(question, &[], deadline, &mut |values| take(&mut CatalogRow::new(values)))
}

#[derive(Default)]
struct Tables {
    found: catalog::Tables,
    /// The id of each table by its oid.
    position: HashMap<i64, TableId>,
    /// The position of each column by its table's oid and its number. Dropped columns leave gaps in the numbers.
    column: HashMap<(i64, i64), usize>,
}

impl Tables {
    fn add(&mut self, row: &mut CatalogRow<'_>) {
        let oid = row.number();
        let name = table_name(row.text(), row.text());
        let (kind, row_address) = match row.text().as_str() {
            "r" => (TableKind::Table, Engine::Postgres.facts().row_address.name().map(str::to_owned)),
            "p" => (TableKind::Partitioned, None),
            "f" => (TableKind::Virtual, None),
            _ => (TableKind::View, None),
        };
        let has_conditions = row.truth();
        let mut table = Table { row_address, has_conditions, ..Table::new(name, kind) };
        if kind == TableKind::Virtual {
            mark_remote(&mut table, "is a foreign table");
        }
        let id = self.found.push(table);
        self.position.insert(oid, id);
    }

    fn add_partition(&mut self, row: &mut CatalogRow<'_>) {
        let (root, name) = (row.number(), table_name(row.text(), row.text()));
        let is_foreign = row.truth();
        if let Some(&position) = self.position.get(&root) {
            let table = &mut self.found[position];
            table.partitions.push(name);
            if is_foreign {
                mark_remote(table, "has foreign partitions");
            }
        }
    }

    fn mark_remote_view(&mut self, oid: i64) {
        if let Some(&position) = self.position.get(&oid) {
            mark_remote(&mut self.found[position], "is a view of foreign tables");
        }
    }

    /// Excludes a table whose planning would run foreign code. It counts as a table without rows of the server.
    fn exclude(&mut self, row: &mut CatalogRow<'_>) {
        let (oid, code) = (row.number(), row.text());
        if let Some(&position) = self.position.get(&oid) {
            let table = &mut self.found[position];
            table.kind = TableKind::Virtual;
            table.remote = None;
            table.unreadable = Some(format!(
                "reading it as a superuser would run {code}, which a superuser did not write: scan with another role"
            ));
        }
    }

    fn add_column(&mut self, row: &mut CatalogRow<'_>) {
        let (table, number) = (row.number(), row.number());
        let Some(&position) = self.position.get(&table) else { return };
        let (name, declared_type) = (row.text(), row.text());
        let (not_null, generated, always_identity) = (row.truth(), row.truth(), row.truth());
        let base = QualifiedName { schema: row.text(), name: row.text() };
        let composite = row.truth();
        let collation = row.qualified();
        let equality = QualifiedName { schema: row.text(), name: row.text() };
        let (deterministic, becomes_text) = (row.truth(), row.truth());
        let columns = &mut self.found[position].columns;
        self.column.insert((table, number), columns.len());
        columns.push(Column {
            name,
            declared_type,
            family: family(&base),
            collation: collation.as_ref().map(|collation| collation.name.clone()),
            not_null,
            generated,
            always_identity,
            sql_type: Some(SqlType { base, equality, collation, deterministic, becomes_text, composite }),
        });
    }

    fn add_index_column(&mut self, row: &mut CatalogRow<'_>) {
        let oid = row.number();
        let Some(&position) = self.position.get(&oid) else { return };
        let table = &mut self.found[position];
        let name = row.text();
        let (primary, unique, partial) = (row.truth(), row.truth(), row.truth());
        let column = self.column.get(&(oid, row.number())).copied();
        if primary {
            table.primary_key.extend(column);
        }
        if table.indexes.last().is_none_or(|last| last.name != name) {
            table.indexes.push(Index { name, columns: Vec::new(), unique, partial, primary, separate: true });
        }
        if let Some(index) = table.indexes.last_mut() {
            index.columns.push(IndexColumn { column, collation: row.optional_text() });
        }
    }
}

fn mark_remote(table: &mut Table, how: &str) {
    table.remote = Some(how.to_owned());
    table.irreversible = Some(remote::IRREVERSIBLE.to_owned());
}

fn table_name(schema: String, table: String) -> TableName {
    TableName { schema: (schema != DEFAULT_SCHEMA).then_some(schema), table }
}

fn family(base: &QualifiedName) -> Family {
    if base.schema != "pg_catalog" {
        return Family::Untyped;
    }
    match base.name.as_str() {
        "int2" | "int4" | "int8" => Family::Integer,
        "numeric" => Family::Numeric,
        "float4" | "float8" => Family::Real,
        "text" | "varchar" | "bpchar" | "name" => Family::Text,
        _ => Family::Untyped,
    }
}

struct Keys<'a> {
    known: &'a Tables,
    /// The oid of the current key.
    last: Option<i64>,
    found: Vec<ForeignKey>,
}

impl Keys<'_> {
    fn add_column(&mut self, row: &mut CatalogRow<'_>) {
        let oid = row.number();
        let start = self.start(row);
        let Some((start, (child, parent))) = start else { return };
        if self.last != Some(oid) {
            self.last = Some(oid);
            self.found.push(start);
        }
        let (child_number, parent_number) = (row.number(), row.number());
        let is_set = row.truth();
        let operator = QualifiedName { schema: row.text(), name: row.text() };
        let (parent_type, child_type) = (row.qualified(), row.qualified());
        let collation = row.qualified();
        let foreign_code = row.optional_text();
        let name_of = |table: i64, number: i64| {
            let position = self.known.position.get(&table)?;
            let column = self.known.column.get(&(table, number))?;
            Some(self.known.found[*position].columns[*column].name.clone())
        };
        let Some(key) = self.found.last_mut() else { return };
        if let (Some(child), Some(parent)) = (name_of(child, child_number), name_of(parent, parent_number)) {
            key.on_delete_columns.extend(is_set.then(|| child.clone()));
            key.columns.push(child);
            key.parent_columns.get_or_insert_default().push(parent);
        }
        key.comparisons.push(Comparison { operator, parent_type, child_type, collation });
        if let Some(code) = foreign_code {
            key.incomparable = Some(format!("comparing its values would run {code}, which is not part of the server"));
        }
    }

    /// Reads the part of a row that all columns of a key share. Returns the key, and the oids of child and parent.
    fn start(&self, row: &mut CatalogRow<'_>) -> Option<(ForeignKey, (i64, i64))> {
        let name = row.text();
        let (child, parent) = (row.number(), row.number());
        let (on_delete, on_update) = (action(&row.text()), action(&row.text()));
        let match_rule = if row.truth() { Match::Full } else { Match::Simple };
        let deferrable = row.truth();
        let (validated, enforced, temporal) = (row.truth(), row.truth(), row.truth());
        let disabled = row.optional_text();
        let mut flaws = Vec::new();
        if !enforced {
            flaws.push(Flaw::NotEnforced);
        } else if !validated {
            flaws.push(Flaw::NotValidated);
        }
        flaws.extend(disabled.map(|tables| Flaw::TriggersDisabled(tables.split(", ").map(str::to_owned).collect())));
        let key = ForeignKey {
            name: Some(name),
            child: *self.known.position.get(&child)?,
            columns: Vec::new(),
            parent: self.known.found[*self.known.position.get(&parent)?].name.clone(),
            parent_columns: None,
            on_delete,
            on_delete_columns: Vec::new(),
            on_update,
            match_rule,
            deferrable,
            comparisons: Vec::new(),
            flaws,
            incomparable: temporal.then(|| "it is a temporal key (PERIOD), which this version cannot check".to_owned()),
        };
        Some((key, (child, parent)))
    }
}

fn action(code: &str) -> Action {
    match code {
        "r" => Action::Restrict,
        "c" => Action::Cascade,
        "n" => Action::SetNull,
        "d" => Action::SetDefault,
        _ => Action::NoAction,
    }
}
