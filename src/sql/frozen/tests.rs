//! The byte test: old text and parameters equal new ones on seeded schemas, but for the differences that are listed here.

use fastrand::Rng;

use super::Sql as Old;
use super::clauses;
use super::repair::Evaluation;
use super::repair::UniqueTerms;
use super::repair::Wanted;
use crate::model::catalog::Action;
use crate::model::catalog::Column;
use crate::model::catalog::Comparison;
use crate::model::catalog::DatabaseName;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Index;
use crate::model::catalog::IndexColumn;
use crate::model::catalog::Match;
use crate::model::catalog::NameRule;
use crate::model::catalog::QualifiedName;
use crate::model::catalog::SqlType;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::ids::Id;
use crate::model::ids::TableId;
use crate::model::plan::NewTable;
use crate::model::plan::identity_columns;
use crate::model::relation::Judge;
use crate::model::relation::Origin;
use crate::model::relation::Parent;
use crate::model::relation::Relation;
use crate::model::relation::Scope;
use crate::model::rule::Expression;
use crate::model::rule::Normal;
use crate::model::rule::Piece;
use crate::model::rule::Scope as RuleScope;
use crate::model::schema::Schema;
use crate::model::value::Key;
use crate::model::value::RowName;
use crate::model::value::Value;
use crate::sql::Among;
use crate::sql::Sql as New;

const SEEDS: u64 = 150;

/// How a text may differ from its predecessor: each is a rewriting after which both are alike.
const DIFFERENCES: &[(&str, fn(Engine, &str) -> String)] = &[];

/// A statement with its parameters in their places, so that their numbers need not agree.
fn filled(engine: Engine, text: &str, parameters: &[Value], is_from_tables: bool) -> String {
    let (mark, quote) = match engine {
        Engine::Sqlite => ('?', '"'),
        Engine::Postgres => ('$', '"'),
        Engine::Mysql | Engine::Mariadb => ('?', '`'),
    };
    let statement =
        Old { text: text.to_owned(), parameters: parameters.to_vec(), from_tables: false, twins: Vec::new() };
    let filled = clauses::written_out(&statement, mark, quote, |value| format!("«{value:?}»"));
    format!("{filled} {is_from_tables}")
}

struct Compared {
    engine: Engine,
    pairs: usize,
    equal: usize,
    differing: std::collections::BTreeMap<&'static str, usize>,
    wrong: std::collections::BTreeMap<&'static str, (usize, String)>,
}

impl Compared {
    fn sql(&mut self, what: &'static str, old: &Old, new: &New) {
        let old = filled(self.engine, old.text(), old.parameters(), old.is_from_tables());
        let new = filled(self.engine, new.text(), new.parameters(), new.is_from_tables());
        self.text(what, &old, &new);
    }

    fn some(&mut self, what: &'static str, old: Option<Old>, new: Option<New>) {
        match (old, new) {
            (Some(old), Some(new)) => self.sql(what, &old, &new),
            (old, new) => self.text(
                what,
                &old.map_or_else(String::new, |old| old.text().to_owned()),
                &new.map_or_else(String::new, |new| new.text().to_owned()),
            ),
        }
    }

    fn all(&mut self, what: &'static str, old: &[Old], new: &[New]) {
        self.text(what, &old.len().to_string(), &new.len().to_string());
        for (old, new) in old.iter().zip(new) {
            self.sql(what, old, new);
        }
    }

    fn text(&mut self, what: &'static str, old: &str, new: &str) {
        self.pairs += 1;
        if old == new {
            self.equal += 1;
            return;
        }
        let (mut left, mut right) = (old.to_owned(), new.to_owned());
        for (name, rewrite) in DIFFERENCES {
            let (rewritten, other) = (rewrite(self.engine, &left), rewrite(self.engine, &right));
            if (rewritten != left || other != right) && (left != right) {
                *self.differing.entry(name).or_default() += 1;
            }
            (left, right) = (rewritten, other);
        }
        if left != right {
            let (number, _) = self.wrong.entry(what).or_insert_with(|| (0, format!("old: {left}\nnew: {right}")));
            *number += 1;
        }
    }
}

/// A schema and what is asked of it, all from one seed.
struct Seeded {
    random: Rng,
    engine: Engine,
}

const NAMES: [&str; 12] =
    ["t", "child", "my table", "a\"b", "a`b", "wanted", "key", "order", "é", "missing", "parent", "a?b$1"];

impl Seeded {
    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.random.usize(..from.len())].clone()
    }

    fn chance(&mut self, in_ten: u32) -> bool {
        self.random.u32(..10) < in_ten
    }

    fn column(&mut self, number: usize) -> Column {
        let name = format!("{}{number}", self.pick(&["id", "a b", "c\"d", "e`f", "é"]));
        let not_null = self.chance(5);
        let generated = self.chance(1);
        let plain = |declared_type: &str, family, collation: Option<&str>, sql_type| Column {
            name: name.clone(),
            declared_type: declared_type.to_owned(),
            family,
            collation: collation.map(str::to_owned),
            not_null,
            generated,
            sql_type,
        };
        match self.engine {
            Engine::Sqlite => {
                let collation = self.pick(&[None, Some("NOCASE"), Some("RTRIM")]);
                let (declared, family) = self.pick(&[
                    ("INTEGER", Family::Integer),
                    ("TEXT", Family::Text),
                    ("REAL", Family::Real),
                    ("NUMERIC", Family::Numeric),
                    ("BLOB", Family::Untyped),
                ]);
                plain(declared, family, collation, None)
            }
            Engine::Postgres => {
                let (schema, base, family, equality, composite) = self.pick(&[
                    ("pg_catalog", "int4", Family::Integer, "=", false),
                    ("pg_catalog", "int8", Family::Integer, "=", false),
                    ("pg_catalog", "numeric", Family::Numeric, "=", false),
                    ("pg_catalog", "float8", Family::Real, "=", false),
                    ("pg_catalog", "text", Family::Text, "=", false),
                    ("pg_catalog", "varchar", Family::Text, "=", false),
                    ("pg_catalog", "uuid", Family::Untyped, "=", false),
                    ("pg_catalog", "bytea", Family::Untyped, "=", false),
                    ("pg_catalog", "bool", Family::Untyped, "=", false),
                    ("pg_catalog", "json", Family::Untyped, "", false),
                    ("shop", "mood", Family::Untyped, "=", false),
                    ("shop", "pa\"ir", Family::Untyped, "=", true),
                ]);
                let name =
                    |schema: &str, name: &str| QualifiedName { schema: schema.to_owned(), name: name.to_owned() };
                let equality = name(if equality.is_empty() { "" } else { "pg_catalog" }, equality);
                let of = SqlType { base: name(schema, base), equality, collation: None, composite };
                plain(base, family, None, Some(of))
            }
            Engine::Mysql | Engine::Mariadb => {
                let (declared, family, collation) = self.pick(&[
                    ("int", Family::Integer, None),
                    ("bigint unsigned", Family::Integer, None),
                    ("decimal(10,2)", Family::Numeric, None),
                    ("decimal(10,2) unsigned", Family::Numeric, None),
                    ("float", Family::Real, None),
                    ("double", Family::Real, None),
                    ("varchar(20)", Family::Text, Some("utf8mb4_general_ci")),
                    ("varchar(20)", Family::Text, Some("utf8mb4_bin")),
                    ("char(3)", Family::Text, Some("latin1_swedish_ci")),
                    ("enum('a','b')", Family::Text, Some("utf8mb4_general_ci")),
                    ("enum('b','c')", Family::Text, Some("utf8mb4_general_ci")),
                    ("set('a')", Family::Text, Some("utf8mb4_general_ci")),
                    ("varbinary(4)", Family::Untyped, None),
                    ("blob", Family::Untyped, None),
                    ("bit(4)", Family::Untyped, None),
                    ("date", Family::Untyped, None),
                    ("datetime(6)", Family::Untyped, None),
                    ("timestamp", Family::Untyped, None),
                    ("time", Family::Untyped, None),
                    ("json", Family::Untyped, None),
                    ("point", Family::Untyped, None),
                ]);
                plain(declared, family, collation, None)
            }
        }
    }

    fn table(&mut self, number: usize) -> Table {
        let columns: Vec<Column> = (0..self.random.usize(2..6)).map(|number| self.column(number)).collect();
        let name = format!("{}{number}", self.pick(&NAMES));
        let schema = self.pick(&[None, None, Some("other"), Some("my s")]).filter(|_| self.engine != Engine::Sqlite);
        let kind = match self.random.u32(..8) {
            0 => TableKind::View,
            1 => TableKind::Partitioned,
            _ => TableKind::Table,
        };
        let mut primary_key: Vec<usize> = (0..columns.len()).collect();
        self.random.shuffle(&mut primary_key);
        primary_key.truncate(self.random.usize(..3));
        let part = |column| IndexColumn { column: Some(column), collation: None };
        let index = |name: &str, columns: &[usize], primary, separate| Index {
            name: name.to_owned(),
            columns: columns.iter().copied().map(part).collect(),
            unique: true,
            partial: false,
            primary,
            separate,
        };
        let mut indexes = Vec::new();
        if !primary_key.is_empty() {
            indexes.push(index("primary", &primary_key, true, self.random.bool()));
        }
        indexes.push(index("other", &[0, 1], false, true));
        let row_address = match self.engine {
            Engine::Sqlite => self.pick(&[None, Some("rowid"), Some("oid")]),
            Engine::Postgres => self.pick(&[None, Some("ctid"), Some("ctid")]),
            Engine::Mysql | Engine::Mariadb => None,
        };
        Table {
            name: TableName { schema: schema.map(str::to_owned), table: name },
            kind,
            storage: crate::model::catalog::Storage::Transactional,
            columns,
            primary_key,
            indexes,
            row_address: row_address.map(str::to_owned),
            address_lasts: self.engine == Engine::Sqlite && row_address.is_some(),
            address_column: None,
            without_foreign_keys: None,
            irreversible: None,
        }
    }

    fn relation(&mut self, tables: &[Table], number: usize) -> Relation {
        let child = self.random.usize(..tables.len());
        let parent = self.random.usize(..tables.len());
        let width = self.random.usize(1..4).min(tables[child].columns.len()).min(tables[parent].columns.len());
        let mut choose = |from: usize| {
            let mut columns: Vec<usize> = (0..from).collect();
            self.random.shuffle(&mut columns);
            columns.truncate(width);
            columns
        };
        let child_columns = choose(tables[child].columns.len());
        let columns = choose(tables[parent].columns.len());
        let column_names = columns.iter().map(|&column| tables[parent].columns[column].name.clone()).collect();
        let is_missing = self.chance(1);
        let key = (self.chance(7) && !is_missing).then(|| self.random.usize(..tables[parent].indexes.len()));
        let is_postgres = self.engine == Engine::Postgres;
        let name = |schema: &str, name: &str| QualifiedName { schema: schema.to_owned(), name: name.to_owned() };
        let mut comparisons = Vec::new();
        if is_postgres && self.chance(6) {
            for _ in 0..width {
                comparisons.push(Comparison {
                    operator: name("pg_catalog", "="),
                    parent_type: self.pick(&[None, Some(name("pg_catalog", "text"))]),
                    child_type: self.pick(&[None, Some(name("pg_catalog", "text"))]),
                    collation: self.pick(&[None, Some(name("pg_catalog", "C"))]),
                });
            }
        }
        let ignored = (0..self.random.usize(..3)).map(|_| (0..width).map(|_| self.value(None)).collect());
        let scope = Scope {
            ignored: ignored.collect(),
            condition: self.pick(&[None, None, Some("child.x = 1 -- ?".to_owned())]),
            soft_deleted: self.pick(&[None, None, Some("parent.deleted".to_owned())]),
            partial: None,
        };
        Relation {
            id: format!("r{number}"),
            name: None,
            origin: self.pick(&[Origin::Declared, Origin::Configured]),
            configured: None,
            child: TableId::from_index(child),
            child_columns,
            parent: Parent {
                name: tables[parent].name.clone(),
                column_names,
                table: (!is_missing).then_some(TableId::from_index(parent)),
                columns: if is_missing { Vec::new() } else { columns },
                key,
            },
            on_delete: Action::NoAction,
            on_delete_columns: Vec::new(),
            on_update: Action::NoAction,
            match_rule: if is_postgres && self.chance(3) { Match::Full } else { Match::Simple },
            deferrable: false,
            comparisons,
            scope,
            judge: Judge::Engine,
            defects: Vec::new(),
        }
    }

    fn value(&mut self, column: Option<&Column>) -> Value {
        let random = [
            Value::Integer(self.random.i64(-5..1_000)),
            Value::Real(self.random.f64()),
            Value::text(self.pick(&["", "5", "18446744073709551615", "1.5", "a'b\\c", "é\u{7}", "?1 $1"])),
            Value::Blob(vec![0, 255, self.random.u8(..)]),
        ];
        match column.map(|column| &column.family) {
            Some(Family::Integer) if self.chance(7) => random[0].clone(),
            Some(Family::Text) if self.chance(7) => random[2].clone(),
            _ => self.pick(&random),
        }
    }

    fn row(&mut self, table: &Table, names: &[&str]) -> RowName {
        let column = |name: &str| table.columns.iter().find(|column| column.name == name);
        names.iter().map(|name| ((*name).to_owned(), self.value(column(name)))).collect()
    }

    fn keys(&mut self, columns: &[&Column]) -> Vec<Key> {
        (0..self.random.usize(1..4)).map(|_| columns.iter().map(|column| self.value(Some(column))).collect()).collect()
    }

    fn schema(&mut self) -> Schema {
        let tables: Vec<Table> = (0..3).map(|number| self.table(number)).collect();
        let relations = (0..3).map(|number| self.relation(&tables, number)).collect();
        let default_schema = match self.engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some("public"),
            Engine::Mysql | Engine::Mariadb => Some("my`db"),
        };
        Schema {
            database: DatabaseName {
                engine: self.engine,
                name: String::new(),
                version: String::new(),
                default_schema: default_schema.map(str::to_owned),
            },
            names: NameRule::Exact,
            tables: tables.into(),
            relations,
        }
    }
}

#[test]
fn every_statement_is_what_it_was_but_for_listed_differences() {
    for engine in [Engine::Sqlite, Engine::Postgres, Engine::Mysql, Engine::Mariadb] {
        let mut compared =
            Compared { engine, pairs: 0, equal: 0, differing: Default::default(), wrong: Default::default() };
        for seed in 0..SEEDS {
            let mut seeded = Seeded { random: Rng::with_seed(seed), engine };
            let schema = seeded.schema();
            compare_scan(&mut compared, &mut seeded, &schema);
            for in_rehearsal in [false, true] {
                compare_repair(&mut compared, &mut seeded, &schema, in_rehearsal);
            }
            compare_load(&mut compared, &mut seeded, &schema);
        }
        println!("{engine:?}: {} pairs, {} equal, {:?}", compared.pairs, compared.equal, compared.differing);
        let wrong: Vec<String> = compared
            .wrong
            .iter()
            .map(|(what, (number, first))| format!("{engine:?} {what} ({number}):\n{first}"))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
}

fn compare_scan(compared: &mut Compared, seeded: &mut Seeded, schema: &Schema) {
    let (old, new) = (super::of(schema), crate::sql::of(schema));
    for child in schema.tables.ids() {
        let relations: Vec<&Relation> = schema.relations.iter().filter(|relation| relation.child == child).collect();
        compared.sql("counts", &old.counts(schema, child, &relations), &new.counts(schema, child, &relations));
    }
    for relation in &schema.relations {
        compared.some("balance", old.balance(schema, relation), new.balance(schema, relation));
        let suspects = [3, 70_000, 9];
        let rows = seeded.chance(5).then_some(&suspects[..]);
        let among = Among { rows, index_is_proven: seeded.chance(5) };
        let (before, after) = (old.orphans(schema, relation, &among), new.orphans(schema, relation, &among));
        compared.sql("orphans", &before, &after);
        compared.some("without_indexes", old.without_indexes(&before), new.without_indexes(&after));
        compared.sql("matched_keys", &old.matched_keys(schema, relation, 7), &new.matched_keys(schema, relation, 7));
        compared.some("parent_has_rows", old.parent_has_rows(schema, relation), new.parent_has_rows(schema, relation));
        if schema.parent_columns(relation).next().is_some_and(|column| column.family == Family::Integer) {
            let (old, new) = (old.largest_parent_key(schema, relation), new.largest_parent_key(schema, relation));
            compared.some("largest_parent_key", old, new);
        }
        let parents: Vec<&Column> = schema.parent_columns(relation).collect();
        if !parents.is_empty() {
            let keys = seeded.keys(&parents);
            let keys: Vec<&Key> = keys.iter().collect();
            let (before, after) =
                (old.soft_deleted_keys(schema, relation, &keys), new.soft_deleted_keys(schema, relation, &keys));
            compared.some("soft_deleted_keys", before, after);
            let single: Vec<Key> = keys.iter().map(|key| vec![key[0].clone()]).collect();
            let single: Vec<&Key> = single.iter().collect();
            let (before, after) =
                (old.near_misses(schema, relation, &single, 9), new.near_misses(schema, relation, &single, 9));
            compared.some("near_misses", before, after);
            let (before, after) = (old.spans(schema, relation, "x", &keys), new.spans(schema, relation, "x", &keys));
            compared.some("spans", before, after);
        }
        for of_parent in [false, true] {
            let (before, after) = (
                old.condition_check(schema, relation, "a = 1", of_parent),
                new.condition_check(schema, relation, "a = 1", of_parent),
            );
            compared.some("condition_check", before, after);
        }
    }
    for table in &schema.tables {
        for index in &table.indexes {
            let columns: Vec<&Column> =
                index.columns.iter().filter_map(|part| part.column).map(|column| &table.columns[column]).collect();
            let keys = seeded.keys(&columns);
            let keys: Vec<&Key> = keys.iter().collect();
            let (before, after) =
                (old.keys_elsewhere(schema, table, index, &keys), new.keys_elsewhere(schema, table, index, &keys));
            compared.some("keys_elsewhere", before, after);
        }
    }
}

fn compare_repair(compared: &mut Compared, seeded: &mut Seeded, schema: &Schema, in_rehearsal: bool) {
    let old = super::repair::of(schema.database.engine);
    let new = crate::sql::repair::of(schema).unwrap();
    let (old, new) = if in_rehearsal { (old.in_room(), new.in_room()) } else { (old, new) };
    for table in &schema.tables {
        compare_rows(compared, seeded, table, old, new);
    }
    for relation in &schema.relations {
        compare_relation(compared, seeded, schema, relation, old, new, in_rehearsal);
    }
    let made = NewTable {
        name: TableName { schema: None, table: seeded.pick(&NAMES).to_owned() },
        columns: vec!["n".to_owned(), "a \"b`".to_owned()],
    };
    compared.sql("create", &old.create(&made), &new.create(&made));
    compared.sql("create_marked", &old.create_marked(&made, "abc123"), &new.create_marked(&made, "abc123"));
    compared.sql("drop", &old.drop(&made), &new.drop(&made));
    compared.sql("create_state", &old.create_state(), &new.create_state());
    compared.sql("has_state", &old.has_state(), &new.has_state());
    compared.all("try_state", &old.try_state(), &new.try_state());
    compared.text("grant_state", &old.grant_state(), &new.grant_state());
    compared.some("may_create_state", old.may_create_state(), new.may_create_state());
    compared.some("may_drop", old.may_drop(&made, "abc"), new.may_drop(&made, "abc"));
    compared.some("claim", old.claim(&made), new.claim(&made));
    compared.some("release", old.release(), new.release());
    compared.sql("definitions", &old.definitions(), &new.definitions());
    compared.text("script_start", &old.script_start(), &new.script_start());
    compared.text("script_end", &old.script_end(), &new.script_end());
    let tables: Vec<&Table> = schema.tables.iter().collect();
    compared.some("lock", old.lock(&tables), new.lock(&tables));
}

fn compare_rows(
    compared: &mut Compared,
    seeded: &mut Seeded,
    table: &Table,
    old: &dyn super::repair::RepairDialect,
    new: &dyn crate::sql::repair::RepairDialect,
) {
    let stored: Vec<&str> =
        table.columns.iter().filter(|column| !column.generated).map(|column| column.name.as_str()).collect();
    let identity = identity_columns(table);
    // In a script, a row is also told by what it held.
    let named: Vec<&str> = if seeded.chance(5) || identity.is_empty() { stored.clone() } else { identity.clone() };
    let rows: Vec<RowName> = (0..2).map(|_| seeded.row(table, &named)).collect();
    let rows: Vec<&RowName> = rows.iter().collect();
    let image = seeded.row(table, &stored);
    if !named.is_empty() {
        let (before, after) = (old.insert(table, rows[0], &image), new.insert(table, rows[0], &image));
        compared.sql("insert", &before, &after);
        compared.all("advance", &old.advance(table, rows[0]), &new.advance(table, rows[0]));
        compared.some("unenforced", old.unenforced(&before), new.unenforced(&after));
        let some: RowName = image.iter().take(2).cloned().collect();
        let (before, after) = (old.update(table, rows[0], &some), new.update(table, rows[0], &some));
        compared.sql("update", &before, &after);
        compared.some("unenforced update", old.unenforced(&before), new.unenforced(&after));
        compared.text("written out", &old.written_out(&before), &new.written_out(&after));
        let (before, after) = (old.delete(table, rows[0]), new.delete(table, rows[0]));
        compared.sql("delete", &before, &after);
        compared.text("written out delete", &old.written_out(&before), &new.written_out(&after));
        compared.sql("rows_at", &old.rows_at(table, &rows), &new.rows_at(table, &rows));
        compared.some("long_rows", old.long_rows(table, &rows, 9), new.long_rows(table, &rows, 9));
    }
    let index = UniqueTerms {
        terms: vec!["lower(a)".to_owned(), "b".to_owned()],
        condition: seeded.pick(&[None, Some("c > 0".to_owned())]),
    };
    let images = [(Some(rows[0]), &image), (None, &image)];
    compared.some("colliding", old.colliding(table, &images, &index), new.colliding(table, &images, &index));
    let from: Vec<usize> = (0..seeded.random.usize(1..3)).collect();
    let into: Vec<usize> = (0..table.columns.len()).rev().take(from.len()).collect();
    let columns: Vec<&Column> = from.iter().map(|&column| &table.columns[column]).collect();
    let keys = seeded.keys(&columns);
    let keys: Vec<&Key> = keys.iter().collect();
    compared.sql("present", &old.present(table, &from, &keys), &new.present(table, &from, &keys));
    compared.sql("mapped", &old.mapped(table, &from, &into, &keys), &new.mapped(table, &from, &into, &keys));
    if !identity.is_empty() {
        compared.sql("rows_with", &old.rows_with(table, &from, &keys), &new.rows_with(table, &from, &keys));
    }
    let single: Vec<Key> = keys.iter().map(|key| vec![key[0].clone()]).collect();
    let single: Vec<&Key> = single.iter().collect();
    let mut forms = Normal::ALL.to_vec();
    forms.retain(|_| seeded.chance(6));
    let (before, after) = (old.equal_in_form(table, 0, &forms, &single), new.equal_in_form(table, 0, &forms, &single));
    compared.sql("equal_in_form", &before, &after);
    compared.sql("defaults", &old.defaults(table), &new.defaults(table));
    let column = &table.columns[0].name;
    compared.sql("largest", &old.largest(table, column), &new.largest(table, column));
    if let Some(address) = table.row_address.as_ref() {
        compared.sql("largest address", &old.largest(table, address), &new.largest(table, address));
    }
    compared.some("counter", old.counter(table), new.counter(table));
    compared.some("sequence", old.sequence(table, column), new.sequence(table, column));
    let defaults = [("a b".to_owned(), "now()".to_owned())];
    compared.all("furnish", &old.furnish(table, &defaults), &new.furnish(table, &defaults));
    for value in [Value::Integer(1), Value::Null, Value::Blob(vec![1]), Value::text("a")] {
        let (before, after) = (old.recorded(value.clone()), new.recorded(value));
        compared.text("recorded", &format!("{before:?}"), &format!("{after:?}"));
    }
}

fn compare_relation(
    compared: &mut Compared,
    seeded: &mut Seeded,
    schema: &Schema,
    relation: &Relation,
    old: &dyn super::repair::RepairDialect,
    new: &dyn crate::sql::repair::RepairDialect,
    in_rehearsal: bool,
) {
    let child = schema.child(relation);
    let names = identity_columns(child);
    let rows: Vec<RowName> = (0..2).map(|_| seeded.row(child, &names)).collect();
    let rows: Vec<&RowName> = rows.iter().collect();
    // Rules, orphans and dependants are asked of the database itself.
    if !names.is_empty() && !in_rehearsal {
        let (before, after) = (old.orphans_at(schema, relation, &rows), new.orphans_at(schema, relation, &rows));
        compared.sql("orphans_at", &before, &after);
    }
    if let Some(parent) = schema.parent(relation) {
        let columns = identity_columns(parent);
        let parents: Vec<RowName> = (0..2).map(|_| seeded.row(parent, &columns)).collect();
        let parents: Vec<&RowName> = parents.iter().collect();
        if !columns.is_empty() && !names.is_empty() && !in_rehearsal {
            let (before, after) =
                (old.children_of(schema, relation, &parents), new.children_of(schema, relation, &parents));
            compared.sql("children_of", &before, &after);
        }
    }
    let via = TableId::from_index(seeded.random.usize(..schema.tables.len()));
    let via_columns: Vec<usize> = (0..relation.child_columns.len()).collect();
    let fits = schema.tables[via].columns.len() >= via_columns.len();
    let via = (fits && seeded.chance(5)).then_some((&schema.tables[via], &via_columns[..]));
    let columns: Vec<&Column> = schema.child_columns(relation).collect();
    let keys = seeded.keys(&columns);
    let keys: Vec<(&Key, &RowName)> = keys.iter().map(|key| (key, rows[0])).collect();
    let piece = |scope, column: &str| Piece::Column { scope, column: column.to_owned() };
    let expressions = [
        Expression::Literal(seeded.value(None)),
        Expression::Literal(Value::Null),
        Expression::Sql(format!("SELECT max(id) FROM {}", schema.tables[TableId::from_index(0)].name.table)),
        Expression::Template(vec![Piece::Text("a{}?".to_owned()), piece(RuleScope::Via, "n\"`m")]),
        Expression::Template(vec![piece(RuleScope::Key, "n")]),
    ];
    let mut wanted: Vec<Wanted<'_>> = expressions.iter().map(Wanted::Expression).collect();
    wanted.extend(Wanted::key("SELECT id FROM t0 WHERE x = child.y", relation.child_columns.len()));
    wanted.retain(|_| seeded.chance(6));
    let evaluation = Evaluation { via, keys: &keys, wanted: &wanted };
    if !in_rehearsal {
        let (before, after) =
            (old.evaluate(schema, relation, &evaluation), new.evaluate(schema, relation, &evaluation));
        compared.sql("evaluate", &before, &after);
    }
}

fn compare_load(compared: &mut Compared, seeded: &mut Seeded, schema: &Schema) {
    let tables = [TableId::from_index(seeded.random.usize(..schema.tables.len()))];
    let Some(old) = super::load::of(schema, &tables) else { return };
    let new = crate::sql::load::of(schema, &tables);
    let table = tables[0];
    compared.all("prepare", &old.prepare(schema, &tables), &new.prepare(schema, &tables));
    compared.some("counted", old.counted(schema, table), new.counted(schema, table));
    compared.some("next_number", old.next_number(schema, table, 0), new.next_number(schema, table, 0));
    let columns = [0, 1];
    let about: Vec<&Column> = columns.iter().map(|&column| &schema.tables[table].columns[column]).collect();
    let rows: Vec<(i64, Vec<Value>)> =
        seeded.keys(&about).into_iter().enumerate().map(|(i, key)| (i as i64, key)).collect();
    compared.all(
        "load insert",
        &old.insert(schema, table, &columns, &rows),
        &new.insert(schema, table, &columns, &rows),
    );
    compared.some("collisions", old.collisions(schema, table, &[1, 4]), new.collisions(schema, table, &[1, 4]));
    for number in schema.relations.ids().filter(|&number| schema.relations[number].child == table) {
        compared.sql("load orphans", &old.orphans(schema, number), &new.orphans(schema, number));
        compared.sql("note_orphans", &old.note_orphans(schema, number), &new.note_orphans(schema, number));
    }
    compared.sql("noted", &old.noted(), &new.noted());
    let names: Vec<&str> = crate::sql::row_name_columns(&schema.tables[table]);
    let row = seeded.row(&schema.tables[table], &names);
    compared.sql("place_of", &old.place_of(schema, table, &row), &new.place_of(schema, table, &row));
    let values = &rows[0].1;
    let (before, after) = (old.holder(schema, table, &columns, values), new.holder(schema, table, &columns, values));
    compared.sql("holder", &before, &after);
    compared.sql("staged", &old.staged(schema, table, &columns), &new.staged(schema, table, &columns));
}
