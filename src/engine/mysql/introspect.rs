//! Reads the definitions from `information_schema`, one schema at a time.
//!
//! Its columns compare names without case, so every query compares the exact name as well. It hides the rules of
//! foreign keys from users who may only read; these come from `SHOW CREATE TABLE`. Tables of other schemas are read if
//! a foreign key refers to them.

use std::collections::HashMap;

use super::connection::Connection;
use super::rules;
use crate::engine::Deadline;
use crate::engine::catalog_row::CatalogRow;
use crate::engine::wire::Failure;
use crate::model::catalog::Action;
use crate::model::catalog::Catalog;
use crate::model::catalog::Column;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::Match;
use crate::model::catalog::NameRule;
use crate::model::catalog::Storage;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::catalog::Tables;
use crate::model::ids::TableId;
use crate::model::remote;
use crate::model::value::Value;

/// The error codes for a missing table and a missing schema.
const NO_SUCH_TABLE: [&str; 2] = ["1146", "1049"];

/// The engine and version of a server, and the database of the URL.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) engine: Engine,
    pub(super) version: String,
    pub(super) database: String,
    names: NameRule,
}

impl Server {
    /// True if the server has common table expressions and window functions.
    pub(super) fn is_recent(&self) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        version >= if self.engine == Engine::Mariadb { (10, 2) } else { (8, 0) }
    }
}

pub(super) fn server(first: &mut Connection, deadline: &Deadline) -> Result<Server, Failure> {
    let mut server =
        Server { engine: Engine::Mysql, version: String::new(), database: String::new(), names: NameRule::Exact };
    let question = "SELECT version(), coalesce(database(), ''), @@lower_case_table_names";
    first.ask(question, &[], deadline, &mut |values| {
        let mut row = CatalogRow::new(values);
        let version = row.text();
        if version.contains("MariaDB") {
            server.engine = Engine::Mariadb;
        }
        server.version = version.split('-').next().unwrap_or_default().to_owned();
        server.database = row.text();
        if row.truth() {
            server.names = NameRule::AsciiCaseless;
        }
    })?;
    Ok(server)
}

pub(super) fn catalog(first: &mut Connection, server: &Server, deadline: &Deadline) -> Result<Catalog, Failure> {
    let mut reader = Reader { first, server, deadline, tables: Tables::new() };
    reader.read_tables(&server.database, |_| true)?;
    reader.mark_remote_views()?;
    let mut foreign_keys = reader.foreign_keys()?;
    let mut in_other_schemas: Vec<TableName> = foreign_keys.iter().map(|key| key.parent.clone()).collect();
    in_other_schemas.retain(|name| name.schema.is_some());
    in_other_schemas.sort();
    in_other_schemas.dedup();
    for parents in in_other_schemas.chunk_by(|left, right| left.schema == right.schema) {
        let schema = parents[0].schema.clone().unwrap_or_default();
        reader.read_tables(&schema, |name| parents.iter().any(|parent| server.names.same(&parent.table, name)))?;
    }
    reader.spell_columns(&mut foreign_keys);
    reader.mark_unreadable_parents(&mut foreign_keys)?;
    reader.mark_stored_alike(&mut foreign_keys);
    let tables = reader.tables;
    Ok(Catalog {
        database: DatabaseName {
            engine: server.engine,
            name: server.database.clone(),
            version: server.version.clone(),
            default_schema: Some(server.database.clone()),
        },
        names: server.names,
        tables,
        foreign_keys,
    })
}

struct Reader<'a> {
    first: &'a mut Connection,
    server: &'a Server,
    deadline: &'a Deadline,
    tables: Tables,
}

impl Reader<'_> {
    fn each(&mut self, question: &str, schema: &str, mut take: impl FnMut(&mut CatalogRow<'_>)) -> Result<(), Failure> {
        let schema = [Value::text(schema), Value::text(schema)];
        self.first.ask(question, &schema, self.deadline, &mut |values| take(&mut CatalogRow::new(values)))
    }

    fn table_name(&self, schema: &str, table: String) -> TableName {
        let here = self.server.names.same(schema, &self.server.database);
        TableName { schema: (!here).then(|| schema.to_owned()), table }
    }

    /// Reads the wanted tables of a schema, with their columns and indexes.
    fn read_tables(&mut self, schema: &str, wanted: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let mut found = Vec::new();
        self.each(include_str!("tables.sql"), schema, |row| {
            let name = row.text();
            let (kind, storage, options) = (row.text(), row.text(), row.text());
            found.push((name, kind, storage, options));
        })?;
        let before = self.tables.len();
        for (name, kind, storage, options) in found.into_iter().filter(|(name, ..)| wanted(name)) {
            let partitioned = options.contains("partitioned");
            let name = self.table_name(schema, name);
            self.tables.push(Table {
                storage: stored_in(&kind, &storage),
                without_foreign_keys: without_foreign_keys(&kind, &storage, partitioned),
                irreversible: irreversible(&kind, &storage, partitioned),
                remote: is_remote(&storage).then(|| format!("is stored by {storage}")),
                ..Table::new(name, table_kind(&kind, &storage, partitioned))
            });
        }
        let mut tables = std::mem::take(&mut self.tables);
        let positions: HashMap<String, TableId> =
            tables.entries().skip(before).map(|(id, table)| (table.name.table.clone(), id)).collect();
        self.each(include_str!("columns.sql"), schema, |row| {
            if let Some(&position) = positions.get(&row.text()) {
                tables[position].columns.push(column(row));
            }
        })?;
        self.each(include_str!("indexes.sql"), schema, |row| {
            if let Some(&position) = positions.get(&row.text()) {
                add_index_column(&mut tables[position], row);
            }
        })?;
        self.tables = tables;
        Ok(())
    }

    /// Marks the views that read tables of other servers, directly or through other views. The server writes each table in the
    /// definition of a view with its schema.
    fn mark_remote_views(&mut self) -> Result<(), Failure> {
        if !self.tables.iter().any(|table| table.remote.is_some()) {
            return Ok(());
        }
        let schema = self.server.database.clone();
        let mut definitions = Vec::new();
        self.each(include_str!("views.sql"), &schema, |row| definitions.push((row.text(), row.text())))?;
        let facts = self.server.engine.facts();
        let written = |table: &str| format!("{}.{}", facts.quoted(&schema), facts.quoted(table)).to_lowercase();
        let mut remote: Vec<String> =
            self.tables.iter().filter(|table| table.remote.is_some()).map(|table| written(&table.name.table)).collect();
        let mut next = 0;
        while let Some(table) = remote.get(next).cloned() {
            next += 1;
            for (view, _) in definitions.iter().filter(|(_, definition)| definition.to_lowercase().contains(&table)) {
                let mut tables = self.tables.iter_mut();
                if let Some(view) = tables.find(|known| known.name.table == *view && known.remote.is_none()) {
                    view.remote = Some("is a view of tables on other servers".to_owned());
                    view.irreversible = Some(remote::IRREVERSIBLE.to_owned());
                    remote.push(written(&view.name.table));
                }
            }
        }
        Ok(())
    }

    fn foreign_keys(&mut self) -> Result<Vec<ForeignKey>, Failure> {
        let schema = self.server.database.clone();
        let mut known_rules = HashMap::new();
        self.each(include_str!("rules.sql"), &schema, |row| {
            let of = (row.text(), row.text());
            known_rules.insert(of, (rules::named(&row.text()), rules::named(&row.text())));
        })?;
        let mut rows = Vec::new();
        self.each(include_str!("foreign_keys.sql"), &schema, |row| {
            rows.push([row.text(), row.text(), row.text(), row.text(), row.text(), row.text()]);
        })?;
        let mut keys: Vec<ForeignKey> = Vec::new();
        for [table, constraint, column, parent_schema, parent_table, parent_column] in rows {
            let Some(child) = self.tables.position(|known| known.name.table == table) else { continue };
            if keys.last().is_none_or(|last| last.child != child || last.name.as_ref() != Some(&constraint)) {
                let known = known_rules.remove(&(table.clone(), constraint.clone()));
                let (on_delete, on_update) = match known {
                    Some(rules) => rules,
                    None => self.rules_in_definition(&table, &constraint),
                };
                keys.push(ForeignKey {
                    name: Some(constraint),
                    child,
                    columns: Vec::new(),
                    parent: self.table_name(&parent_schema, parent_table),
                    parent_columns: Some(Vec::new()),
                    on_delete,
                    on_delete_columns: Vec::new(),
                    on_update,
                    match_rule: Match::Simple,
                    deferrable: false,
                    comparisons: Vec::new(),
                    flaws: Vec::new(),
                    incomparable: None,
                });
            }
            if let Some(key) = keys.last_mut() {
                key.columns.push(column);
                key.parent_columns.get_or_insert_default().push(parent_column);
            }
        }
        keys.sort_by_key(|key| key.child);
        Ok(keys)
    }

    /// Finds parents that exist but cannot be read. `information_schema` hides them, so each missing parent is queried.
    fn mark_unreadable_parents(&mut self, keys: &mut [ForeignKey]) -> Result<(), Failure> {
        for key in keys {
            if self.find(&key.parent).is_some() {
                continue;
            }
            let schema = key.parent.schema.as_ref().unwrap_or(&self.server.database);
            let name = |name: &str| self.server.engine.facts().quoted(name);
            let question = format!("SELECT 1 FROM {}.{} LIMIT 0", name(schema), name(&key.parent.table));
            match self.first.ask(&question, &[], self.deadline, &mut |_| {}) {
                Err(Failure::Refused { code, .. }) if NO_SUCH_TABLE.contains(&code.as_str()) => {}
                Err(Failure::Refused { message, .. }) => {
                    key.incomparable = Some(format!("its parent cannot be read: {message}"));
                }
                Err(failure) => return Err(failure),
                Ok(()) => key.incomparable = Some("its parent was created while the definitions were read".to_owned()),
            }
        }
        Ok(())
    }

    /// Marks relations between types that only InnoDB can compare. InnoDB compares stored bytes, for example of a
    /// timestamp and of four binary bytes. SQL compares their values.
    fn mark_stored_alike(&self, keys: &mut [ForeignKey]) {
        for key in keys.iter_mut() {
            let Some(parent) = self.find(&key.parent) else { continue };
            let named = |table: &Table, name: &String| {
                let column = table.columns.iter().find(|column| column.name == *name)?;
                Some((kind_of(&column.declared_type).to_owned(), column.family.clone()))
            };
            let parent_columns = key.parent_columns.iter().flatten();
            let pairs = key.columns.iter().zip(parent_columns);
            let mut pairs = pairs.filter_map(|(r, k)| Some((named(&self.tables[key.child], r)?, named(parent, k)?)));
            let unlike = pairs.find(|((r, of_r), (k, of_k))| {
                let bytes = |kind: &str| kind.ends_with("binary");
                r != k && (*of_r == Family::Untyped || *of_k == Family::Untyped) && !(bytes(r) && bytes(k))
            });
            if let Some(((r, _), (k, _))) = unlike {
                key.incomparable =
                    Some(format!("the server compares the stored bytes of {r} with those of {k}, which SQL cannot"));
            }
        }
    }

    fn find(&self, name: &TableName) -> Option<&Table> {
        let same =
            |table: &&Table| table.name.schema == name.schema && self.server.names.same(&table.name.table, &name.table);
        self.tables.iter().find(same)
    }

    /// Reads the rules from the table's definition. If it cannot be read, the default rule is assumed.
    fn rules_in_definition(&mut self, table: &str, constraint: &str) -> (Action, Action) {
        let default = if self.server.engine == Engine::Mariadb { Action::Restrict } else { Action::NoAction };
        let name = |name: &str| self.server.engine.facts().quoted(name);
        let question = format!("SHOW CREATE TABLE {}.{}", name(&self.server.database), name(table));
        let mut definition = String::new();
        let take = &mut |values: &[Value]| {
            let mut row = CatalogRow::new(values);
            (_, definition) = (row.text(), row.text());
        };
        let asked = self.first.ask(&question, &[], self.deadline, take);
        let rules = asked.ok().and_then(|()| rules::in_definition(&definition, constraint, default));
        rules.unwrap_or((default, default))
    }

    /// Spells the columns of keys like their tables do. Column names are case-insensitive.
    fn spell_columns(&self, keys: &mut [ForeignKey]) {
        let spell = |table: Option<&Table>, names: &mut Vec<String>| {
            for name in names {
                let same = |column: &&Column| column.name.to_lowercase() == name.to_lowercase();
                if let Some(column) = table.and_then(|table| table.columns.iter().find(same)) {
                    name.clone_from(&column.name);
                }
            }
        };
        for key in keys {
            spell(self.tables.get(key.child), &mut key.columns);
            spell(self.find(&key.parent), key.parent_columns.get_or_insert_default());
        }
    }
}

/// Storage engines that keep rows elsewhere count as virtual, because reading them runs code there.
fn table_kind(kind: &str, storage: &str, partitioned: bool) -> TableKind {
    let elsewhere = ["CONNECT", "SPHINX", "OQGRAPH", "S3"];
    if kind.contains("VIEW") {
        TableKind::View
    } else if is_remote(storage) || elsewhere.iter().any(|name| storage.eq_ignore_ascii_case(name)) {
        TableKind::Virtual
    } else if partitioned {
        TableKind::Partitioned
    } else {
        TableKind::Table
    }
}

/// True for the storage engines that read tables of other servers.
fn is_remote(storage: &str) -> bool {
    ["FEDERATED", "SPIDER"].iter().any(|name| storage.eq_ignore_ascii_case(name))
}

/// True for the storage engines that keep foreign keys. They are also the ones that roll back.
fn is_transactional(storage: &str) -> bool {
    ["InnoDB", "NDBCLUSTER"].iter().any(|name| storage.eq_ignore_ascii_case(name))
}

fn stored_in(kind: &str, storage: &str) -> Storage {
    if kind.contains("VIEW") || is_transactional(storage) {
        Storage::Transactional
    } else {
        Storage::Lasting(storage.to_owned())
    }
}

fn without_foreign_keys(kind: &str, storage: &str, partitioned: bool) -> Option<String> {
    if kind.contains("VIEW") {
        return Some("is a view".to_owned());
    }
    match (is_transactional(storage), partitioned) {
        (true, false) => None,
        (true, true) => Some("is partitioned".to_owned()),
        (false, _) => Some(format!("is stored by {storage}")),
    }
}

/// Returns why changes of a table cannot be undone or rehearsed. Rehearsals use temporary tables, which cannot have
/// partitions.
fn irreversible(kind: &str, storage: &str, partitioned: bool) -> Option<String> {
    if is_remote(storage) {
        Some(remote::IRREVERSIBLE.to_owned())
    } else if !storage.eq_ignore_ascii_case("InnoDB") {
        Some(format!("is stored by {storage}, which cannot roll back"))
    } else if kind.contains("VERSIONED") {
        Some("keeps the history of its rows, which cannot be undone".to_owned())
    } else {
        partitioned.then(|| "is partitioned, and its rows cannot be rehearsed".to_owned())
    }
}

fn column(row: &mut CatalogRow<'_>) -> Column {
    let (name, declared_type, kind) = (row.text(), row.text(), row.text());
    let not_null = row.truth();
    let collation = row.optional_text();
    Column {
        family: family(&kind),
        name,
        declared_type,
        collation,
        not_null,
        generated: row.truth(),
        always_identity: false,
        sql_type: None,
    }
}

/// Returns `varbinary` of `varbinary(9)`.
fn kind_of(declared_type: &str) -> &str {
    declared_type.split(['(', ' ']).next().unwrap_or_default()
}

fn family(kind: &str) -> Family {
    match kind {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => Family::Integer,
        "decimal" => Family::Numeric,
        "float" | "double" => Family::Real,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => Family::Text,
        _ => Family::Untyped,
    }
}

fn add_index_column(table: &mut Table, row: &mut CatalogRow<'_>) {
    let (name, unique) = (row.text(), row.truth());
    let column = row.text();
    let column = table.columns.iter().position(|known| known.name == column);
    let primary = name == "PRIMARY";
    if primary {
        table.primary_key.extend(column);
    }
    // An index on a prefix of the column cannot be used for its values.
    let column = column.filter(|_| row.truth());
    if table.indexes.last().is_none_or(|last| last.name != name) {
        table.indexes.push(Index { name, columns: Vec::new(), unique, partial: false, primary, separate: true });
    }
    if let Some(index) = table.indexes.last_mut() {
        index.columns.push(IndexColumn { column, collation: None });
    }
}
