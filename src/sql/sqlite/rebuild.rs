//! The changes of a table's definition on SQLite, which keep its rows.
//!
//! SQLite documents two ways. A plan replaces the text of the definition in the catalog. This is allowed for foreign
//! keys and NOT NULL, because nothing else on the disk depends on them. It touches no row, address, index, trigger,
//! counter or statistic, however large the table is. A script for a project's own migrations copies the table instead,
//! in the twelve steps of SQLite's documentation that any tool can run.

use super::define;
use super::prevent;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::redefinition::Definition;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::sqlite::Sqlite;
use crate::sql::phrases::Phrases;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::quoted;
use crate::sql::read::tokens::tokens;
use crate::sql::redefine::EnforceRequest;
use crate::sql::redefine::NullableColumn;
use crate::sql::redefine::PreventRequest;
use crate::sql::redefine::Redefine;
use crate::sql::redefine::RelaxRequest;
use crate::sql::redefine::Step;
use crate::sql::redefine::free_name;
use crate::sql::redefine::readable;

impl Redefine for Sqlite {
    fn relax(
        &self,
        schema: &Schema,
        table: &Table,
        requests: &[RelaxRequest<'_>],
        nullable_columns: &[NullableColumn<'_>],
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String> {
        define::relax(schema, table, requests, nullable_columns, definitions).map(|change| change.into_iter().collect())
    }

    fn enforce(
        &self,
        schema: &Schema,
        request: &EnforceRequest<'_>,
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String> {
        define::enforce(schema, request, definitions)
    }

    fn prevent(
        &self,
        schema: &Schema,
        request: &PreventRequest<'_>,
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String> {
        prevent::prevent(schema, request, definitions)
    }

    fn required_version(&self, request: &PreventRequest<'_>) -> Option<String> {
        prevent::required_version(request)
    }

    fn steps(&self, _: &Schema, change: &Redefinition) -> Vec<Step> {
        match (change.kind, &change.before, &change.after) {
            // Replacing the text keeps the position of the definition in the catalog.
            (DefinitionKind::Table | DefinitionKind::Trigger, Some(before), Some(after)) => {
                vec![Step::Replacement(replacement(change, before, after))]
            }
            _ => statements(change).into_iter().map(|text| Step::Statement(plain(text))).collect(),
        }
    }

    fn table_shape(&self, table: &TableName) -> Option<Sql> {
        Some(shape(table))
    }

    fn verification_queries(&self, schema: &Schema, change: &Redefinition) -> Vec<Sql> {
        let mut query = Sqlite.query();
        match change.kind {
            DefinitionKind::Table if !change.declared.is_empty() => {
                // SQLite numbers foreign keys from the one that was declared last.
                let name = query.parameter(Value::text(&change.table.table));
                let newest = change.declared.len();
                vec![query.finish(format!(
                    "SELECT 1 FROM pragma_foreign_key_check({name}, 'main') WHERE fkid < {newest} LIMIT 1"
                ))]
            }
            DefinitionKind::Trigger if change.after.is_some() => compilations(schema, change),
            _ => Vec::new(),
        }
    }

    fn rows_with_null(&self, table: &TableName, column: &str) -> Sql {
        // SQLite may assume that an index of a NOT NULL column has no NULL, so the query reads the table.
        let (table, column) = (quoted(&table.table), quoted(column));
        plain(format!("SELECT 1 FROM main.{table} NOT INDEXED WHERE +{column} IS NULL LIMIT 1"))
    }

    fn script(&self, schema: &Schema, change: &Redefinition, definitions: &[Definition]) -> Result<String, String> {
        let table = schema.tables.iter().find(|table| table.name == change.table);
        let script = match (change.kind, &change.after, table) {
            (DefinitionKind::Table, Some(after), Some(table)) => script(change, after, table, definitions)?,
            _ => statements(change).iter().map(|text| format!("{text};\n")).collect(),
        };
        readable(script, change)
    }
}

fn replacement(change: &Redefinition, before: &str, after: &str) -> Sql {
    let mut query = Sqlite.query();
    let texts = [after, change.kind.name(), &change.name, before];
    let [after, kind, name, before] = texts.map(|text| query.parameter(Value::text(text)));
    query.finish(format!(
        "UPDATE main.sqlite_schema SET sql = {after} WHERE type = {kind} AND name = {name} AND sql = {before}"
    ))
}

/// Returns the statements that drop and create an index or a trigger.
fn statements(change: &Redefinition) -> Vec<String> {
    let kind = change.kind.name().to_uppercase();
    let drop = change.before.as_ref().map(|_| format!("DROP {kind} {}", quoted(&change.name)));
    drop.into_iter().chain(change.after.clone()).collect()
}

/// Returns statements that change no row, but make SQLite compile every trigger that they could fire.
fn compilations(schema: &Schema, change: &Redefinition) -> Vec<Sql> {
    let Some(table) = schema.tables.iter().find(|table| table.name == change.table) else { return Vec::new() };
    let name = quoted(&table.name.table);
    let stored: Vec<String> =
        table.columns.iter().filter(|column| !column.generated).map(|column| quoted(&column.name)).collect();
    let same: Vec<String> = stored.iter().map(|column| format!("{column} = {column}")).collect();
    let columns = stored.join(", ");
    [
        format!("INSERT INTO main.{name}({columns}) SELECT {columns} FROM main.{name} WHERE 0"),
        format!("UPDATE main.{name} SET {} WHERE 0", same.join(", ")),
    ]
    .map(plain)
    .to_vec()
}

fn shape(table: &TableName) -> Sql {
    let mut query = Sqlite.query();
    let name = query.parameter(Value::text(&table.table));
    query.finish(format!(
        "SELECT 'table', name, concat_ws('|', type, ncol, wr, strict) FROM pragma_table_list({name}) \
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

/// Returns the script that copies a table into one with the new definition. The error is the reason why it is
/// impossible.
fn script(change: &Redefinition, after: &str, table: &Table, definitions: &[Definition]) -> Result<String, String> {
    let old = &change.table.table;
    let new = free_name(&format!("{old} new"), definitions);
    let words = tokens(after);
    let name = words.get(2).ok_or_else(|| format!("the definition of {old} cannot be read"))?;
    let create = format!("{}{}{}", &after[..name.span.start], quoted(&new), &after[name.span.end..]);
    let has_counter = words.iter().any(|word| word.is_word("AUTOINCREMENT"));

    let address = table.row_address.iter().filter(|_| table.address_column.is_none()).map(|name| quoted(name));
    let stored = table.columns.iter().filter(|column| !column.generated).map(|column| quoted(&column.name));
    let columns = address.chain(stored).collect::<Vec<_>>().join(", ");
    let (old_name, new_name) = (quoted(old), quoted(&new));

    let mut script = format!("-- {old_name}: the rows are copied into a table with the new definition.\n");
    // Otherwise RENAME would make the references to the table refer to the copy.
    script.push_str("PRAGMA legacy_alter_table = ON;\n");
    script.push_str(&format!("{create};\n"));
    script
        .push_str(&format!("INSERT OR ABORT INTO main.{new_name}({columns}) SELECT {columns} FROM main.{old_name};\n"));
    if has_counter {
        let [old, new] = [old, &new].map(|name| Sqlite.literal(&Value::text(name)));
        script.push_str(&format!("DELETE FROM main.sqlite_sequence WHERE name = {new};\n"));
        script.push_str(&format!(
            "INSERT INTO main.sqlite_sequence(name, seq) SELECT {new}, seq FROM main.sqlite_sequence WHERE name = {old};\n"
        ));
    }
    script.push_str(&format!("DROP TABLE main.{old_name};\nALTER TABLE main.{new_name} RENAME TO {old_name};\n"));
    script.push_str("PRAGMA legacy_alter_table = OFF;\n");
    let own = definitions.iter().filter(|known| known.table.eq_ignore_ascii_case(old) && known.kind != "table");
    for definition in own.filter(|known| known.kind == "index" || known.kind == "trigger") {
        script.push_str(&format!("{};\n", definition.text));
    }
    if definitions.iter().any(|known| known.name == "sqlite_stat1") {
        script.push_str(&format!("ANALYZE main.{old_name};\n"));
    }
    Ok(script)
}
