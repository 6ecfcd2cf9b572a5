use super::*;

fn terminal(width: usize) -> TerminalStyle {
    TerminalStyle { width: Some(width), ..TerminalStyle::default() }
}

#[test]
fn page_at_80_columns_has_a_column_of_labels() {
    let expected = "\
parent-key-not-unique (error): no primary key or unique index on exactly the
  parent's columns
What it means   A foreign key must refer to columns that identify one row. No
                primary key or unique index covers exactly these columns.
                Usually no row is at fault: the key is.
What happens    - SQLite: the declaration is accepted. While foreign_keys is on,
                  inserts and deletes in the child, and deletes and changed keys
                  in the parent, fail with \"foreign key mismatch\". fk-doctor
                  compares the values nevertheless.
                - PostgreSQL: the server refuses to declare such a key.
                - MySQL, MariaDB: InnoDB accepts any index that begins with the
                  columns, also one that is not unique, and this code is not
                  reported there. MySQL 8.4 and newer accept it only with
                  restrict_fk_on_non_standard_key = OFF.
Example         team(team_id) has 149 values in 2,805 rows: a row for each team and year
What to do      1. A column is missing from the key: scan names the columns that
                   are unique. Refer to all of them:
                   fk-doctor repair app.db -o plan.ndjson --relax 'manager(team_id)' \\
                     --enforce 'manager(team_id,year) -> team(team_id,year)'
                2. The values are unique already: create the unique index that
                   scan prints.
                3. Some values repeat: look at these rows. Refer to a table that
                   has one row for each value, or take the key out with --relax.
                   Delete no row for the sake of the key: every row may be
                   right.
";
    assert_eq!(page(Topic::Code(Code::ParentKeyNotUnique), &terminal(80)), expected);
}

#[test]
fn page_at_40_columns_has_labels_of_their_own() {
    let expected = "\
soft-deleted (cause): the parents are
  there, but are marked as deleted
What it means
  The configuration says which rows of the
  parent count as deleted (soft-deleted of
  a relation in fk-doctor.toml), and the
  missing keys belong to such rows. This
  is proven: the rows were found.
What happens
  - All engines: the foreign key itself is
    satisfied, because the row exists.
    Only your condition makes the child an
    orphan.
Example
  [[relation]]
  child = \"comments(post_id)\"
  parent = \"posts(id)\"
  soft-deleted = \"parent.deleted_at IS NOT NULL\"
What to do
";
    let page = page(Topic::Cause(Cause::SoftDeleted), &terminal(40));
    assert!(page.starts_with(expected), "{page}");
}

#[test]
fn list_at_120_columns_has_one_line_for_each_page() {
    // Prose is never wider than 100 columns.
    let list = list(&terminal(120));
    assert!(list.lines().all(|line| line.chars().count() <= 100), "{list}");
    assert!(list.contains("\n  case                      the keys differ from their parents only in letter case\n"));
}
