//! Random schemas with cycles, composite keys, UNIQUE, CHECK and every kind of table, random damage, and random rules;
//! in the SQL of SQLite and of servers.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::fmt::Write;

use fastrand::Rng;
use rusqlite::Connection;

pub(crate) struct Made {
    pub(crate) tables: Vec<Table>,
}

pub(crate) struct Table {
    pub(crate) name: String,
    /// The columns of the table's key.
    pub(crate) key: Vec<&'static str>,
    text: bool,
    pub(crate) columns: Vec<String>,
    primary_key: Option<String>,
    /// The columns of the reference, its parent, and ON DELETE.
    pub(crate) references: Vec<(Vec<String>, String, String)>,
    options: &'static str,
}

impl Table {
    /// The first and the last column of the table's key.
    pub(crate) fn names(&self) -> (&'static str, &'static str) {
        (self.key[0], self.key[self.key.len() - 1])
    }

    pub(crate) fn is_without_rowid(&self) -> bool {
        self.options.contains("WITHOUT ROWID")
    }
}

impl Made {
    /// Returns the definitions in SQLite's SQL.
    pub(crate) fn sql(&self) -> String {
        let table = |table: &Table| {
            let references = table.references.iter().map(|(names, parent, on_delete)| {
                format!("FOREIGN KEY ({}) REFERENCES {parent}{on_delete}", names.join(", "))
            });
            let parts: Vec<String> =
                table.columns.iter().chain(&table.primary_key).cloned().chain(references).collect();
            format!("CREATE TABLE {}({}){};\n", table.name, parts.join(", "), table.options)
        };
        self.tables.iter().map(table).collect()
    }

    /// Returns the definitions in a server's SQL, with its type of text, its identity columns, and only the ON DELETE
    /// actions that it accepts. Foreign keys come last.
    pub(crate) fn server_sql(&self, type_of_text: &str, counting: &str) -> String {
        let mut sql = String::new();
        for table in &self.tables {
            let in_dialect = |column: &String| {
                column
                    .replace(" TEXT", &format!(" {type_of_text}"))
                    .replace("INTEGER PRIMARY KEY AUTOINCREMENT", counting)
                    .replace("INTEGER", "INT")
                    .replace("DEFAULT 2", "DEFAULT '2'")
            };
            let parts: Vec<String> = table.columns.iter().map(in_dialect).chain(table.primary_key.clone()).collect();
            sql.push_str(&format!("CREATE TABLE {}({});\n", table.name, parts.join(", ")));
        }
        for table in &self.tables {
            for (names, parent, on_delete) in &table.references {
                let is_fixed = table.columns.iter().any(|column| {
                    names.iter().any(|name| column.starts_with(&format!("{name} "))) && column.contains("NOT NULL")
                });
                let is_known = on_delete.contains("CASCADE") || (on_delete.contains("SET NULL") && !is_fixed);
                sql.push_str(&format!(
                    "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {parent}{};\n",
                    table.name,
                    names.join(", "),
                    if is_known { on_delete } else { "" }
                ));
            }
        }
        sql
    }
}

pub(crate) fn schema(random: &mut Rng) -> Made {
    let count = random.usize(2..5);
    let tables: Vec<Table> = (0..count)
        .map(|i| {
            let (key, text) = match random.usize(0..5) {
                0 => (vec!["id"], true),
                1 => (vec!["a", "b"], false),
                _ => (vec!["id"], false),
            };
            Table {
                name: format!("t{i}"),
                key,
                text,
                columns: Vec::new(),
                primary_key: None,
                references: Vec::new(),
                options: "",
            }
        })
        .collect();
    let mut made = Made { tables };
    for i in 0..count {
        define(random, &mut made, i);
    }
    made
}

fn define(random: &mut Rng, made: &mut Made, i: usize) {
    let table = &made.tables[i];
    let mut parts = Vec::new();
    let mut primary_key = None;
    let mut references = Vec::new();
    let mut options = "";
    match (&table.key[..], table.text) {
        (["id"], true) => {
            parts.push("id TEXT PRIMARY KEY NOT NULL".to_owned());
            options = if random.bool() { " WITHOUT ROWID" } else { "" };
        }
        (["id"], false) => {
            let counter = if random.bool() { " AUTOINCREMENT" } else { "" };
            parts.push(format!("id INTEGER PRIMARY KEY{counter}"));
        }
        _ => {
            parts.extend(["a INT NOT NULL".to_owned(), "b INT NOT NULL".to_owned()]);
            primary_key = Some("PRIMARY KEY(a, b)".to_owned());
        }
    }
    let pick = |random: &mut Rng, words: &[&str]| words[random.usize(0..words.len())].to_owned();
    parts
        .push(format!("label TEXT{}", pick(random, &["", " NOT NULL", " UNIQUE", " NOT NULL UNIQUE", " DEFAULT 'd'"])));
    parts.push(format!(
        "n INT{}",
        pick(
            random,
            &["", " NOT NULL", " NOT NULL DEFAULT 5", " CHECK (n < 50)", " NOT NULL CHECK (n BETWEEN 0 AND 3)"]
        )
    ));
    for f in 0..random.usize(0..3) {
        let parent = &made.tables[random.usize(0..made.tables.len())];
        let kind = if parent.text { "TEXT" } else { "INT" };
        let on_delete = pick(random, &["", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON DELETE SET DEFAULT"]);
        let names: Vec<String> = (0..parent.key.len()).map(|k| format!("r{f}{k}")).collect();
        for name in &names {
            let extra = pick(random, &["", "", " NOT NULL", " DEFAULT 2", " UNIQUE"]);
            parts.push(format!("{name} {kind}{extra}"));
        }
        references.push((names, format!("{}({})", parent.name, parent.key.join(", ")), on_delete));
    }
    let table = &mut made.tables[i];
    (table.columns, table.primary_key, table.references, table.options) = (parts, primary_key, references, options);
}

/// Returns rows with keys from a small range, so that about half of all references are broken.
pub(crate) fn rows(random: &mut Rng, database: &Connection, made: &Made) {
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for table in &made.tables {
        let mut question = database.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        let columns: Vec<String> =
            question.query_map([&table.name], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for _ in 0..random.usize(0..9) {
            let values: Vec<String> = columns
                .iter()
                .map(|column| match column.as_str() {
                    "label" => format!("'l{}'", random.u8(0..9)),
                    "n" => random.u8(0..4).to_string(),
                    "id" if table.text => format!("'{}'", random.u8(1..9)),
                    "id" | "a" | "b" => random.u8(1..7).to_string(),
                    _ if random.u8(0..4) == 0 => "NULL".to_owned(),
                    _ => random.u8(1..9).to_string(),
                })
                .collect();
            // Rows that the table refuses are omitted.
            let _ = database.execute_batch(&format!("INSERT INTO {} VALUES ({})", table.name, values.join(", ")));
        }
    }
}

/// Removes rows until there are no orphans.
pub(crate) fn remove_orphans(database: &Connection) {
    loop {
        let mut question = database.prepare("SELECT \"table\", rowid FROM pragma_foreign_key_check").unwrap();
        let orphans = question.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let orphans: Vec<(String, Option<i64>)> = orphans.map(Result::unwrap).collect();
        if orphans.is_empty() {
            return;
        }
        for (table, rowid) in orphans {
            let condition = rowid.map_or("1".to_owned(), |rowid| format!("rowid = {rowid}"));
            database.execute_batch(&format!("DELETE FROM {table} WHERE {condition}")).unwrap();
        }
    }
}

/// `to_files` is true if rows may be quarantined in files.
pub(crate) fn rules(random: &mut Rng, made: &Made, to_files: bool) -> String {
    let mut text = String::new();
    for (number, child) in ["t0(*", "t1(*", "t2(*", "*"].into_iter().enumerate() {
        write!(text, "[[rule]]\nid = \"r{number}\"\neven-if-parent-lost = {}\n", random.u8(0..5) > 0).unwrap();
        let child = if child == "*" { child.to_owned() } else { format!("{child})") };
        write!(text, "relation.child = \"{child}\"\nlimits = {{ max-rows = 100000, max-share = 1.0 }}\n").unwrap();
        for _ in 0..random.usize(1..4) {
            let sentinel = random.u8(1..9);
            let treatment = match random.usize(0..13) {
                0 => "action = \"remap\"\nnormalize = [\"trim\", \"zero-padding\"]".to_owned(),
                1 => "action = \"remap\"\ntable = \"map(old -> new)\"\nrecord = \"kept\"\non-conflict = \"quarantine\""
                    .to_owned(),
                2 => "action = \"remap\"\ntable = \"map(old -> new)\"".to_owned(),
                3 => "action = \"placeholder\"".to_owned(),
                4 => "action = \"placeholder\"\nkey = \"new\"\nrecord = \"made\"".to_owned(),
                5 => "action = \"set-null\"".to_owned(),
                6 => "action = \"set-default\"".to_owned(),
                7 => "action = \"quarantine\"".to_owned(),
                8 => "action = \"delete\"\nkeep = false".to_owned(),
                9 | 10 => format!("action = \"sentinel\"\nkey = {sentinel}"),
                11 if to_files => format!("action = \"quarantine\"\nfile = \"gone-{number}.ndjson\""),
                _ => "action = \"follow\"".to_owned(),
            };
            // A mapping table has single-column keys.
            let composite = made.tables.iter().any(|table| table.key.len() > 1);
            let treatment =
                if composite && ["map(", "normalize", "sentinel"].iter().any(|narrow| treatment.contains(narrow)) {
                    "action = \"report\""
                } else {
                    &treatment
                };
            write!(text, "[[rule.treat]]\n{treatment}\n").unwrap();
        }
    }
    text
}
