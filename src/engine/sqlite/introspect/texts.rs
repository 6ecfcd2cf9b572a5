//! Reads a table, its indexes and its foreign keys from the texts that the file stores.
//!
//! Gives `None` for a table if one of its texts is not of a simple form, or if the file stores other indexes than the
//! texts define.

use super::ListedTable;
use super::family;
use super::rowid;
use crate::engine::sqlite::pages::layout::IndexFields;
use crate::engine::sqlite::pages::layout::IndexLayout;
use crate::engine::sqlite::pages::layout::Layouts;
use crate::engine::sqlite::pages::layout::StoredColumn;
use crate::engine::sqlite::pages::layout::TableLayout;
use crate::engine::sqlite::stored_schema::StoredIndex;
use crate::engine::sqlite::stored_schema::StoredTable;
use crate::model::catalog::Column;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::ids::TableId;
use crate::sql::read::stored_definition;
use crate::sql::read::stored_definition::ReferenceDefinition;
use crate::sql::read::stored_definition::TableDefinition;

/// The collation of a column that declares none.
const BINARY: &str = "BINARY";

/// Returns a table with its foreign keys, and adds the layouts of the table and its indexes.
pub(super) fn table(
    id: TableId,
    listed: &ListedTable,
    stored: &StoredTable,
    layouts: &mut Layouts,
) -> Option<(Table, Vec<ForeignKey>)> {
    let definition = stored_definition::table(stored.text.as_deref()?)?;
    if definition.name != listed.name || definition.strict != listed.strict || listed.without_rowid {
        return None;
    }
    let mut table = Table::new(TableName { schema: None, table: definition.name.to_owned() }, listed.kind);
    table.columns = columns(&definition);
    table.primary_key.clone_from(&definition.primary_key);
    let indexes = indexes(&definition, &table.columns, stored)?;
    table.indexes.reserve(indexes.len() + 1);
    for (index, root) in indexes {
        if let Some(root) = root {
            layouts.indexes.insert(index.name.clone(), IndexLayout { root, fields: fields(&index) });
        }
        table.indexes.push(index);
    }
    let rowid_alias = rowid(&mut table);
    if let Some(root) = stored.root {
        let stored_column = |column: &stored_definition::ColumnDefinition<'_>| StoredColumn {
            is_computed: false,
            absent_is_null: column.default_is_null,
        };
        let columns: Vec<StoredColumn> = definition.columns.iter().map(stored_column).collect();
        layouts.tables.insert(table.name.table.clone(), TableLayout::new(root, &columns, None, rowid_alias));
    }
    let keys = definition.references.iter().map(|reference| foreign_key(id, &definition, reference)).collect();
    Some((table, keys))
}

fn columns(definition: &TableDefinition<'_>) -> Vec<Column> {
    definition
        .columns
        .iter()
        .map(|column| Column {
            name: column.name.to_owned(),
            declared_type: column.declared_type.to_owned(),
            family: family(column.declared_type, definition.strict),
            collation: Some(column.collation.unwrap_or(BINARY).to_owned()),
            not_null: column.not_null,
            generated: false,
            always_identity: false,
            sql_type: None,
        })
        .collect()
}

/// Returns all indexes with their root pages, in the order in which SQLite creates them: those of keys first.
fn indexes(
    definition: &TableDefinition<'_>,
    columns: &[Column],
    stored: &StoredTable,
) -> Option<Vec<(Index, Option<u32>)>> {
    let (of_keys, created): (Vec<&StoredIndex>, Vec<&StoredIndex>) =
        stored.indexes.iter().partition(|index| index.text.is_none());
    if of_keys.len() != definition.keys.len() {
        return None;
    }
    let mut indexes = Vec::with_capacity(stored.indexes.len());
    for (number, key) in definition.keys.iter().enumerate() {
        let name = format!("sqlite_autoindex_{}_{}", definition.name, number + 1);
        let root = of_keys.iter().find(|index| index.name.eq_ignore_ascii_case(&name))?.root;
        let part = |&column: &usize| IndexColumn { column: Some(column), collation: columns[column].collation.clone() };
        let parts = key.columns.iter().map(part).collect();
        let index = Index { name, columns: parts, unique: true, partial: false, primary: key.primary, separate: true };
        indexes.push((index, root));
    }
    for stored in created {
        let text = stored_definition::index(stored.text.as_deref()?)?;
        if text.name != stored.name || !text.table.eq_ignore_ascii_case(definition.name) {
            return None;
        }
        let part = |(name, collation): &(&str, Option<&str>)| {
            let column = definition.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))?;
            let collation = collation.map(str::to_owned).or_else(|| columns[column].collation.clone());
            Some(IndexColumn { column: Some(column), collation })
        };
        let parts = text.columns.iter().map(part).collect::<Option<_>>()?;
        let name = text.name.to_owned();
        let index =
            Index { name, columns: parts, unique: text.unique, partial: text.partial, primary: false, separate: true };
        indexes.push((index, stored.root));
    }
    Some(indexes)
}

/// Returns the fields of an index's entries: its columns, and then the rowid.
fn fields(index: &Index) -> IndexFields {
    let columns = index.columns.iter().map(|part| part.column).chain([None]).collect();
    IndexFields { columns, descending: vec![false; index.columns.len() + 1] }
}

fn foreign_key(child: TableId, definition: &TableDefinition<'_>, reference: &ReferenceDefinition<'_>) -> ForeignKey {
    let columns = reference.columns.iter().map(|&column| definition.columns[column].name.to_owned()).collect();
    ForeignKey {
        name: reference.name.map(str::to_owned),
        child,
        columns,
        parent: TableName { schema: None, table: reference.parent.to_owned() },
        parent_columns: reference
            .parent_columns
            .as_ref()
            .map(|columns| columns.iter().map(|&column| column.to_owned()).collect()),
        on_delete: reference.on_delete,
        on_delete_columns: Vec::new(),
        on_update: reference.on_update,
        match_rule: Match::Simple,
        deferrable: reference.deferred,
        comparisons: Vec::new(),
        flaws: Vec::new(),
        incomparable: None,
    }
}
