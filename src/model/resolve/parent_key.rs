//! Finds the parent key of a declared relation, or the defect because of which it cannot be used.
//!
//! A server has judged the parent key when it accepted the foreign key. SQLite has not, so this module follows the rules
//! of `sqlite3FkLocateIndex`. The parent key is the rowid alias, or a full unique index on exactly the named columns, in
//! any order, each with the column's own collation. If no columns are named, it is the primary key, in key order. A
//! partial index, an index with another collation, or a view cannot be a parent key.

use super::TablesByName;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Index;
use crate::model::catalog::NameRule;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::catalog::Tables;
use crate::model::facts::Facts;
use crate::model::facts::ParentKey;
use crate::model::facts::RowAddress;
use crate::model::finding::Code;
use crate::model::relation::Defect;
use crate::model::relation::Judge;
use crate::model::relation::Parent;
use crate::model::schema::side;

pub(super) fn judge(
    facts: &Facts,
    by_name: &TablesByName,
    tables: &Tables,
    key: &ForeignKey,
    defects: &mut Vec<Defect>,
) -> (Parent, Judge) {
    let names = by_name.names;
    let declared_columns = key.parent_columns.clone().unwrap_or_default();
    let mut parent = Parent {
        name: key.parent.clone(),
        column_names: declared_columns,
        table: by_name.find(&key.parent),
        columns: Vec::new(),
        key: None,
    };
    let renamed = renamed_from(names, tables, &key.parent);
    let Some(position) = parent.table else {
        if let Some(why) = &key.incomparable {
            return (parent, Judge::Incomparable(why.clone()));
        }
        defects.push(no_table(&key.parent, renamed));
        return (parent, Judge::NoParent);
    };
    let table = &tables[position];
    parent.name = table.name.clone();
    if let Some(successor) = renamed {
        defects.push(Defect {
            code: Code::ParentRenamed,
            message: format!(
                "refers to {}, which looks like the old name of a renamed table: {successor} exists too",
                table.name
            ),
            help: format!("if {successor} is the table in use, rebuild the child so that it refers to {successor}"),
        });
    }
    let judge = match columns_of(facts, names, table, key, &mut parent) {
        Err(defect) => {
            let why = defect.message.clone();
            defects.push(defect);
            Judge::Incomparable(why)
        }
        Ok(()) => match facts.parent_key {
            ParentKey::JudgedHere => key_of(facts, table, key, &mut parent, defects),
            ParentKey::ByEngine => accepted_by_server(table, key, &mut parent),
        },
    };
    (parent, judge)
}

fn no_table(name: &TableName, renamed: Option<&TableName>) -> Defect {
    match renamed {
        Some(successor) => Defect {
            code: Code::ParentRenamed,
            message: format!(
                "refers to {name}, which does not exist; {successor} exists: a rename did not update the reference"
            ),
            help: format!("rebuild the child so that it refers to {successor}"),
        },
        None => missing_table(name, "rebuild the child without this foreign key"),
    }
}

/// Returns the defect of a parent table that does not exist. `otherwise` says how to remove the relation.
pub(super) fn missing_table(name: &TableName, otherwise: &str) -> Defect {
    Defect {
        code: Code::ParentTableMissing,
        message: format!("the parent table {name} does not exist, so every complete key is an orphan"),
        help: format!("create or restore {name}, or {otherwise}; do not delete its rows"),
    }
}

/// Resolves the parent's columns into `parent`, or returns the defect because of which that is impossible.
fn columns_of(
    facts: &Facts,
    names: NameRule,
    table: &Table,
    key: &ForeignKey,
    parent: &mut Parent,
) -> Result<(), Defect> {
    let named = match &key.parent_columns {
        Some(columns) => columns,
        None => return primary_key_of(table, key, parent),
    };
    let missing: Vec<&str> =
        named.iter().map(String::as_str).filter(|name| super::column(names, table, name).is_none()).collect();
    if let Some(first) = missing.first() {
        let known = table.columns.iter().map(|column| column.name.as_str());
        let hint = match crate::model::text::nearest(first, known) {
            Some(near) => format!("; did you mean {near}?"),
            None if is_row_address(facts, first) => {
                "; a rowid cannot be referred to, declare an INTEGER PRIMARY KEY".to_owned()
            }
            None => String::new(),
        };
        return Err(Defect {
            code: Code::ParentColumnMissing,
            message: format!("{} has no column {}{hint}", table.name, missing.join(", ")),
            help: "rebuild the child with the right column, or add the column to the parent".to_owned(),
        });
    }
    parent.columns = named.iter().filter_map(|name| super::column(names, table, name)).collect();
    parent.column_names = parent.columns.iter().map(|&column| table.columns[column].name.clone()).collect();
    Ok(())
}

fn is_row_address(facts: &Facts, name: &str) -> bool {
    matches!(facts.row_address, RowAddress::Lasting(names) if names.iter().any(|address| address.eq_ignore_ascii_case(name)))
}

fn primary_key_of(table: &Table, key: &ForeignKey, parent: &mut Parent) -> Result<(), Defect> {
    if table.primary_key.is_empty() {
        let reason = if table.kind == TableKind::View { "is a view" } else { "has no primary key" };
        return Err(Defect {
            code: if table.kind == TableKind::View { Code::ParentIsView } else { Code::ParentKeyNotUnique },
            message: format!("the declaration names no parent columns, and {} {reason}", table.name),
            help: format!("rebuild the child so that it names columns of {} that are unique", table.name),
        });
    }
    parent.column_names = table.primary_key.iter().map(|&column| table.columns[column].name.clone()).collect();
    if table.primary_key.len() != key.columns.len() {
        let primary_key = side(&table.name, parent.column_names.iter().map(String::as_str));
        return Err(Defect {
            code: Code::ColumnCountMismatch,
            message: format!(
                "{} column(s) refer to the primary key {primary_key}, which has {}",
                key.columns.len(),
                table.primary_key.len()
            ),
            help: "rebuild the child with one column for each column of the parent's key".to_owned(),
        });
    }
    parent.columns = table.primary_key.clone();
    Ok(())
}

/// Finds the unique key that the engine would use, or adds the defect. The values can be compared in both cases.
fn key_of(facts: &Facts, table: &Table, key: &ForeignKey, parent: &mut Parent, defects: &mut Vec<Defect>) -> Judge {
    if table.kind == TableKind::Virtual {
        let message = format!("{} is a virtual table, which has no unique key; its module is not run", table.name);
        let help = "keep the keys in an ordinary table and refer to that".to_owned();
        defects.push(Defect { code: Code::ParentKeyNotUnique, message: message.clone(), help });
        return Judge::Incomparable(message);
    }
    let implicit = key.parent_columns.is_none();
    let usable = |index: &Index| if implicit { index.primary } else { covers(table, index, &parent.columns) == Ok(()) };
    parent.key = table.indexes.iter().position(usable);
    if parent.key.is_some() {
        return Judge::Engine;
    }
    let defect = why_unusable(facts, table, &parent.columns);
    let because = format!(
        "{} refuses every write that this foreign key concerns (foreign key mismatch: {}); fk-doctor compares the values by the rules of \
         the engine",
        facts.title,
        defect.code.name()
    );
    defects.push(defect);
    Judge::Values(because)
}

/// Finds the unique key on a server, which checked it when the foreign key was declared and prevents dropping it.
fn accepted_by_server(table: &Table, key: &ForeignKey, parent: &mut Parent) -> Judge {
    parent.key = table.indexes.iter().position(|index| covers(table, index, &parent.columns) == Ok(()));
    match &key.incomparable {
        Some(why) => Judge::Incomparable(why.clone()),
        None => Judge::Engine,
    }
}

/// The reason why an index cannot be the parent key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotAKey {
    OtherColumns,
    NotUnique,
    Partial,
    Collation,
}

/// Returns the reason if the index is not a unique key on exactly these columns.
fn covers(table: &Table, index: &Index, columns: &[usize]) -> Result<(), NotAKey> {
    if index.columns.len() != columns.len() {
        return Err(NotAKey::OtherColumns);
    }
    let mut indexed: Vec<Option<usize>> = index.columns.iter().map(|part| part.column).collect();
    let mut wanted: Vec<Option<usize>> = columns.iter().copied().map(Some).collect();
    indexed.sort_unstable();
    wanted.sort_unstable();
    if indexed != wanted {
        return Err(NotAKey::OtherColumns);
    }
    if !index.unique {
        return Err(NotAKey::NotUnique);
    }
    if index.partial {
        return Err(NotAKey::Partial);
    }
    let same_collation = index.columns.iter().all(|part| {
        part.column.is_some_and(|column| same_collation(&part.collation, &table.columns[column].collation))
    });
    if same_collation { Ok(()) } else { Err(NotAKey::Collation) }
}

fn same_collation(left: &Option<String>, right: &Option<String>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
        _ => true,
    }
}

fn why_unusable(facts: &Facts, table: &Table, columns: &[usize]) -> Defect {
    let key = side(&table.name, columns.iter().map(|&column| table.columns[column].name.as_str()));
    if table.kind == TableKind::View {
        return Defect {
            code: Code::ParentIsView,
            message: format!("{} is a view, which no foreign key can refer to", table.name),
            help: "refer to the table behind the view".to_owned(),
        };
    }
    let index_with = |why: NotAKey| table.indexes.iter().find(|index| covers(table, index, columns) == Err(why));
    if let Some(index) = index_with(NotAKey::Partial) {
        return Defect {
            code: Code::ParentKeyPartialIndex,
            message: format!(
                "the unique index {} on {key} has a WHERE, so it does not make the key unique",
                index.name
            ),
            help: format!("create a unique index on {key} without WHERE"),
        };
    }
    if let Some(index) = index_with(NotAKey::Collation) {
        return Defect {
            code: Code::ParentKeyCollation,
            message: format!(
                "the unique index {} compares {key} under another collation than the column's own",
                index.name
            ),
            help: format!("create a unique index on {key} without COLLATE"),
        };
    }
    let also = match index_with(NotAKey::NotUnique) {
        Some(index) => format!(": the index {} is not unique", index.name),
        None => String::new(),
    };
    Defect {
        code: Code::ParentKeyNotUnique,
        message: format!("{key} is neither a primary key nor the whole of a unique index{also}"),
        help: format!(
            "if a scan finds no duplicate keys: {}; otherwise refer to a key that is unique",
            suggested_index(facts, table, columns)
        ),
    }
}

/// Returns the statement that makes these columns a unique key.
pub fn suggested_index(facts: &Facts, table: &Table, columns: &[usize]) -> String {
    let names: Vec<String> = columns.iter().map(|&column| facts.quoted(&table.columns[column].name)).collect();
    let index = format!("{}_key", table.name.table);
    format!("CREATE UNIQUE INDEX {} ON {}({})", facts.quoted(&index), facts.quoted(&table.name.table), names.join(", "))
}

/// Returns the query that lists the keys of more than one row.
pub fn duplicates_query(facts: &Facts, table: &Table, columns: &[usize]) -> String {
    let names: Vec<String> = columns.iter().map(|&column| facts.quoted(&table.columns[column].name)).collect();
    let names = names.join(", ");
    format!("SELECT {names}, count(*) FROM {} GROUP BY {names} HAVING count(*) > 1", facts.quoted(&table.name.table))
}

/// Returns the table that has the original name, if `name` looks like the old copy of a rename: `users_old`,
/// `_users_old_2019`.
fn renamed_from<'a>(names: NameRule, tables: &'a Tables, name: &TableName) -> Option<&'a TableName> {
    if !name.table.as_bytes().windows(3).any(|part| part.eq_ignore_ascii_case(b"old")) {
        return None;
    }
    let lower = name.table.to_ascii_lowercase();
    let core = lower.trim_matches('_');
    let (before, after) = match core.rsplit_once("_old") {
        Some(parts) => parts,
        None => (core.strip_prefix("old_")?, ""),
    };
    let is_date_suffix = after.chars().all(|c| c.is_ascii_digit() || c == '_');
    if !is_date_suffix {
        return None;
    }
    let base = before.trim_matches('_');
    let wanted = |table: &&Table| {
        table.kind == TableKind::Table
            && table.name.schema == name.schema
            && !names.same(&table.name.table, &name.table)
            && table.name.table.trim_matches('_').eq_ignore_ascii_case(base)
    };
    tables.iter().find(wanted).map(|table| &table.name)
}
