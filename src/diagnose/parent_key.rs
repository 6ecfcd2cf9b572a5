//! Advice about a parent key that is not unique. Rows that share a key may all be right: then the key has more columns
//! than the foreign key names. Nothing here advises to delete rows.

use crate::engine::Session;
use crate::model::catalog::Index;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::finding::Finding;
use crate::model::finding::KeyRepair;
use crate::model::finding::WiderKey;
use crate::model::relation::Relation;
use crate::model::resolve::duplicates_query;
use crate::model::resolve::suggested_index;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text;
use crate::model::value::Value;
use crate::scan;
use crate::sql;

/// Columns that are tried together with the key, where no index tells which belong to it.
const MOST_TRIED: usize = 8;

/// A key of the parent that is unique and has all columns of the relation's key.
struct UniqueKey {
    /// The columns beside those that the relation names.
    more: Vec<usize>,
    /// Of the child, columns of the same names; `None` where it lacks one.
    child: Option<Vec<usize>>,
    has_index: bool,
}

/// Adds to a finding how many rows of the parent share their key, and the next step that follows from it. An engine that
/// cannot say leaves the finding as it is.
pub fn advise(schema: &Schema, session: &mut dyn Session, relation: &Relation, finding: &mut Finding<Value>) {
    let Some(parent) = schema.parent(relation) else { return };
    let key = &relation.parent.columns;
    // The module of a virtual table is not run.
    if parent.kind != TableKind::Table || key.is_empty() {
        return;
    }
    let Some(Shared { rows, sharing, values }) = shared(schema, session, parent, key) else { return };
    let facts = schema.database.engine.facts();
    if sharing == 0 {
        let index = suggested_index(facts, parent, key);
        finding.help = format!("no two rows share a key: {index}");
        finding.key_repair = Some(KeyRepair::Index(index));
        return;
    }
    finding.message = format!(
        "{} is not unique: {} in {}; with foreign_keys on, SQLite refuses every insert and delete in the child, and every \
         delete from {} (foreign key mismatch)",
        side(&parent.name, names(parent, key)),
        text::plural(values, "different value"),
        text::plural(rows, "row"),
        parent.name
    );
    finding.key_repair = Some(KeyRepair::Duplicates(duplicates_query(facts, parent, key)));
    finding.help = match wider_key(schema, session, relation, parent) {
        Some(UniqueKey { more, child: Some(child), has_index }) => {
            let (repair, help) = wider_advice(schema, session, relation, (parent, rows), (&more, &child, has_index));
            finding.key_repair = Some(KeyRepair::Wider(repair));
            help
        }
        Some(UniqueKey { more, .. }) => {
            let names = |columns: &[usize]| side(&parent.name, names(parent, columns));
            format!(
                "{} is unique, but {} has no {}: refer to a table with one row for each {}; every row may be right",
                names(&[key.as_slice(), &more].concat()),
                schema.child(relation).name,
                self::names(parent, &more).collect::<Vec<_>>().join(", "),
                self::names(parent, key).collect::<Vec<_>>().join(", ")
            )
        }
        None => format!(
            "refer to a table with one row for each {}, or drop the foreign key; every row of {} may be right",
            names(parent, key).collect::<Vec<_>>().join(", "),
            parent.name
        ),
    };
}

/// Returns the repair that refers to a wider unique key, and its help.
fn wider_advice(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    (parent, parent_rows): (&Table, u64),
    (more, child, has_index): (&[usize], &[usize], bool),
) -> (WiderKey, String) {
    let facts = schema.database.engine.facts();
    let key = &relation.parent.columns;
    let quoted = |table: &Table, columns: &[usize]| {
        let names: Vec<String> = columns.iter().map(|&column| facts.quoted(&table.columns[column].name)).collect();
        names.join(", ")
    };
    let whole = [key.as_slice(), more].concat();
    let referring = [relation.child_columns.as_slice(), child].concat();
    let index = (!has_index).then(|| suggested_index(facts, parent, &whole));
    let wider = wider_reference(schema, session, relation, (parent, &whole), &referring);
    let declaration = format!(
        "a column is missing from the key, and {} is unique; refer to it: FOREIGN KEY ({}) REFERENCES {}({})",
        side(&parent.name, names(parent, &whole)),
        quoted(schema.child(relation), &referring),
        facts.quoted_table(&parent.name),
        quoted(parent, &whole)
    );
    let help = match &index {
        None => declaration,
        Some(index) => format!("{declaration}, after {index}"),
    };
    (WiderKey { index, parent_rows, ..wider }, help)
}

/// Returns the relation to a wider key. It counts the child's rows that have their parent there.
fn wider_reference(
    schema: &Schema,
    session: &mut dyn Session,
    relation: &Relation,
    (parent, whole): (&Table, &[usize]),
    referring: &[usize],
) -> WiderKey {
    let child = schema.child(relation);
    let key = side(&parent.name, names(parent, whole));
    let mut wider = relation.clone();
    wider.child_columns = referring.to_vec();
    wider.parent.columns = whole.to_vec();
    wider.parent.column_names = names(parent, whole).map(str::to_owned).collect();
    wider.parent.key = None;
    WiderKey {
        parent: parent.name.table.clone(),
        reference: format!("{} -> {key}", side(&child.name, names(child, referring))),
        child: side(&child.name, names(child, &relation.child_columns)),
        key,
        parent_rows: 0,
        index: None,
        child_rows: rows_with_parent(schema, session, &wider),
    }
}

/// Returns the rows with a complete key, and how many of them have a parent, such as `(2856, 2856)`.
fn rows_with_parent(schema: &Schema, session: &mut dyn Session, relation: &Relation) -> Option<(u64, u64)> {
    let counts = session.numbers(&sql::of(schema).counts(schema, relation.child, &[relation])).ok()?;
    let &[_, rows, null_rows, _] = counts.as_slice() else { return None };
    let question = sql::of(schema).orphans(schema, relation, &sql::ScanHints::default());
    let orphans = scan::tally(schema, session, relation, &question, 0).ok()?.orphan_rows;
    let complete = rows.saturating_sub(null_rows);
    Some((complete, complete.saturating_sub(orphans)))
}

fn names<'a>(table: &'a Table, columns: &[usize]) -> impl Iterator<Item = &'a str> {
    columns.iter().map(|&column| table.columns[column].name.as_str())
}

/// The rows of a table with a complete key.
struct Shared {
    rows: u64,
    /// Those that share their key with another row.
    sharing: u64,
    /// The number of different keys.
    values: u64,
}

/// Counts the rows with a complete key. An engine that keeps parent keys unique does not count.
fn shared(schema: &Schema, session: &mut dyn Session, table: &Table, columns: &[usize]) -> Option<Shared> {
    let question = sql::of(schema).count_shared_keys(schema, table, columns)?;
    match session.numbers(&question).ok()?[..] {
        [rows, sharing, values] => Some(Shared { rows, sharing, values }),
        _ => None,
    }
}

/// Finds a key that is unique: by an index first, and then in the rows, with one column that both tables have.
fn wider_key(schema: &Schema, session: &mut dyn Session, relation: &Relation, parent: &Table) -> Option<UniqueKey> {
    let key = &relation.parent.columns;
    let child = schema.child(relation);
    let in_child = |more: &[usize]| -> Option<Vec<usize>> {
        let alike = |name: &str| child.columns.iter().position(|column| schema.names.same(&column.name, name));
        names(parent, more).map(alike).collect()
    };
    let of_index = |index: &Index| -> Option<UniqueKey> {
        let columns: Vec<usize> = index.columns.iter().map(|part| part.column).collect::<Option<_>>()?;
        let is_wider = index.unique && !index.partial && key.iter().all(|column| columns.contains(column));
        let more: Vec<usize> = columns.into_iter().filter(|column| !key.contains(column)).collect();
        is_wider.then(|| UniqueKey { child: in_child(&more), more, has_index: true })
    };
    let mut indexed: Vec<UniqueKey> = parent.indexes.iter().filter_map(of_index).collect();
    indexed.sort_by_key(|wider| (wider.child.is_none(), wider.more.len()));
    if indexed.first().is_some_and(|wider| wider.child.is_some()) {
        return indexed.into_iter().next();
    }
    let both = (0..parent.columns.len()).filter(|column| !key.contains(column));
    let both: Vec<usize> = both.filter(|&column| in_child(&[column]).is_some()).take(MOST_TRIED).collect();
    let tried = both.into_iter().find_map(|column| {
        let Shared { rows, sharing, .. } = shared(schema, session, parent, &[key.as_slice(), &[column]].concat())?;
        (rows > 0 && sharing == 0).then(|| UniqueKey {
            child: in_child(&[column]),
            more: vec![column],
            has_index: false,
        })
    });
    tried.or_else(|| indexed.into_iter().next())
}
