//! The statements that fk-doctor refuses to try on a server. A trial runs a statement in the database itself and rolls
//! it back, so a rollback must undo everything that the statement does. It must not lock other sessions out longer than
//! the statement itself.

use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::schema::Schema;
use crate::model::statement::Statement;
use crate::model::statement::StatementKind;
use crate::sql::read::tokens::Token;
use crate::sql::read::tokens::tokens_of;

/// Functions with an effect outside of the transaction: the prefix of the name, and the effect.
const OUTSIDE: [(&str, &str); 15] = [
    ("dblink", "opens another connection, whose work is not rolled back"),
    ("lo_export", "writes a file of the server"),
    ("pg_file_", "writes a file of the server"),
    ("pg_logical_emit", "writes to the log that replicas read"),
    ("pg_terminate_backend", "ends another session"),
    ("pg_cancel_backend", "ends another session's statement"),
    ("pg_reload_conf", "changes the server"),
    ("pg_rotate_logfile", "changes the server"),
    ("pg_switch_wal", "changes the server"),
    ("pg_create_", "changes the server"),
    ("pg_drop_replication", "changes the server"),
    ("pg_promote", "changes the server"),
    ("setval", "sets a sequence, which is not rolled back"),
    ("load_file", "reads a file of the server"),
    ("sys_exec", "runs a program"),
];

/// Returns the reason why fk-doctor does not run a statement on a server; `None` if it does.
pub fn reason_against(schema: &Schema, statement: &Statement) -> Option<String> {
    let engine = schema.database.engine;
    let tokens = tokens_of(engine, &statement.text);
    let first = tokens.first().map_or_else(String::new, |token| token.text.to_uppercase());
    let has = |words: &[&str]| tokens.iter().any(|token| token.is_any(words));
    let pair =
        |left: &str, right: &[&str]| tokens.windows(2).any(|pair| pair[0].is_word(left) && pair[1].is_any(right));
    if engine.facts().lexis.executable_comments && (statement.text.contains("/*!") || statement.text.contains("/*M!")) {
        return Some(
            "it has an executable comment, which fk-doctor does not read; write its content without the comment"
                .to_owned(),
        );
    }
    let outside = tokens.windows(2).find_map(|pair| {
        let calls = |(name, _): &&(&str, &str)| !pair[0].quoted && pair[0].text.to_lowercase().starts_with(name);
        OUTSIDE.iter().find(calls).filter(|_| pair[1].is_word("("))
    });
    if let Some((_, why)) = outside {
        return Some(format!("it calls a function that {why}"));
    }
    if pair("INTO", &["OUTFILE", "DUMPFILE"]) {
        return Some("it writes a file of the server".to_owned());
    }
    let named = non_transactional_tables(schema).find(|(table, _)| names(&tokens, table));
    if let Some((table, storage)) = named {
        return Some(format!("{} is stored by {storage}, which cannot be rolled back", table.name));
    }
    let view = schema.tables.iter().find(|table| table.kind == TableKind::View && names(&tokens, table));
    if let Some(view) = view.filter(|_| writes(statement) && non_transactional_tables(schema).next().is_some()) {
        return Some(format!("{} is a view, and this database has tables that cannot be rolled back", view.name));
    }
    let tried = matches!(
        statement.kind,
        StatementKind::Insert | StatementKind::Update | StatementKind::Delete | StatementKind::Transaction
    ) || ["SELECT", "VALUES", "TABLE", "WITH", "MERGE"].contains(&first.as_str())
        || (first == "SET" && has(&["CONSTRAINTS"]));
    (!tried).then(|| reason_by_keyword(engine, &first))
}

/// Returns another database that a statement names; `None` if it names none.
pub fn names_other_database<'n>(
    schema: &Schema,
    statement: &Statement,
    other_databases: &'n [String],
) -> Option<&'n String> {
    let tokens = tokens_of(schema.database.engine, &statement.text);
    let qualifies =
        |name: &&String| tokens.windows(2).any(|pair| pair[0].text.eq_ignore_ascii_case(name) && pair[1].is_word("."));
    other_databases.iter().find(qualifies)
}

/// A table that a rollback does not restore, and the tables whose triggers may write to it.
pub struct NonTransactionalTable<'s> {
    pub table: &'s Table,
    /// The storage engine of that table.
    pub storage: &'s str,
    /// The tables that a statement names.
    pub named: Vec<&'s Table>,
}

/// Returns a table that a rollback does not restore; `None` if the database has none.
pub fn non_transactional_table<'s>(schema: &'s Schema, statement: &Statement) -> Option<NonTransactionalTable<'s>> {
    let (table, storage) = non_transactional_tables(schema).next()?;
    let tokens = tokens_of(schema.database.engine, &statement.text);
    Some(NonTransactionalTable {
        table,
        storage,
        named: schema.tables.iter().filter(|table| names(&tokens, table)).collect(),
    })
}

/// Returns the tables that a rollback does not restore, each with its storage engine.
fn non_transactional_tables(schema: &Schema) -> impl Iterator<Item = (&Table, &str)> {
    schema.tables.iter().filter_map(|table| Some((table, table.lasting_storage()?)))
}

/// Returns the reason against a statement that begins with this keyword.
fn reason_by_keyword(engine: Engine, word: &str) -> String {
    let commits = engine.facts().defines_at_once();
    match word {
        "CREATE" | "ALTER" | "DROP" | "TRUNCATE" | "RENAME" | "REINDEX" | "ANALYZE" | "OPTIMIZE" | "COMMENT" => {
            if commits {
                "it would commit: definitions cannot be rolled back here".to_owned()
            } else {
                "it changes definitions, which locks other sessions out of the table until it is rolled back".to_owned()
            }
        }
        "LOCK" | "UNLOCK" | "FLUSH" if commits => "it would commit, and lock other sessions out".to_owned(),
        "LOCK" => "it would lock other sessions out, and has no other effect".to_owned(),
        "CALL" | "DO" | "EXECUTE" | "PREPARE" => {
            "the code that it runs may commit, or have effects that cannot be rolled back; explain the statements of that code instead".to_owned()
        }
        "COPY" | "LOAD" => "it reads or writes files; to learn which rows of a file would fail, use `fk-doctor check`".to_owned(),
        "SET" | "RESET" => "it changes a setting, which a rollback may not restore".to_owned(),
        "NOTIFY" | "LISTEN" | "UNLISTEN" => "it communicates with other sessions".to_owned(),
        _ => "fk-doctor cannot be sure that a rollback undoes all of it; it tries only INSERT, UPDATE, DELETE, MERGE, SELECT and transactions".to_owned(),
    }
}

fn writes(statement: &Statement) -> bool {
    matches!(statement.kind, StatementKind::Insert | StatementKind::Update | StatementKind::Delete)
}

fn names(tokens: &[Token], table: &Table) -> bool {
    tokens.iter().any(|token| token.text.eq_ignore_ascii_case(&table.name.table))
}
