//! Repairs in the SQL of MySQL and MariaDB.
//!
//! A value that is looked for becomes its column's own type by a cast that is written here: this server would compare any
//! two values, and find `'abc'` equal to 0. What is stored needs none, because the session is strict.
//!
//! Rows go without the server's own check of foreign keys: it would take along, by its cascades, rows that nobody saw
//! and that it does not count. A time that the server would stamp on a changed row stays what it was.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use super::NUMBER;
use super::Query;
use super::Sql;
use super::compared;
use super::held;
use super::in_backticks;
use super::in_scope;
use super::is_bits;
use super::is_bytes;
use super::letters;
use super::list;
use super::match_query;
use super::named;
use super::shown;
use super::siblings::Sibling;
use super::under;
use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::plan::NewTable;
use crate::model::plan::identity_columns;
use crate::model::relation::Relation;
use crate::model::rule::Expression;
use crate::model::rule::Normal;
use crate::model::rule::Piece;
use crate::model::schema::Schema;
use crate::model::state;
use crate::model::value::Key;
use crate::model::value::RowName;
use crate::model::value::Value;
use crate::sql::frozen::clauses;
use crate::sql::frozen::clauses::all;
use crate::sql::frozen::clauses::hex;
use crate::sql::frozen::clauses::key_names;
use crate::sql::frozen::clauses::plain;
use crate::sql::frozen::clauses::quoted_text;
use crate::sql::frozen::repair::Evaluation;
use crate::sql::frozen::repair::RepairDialect;
use crate::sql::frozen::repair::Wanted;
use crate::sql::table_for;

/// No rows.
const NOTHING: &str = "SELECT 1 FROM dual WHERE FALSE";
const NULLS: &str = "SELECT NULL FROM dual WHERE FALSE";

pub(in crate::sql::frozen) struct Surgery {
    pub(super) of: Sibling,
    /// Tables are those of the rehearsal.
    in_room: bool,
}

impl Surgery {
    const fn of(of: Sibling) -> Surgery {
        Surgery { of, in_room: false }
    }

    const fn rehearsal(of: Sibling) -> Surgery {
        Surgery { of, in_room: true }
    }
}

pub(in crate::sql::frozen) static MYSQL: Surgery = Surgery::of(Sibling::Mysql);
pub(in crate::sql::frozen) static MARIADB: Surgery = Surgery::of(Sibling::Mariadb);
static MYSQL_REHEARSAL: Surgery = Surgery::rehearsal(Sibling::Mysql);
static MARIADB_REHEARSAL: Surgery = Surgery::rehearsal(Sibling::Mariadb);

impl RepairDialect for Surgery {
    fn evaluate(&self, schema: &Schema, relation: &Relation, evaluation: &Evaluation<'_>) -> Sql {
        let mut query = Query::default();
        let child = schema.child(relation);
        let row = evaluation.keys.first().map_or(&[][..], |(_, row)| row.as_slice());
        let width = relation.child_columns.len();
        let columns: Vec<Option<&Column>> =
            schema.child_columns(relation).map(Some).chain(row.iter().map(|(name, _)| named(child, name))).collect();
        let values = evaluation.keys.iter().map(|(key, row)| key.iter().chain(row.iter().map(|(_, value)| value)));
        // Its parameters come first, as it does in the statement.
        let given: Vec<String> = evaluation.wanted.iter().map(|wanted| format!(", {}", query.wanted(wanted))).collect();
        let wanted = query.numbered(&columns, values.enumerate());
        let mut key = vec![format!("wanted.{NUMBER}")];
        let names = key_names(schema, relation).into_iter();
        key.extend(names.map(|(place, name)| format!("wanted.{} AS {}", held(place), in_backticks(name))));
        key.extend((0..row.len()).map(|place| format!("wanted.{} AS `fk-doctor row {place}`", held(width + place))));
        let is_row = row
            .iter()
            .enumerate()
            .map(|(place, (name, _))| format!("child.{} = `key`.`fk-doctor row {place}`", in_backticks(name)));
        let key = format!("(SELECT {} FROM {wanted}) AS `key`", key.join(", "));
        let mut from = format!("{key} LEFT JOIN {} ON {}", self.source(child, "child"), all(is_row));
        let mut found = "1".to_owned();
        if let Some((table, columns)) = evaluation.via {
            let columns = columns.iter().map(|&column| &table.columns[column]);
            let equal = columns.clone().zip(schema.child_columns(relation)).map(|(ours, key)| {
                let (left, right) =
                    (format!("via.{}", in_backticks(&ours.name)), format!("`key`.{}", in_backticks(&key.name)));
                meets(&left, ours, &right, key)
            });
            from.push_str(&format!(" LEFT JOIN {} ON {}", self.source(table, "via"), all(equal)));
            found = all(columns.map(|column| format!("NOT (via.{} <=> NULL)", in_backticks(&column.name))));
        }
        query.finish(format!("SELECT `key`.{NUMBER}, {found}{} FROM {from} ORDER BY 1", given.concat()))
    }

    fn present(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.keyed(table, columns, columns, keys)
    }

    fn mapped(&self, table: &Table, from: &[usize], into: &[usize], keys: &[&Key]) -> Sql {
        self.keyed(table, from, into, keys)
    }

    fn equal_in_form(&self, table: &Table, column: usize, forms: &[Normal], keys: &[&Key]) -> Sql {
        let mut query = Query::default();
        let texts: Vec<Key> =
            keys.iter().map(|key| key.iter().map(|value| Value::text(plain(value))).collect()).collect();
        let wanted = query.numbered(&[None], texts.iter().map(|key| key.iter()).enumerate());
        let column = &table.columns[column];
        let name = format!("parent.{}", in_backticks(&column.name));
        query.finish(format!(
            "SELECT sought.i, p.k FROM (SELECT {} AS k, {} AS n FROM {} WHERE NOT ({name} <=> NULL)) AS p \
             JOIN (SELECT wanted.{NUMBER} AS i, {} AS n FROM {wanted}) AS sought ON CAST(sought.n AS BINARY) = CAST(p.n AS BINARY) ORDER BY 1, 2",
            shown(&name, column),
            in_form(letters(&name, column), forms),
            self.source(table, "parent"),
            in_form(format!("wanted.{}", held(0)), forms),
        ))
    }

    fn rows_at(&self, table: &Table, rows: &[&RowName]) -> Sql {
        let mut query = Query::default();
        let wanted = query.rows(table, rows);
        let stored = table.columns.iter().filter(|column| !column.generated);
        let columns: Vec<String> =
            stored.map(|column| format!(", {}", kept(&format!("t.{}", in_backticks(&column.name)), column))).collect();
        query.finish(format!(
            "SELECT wanted.{NUMBER}, NULL{} FROM {wanted} STRAIGHT_JOIN {} ON {} ORDER BY 1",
            columns.concat(),
            self.source(table, "t"),
            is_wanted("t", rows),
        ))
    }

    fn orphans_at(&self, schema: &Schema, relation: &Relation, rows: &[&RowName]) -> Sql {
        let mut query = Query::default();
        let child = schema.child(relation);
        let wanted = query.rows(child, rows);
        let considered = query.considered(schema, relation);
        let orphan = match match_query(schema, relation) {
            Some(parent) => format!("{considered} AND NOT EXISTS ({parent})"),
            None => considered,
        };
        query.finish(format!(
            "SELECT wanted.{NUMBER} FROM {wanted} STRAIGHT_JOIN {} ON {} WHERE {orphan} ORDER BY 1",
            self.source(child, "child"),
            is_wanted("child", rows),
        ))
    }

    fn children_of(&self, schema: &Schema, relation: &Relation, parents: &[&RowName]) -> Sql {
        let mut query = Query::default();
        let Some(parent) = schema.parent(relation) else { return query.finish(NOTHING.to_owned()) };
        let child = schema.child(relation);
        let wanted = query.rows(parent, parents);
        let columns = identity_columns(child);
        let names: Vec<String> = columns
            .iter()
            .filter_map(|name| {
                Some(format!(", {}", shown(&format!("child.{}", in_backticks(name)), named(child, name)?)))
            })
            .collect();
        let equal = (0..relation.child_columns.len()).zip(schema.parent_columns(relation)).map(|(place, ours)| {
            format!("parent.{} = {}", in_backticks(&ours.name), compared(schema, relation, place))
        });
        let order: Vec<String> = columns.iter().map(|name| format!(", child.{}", in_backticks(name))).collect();
        query.finish(format!(
            "SELECT wanted.{NUMBER}{} FROM {wanted} STRAIGHT_JOIN {} ON {} STRAIGHT_JOIN {} ON {} AND {} ORDER BY 1{}",
            names.concat(),
            self.source(parent, "parent"),
            is_wanted("parent", parents),
            self.source(child, "child"),
            all(equal),
            in_scope(relation),
            order.concat(),
        ))
    }

    fn defaults(&self, table: &Table) -> Sql {
        self.of.defaults(table)
    }

    fn definitions(&self) -> Sql {
        Query::default().finish(include_str!("../../mysql/definitions.sql").to_owned())
    }

    fn largest(&self, table: &Table, name: &str) -> Sql {
        let largest = match named(table, name) {
            Some(column) if matches!(column.family, Family::Integer | Family::Numeric) => {
                format!("max(t.{})", in_backticks(name))
            }
            // Where values have no order, whether there is any row is all that is known.
            _ => "max(1)".to_owned(),
        };
        Query::default().finish(format!("SELECT {largest} FROM {}", self.source(table, "t")))
    }

    fn counter(&self, _: &Table) -> Option<Sql> {
        None
    }

    fn sequence(&self, table: &Table, column: &str) -> Option<Sql> {
        let mut query = Query::default();
        let is_table = query.is_table(table);
        let name = query.parameter(Value::text(column));
        Some(query.finish(format!(
            "SELECT CAST(t.auto_increment AS DECIMAL(20)) - 1 FROM information_schema.tables AS t \
             JOIN information_schema.columns AS c USING (table_schema, table_name) \
             WHERE {is_table} AND c.column_name = {name} AND c.extra LIKE '%auto_increment%'"
        )))
    }

    fn takes_wide_queries(&self) -> bool {
        false
    }

    fn defines_at_once(&self) -> bool {
        true
    }

    fn stores_what_is_written(&self) -> bool {
        false
    }

    fn can_silence_triggers(&self) -> bool {
        false
    }

    fn unenforced(&self, statement: &Sql) -> Option<Sql> {
        Some(Sql::new(self.of.without_checks(&statement.text), statement.parameters.clone()))
    }

    fn insert(&self, table: &Table, _: &RowName, image: &RowName) -> Sql {
        let mut query = Query::default();
        let (names, values): (Vec<String>, Vec<String>) =
            image.iter().map(|(name, value)| (in_backticks(name), query.stored(named(table, name), value))).unzip();
        query.finish(format!("INSERT INTO {}({}) VALUES ({})", self.name(table), names.join(", "), values.join(", ")))
    }

    fn update(&self, table: &Table, row: &RowName, columns: &RowName) -> Sql {
        let mut query = Query::default();
        let mut set: Vec<String> = columns
            .iter()
            .map(|(name, value)| format!("{} = {}", in_backticks(name), query.stored(named(table, name), value)))
            .collect();
        let is_set = |column: &Column| columns.iter().any(|(name, _)| *name == column.name);
        let times = table.columns.iter().filter(|column| is_stamped(column) && !column.generated && !is_set(column));
        set.extend(times.map(|column| in_backticks(&column.name)).map(|name| format!("{name} = {name}")));
        let is_row = query.is_row(table, row);
        query.finish(format!("UPDATE {} SET {} WHERE {is_row}", self.name(table), set.join(", ")))
    }

    fn delete(&self, table: &Table, row: &RowName) -> Sql {
        let mut query = Query::default();
        let is_row = query.is_row(table, row);
        query.finish(self.of.without_checks(&format!("DELETE FROM {} WHERE {is_row}", self.name(table))))
    }

    fn create(&self, table: &NewTable) -> Sql {
        let of = |place: usize| if place == 0 { "bigint PRIMARY KEY" } else { "longtext" };
        let columns = table.columns.iter().enumerate();
        let columns: Vec<String> =
            columns.map(|(place, name)| format!("{} {}", in_backticks(name), of(place))).collect();
        Query::default().finish(format!(
            "CREATE TABLE {}({}) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            self.name(&table.as_table()),
            columns.join(", ")
        ))
    }

    fn create_marked(&self, table: &NewTable, plan: &str) -> Sql {
        let text = format!("{} COMMENT = '{}'", self.create(table).text(), mark(plan));
        Query::default().finish(text)
    }

    fn may_drop(&self, table: &NewTable, plan: &str) -> Option<Sql> {
        let mut query = Query::default();
        let is_table = query.is_table(&table.as_table());
        let mark = query.parameter(Value::text(mark(plan)));
        Some(query.finish(format!(
            "SELECT 1 FROM information_schema.tables WHERE {is_table} AND CAST(table_comment AS BINARY) = CAST({mark} AS BINARY)"
        )))
    }

    fn drop(&self, table: &NewTable) -> Sql {
        Query::default().finish(format!("DROP TABLE {}", self.name(&table.as_table())))
    }

    fn create_state(&self) -> Sql {
        // A key of a text needs a length: a plan's digest has 64 characters.
        let of = |name: &str, is_number: bool| match (name, is_number) {
            (_, true) => "bigint",
            ("plan", _) => "char(64)",
            _ => "longtext",
        };
        let columns: Vec<String> = state::COLUMNS
            .iter()
            .map(|(name, is_number)| format!("{} {} NOT NULL", in_backticks(name), of(name, *is_number)))
            .collect();
        Query::default().finish(format!(
            "CREATE TABLE {}({}, PRIMARY KEY (`plan`, `number`)) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            self.name(&state::table()),
            columns.join(", ")
        ))
    }

    fn has_state(&self) -> Sql {
        let mut query = Query::default();
        let is_table = query.is_table(&state::table());
        query.finish(format!("SELECT 1, 1 FROM information_schema.tables WHERE {is_table}"))
    }

    fn try_state(&self) -> Vec<Sql> {
        let table = self.name(&state::table());
        let texts = [
            format!("INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0"),
            format!("UPDATE {table} SET `number` = `number` WHERE 1 = 0"),
        ];
        texts.into_iter().map(|text| Query::default().finish(text)).collect()
    }

    /// The question for its rows calls it `t`.
    fn claim(&self, table: &NewTable) -> Option<Sql> {
        let name = self.name(&table.as_table());
        Some(Query::default().finish(format!("LOCK TABLES {name} WRITE, {name} AS t WRITE")))
    }

    fn release(&self) -> Option<Sql> {
        Some(Query::default().finish("UNLOCK TABLES".to_owned()))
    }

    fn recorded(&self, value: Value) -> Value {
        clauses::in_words(value)
    }

    fn in_room(&self) -> &'static dyn RepairDialect {
        match self.of {
            Sibling::Mysql => &MYSQL_REHEARSAL,
            Sibling::Mariadb => &MARIADB_REHEARSAL,
        }
    }

    fn furnish(&self, table: &Table, _: &[(String, String)]) -> Vec<Sql> {
        let text =
            format!("CREATE TEMPORARY TABLE {} LIKE {}", Surgery::rehearsal(self.of).name(table), self.name(table));
        vec![Query::default().finish(text)]
    }

    /// A table that is made ends what went before it, so the transaction begins with the first row after it.
    fn script_start(&self) -> String {
        let client = self.of.client();
        format!(
            "-- Made by fk-doctor. Run it with: {client} --default-character-set=utf8mb4 DATABASE < THIS_FILE\n\
         SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';\n\
         SET NAMES utf8mb4;\nSET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nSET autocommit = 0;\n"
        )
    }

    fn script_end(&self) -> String {
        "COMMIT;\n".to_owned()
    }

    fn written_out(&self, statement: &Sql) -> String {
        self.of.in_script(clauses::written_out(statement, '?', '`', literal))
    }
}

impl Surgery {
    /// A temporary table has a name of its own, so that no statement can mean the user's table instead.
    fn name(&self, table: &Table) -> String {
        if !self.in_room {
            return table_for(Engine::Mariadb, &table.name);
        }
        let mut hasher = DefaultHasher::new();
        table.name.hash(&mut hasher);
        in_backticks(&format!("fk-doctor room {:016x}", hasher.finish()))
    }

    fn source(&self, table: &Table, alias: &str) -> String {
        format!("{} AS {alias}", self.name(table))
    }

    /// The rows that have these keys: the key's number, and some of the row's columns.
    fn keyed(&self, table: &Table, columns: &[usize], wanted: &[usize], keys: &[&Key]) -> Sql {
        let mut query = Query::default();
        let of: Vec<&Column> = columns.iter().map(|&column| &table.columns[column]).collect();
        // What is no number would become one.
        let can_be_there = |key: &Key| key.iter().zip(&of).all(|(value, column)| clauses::fits(value, column));
        let numbered: Vec<(usize, &Key)> =
            keys.iter().copied().enumerate().filter(|(_, key)| can_be_there(key)).collect();
        if numbered.is_empty() {
            return query.finish(NOTHING.to_owned());
        }
        let types: Vec<Option<&Column>> = of.iter().map(|column| Some(*column)).collect();
        let rows = query.numbered(&types, numbered.into_iter().map(|(number, key)| (number, key.iter())));
        let equal = of
            .iter()
            .enumerate()
            .map(|(place, column)| format!("keyed.{} = wanted.{}", in_backticks(&column.name), held(place)));
        let shown: Vec<String> = wanted
            .iter()
            .map(|&column| &table.columns[column])
            .map(|column| shown(&format!("keyed.{}", in_backticks(&column.name)), column))
            .collect();
        query.finish(format!(
            "SELECT DISTINCT wanted.{NUMBER}, {} FROM {rows} STRAIGHT_JOIN {} ON {} ORDER BY 1",
            shown.join(", "),
            self.source(table, "keyed"),
            all(equal)
        ))
    }
}

impl Query {
    /// `wanted`: rows of values, numbered, each of its column's type.
    fn numbered<'v>(
        &mut self,
        columns: &[Option<&Column>],
        rows: impl Iterator<Item = (usize, impl Iterator<Item = &'v Value>)>,
    ) -> String {
        let rows: Vec<(usize, Vec<String>)> = rows
            .map(|(i, row)| (i, row.zip(columns).map(|(value, column)| self.typed(*column, value)).collect()))
            .collect();
        list("wanted", rows.into_iter())
    }

    fn rows(&mut self, table: &Table, rows: &[&RowName]) -> String {
        let first = rows.first().map_or(&[][..], |row| row.as_slice());
        let columns: Vec<Option<&Column>> = first.iter().map(|(name, _)| named(table, name)).collect();
        self.numbered(&columns, rows.iter().map(|row| row.iter().map(|(_, value)| value)).enumerate())
    }

    /// In a script, a row is also told by what it held: texts and shapes to the byte.
    fn is_row(&mut self, table: &Table, row: &RowName) -> String {
        let key = identity_columns(table);
        let equal: Vec<String> = row
            .iter()
            .map(|(name, value)| {
                let (column, left) = (named(table, name), in_backticks(name));
                match column {
                    Some(column)
                        if !key.contains(&name.as_str()) && (column.collation.is_some() || is_shape(column)) =>
                    {
                        let (left, right) = (kept(&left, column), self.typed(Some(column), value));
                        format!("CAST({left} AS BINARY) = CAST({} AS BINARY)", kept(&right, column))
                    }
                    _ => format!("{left} = {}", self.typed(column, value)),
                }
            })
            .collect();
        all(equal.into_iter())
    }

    /// A value that is to be stored. The column reads it, but for bits, which would take a text's bytes.
    pub(super) fn stored(&mut self, column: Option<&Column>, value: &Value) -> String {
        match (column, value) {
            (Some(column), Value::Text(_)) if is_bits(column) => self.typed(Some(column), value),
            _ => self.parameter(value.clone()).to_owned(),
        }
    }

    /// A value of a column's type.
    fn typed(&mut self, column: Option<&Column>, value: &Value) -> String {
        let parameter = self.parameter(value.clone());
        let Some(column) = column else { return format!("CAST({parameter} AS CHAR)") };
        let kind = column.declared_type.split(['(', ' ']).next().unwrap_or_default();
        let of = match (&column.family, kind) {
            (Family::Integer, _) if column.declared_type.contains("unsigned") => "UNSIGNED",
            (Family::Integer, _) => "SIGNED",
            (Family::Real, "float") => "FLOAT",
            (Family::Real, _) => "DOUBLE",
            (Family::Numeric, _) => return format!("CAST({parameter} AS {})", exact_number(column)),
            (_, "bit") if !matches!(value, Value::Blob(_)) => "UNSIGNED",
            (_, "json") => "JSON",
            (_, "date") => "DATE",
            (_, "time") => "TIME(6)",
            (_, "datetime" | "timestamp") => "DATETIME(6)",
            _ if is_bytes(column) || is_shape(column) || matches!(value, Value::Blob(_)) => {
                return parameter.to_owned();
            }
            _ => match &column.collation {
                Some(collation) => return under(parameter, collation),
                None => "CHAR",
            },
        };
        match value {
            // A number that is too large for a signed one comes as text, which MySQL would read as a signed one.
            Value::Text(_) if of == "UNSIGNED" => format!("CAST(CAST({parameter} AS CHAR) AS UNSIGNED)"),
            _ => format!("CAST({parameter} AS {of})"),
        }
    }

    /// Of `information_schema`, whose names have no case.
    pub(super) fn is_table(&mut self, table: &Table) -> String {
        let schema = match &table.name.schema {
            Some(schema) => self.parameter(Value::text(schema)),
            None => "database()",
        };
        let name = self.parameter(Value::text(&table.name.table));
        format!("table_schema = {schema} AND CAST(table_name AS BINARY) = CAST({name} AS BINARY)")
    }

    /// What it gives, as text or bytes; the column that it is for reads it.
    fn wanted(&mut self, wanted: &Wanted<'_>) -> String {
        match wanted {
            Wanted::Expression(Expression::Literal(value)) => match value {
                Value::Integer(_) => format!("CAST({} AS SIGNED)", self.parameter(value.clone())),
                Value::Real(_) => format!("CAST({} AS DOUBLE)", self.parameter(value.clone())),
                _ => self.parameter(value.clone()).to_owned(),
            },
            Wanted::Expression(Expression::Sql(sql)) => format!("concat((\n{sql}\n))"),
            Wanted::Expression(Expression::Template(pieces)) => {
                let parts: Vec<String> = pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Text(text) => self.parameter(Value::text(text)).to_owned(),
                        Piece::Column { scope, column } => {
                            format!("coalesce({}.{}, '')", in_backticks(scope.name()), in_backticks(column))
                        }
                    })
                    .collect();
                if parts.is_empty() { "''".to_owned() } else { format!("concat({})", parts.join(", ")) }
            }
            // A derived table could not look at the row at hand; a part of a union can.
            Wanted::Query { query, .. } => format!("concat(((\n{query}\n) UNION ALL ({NULLS}) LIMIT 1))"),
            Wanted::RowsOf(query) => {
                format!("(EXISTS (\n{query}\n) + EXISTS ((\n{query}\n) UNION ALL ({NULLS}) LIMIT 1 OFFSET 1))")
            }
        }
    }
}

/// The row of an alias is the wanted one.
fn is_wanted(alias: &str, rows: &[&RowName]) -> String {
    let row = rows.first().map_or(&[][..], |row| row.as_slice());
    all(row
        .iter()
        .enumerate()
        .map(|(place, (name, _))| format!("{alias}.{} = wanted.{}", in_backticks(name), held(place))))
}

/// Whether two columns hold the same value: texts as the left one compares them, a text and another kind letter by letter.
pub(super) fn meets(left: &str, ours: &Column, right: &str, theirs: &Column) -> String {
    match (&ours.collation, &theirs.collation) {
        (Some(collation), Some(other)) if collation != other => format!("{left} = {}", under(right, collation)),
        (Some(_), None) | (None, Some(_)) => {
            let letters = |value: &str| format!("CAST(CAST({value} AS CHAR) AS BINARY)");
            format!("{} = {}", letters(left), letters(right))
        }
        _ => format!("{left} = {right}"),
    }
}

/// A value so that nothing of it is lost.
fn kept(value: &str, column: &Column) -> String {
    match column.family {
        Family::Real => format!("CAST({value} AS DOUBLE)"),
        _ if is_shape(column) => format!("CAST({value} AS BINARY)"),
        _ => shown(value, column),
    }
}

/// A column that the server itself may set when its row changes.
fn is_stamped(column: &Column) -> bool {
    ["timestamp", "datetime"].iter().any(|kind| column.declared_type.starts_with(kind))
}

/// Points, lines and the like are bytes.
fn is_shape(column: &Column) -> bool {
    let kinds = ["geometry", "point", "linestring", "polygon"];
    column.family == Family::Untyped && kinds.iter().any(|kind| column.declared_type.contains(kind))
}

/// `decimal(10,2)` of `decimal(10,2) unsigned`.
fn exact_number(column: &Column) -> &str {
    column.declared_type.split(' ').next().unwrap_or("decimal(65,30)")
}

/// A text in its normal form.
fn in_form(text: String, forms: &[Normal]) -> String {
    let trimmed = |form: &str| format!("regexp_replace({form}, '^[[:space:]]+|[[:space:]]+$', '')");
    clauses::in_form(text, forms, trimmed, |form| format!("trim(LEADING '0' FROM {form})"))
}

/// A value as SQL text that gives exactly this value.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:e}"),
        Value::Blob(bytes) => format!("X'{}'", hex(bytes)),
        Value::Text(bytes) => match quoted_text(bytes) {
            Some(text) => text.replace('\\', "\\\\"),
            None => format!("CONVERT(X'{}' USING utf8mb4)", hex(bytes)),
        },
    }
}

/// The comment of a table that was made for a plan: it is there in the moment in which the table is.
fn mark(plan: &str) -> String {
    let digest: String = plan.chars().filter(char::is_ascii_hexdigit).collect();
    format!("made by fk-doctor for plan {digest}")
}
