//! Random definitions of tables and indexes. Many of their parts are not valid together, and SQLite refuses those.

use fastrand::Rng;

pub(super) struct RandomDefinitions {
    pub(super) rng: Rng,
    /// True for names, types and clauses that are rare.
    pub(super) is_odd: bool,
}

impl RandomDefinitions {
    pub(super) fn pick<'a>(&mut self, parts: &[&'a str]) -> &'a str {
        parts[self.rng.usize(..parts.len())]
    }

    pub(super) fn is(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    fn gap(&mut self) -> &'static str {
        if self.is(92) {
            " "
        } else {
            self.pick(&["  ", "\n", "\t", "/**/", " -- c, d)\n", "/* ' */", "\r\n", "/*/ x */"])
        }
    }

    /// Returns a name, quoted at random, of a few that occur again and again.
    fn name(&mut self, names: &[&str]) -> String {
        let name = self.pick(names);
        let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80);
        match self.rng.u8(..if is_word { 12 } else { 4 }) {
            0 => format!("[{name}]"),
            1 => format!("`{name}`"),
            2 if self.is(20) => format!("'{name}'"),
            _ if !is_word => format!("\"{}\"", name.replace('"', "\"\"")),
            2 | 3 => format!("\"{name}\""),
            4 => name.to_uppercase(),
            _ => name.to_owned(),
        }
    }

    fn column(&mut self) -> String {
        if !self.is_odd {
            return self.name(&["id", "a", "b", "c", "d", "key", "rowid", "x y", "é"]);
        }
        self.name(&[
            "id",
            "a",
            "b",
            "c",
            "key",
            "rowid",
            "x y",
            "desc",
            "é",
            "end",
            "action",
            "replace",
            "true",
            "current_date",
            "a\"b",
            "[z",
        ])
    }

    fn columns(&mut self) -> String {
        let mut list = Vec::new();
        for _ in 0..1 + self.rng.usize(..3) {
            let column = self.column();
            let suffix = if !self.is_odd || self.is(85) {
                ""
            } else {
                self.pick(&[" ASC", " DESC", " COLLATE NOCASE", " AUTOINCREMENT", "+1"])
            };
            list.push(format!("{column}{suffix}"));
        }
        format!("({})", list.join(","))
    }

    pub(super) fn kind(&mut self) -> &'static str {
        if !self.is_odd {
            return self.pick(&[
                "",
                "INTEGER",
                "int",
                "text",
                "varchar(10)",
                "REAL",
                "Numeric(10, 2)",
                "double precision",
            ]);
        }
        self.pick(&[
            "",
            "INTEGER",
            "integer",
            "INT",
            "TEXT",
            "text",
            "VARCHAR(10)",
            "decimal ( 10 , -2 )",
            "BLOB",
            "any",
            "REAL",
            "double precision",
            "unsigned big int",
            "\"INTEGER\"",
            "[my type]",
            "'INTEGER'",
            "INTEGER KEY",
            "generated always",
            "int/**/eger",
            "NUMERIC(+1)",
            "é",
        ])
    }

    fn action(&mut self) -> String {
        let event = self.pick(&["DELETE", "UPDATE", "delete", "INSERT"]);
        let action = self.pick(&["CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT", "NO ACTION", "cascade"]);
        format!("ON{}{event} {action}", self.gap())
    }

    fn deferral(&mut self) -> &'static str {
        self.pick(&[
            "DEFERRABLE",
            "NOT DEFERRABLE",
            "DEFERRABLE INITIALLY DEFERRED",
            "DEFERRABLE INITIALLY IMMEDIATE",
            "NOT DEFERRABLE INITIALLY DEFERRED",
        ])
    }

    fn reference(&mut self, columns: usize) -> String {
        let mut parts = vec!["REFERENCES".to_owned(), self.name(&["t", "p", "other one", "key"])];
        if self.is(60) {
            let names: Vec<String> = (0..columns).map(|_| self.column()).collect();
            parts.push(format!("({})", names.join(", ")));
        }
        while self.is(35) {
            let part = if self.is(80) { self.action() } else { self.pick(&["MATCH FULL", "MATCH simple"]).to_owned() };
            parts.push(part);
        }
        if self.is(25) {
            parts.push(self.deferral().to_owned());
        }
        let gap = self.gap();
        parts.join(gap)
    }

    fn conflict(&mut self) -> &'static str {
        if !self.is_odd || self.is(90) {
            ""
        } else {
            self.pick(&[" ON CONFLICT REPLACE", " ON CONFLICT ABORT", " ON CONFLICT IGNORE"])
        }
    }

    pub(super) fn constraint(&mut self) -> String {
        let name = if self.is(15) { format!("CONSTRAINT {} ", self.name(&["n", "m n", "key"])) } else { String::new() };
        let conflict = self.conflict();
        let clause = match self.rng.u8(..if self.is_odd { 12 } else { 11 }) {
            0 if !self.is_odd => "PRIMARY KEY".to_owned(),
            0 => format!(
                "PRIMARY KEY{}",
                self.pick(&["", "", "", " ASC", " DESC", " AUTOINCREMENT", " ON CONFLICT REPLACE"])
            ),
            1 => format!("UNIQUE{conflict}"),
            2 | 3 => format!("NOT{}NULL{conflict}", self.gap()),
            4 => format!("NULL{conflict}"),
            5 | 6 => format!(
                "DEFAULT{}",
                self.pick(&[
                    " 1",
                    " -1",
                    "(1)",
                    " null",
                    " NULL",
                    "( null )",
                    "(/**/null)",
                    " 'x, )'",
                    " x'00'",
                    " +1.5e-3",
                    " abc",
                    " \"null\"",
                    " current_time",
                    " true",
                    "('a' || 'b')",
                    " 0x1F",
                    " .5",
                    " 1e5",
                    " - 7"
                ])
            ),
            7 => format!("COLLATE {}", self.pick(&["NOCASE", "nocase", "\"RTRIM\"", "binary"])),
            8 => format!("CHECK ({} <> ')' OR (1))", self.pick(&["1", "id", "'('"])),
            9 | 10 => self.reference(1),
            _ => self
                .pick(&[
                    "GENERATED ALWAYS AS (1)",
                    "AS (2) STORED",
                    "DEFERRABLE INITIALLY DEFERRED",
                    "NOT DEFERRABLE",
                    "CONSTRAINT x",
                ])
                .to_owned(),
        };
        name + &clause
    }

    fn table_constraint(&mut self) -> String {
        let name = if self.is(25) { format!("CONSTRAINT {}\n", self.name(&["n", "m n"])) } else { String::new() };
        let conflict = self.conflict();
        let clause = match self.rng.u8(..6) {
            0 | 1 => format!("UNIQUE {}{conflict}", self.columns()),
            2 => format!("PRIMARY KEY {}{conflict}", self.columns()),
            3 => "CHECK (1)".to_owned(),
            _ => {
                let width = 1 + self.rng.usize(..2);
                let names: Vec<String> = (0..width).map(|_| self.column()).collect();
                format!("FOREIGN KEY ({}) {}", names.join(" , "), self.reference(width))
            }
        };
        name + &clause
    }

    pub(super) fn table(&mut self) -> String {
        let mut items = Vec::new();
        for _ in 0..1 + self.rng.usize(..5) {
            let (name, kind) = (self.column(), self.kind());
            let mut parts = vec![name, kind.to_owned()];
            while self.is(35) {
                parts.push(self.constraint());
            }
            let gap = self.gap();
            items.push(parts.join(gap));
        }
        while self.is(30) {
            items.push(self.table_constraint());
        }
        let separator = if !self.is_odd || self.is(95) { "," } else { self.pick(&[" ,", ",\n  ", ", -- x\n", " "]) };
        let tail = if !self.is_odd || self.is(85) {
            ""
        } else {
            self.pick(&[" STRICT", " WITHOUT ROWID", "strict", " WITHOUT ROWID, STRICT", "/**/"])
        };
        format!(
            "CREATE TABLE {}({}){tail}",
            self.name(&["t", "p", "other one", "key", "é", "u", "v", "w", "t2"]),
            items.join(separator)
        )
    }

    pub(super) fn index(&mut self, number: usize) -> String {
        let unique = if self.is(30) { "UNIQUE " } else { "" };
        let filter = if self.is(85) { "" } else { self.pick(&[" WHERE 1", " WHERE id IS NOT NULL", " where a"]) };
        let table = self.name(&["t", "p", "other one", "key", "é", "u", "v", "w", "t2"]);
        format!("CREATE {unique}INDEX {}{number} ON {table}{}{filter}", self.pick(&["i", "x_"]), self.columns())
    }
}
