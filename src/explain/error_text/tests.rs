//! Error messages in the form of each library.

use super::*;

fn only(text: &str) -> ReportedError {
    let found = reported_errors(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap_or_default()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn sqlalchemy_over_sqlite_gives_statement_and_parameters() {
    let found = only(
        "Traceback (most recent call last):
sqlite3.IntegrityError: FOREIGN KEY constraint failed

The above exception was the direct cause of the following exception:

sqlalchemy.exc.IntegrityError: (sqlite3.IntegrityError) FOREIGN KEY constraint failed
[SQL: INSERT INTO source_stage_statuses (source_id, stage, status) VALUES (?, ?, ?)]
[parameters: ('9bZkp7q19f0', \"it's\", None)]
(Background on this error at: https://sqlalche.me/e/20/gkpj)",
    );
    assert_eq!(found.statement, some("INSERT INTO source_stage_statuses (source_id, stage, status) VALUES (?, ?, ?)"));
    assert_eq!(found.parameters, [Value::text("9bZkp7q19f0"), Value::text("it's"), Value::Null]);
}

#[test]
fn sqlalchemy_over_postgres_gives_names_too() {
    let found = only("sqlalchemy.exc.IntegrityError: (psycopg2.errors.ForeignKeyViolation) insert or update on table \"sync_run\" violates foreign key constraint \"sync_run_kb_fkey\"
DETAIL:  Key (knowledge_base_id)=(22) is not present in table \"knowledge_base\".

[SQL: INSERT INTO sync_run (knowledge_base_id, at) VALUES (%(kb)s, %(at)s) RETURNING sync_run.id]
[parameters: {'kb': 22, 'at': datetime.datetime(2024, 1, 2)}]");
    assert_eq!(
        (found.kind, found.child, found.parent),
        (ErrorKind::ParentMissing, some("sync_run"), some("knowledge_base"))
    );
    assert_eq!((found.constraint, found.key), (some("sync_run_kb_fkey"), list(&["22"])));
    assert_eq!(found.child_columns, list(&["knowledge_base_id"]));
    assert_eq!(
        found.statement,
        some("INSERT INTO sync_run (knowledge_base_id, at) VALUES (?, ?) RETURNING sync_run.id")
    );
    assert_eq!(found.parameters[0], Value::Integer(22));
}

#[test]
fn postgres_message_says_which_end_fails() {
    let found = only(
        "ERROR:  update or delete on table \"p\" violates foreign key constraint \"c_fk\" on table \"c\"
DETAIL:  Key (a, b)=(1, x) is still referenced from table \"c\".",
    );
    assert_eq!((found.kind, found.parent, found.child), (ErrorKind::StillReferred, some("p"), some("c")));
    assert_eq!((found.parent_columns, found.key), (list(&["a", "b"]), list(&["1", "x"])));
}

#[test]
fn mysql_gives_the_whole_definition() {
    let found = only(
        "ERROR 1452 (23000): Cannot add or update a child row: a foreign key constraint fails (`shop`.`orders`, CONSTRAINT `orders_ibfk_1` FOREIGN KEY (`customer_id`) REFERENCES `customers` (`id`) ON DELETE CASCADE)",
    );
    assert_eq!((found.kind, found.child, found.parent), (ErrorKind::ParentMissing, some("orders"), some("customers")));
    assert_eq!((found.child_columns, found.parent_columns), (list(&["customer_id"]), list(&["id"])));
    assert_eq!(found.constraint, some("orders_ibfk_1"));
    let found = only(
        "ActiveRecord::InvalidForeignKey: Mysql2::Error: Cannot delete or update a parent row: a foreign key constraint fails (`d`.`c`, CONSTRAINT `k` FOREIGN KEY (`a`) REFERENCES `p` (`id`))",
    );
    assert_eq!(found.kind, ErrorKind::StillReferred);
}

#[test]
fn rails_pairs_after_the_statement_are_parameters() {
    let found = only(
        "ActiveRecord::InvalidForeignKey (SQLite3::ConstraintException: FOREIGN KEY constraint failed: INSERT INTO \"books\" (\"author_id\", \"title\") VALUES (?, ?) [[\"author_id\", 99], [\"title\", \"x, y\"]]",
    );
    assert_eq!(found.statement, some("INSERT INTO \"books\" (\"author_id\", \"title\") VALUES (?, ?)"));
    assert_eq!(found.parameters, [Value::Integer(99), Value::text("x, y")]);
}

#[test]
fn drizzle_prints_the_query_before_its_cause() {
    let found = only("DrizzleQueryError: Failed query: insert into \"posts\" (\"id\", \"author_id\") values (null, ?) returning \"id\"
params: 99
    at SQLiteSession.run
  [cause]: SqliteError: FOREIGN KEY constraint failed
      at PreparedQuery.run {
    code: 'SQLITE_CONSTRAINT_FOREIGNKEY'");
    assert_eq!(
        found.statement,
        some("insert into \"posts\" (\"id\", \"author_id\") values (null, ?) returning \"id\"")
    );
    assert_eq!(found.parameters, [Value::Integer(99)]);
}

#[test]
fn prisma_django_and_bare_messages_are_parsed() {
    let prisma = only(
        "Invalid `prisma.post.create()` invocation:\n\n\nForeign key constraint failed on the field: `Post_authorId_fkey (index)`",
    );
    assert_eq!(prisma.constraint, some("Post_authorId_fkey"));
    let django = only(
        "django.db.utils.IntegrityError: The row in table 'app_book' with primary key '1' has an invalid foreign key: app_book.author_id contains a value '99' that does not have a corresponding value in app_author.id.",
    );
    assert_eq!((django.child, django.parent), (some("app_book"), some("app_author")));
    assert_eq!((django.child_columns, django.parent_columns), (list(&["author_id"]), list(&["id"])));
    assert_eq!(django.key, list(&["99"]));
    let bare = only("SqliteError: FOREIGN KEY constraint failed");
    assert!(!bare.has_details());
    let mismatch = only("sqlite3.OperationalError: foreign key mismatch - \"c\" referencing \"p\"");
    assert_eq!((mismatch.kind, mismatch.child, mismatch.parent), (ErrorKind::Mismatch, some("c"), some("p")));
}

#[test]
fn log_with_repeated_errors_returns_each_once() {
    let text = "12:00 ERROR: insert or update on table \"c\" violates foreign key constraint \"k\"
12:00 DETAIL: Key (a)=(1) is not present in table \"p\".
12:01 all is well
12:02 ERROR: insert or update on table \"c\" violates foreign key constraint \"k\"
12:02 DETAIL: Key (a)=(1) is not present in table \"p\".
12:03 ERROR: insert or update on table \"c\" violates foreign key constraint \"k\"
12:03 DETAIL: Key (a)=(2) is not present in table \"p\".";
    let keys: Vec<(usize, Vec<String>)> = reported_errors(text).into_iter().map(|only| (only.line, only.key)).collect();
    assert_eq!(keys, [(1, list(&["1"])), (6, list(&["2"]))]);
}

#[test]
fn truncated_text_is_parsed_without_a_panic() {
    for text in [
        "FOREIGN KEY constraint failed\n[SQL: ",
        "FOREIGN KEY constraint failed\n[SQL: x]\n[parameters: ('a",
        "FOREIGN KEY constraint failed\n[SQL: x]\n[parameters: {'a': ",
        "a foreign key constraint fails (",
        "violates foreign key constraint \"",
        "has an invalid foreign key: é.",
        "Failed query: \nparams: \nforeign key constraint failed",
        "foreign key constraint failed: INSERT INTO [[",
    ] {
        reported_errors(text);
    }
}

#[test]
fn statement_is_found_in_each_form_of_output() {
    let failed = "FOREIGN KEY constraint failed";
    for (text, statement, values) in [
        (format!("sqlite> DELETE FROM p WHERE id = 1;\nRuntime error: {failed} (19)"), "DELETE FROM p WHERE id = 1", 0),
        (
            format!("Query: UPDATE c SET r = ? WHERE id = ?; args: [7, 1]\n{failed}"),
            "UPDATE c SET r = ? WHERE id = ?",
            2,
        ),
        (
            format!("{failed}: INSERT INTO c\n  (r)\nVALUES\n  ('a; b');\nmore"),
            "INSERT INTO c\n  (r)\nVALUES\n  ('a; b')",
            0,
        ),
        (format!("{failed} (SQL: insert into \"c\" (\"r\") values (5))"), "insert into \"c\" (\"r\") values (5)", 0),
        (format!("{failed}\nsql=`INSERT INTO c(r) VALUES (a || 'x')`"), "INSERT INTO c(r) VALUES (a || 'x')", 0),
    ] {
        let found = only(&text);
        assert_eq!((found.statement.as_deref(), found.parameters.len()), (Some(statement), values), "{text}");
    }
    for text in [
        format!("could not INSERT INTO c because of {failed}"),
        format!("{failed}: UPDATE of c went wrong"),
        format!("{failed}: DELETE FROM c went wrong"),
        format!("{failed}: INSERT INTO c, then p"),
        format!("We UPDATE c SET too early: {failed}"),
    ] {
        assert_eq!(only(&text).statement, None, "{text}");
    }
}

#[test]
fn postgres_log_has_its_statement_after_the_detail() {
    let found = only(
        "2024-05-01 ERROR:  insert or update on table \"c\" violates foreign key constraint \"k\"
2024-05-01 DETAIL:  Key (r)=(7) is not present in table \"p\".
2024-05-01 STATEMENT:  INSERT INTO c(id, r) VALUES (1, 7)",
    );
    assert_eq!((found.statement, found.target), (some("INSERT INTO c(id, r) VALUES (1, 7)"), some("c")));
    // PostgreSQL 18 says which kind of setting it was.
    let found = only("ERROR:  update or delete on table \"p\" violates RESTRICT setting of foreign key constraint \"k\" on table \"c\"
DETAIL:  Key (id)=(1) is referenced from table \"c\".");
    assert_eq!((found.kind, found.parent, found.child), (ErrorKind::StillReferred, some("p"), some("c")));
    assert_eq!((found.constraint, found.key), (some("k"), list(&["1"])));
}
