//! Asks SQLite for definitions with table-valued pragmas. Names are bound as values.

use std::cmp::Reverse;

use rusqlite::Connection;
use rusqlite::Result;
use rusqlite::Statement;

use super::ListedTable;
use super::family;
use super::rowid;
use crate::engine::sqlite::ddl;
use crate::engine::sqlite::pages::layout::IndexFields;
use crate::engine::sqlite::pages::layout::IndexLayout;
use crate::engine::sqlite::pages::layout::Layouts;
use crate::engine::sqlite::pages::layout::StoredColumn;
use crate::engine::sqlite::pages::layout::TableLayout;
use crate::engine::sqlite::stored_schema::StoredTable;
use crate::model::catalog::Action;
use crate::model::catalog::Column;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::ids::TableId;

/// The pragmas, prepared once for all tables.
pub(super) struct Pragmas<'c> {
    connection: &'c Connection,
    columns: Statement<'c>,
    indexes: Statement<'c>,
    index_columns: Statement<'c>,
    foreign_keys: Statement<'c>,
}

impl<'c> Pragmas<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Pragmas<'c>> {
        Ok(Pragmas {
            connection,
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
        })
    }

    /// Returns a table with its foreign keys, and adds the layouts of the table and its indexes.
    pub(super) fn table(
        &mut self,
        id: TableId,
        listed: ListedTable,
        stored: &StoredTable,
        layouts: &mut Layouts,
    ) -> Result<(Table, Vec<ForeignKey>)> {
        let mut table = Table::new(TableName { schema: None, table: listed.name }, listed.kind);
        // Only its module, which is not run, knows the columns of a virtual table. A broken view has no columns.
        if table.kind == TableKind::Virtual {
            return Ok((table, Vec::new()));
        }
        let columns = self.read_columns(&mut table, listed.strict);
        if table.kind == TableKind::View {
            if columns.is_err() {
                table.columns.clear();
            }
            return Ok((table, Vec::new()));
        }
        let own_index = self.read_indexes(&mut table, stored, listed.without_rowid, layouts)?;
        let rowid_alias = if listed.without_rowid { None } else { rowid(&mut table) };
        if let (Ok(columns), Some(root)) = (columns, stored.root) {
            let layout = TableLayout::new(root, &columns, own_index, rowid_alias);
            layouts.tables.insert(table.name.table.clone(), layout);
        }
        let keys = self.foreign_keys_of(id, &table, stored)?;
        Ok((table, keys))
    }

    fn read_columns(&mut self, table: &mut Table, strict: bool) -> Result<Vec<StoredColumn>> {
        let mut rows = self.columns.query([&table.name.table])?;
        let mut columns = Vec::new();
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
            columns.push(StoredColumn {
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
                always_identity: false,
                sql_type: None,
            });
        }
        key.sort_unstable();
        table.primary_key = key.into_iter().map(|(_, column)| column).collect();
        if table.kind != TableKind::View {
            for column in &mut table.columns {
                let (_, collation, ..) =
                    self.connection.column_metadata(Some("main"), table.name.table.as_str(), column.name.as_str())?;
                column.collation = collation.map(|name| name.to_string_lossy().into_owned());
            }
        }
        Ok(columns)
    }

    /// Adds the indexes of a table. Returns the fields of the table itself if it is a WITHOUT ROWID table.
    fn read_indexes(
        &mut self,
        table: &mut Table,
        stored: &StoredTable,
        without_rowid: bool,
        layouts: &mut Layouts,
    ) -> Result<Option<IndexFields>> {
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
            match stored.index_root(&name) {
                _ if !separate => own = Some(fields),
                Some(root) => _ = layouts.indexes.insert(name.clone(), IndexLayout { root, fields }),
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

    fn foreign_keys_of(&mut self, child: TableId, table: &Table, stored: &StoredTable) -> Result<Vec<ForeignKey>> {
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

fn action(name: &str) -> Action {
    match name {
        "RESTRICT" => Action::Restrict,
        "SET NULL" => Action::SetNull,
        "SET DEFAULT" => Action::SetDefault,
        "CASCADE" => Action::Cascade,
        _ => Action::NoAction,
    }
}
