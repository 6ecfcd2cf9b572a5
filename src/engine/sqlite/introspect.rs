//! Reads the definitions of a SQLite database with table-valued pragmas. Names are bound as values.
//!
//! SQLite prepares a statement for every such pragma, which takes longer than all other work on a small table. So a pragma
//! is asked only where the stored text or the stored indexes show that it has something to say.

use std::cmp::Reverse;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::Result;
use rusqlite::Statement;

use super::ddl;
use super::pages::layout::IndexFields;
use super::pages::layout::IndexLayout;
use super::pages::layout::Layouts;
use super::pages::layout::StoredColumn;
use super::pages::layout::TableLayout;
use super::stored_schema::StoredSchema;
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
use crate::model::facts::RowAddress;
use crate::model::ids::TableId;

pub(super) fn catalog(connection: &Connection, path: &Path) -> Result<Catalog> {
    read(connection, path).map(|(catalog, _)| catalog)
}

/// Returns the definitions, and where the file stores what they define.
pub(super) fn read(connection: &Connection, path: &Path) -> Result<(Catalog, Layouts)> {
    Reader::new(connection)?.read(path)
}

/// One reading of all definitions. Its statements are prepared once.
struct Reader<'c> {
    connection: &'c Connection,
    stored: StoredSchema,
    columns: Statement<'c>,
    indexes: Statement<'c>,
    index_columns: Statement<'c>,
    foreign_keys: Statement<'c>,
    layouts: Layouts,
}

impl<'c> Reader<'c> {
    fn new(connection: &'c Connection) -> Result<Reader<'c>> {
        Ok(Reader {
            connection,
            stored: StoredSchema::read(connection)?,
            columns: connection.prepare(
                "SELECT name, type, \"notnull\", pk, hidden, dflt_value FROM pragma_table_xinfo(?1, 'main')",
            )?,
            indexes: connection
                .prepare("SELECT seq, name, \"unique\", origin, partial FROM pragma_index_list(?1, 'main')")?,
            index_columns: connection
                .prepare("SELECT seqno, cid, coll, \"key\", \"desc\" FROM pragma_index_xinfo(?1, 'main')")?,
            foreign_keys: connection.prepare(
                "SELECT id, seq, \"table\", \"from\", \"to\", on_update, on_delete \
                 FROM pragma_foreign_key_list(?1, 'main')",
            )?,
            layouts: Layouts::default(),
        })
    }

    fn read(mut self, path: &Path) -> Result<(Catalog, Layouts)> {
        let tables = self.tables()?;
        let mut foreign_keys = Vec::new();
        for (id, table) in tables.entries().filter(|(_, table)| table.kind == TableKind::Table) {
            foreign_keys.extend(self.foreign_keys_of(id, table)?);
        }
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        let catalog = Catalog {
            database: DatabaseName {
                engine: Engine::Sqlite,
                name,
                version: rusqlite::version().to_owned(),
                default_schema: None,
            },
            names: NameRule::AsciiCaseless,
            tables,
            foreign_keys,
        };
        Ok((catalog, self.layouts))
    }

    fn tables(&mut self) -> Result<Tables> {
        let mut statement = self.connection.prepare(
            "SELECT name, type, wr, strict FROM pragma_table_list \
             WHERE schema = 'main' AND lower(name) NOT IN ('sqlite_schema', 'sqlite_master') ORDER BY name COLLATE BINARY",
        )?;
        let found: Vec<(String, String, bool, bool)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<Result<_>>()?;
        found
            .into_iter()
            .map(|(name, kind, without_rowid, strict)| self.table(name, &kind, without_rowid, strict))
            .collect()
    }

    fn table(&mut self, name: String, kind: &str, without_rowid: bool, strict: bool) -> Result<Table> {
        let kind = match kind {
            "view" => TableKind::View,
            "virtual" => TableKind::Virtual,
            "shadow" => TableKind::Shadow,
            _ => TableKind::Table,
        };
        let mut table = Table {
            name: TableName { schema: None, table: name },
            kind,
            columns: Vec::new(),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            row_address: None,
            address_lasts: false,
            address_column: None,
            storage: Storage::Transactional,
            without_foreign_keys: None,
            irreversible: None,
            partitions: Vec::new(),
        };
        // Only its module, which is not run, knows the columns of a virtual table. A broken view has no columns.
        if kind == TableKind::Virtual {
            return Ok(table);
        }
        let stored = self.read_columns(&mut table, strict);
        if kind == TableKind::View {
            if stored.is_err() {
                table.columns.clear();
            }
            return Ok(table);
        }
        let own_index = self.read_indexes(&mut table, without_rowid)?;
        let rowid_alias = if without_rowid { None } else { rowid(&mut table) };
        if let (Ok(stored), Some(root)) = (stored, self.stored.table(&table.name.table).root) {
            let layout = TableLayout::new(root, &stored, own_index, rowid_alias);
            self.layouts.tables.insert(table.name.table.clone(), layout);
        }
        Ok(table)
    }

    fn read_columns(&mut self, table: &mut Table, strict: bool) -> Result<Vec<StoredColumn>> {
        let mut rows = self.columns.query([&table.name.table])?;
        let mut stored = Vec::new();
        let mut key = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let declared_type: String = row.get(1)?;
            let position_in_key: i64 = row.get(3)?;
            let hidden: i64 = row.get(4)?;
            let default = row.get_ref(5)?.as_str_or_null()?;
            if position_in_key > 0 {
                key.push((position_in_key, table.columns.len()));
            }
            stored.push(StoredColumn {
                is_computed: hidden == 2,
                absent_is_null: default.is_none_or(|default| default.eq_ignore_ascii_case("null")),
            });
            table.columns.push(Column {
                family: family(&declared_type, strict),
                name,
                declared_type,
                collation: None,
                not_null: row.get(2)?,
                generated: hidden >= 2,
                sql_type: None,
            });
        }
        key.sort_unstable();
        table.primary_key = key.into_iter().map(|(_, column)| column).collect();
        if table.kind != TableKind::View {
            let mentions_collations = self.stored.table(&table.name.table).mentions("COLLATE");
            for column in &mut table.columns {
                column.collation = if mentions_collations {
                    let (_, collation, ..) = self.connection.column_metadata(
                        Some("main"),
                        table.name.table.as_str(),
                        column.name.as_str(),
                    )?;
                    collation.map(|name| name.to_string_lossy().into_owned())
                } else {
                    Some("BINARY".to_owned())
                };
            }
        }
        Ok(stored)
    }

    /// Adds the indexes of a table. Returns the fields of the table itself if it is a WITHOUT ROWID table.
    fn read_indexes(&mut self, table: &mut Table, without_rowid: bool) -> Result<Option<IndexFields>> {
        let has_only_a_rowid = match table.primary_key[..] {
            [] => true,
            [column] => table.columns[column].declared_type.eq_ignore_ascii_case("INTEGER"),
            _ => false,
        };
        let text = self.stored.table(&table.name.table);
        if has_only_a_rowid && !without_rowid && !text.has_index && !text.mentions("UNIQUE") && !text.mentions("DESC") {
            return Ok(None);
        }
        let mut found: Vec<(i64, String, bool, String, bool)> = self
            .indexes
            .query_map([&table.name.table], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })?
            .collect::<Result<_>>()?;
        found.sort_by_key(|&(number, ..)| Reverse(number));
        let mut own = None;
        for (_, name, unique, origin, partial) in found {
            let primary = origin == "pk";
            let separate = !(primary && without_rowid);
            let (columns, fields) = self.index_columns(table, &name)?;
            match self.stored.index_root(&name) {
                _ if !separate => own = Some(fields),
                Some(root) => _ = self.layouts.indexes.insert(name.clone(), IndexLayout { root, fields }),
                None => {}
            }
            table.indexes.push(Index { name, columns, unique, partial, primary, separate });
        }
        Ok(own)
    }

    fn index_columns(&mut self, table: &Table, index: &str) -> Result<(Vec<IndexColumn>, IndexFields)> {
        let mut found: Vec<(i64, i64, Option<String>, bool, bool)> = self
            .index_columns
            .query_map([index], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
            .collect::<Result<_>>()?;
        found.sort_by_key(|&(number, ..)| number);
        let mut fields = IndexFields::default();
        let mut columns = Vec::new();
        for (_, column, collation, is_key, descending) in found {
            let column = usize::try_from(column).ok();
            fields.columns.push(column);
            fields.descending.push(descending);
            if is_key {
                let column = column.filter(|&column| column < table.columns.len());
                columns.push(IndexColumn { column, collation });
            }
        }
        Ok((columns, fields))
    }

    fn foreign_keys_of(&mut self, child: TableId, table: &Table) -> Result<Vec<ForeignKey>> {
        let stored = self.stored.table(&table.name.table);
        if !stored.mentions("REFERENCES") {
            return Ok(Vec::new());
        }
        let mut found: Vec<(i64, i64, ReferenceRow)> = self
            .foreign_keys
            .query_map([&table.name.table], |row| {
                let parent = TableName { schema: None, table: row.get(2)? };
                let [on_update, on_delete] = [row.get_ref(5)?.as_str()?, row.get_ref(6)?.as_str()?].map(action);
                let reference = ReferenceRow { parent, from: row.get(3)?, to: row.get(4)?, on_update, on_delete };
                Ok((row.get(0)?, row.get(1)?, reference))
            })?
            .collect::<Result<_>>()?;
        // SQLite numbers the keys from the last to the first.
        found.sort_by_key(|&(id, column, _)| (Reverse(id), column));
        let mut keys: Vec<ForeignKey> = Vec::new();
        let mut last_id: Option<i64> = None;
        for (id, _, reference) in found {
            let ReferenceRow { parent, from, to, on_update, on_delete } = reference;
            if last_id != Some(id) {
                last_id = Some(id);
                keys.push(ForeignKey {
                    name: None,
                    child,
                    columns: Vec::new(),
                    parent,
                    parent_columns: to.as_ref().map(|_| Vec::new()),
                    on_delete,
                    on_update,
                    match_rule: Match::Simple,
                    deferrable: false,
                    on_delete_columns: Vec::new(),
                    comparisons: Vec::new(),
                    flaws: Vec::new(),
                    incomparable: None,
                });
            }
            if let Some(key) = keys.last_mut() {
                key.columns.push(from);
                if let (Some(columns), Some(column)) = (&mut key.parent_columns, to) {
                    columns.push(column);
                }
            }
        }
        add_names_and_deferral(stored.text.as_deref().unwrap_or_default(), &mut keys);
        Ok(keys)
    }
}

/// One column of a foreign key.
struct ReferenceRow {
    parent: TableName,
    from: String,
    to: Option<String>,
    on_update: Action,
    on_delete: Action,
}

/// Finds the name under which the rowid can be reached. Returns the column that is the rowid itself, if one is.
fn rowid(table: &mut Table) -> Option<usize> {
    let hidden_by_column = |name: &&&str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let RowAddress::Lasting(names) = Engine::Sqlite.facts().row_address else { return None };
    table.row_address = names.iter().find(|name| !hidden_by_column(name)).map(|name| (*name).to_owned());
    table.address_lasts = table.row_address.is_some();
    let [column] = table.primary_key[..] else { return None };
    // Only an INTEGER PRIMARY KEY that is the rowid has no index of its own.
    if table.indexes.iter().any(|index| index.primary) {
        return None;
    }
    table.columns[column].not_null = true;
    table.address_column = Some(column);
    table.indexes.insert(
        0,
        Index {
            name: "rowid".to_owned(),
            columns: vec![IndexColumn { column: Some(column), collation: None }],
            unique: true,
            partial: false,
            primary: true,
            separate: false,
        },
    );
    Some(column)
}

/// Adds the name of each key, and if it is deferred. Only the text of the CREATE TABLE contains them.
fn add_names_and_deferral(create_table: &str, keys: &mut [ForeignKey]) {
    let clauses = ddl::reference_clauses(create_table);
    let agree = clauses.len() == keys.len()
        && clauses.iter().zip(&*keys).all(|(clause, key)| clause.parent.eq_ignore_ascii_case(&key.parent.table));
    if agree {
        for (clause, key) in clauses.into_iter().zip(keys) {
            key.name = clause.name;
            key.deferrable = clause.deferred;
        }
    }
}

/// Applies SQLite's five rules of column affinity, in their order.
fn family(declared_type: &str, strict: bool) -> Family {
    let name = declared_type.to_ascii_uppercase();
    if strict && name == "ANY" {
        Family::Untyped
    } else if name.contains("INT") {
        Family::Integer
    } else if ["CHAR", "CLOB", "TEXT"].iter().any(|part| name.contains(part)) {
        Family::Text
    } else if name.is_empty() || name.contains("BLOB") {
        Family::Untyped
    } else if ["REAL", "FLOA", "DOUB"].iter().any(|part| name.contains(part)) {
        Family::Real
    } else {
        Family::Numeric
    }
}

fn action(name: &str) -> Action {
    match name {
        "RESTRICT" => Action::Restrict,
        "SET NULL" => Action::SetNull,
        "SET DEFAULT" => Action::SetDefault,
        "CASCADE" => Action::Cascade,
        _ => Action::NoAction,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn affinity_follows_the_five_rules_in_order() {
        for (declared, expected) in [
            ("INTEGER", Family::Integer),
            ("CHARINT", Family::Integer),
            ("FLOATING POINT", Family::Integer),
            ("VARCHAR(10)", Family::Text),
            ("", Family::Untyped),
            ("BLOB", Family::Untyped),
            ("DOUBLE", Family::Real),
            ("BOOLEAN", Family::Numeric),
            ("ANY", Family::Numeric),
        ] {
            assert_eq!(family(declared, false), expected, "{declared}");
        }
        assert_eq!(family("ANY", true), Family::Untyped);
    }

    /// A pragma that is not asked must have had nothing to say.
    #[test]
    fn definitions_are_the_same_when_every_pragma_is_asked() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT collate/**/nocase, x int Default 7, y DEFAULT Null);
                 CREATE TABLE d(id INTEGER PRIMARY KEY DESC, a REFERENCES p);
                 CREATE TABLE i(\"id\" \"INTEGER\" PRIMARY KEY, a int rEfErEnCeS p(id) on delete cascade);
                 CREATE TABLE u(a INT uNiQuE, b TEXT, c, PRIMARY KEY (b, c), FOREIGN KEY (a) REFERENCES p);
                 CREATE TABLE w(a TEXT, b INT, c, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
                 CREATE TABLE v(a INTEGER PRIMARY KEY, b REFERENCES p) WITHOUT ROWID;
                 CREATE TABLE t(id integer, n INT, PRIMARY KEY (id AUTOINCREMENT));
                 CREATE TABLE g(a INT, b AS (a + 1), c AS (a + 2) STORED REFERENCES p, d REFERENCES u);
                 CREATE TABLE [unique references](rowid, [collate] REFERENCES [unique references]);
                 CREATE TABLE none(a, b);
                 CREATE TABLE s(id INT PRIMARY KEY, any ANY, text TEXT) STRICT;
                 CREATE TABLE copied AS SELECT id, code FROM p;
                 CREATE INDEX none_b ON none(b COLLATE RTRIM, a DESC);
                 CREATE INDEX p_x ON p(x) WHERE x > 1;
                 CREATE UNIQUE INDEX g_e ON g(a + 1, b);
                 ALTER TABLE none ADD COLUMN added REFERENCES p(id);
                 ALTER TABLE t RENAME TO Renamed;
                 CREATE VIEW broken AS SELECT * FROM missing;
                 CREATE VIEW plain AS SELECT id FROM p;",
            )
            .unwrap();
        let path = Path::new("test");
        let sorted = |(catalog, layouts): (Catalog, Layouts)| {
            let tables: BTreeMap<_, _> = layouts.tables.into_iter().collect();
            let indexes: BTreeMap<_, _> = layouts.indexes.into_iter().collect();
            format!("{catalog:#?} {tables:#?} {indexes:#?}")
        };
        let mut asking = Reader::new(&connection).unwrap();
        asking.stored.forget_texts();
        let (asked, found) = (sorted(asking.read(path).unwrap()), sorted(read(&connection, path).unwrap()));
        assert_eq!(found, asked);
        // Twelve tables, and the one that SQLite keeps for AUTOINCREMENT.
        assert_eq!(found.matches("TableLayout").count(), 13);
    }
}
