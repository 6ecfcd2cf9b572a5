//! Changing a table's definition while its rows stay.
//!
//! SQLite documents two ways. Where nothing on the disk depends on what changes, as with foreign keys and NOT NULL, the
//! text of the definition may be replaced: no row, address, index, trigger, counter or statistic is touched, however
//! large the table is. That is what a plan does. A script for a project's own migrations copies the table instead, in
//! the twelve steps that any tool may run.

use super::Query;
use super::quoted;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::plan::Redefinition;
use crate::model::sql::Sql;
use crate::model::text::is_unseen;
use crate::model::tokens::tokens;
use crate::model::value::Value;

pub(super) fn redefine(change: &Redefinition) -> Sql {
    let mut query = Query::default();
    let (after, name, before) = (&change.after, &change.table.table, &change.before);
    let [after, name, before] = [after, name, before].map(|text| query.parameter(Value::text(text)));
    query.finish(format!(
        "UPDATE main.sqlite_schema SET sql = {after} WHERE type = 'table' AND name = {name} AND sql = {before}"
    ))
}

pub(super) fn shape(table: &TableName) -> Sql {
    let mut query = Query::default();
    let name = query.parameter(Value::text(&table.table));
    query.finish(format!(
        "SELECT 'table', name, concat_ws('|', type, ncol, wr, strict) FROM pragma_table_list \
         WHERE schema = 'main' AND name = {name} \
         UNION ALL SELECT 'column', name, concat_ws('|', cid, quote(type), quote(dflt_value), pk, hidden) \
         FROM pragma_table_xinfo({name}, 'main') \
         UNION ALL SELECT 'not null', name, '' FROM pragma_table_xinfo({name}, 'main') WHERE \"notnull\" \
         UNION ALL SELECT 'index', name, concat_ws('|', seq, \"unique\", origin, partial) \
         FROM pragma_index_list({name}, 'main') \
         UNION ALL SELECT 'reference', \"table\", concat_ws('|', on_update, on_delete, \"match\", \
         group_concat(quote(\"from\") || quote(\"to\"), ',' ORDER BY seq)) \
         FROM pragma_foreign_key_list({name}, 'main') GROUP BY id"
    ))
}

pub(super) fn has_null(table: &TableName, column: &str) -> Sql {
    // An index of a NOT NULL column could be believed to have no NULL.
    let (table, column) = (quoted(&table.table), quoted(column));
    Query::default().finish(format!("SELECT 1 FROM main.{table} NOT INDEXED WHERE +{column} IS NULL LIMIT 1"))
}

/// The error says why there can be no script.
pub(super) fn script(change: &Redefinition, table: &Table, definitions: &[[String; 4]]) -> Result<String, String> {
    let old = &change.table.table;
    let new = (1..).map(|number| format!("{old} new {number}"));
    let is_free = |name: &String| !definitions.iter().any(|[_, known, ..]| known.eq_ignore_ascii_case(name));
    let new = new.into_iter().find(is_free).unwrap_or_default();
    let words = tokens(&change.after);
    let name = words.get(2).ok_or_else(|| format!("the definition of {old} cannot be read"))?;
    let create = format!("{}{}{}", &change.after[..name.place.start], quoted(&new), &change.after[name.place.end..]);
    let counts = words.iter().any(|word| word.is_word("AUTOINCREMENT"));

    let has_own_address = table.indexes.iter().any(|index| index.primary && index.name == "rowid");
    let address = table.row_address.iter().filter(|_| !has_own_address).map(|name| quoted(name));
    let stored = table.columns.iter().filter(|column| !column.generated).map(|column| quoted(&column.name));
    let columns = address.chain(stored).collect::<Vec<_>>().join(", ");
    let (old_name, new_name) = (quoted(old), quoted(&new));

    let mut script = format!("-- {old_name}: the rows are copied into a table with the new definition.\n");
    // Otherwise what refers to the table would be made to refer to the copy.
    script.push_str("PRAGMA legacy_alter_table = ON;\n");
    script.push_str(&format!("{create};\n"));
    script
        .push_str(&format!("INSERT OR ABORT INTO main.{new_name}({columns}) SELECT {columns} FROM main.{old_name};\n"));
    if counts {
        let [old, new] = [old, &new].map(|name| super::repair::literal(&Value::text(name)));
        script.push_str(&format!("DELETE FROM main.sqlite_sequence WHERE name = {new};\n"));
        script.push_str(&format!(
            "INSERT INTO main.sqlite_sequence(name, seq) SELECT {new}, seq FROM main.sqlite_sequence WHERE name = {old};\n"
        ));
    }
    script.push_str(&format!("DROP TABLE main.{old_name};\nALTER TABLE main.{new_name} RENAME TO {old_name};\n"));
    script.push_str("PRAGMA legacy_alter_table = OFF;\n");
    let own = definitions.iter().filter(|[kind, _, of, _]| of.eq_ignore_ascii_case(old) && kind != "table");
    for [_, _, _, text] in own.filter(|[kind, ..]| kind == "index" || kind == "trigger") {
        script.push_str(&format!("{text};\n"));
    }
    let is_hidden = |c: char| is_unseen(c) && !matches!(c, '\n' | '\r' | '\t');
    if script.contains(is_hidden) {
        return Err(format!(
            "a definition of {old} has characters that are not seen: a script would hide what it does"
        ));
    }
    if definitions.iter().any(|[_, name, ..]| name == "sqlite_stat1") {
        script.push_str(&format!("ANALYZE main.{old_name};\n"));
    }
    Ok(script)
}
