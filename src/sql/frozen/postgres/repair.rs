//! Repairs in PostgreSQL's SQL.
//!
//! Values travel as whole numbers, floats, exact numbers, bytes or text, and become the column's own type by a cast that is
//! written here. A rule's SQL may name the tables of the default schema alone: each that it mentions stands in front of it
//! as a query of that name, so that the search path stays closed to everybody's functions and operators.

use super::NUMBER;
use super::Query;
use super::Sql;
use super::as_text;
use super::equal_to_parent;
use super::held;
use super::is_bytes;
use super::letters;
use super::list;
use super::match_query;
use super::operator;
use super::partly_null;
use super::qualified;
use super::shown;
use super::table_name;
use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
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
use crate::sql::frozen::clauses::fits;
use crate::sql::frozen::clauses::hex;
use crate::sql::frozen::clauses::key_names;
use crate::sql::frozen::clauses::plain;
use crate::sql::frozen::clauses::quoted_text;
use crate::sql::frozen::repair::Evaluation;
use crate::sql::frozen::repair::RepairDialect;
use crate::sql::frozen::repair::UniqueTerms;
use crate::sql::frozen::repair::Wanted;
use crate::sql::quoted;

pub(in crate::sql::frozen) struct Surgery {
    /// Tables are those of the rehearsal.
    in_room: bool,
}

pub(in crate::sql::frozen) static SURGERY: Surgery = Surgery { in_room: false };
static REHEARSAL: Surgery = Surgery { in_room: true };

impl RepairDialect for Surgery {
    fn evaluate(&self, schema: &Schema, relation: &Relation, evaluation: &Evaluation<'_>) -> Sql {
        let mut query = Query::default();
        let child = schema.child(relation);
        let row = evaluation.keys.first().map_or(&[][..], |(_, row)| row.as_slice());
        let width = relation.child_columns.len();
        let columns: Vec<Option<&Column>> =
            schema.child_columns(relation).map(Some).chain(row.iter().map(|(name, _)| column(child, name))).collect();
        let values = evaluation.keys.iter().map(|(key, row)| key.iter().chain(row.iter().map(|(_, value)| value)));
        let wanted = query.numbered(&columns, values);
        let mut key = vec![format!("wanted.{NUMBER}")];
        let names = key_names(schema, relation).into_iter();
        key.extend(names.map(|(place, name)| format!("wanted.{} AS {}", held(place), quoted(name))));
        key.extend((0..row.len()).map(|place| format!("wanted.{} AS \"fk-doctor row {place}\"", held(width + place))));
        let is_row = row
            .iter()
            .enumerate()
            .map(|(place, (name, _))| format!("{} \"key\".\"fk-doctor row {place}\"", left_of(child, "child", name)));
        let key = format!("(SELECT {} FROM {wanted}) AS \"key\"", key.join(", "));
        let mut from = format!("{key} LEFT JOIN {} ON {}", self.source(child, "child"), all(is_row));
        let mut found = "1::int8".to_owned();
        if let Some((table, columns)) = evaluation.via {
            let names = columns.iter().map(|&column| table.columns[column].name.as_str());
            let keys = schema.child_column_names(relation);
            let equal = names
                .clone()
                .zip(keys)
                .map(|(name, key)| format!("{} \"key\".{}", left_of(table, "via", name), quoted(key)));
            from.push_str(&format!(" LEFT JOIN {} ON {}", self.source(table, "via"), all(equal)));
            found = all(names.map(|name| format!("via.{} IS NOT NULL", quoted(name))));
        }
        let values: Vec<String> =
            evaluation.wanted.iter().map(|wanted| format!(", {}", query.wanted(wanted))).collect();
        let tables = named_tables(schema, evaluation.wanted);
        query.finish(format!("{tables}SELECT \"key\".{NUMBER}, {found}{} FROM {from} ORDER BY 1", values.concat()))
    }

    fn present(&self, table: &Table, columns: &[usize], keys: &[&Key]) -> Sql {
        self.keyed(table, columns, columns, keys)
    }

    fn mapped(&self, table: &Table, from: &[usize], into: &[usize], keys: &[&Key]) -> Sql {
        self.keyed(table, from, into, keys)
    }

    fn equal_in_form(&self, table: &Table, column: usize, forms: &[Normal], keys: &[&Key]) -> Sql {
        let mut query = Query::default();
        let keys: Vec<Key> =
            keys.iter().map(|key| key.iter().map(|value| Value::text(plain(value))).collect()).collect();
        let missing = query.missing(&keys.iter().collect::<Vec<_>>(), &["text".to_owned()]);
        let column = &table.columns[column];
        let name = format!("parent.{}", quoted(&column.name));
        query.finish(format!(
            "WITH sought AS MATERIALIZED (SELECT missing.{NUMBER} AS i, {} AS n FROM {missing}) SELECT sought.i, p.k FROM \
             (SELECT {} AS k, {} AS n FROM {} WHERE {name} IS NOT NULL) AS p JOIN sought ON sought.n = p.n ORDER BY 1, 2",
            in_form(&format!("missing.{}", held(0)), forms),
            shown(&name, column),
            in_form(&letters(&name, column), forms),
            self.source(table, "parent"),
        ))
    }

    fn rows_at(&self, table: &Table, rows: &[&RowName]) -> Sql {
        let mut query = Query::default();
        let wanted = query.rows(table, rows);
        let stored = table.columns.iter().filter(|column| !column.generated);
        let columns: Vec<String> =
            stored.map(|column| format!(", {}", shown(&format!("t.{}", quoted(&column.name)), column))).collect();
        query.finish(format!(
            "SELECT wanted.{NUMBER}, NULL::int8{} FROM {wanted} JOIN {} ON {} ORDER BY 1",
            columns.concat(),
            self.source(table, "t"),
            named(table, "t", rows),
        ))
    }

    fn colliding(&self, table: &Table, rows: &[(Option<&RowName>, &RowName)], index: &UniqueTerms) -> Option<Sql> {
        let mut query = Query::default();
        let (_, first) = rows.first()?;
        let own = identity_columns(table);
        let names = first.iter().map(|(name, _)| name.as_str()).chain(own.iter().copied());
        let columns: Vec<Option<&Column>> = names.map(|name| column(table, name)).collect();
        let nothing = Value::Null;
        let values = rows.iter().map(|(name, image)| {
            let of = |column: &str| {
                let known = name.and_then(|name| name.iter().find(|(known, _)| known == column));
                known.map_or(&nothing, |(_, value)| value)
            };
            let values = image.iter().map(|(_, value)| value).chain(own.iter().map(|column| of(column)));
            values.collect::<Vec<_>>().into_iter()
        });
        let wanted = query.numbered(&columns, values);
        let width = first.len();
        let as_stored = |place: usize| match columns[place].and_then(|column| column.sql_type.as_ref()) {
            Some(of) => format!("wanted.{}::{}", held(place), qualified(&of.base)),
            None => format!("wanted.{}", held(place)),
        };
        let mut shown: Vec<String> = (first.iter().enumerate())
            .map(|(place, (name, _))| format!("{} AS {}", as_stored(place), quoted(name)))
            .collect();
        shown.extend((0..own.len()).map(|place| format!("{} AS \"fk-doctor own {place}\"", as_stored(width + place))));
        let own: Vec<String> = own.into_iter().map(quoted).collect();
        Some(query.finish(clauses::colliding(
            &format!("(SELECT wanted.{NUMBER}, {} FROM {wanted})", shown.join(", ")),
            &self.relation(table),
            &own,
            index,
        )))
    }

    fn removes_circles(&self) -> bool {
        false
    }

    fn orphans_at(&self, schema: &Schema, relation: &Relation, rows: &[&RowName]) -> Sql {
        let mut query = Query::default();
        let child = schema.child(relation);
        let wanted = query.rows(child, rows);
        let mut orphan = format!("({}", query.considered(schema, relation));
        if let Some(parent) = match_query(schema, relation) {
            orphan.push_str(&format!(" AND NOT EXISTS ({parent})"));
        }
        orphan.push(')');
        if relation.match_rule == Match::Full {
            orphan = format!("({orphan} OR ({}))", partly_null(schema, relation));
        }
        query.finish(format!(
            "SELECT wanted.{NUMBER} FROM {wanted} JOIN {} ON {} WHERE {orphan} ORDER BY 1",
            self.source(child, "child"),
            named(child, "child", rows),
        ))
    }

    fn children_of(&self, schema: &Schema, relation: &Relation, parents: &[&RowName]) -> Sql {
        let mut query = Query::default();
        let Some(parent) = schema.parent(relation) else {
            return query.finish("SELECT 1::int8 WHERE false".to_owned());
        };
        let child = schema.child(relation);
        let wanted = query.rows(parent, parents);
        let names = identity_columns(child);
        let shown: Vec<String> = names
            .iter()
            .filter_map(|name| Some(format!(", {}", shown(&format!("child.{}", quoted(name)), column(child, name)?))))
            .collect();
        let order: Vec<String> = names.iter().map(|name| format!(", child.{}", quoted(name))).collect();
        query.finish(format!(
            "SELECT wanted.{NUMBER}{} FROM {wanted} JOIN {} ON {} JOIN {} ON {} AND {} ORDER BY 1{}",
            shown.concat(),
            self.source(parent, "parent"),
            named(parent, "parent", parents),
            self.source(child, "child"),
            equal_to_parent(schema, relation),
            super::in_scope(relation),
            order.concat(),
        ))
    }

    /// A default that draws from a sequence is left out: to try it would move the sequence.
    fn defaults(&self, table: &Table) -> Sql {
        let mut query = Query::default();
        let name = query.parameter(Value::text(table_name(table)));
        query.finish(format!(
            "SELECT a.attname::text, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d \
             JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
             WHERE d.adrelid = {name}::text::regclass AND a.attgenerated = '' AND a.attidentity = '' \
             AND pg_get_expr(d.adbin, d.adrelid) NOT LIKE '%nextval(%' ORDER BY a.attnum"
        ))
    }

    fn definitions(&self) -> Sql {
        Query::default().finish(include_str!("../../postgres/definitions.sql").to_owned())
    }

    fn largest(&self, table: &Table, name: &str) -> Sql {
        let largest = match column(table, name) {
            Some(column) if matches!(column.family, Family::Integer | Family::Numeric) => {
                shown(&format!("max(t.{})", quoted(name)), column)
            }
            // Where values have no order, whether there is any row is all that is known.
            _ => "max(1::int8)".to_owned(),
        };
        Query::default().finish(format!("SELECT {largest} FROM {}", self.source(table, "t")))
    }

    fn counter(&self, _: &Table) -> Option<Sql> {
        None
    }

    fn sequence(&self, table: &Table, column: &str) -> Option<Sql> {
        let mut query = Query::default();
        let sequence = query.sequence(table, column);
        Some(query.finish(format!(
            "SELECT CASE WHEN has_sequence_privilege(s.seqrelid, 'USAGE, SELECT') \
             THEN pg_sequence_last_value(s.seqrelid::regclass) END FROM pg_sequence AS s WHERE {sequence}"
        )))
    }

    fn advance(&self, table: &Table, row: &RowName) -> Vec<Sql> {
        let numbers = row.iter().filter_map(|(name, value)| Some((name, value.as_integer()?)));
        let advances =
            numbers.filter(|(name, _)| identity_columns(table).contains(&name.as_str())).map(|(name, number)| {
                let mut query = Query::default();
                let number = query.parameter(Value::Integer(number));
                let sequence = query.sequence(table, name);
                query.finish(format!(
                    "SELECT setval(s.seqrelid::regclass, {number}::int8) FROM pg_sequence AS s WHERE {sequence} \
                 AND s.seqincrement > 0 AND {number}::int8 BETWEEN s.seqmin AND s.seqmax \
                 AND {number}::int8 > coalesce(pg_sequence_last_value(s.seqrelid::regclass), {number}::int8 - 1)"
                ))
            });
        advances.collect()
    }

    fn lock(&self, tables: &[&Table]) -> Option<Sql> {
        let mut names: Vec<String> = tables.iter().map(|table| self.relation(table)).collect();
        names.sort();
        names.dedup();
        (!names.is_empty())
            .then(|| Query::default().finish(format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", names.join(", "))))
    }

    fn insert(&self, table: &Table, _: &RowName, image: &RowName) -> Sql {
        let mut query = Query::default();
        let (names, values): (Vec<String>, Vec<String>) =
            image.iter().map(|(name, value)| (quoted(name), query.typed(column(table, name), value))).unzip();
        query.finish(format!(
            "INSERT INTO {}({}) OVERRIDING SYSTEM VALUE VALUES ({})",
            self.name(table),
            names.join(", "),
            values.join(", ")
        ))
    }

    fn update(&self, table: &Table, row: &RowName, columns: &RowName) -> Sql {
        let mut query = Query::default();
        let set: Vec<String> = columns
            .iter()
            .map(|(name, value)| format!("{} = {}", quoted(name), query.typed(column(table, name), value)))
            .collect();
        let is_row = query.is_row(table, row);
        query.finish(format!("UPDATE {} SET {} WHERE {is_row}", self.source(table, "t"), set.join(", ")))
    }

    fn delete(&self, table: &Table, row: &RowName) -> Sql {
        let mut query = Query::default();
        let is_row = query.is_row(table, row);
        query.finish(format!("DELETE FROM {} WHERE {is_row}", self.source(table, "t")))
    }

    fn create(&self, table: &NewTable) -> Sql {
        let columns: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(|(place, name)| format!("{} {}", quoted(name), if place == 0 { "int8 PRIMARY KEY" } else { "text" }))
            .collect();
        Query::default().finish(format!("CREATE TABLE {}({})", table_name(&table.as_table()), columns.join(", ")))
    }

    fn drop(&self, table: &NewTable) -> Sql {
        Query::default().finish(format!("DROP TABLE {}", table_name(&table.as_table())))
    }

    fn create_state(&self) -> Sql {
        let of = |is_number| if is_number { "int8" } else { "text" };
        let columns: Vec<String> = state::COLUMNS
            .iter()
            .map(|(name, is_number)| format!("{} {} NOT NULL", quoted(name), of(*is_number)))
            .collect();
        Query::default().finish(format!(
            "CREATE TABLE {}({}, PRIMARY KEY (\"plan\", \"number\"))",
            table_name(&state::table()),
            columns.join(", ")
        ))
    }

    fn has_state(&self) -> Sql {
        let mut query = Query::default();
        let name = query.parameter(Value::text(state::TABLE));
        query.finish(format!(
            "SELECT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))::int4::int8, \
             (has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE'))::int4::int8 \
             FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'public' AND c.relname = {name}::text"
        ))
    }

    fn may_create_state(&self) -> Option<Sql> {
        let mut query = Query::default();
        let name = query.parameter(Value::text(state::TABLE));
        Some(query.finish(format!(
            "SELECT 1::int8 FROM pg_namespace AS n WHERE nspname = 'public' AND has_schema_privilege(oid, 'CREATE') \
             AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = {name}::text)"
        )))
    }

    /// A failure would end the whole transaction.
    fn may_drop(&self, table: &NewTable, _: &str) -> Option<Sql> {
        let mut query = Query::default();
        let name = query.parameter(Value::text(table_name(&table.as_table())));
        Some(query.finish(format!(
            "SELECT 1::int8 FROM pg_class AS c WHERE c.oid = to_regclass({name}::text) AND pg_has_role(c.relowner, 'USAGE')"
        )))
    }

    fn claim(&self, table: &NewTable) -> Option<Sql> {
        let name = table_name(&table.as_table());
        Some(Query::default().finish(format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")))
    }

    /// All columns of such a table but its number are text.
    fn recorded(&self, value: Value) -> Value {
        clauses::in_words(value)
    }

    fn stores_what_is_written(&self) -> bool {
        false
    }

    fn in_room(&self) -> &'static dyn RepairDialect {
        &REHEARSAL
    }

    fn furnish(&self, table: &Table, defaults: &[(String, String)]) -> Vec<Sql> {
        let sql = |text: String| Query::default().finish(text);
        let room = REHEARSAL.name(table);
        let mut furnished = vec![sql(format!(
            "CREATE TEMPORARY TABLE {room} (LIKE {} INCLUDING ALL EXCLUDING DEFAULTS EXCLUDING STATISTICS EXCLUDING COMMENTS)",
            table_name(table)
        ))];
        furnished.extend(
            defaults.iter().map(|(name, text)| {
                sql(format!("ALTER TABLE {room} ALTER COLUMN {} SET DEFAULT {text}", quoted(name)))
            }),
        );
        furnished
    }

    fn script_start(&self) -> String {
        "-- Made by fk-doctor. Run it with: psql --single-transaction --set ON_ERROR_STOP=1 --file THIS_FILE\n\
         SET LOCAL search_path = pg_catalog, pg_temp;\nSET LOCAL standard_conforming_strings = on;\n"
            .to_owned()
    }

    fn script_end(&self) -> String {
        String::new()
    }

    fn written_out(&self, statement: &Sql) -> String {
        clauses::written_out(statement, '$', '"', literal)
    }
}

impl Surgery {
    /// Names of the rehearsal hold their schema, because it has one namespace for all.
    fn name(&self, table: &Table) -> String {
        if self.in_room {
            let schema = table.name.schema.as_deref().unwrap_or("public");
            format!("pg_temp.{}", quoted(&format!("{schema}.{}", table.name.table)))
        } else {
            table_name(table)
        }
    }

    /// Without the tables that inherit from it.
    fn relation(&self, table: &Table) -> String {
        let only = if table.kind == TableKind::Table { "ONLY " } else { "" };
        format!("{only}{}", self.name(table))
    }

    fn source(&self, table: &Table, alias: &str) -> String {
        format!("{} AS {alias}", self.relation(table))
    }

    /// The rows that have these keys: the key's number, and some of the row's columns.
    fn keyed(&self, table: &Table, columns: &[usize], wanted: &[usize], keys: &[&Key]) -> Sql {
        let mut query = Query::default();
        let types: Vec<Option<&Column>> = columns.iter().map(|&column| Some(&table.columns[column])).collect();
        // What is no number cannot be found in a column of numbers, and would be an error there.
        let can_be_there =
            |key: &&&Key| key.iter().zip(&types).all(|(value, column)| column.is_some_and(|c| fits(value, c)));
        let numbered: Vec<(usize, &&Key)> = keys.iter().enumerate().filter(|(_, key)| can_be_there(key)).collect();
        if numbered.is_empty() {
            return query.finish("SELECT 1::int8 WHERE false".to_owned());
        }
        let rows = query.numbered_as(&types, numbered.into_iter().map(|(number, key)| (number, key.iter())));
        let equal = columns.iter().enumerate().map(|(place, &column)| {
            format!("{} wanted.{}", left_of(table, "keyed", &table.columns[column].name), held(place))
        });
        let shown: Vec<String> = wanted
            .iter()
            .map(|&column| &table.columns[column])
            .map(|column| shown(&format!("keyed.{}", quoted(&column.name)), column))
            .collect();
        query.finish(format!(
            "SELECT DISTINCT wanted.{NUMBER}, {} FROM {rows} JOIN {} ON {} ORDER BY 1",
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
        rows: impl Iterator<Item = impl Iterator<Item = &'v Value>>,
    ) -> String {
        self.numbered_as(columns, rows.enumerate())
    }

    fn numbered_as<'v>(
        &mut self,
        columns: &[Option<&Column>],
        rows: impl Iterator<Item = (usize, impl Iterator<Item = &'v Value>)>,
    ) -> String {
        let rows: Vec<String> = rows
            .map(|(i, row)| {
                let values: Vec<String> =
                    row.zip(columns).map(|(value, column)| format!(", {}", self.typed(*column, value))).collect();
                format!("({i}::int8{})", values.concat())
            })
            .collect();
        list("wanted", columns.len(), &rows)
    }

    fn rows(&mut self, table: &Table, rows: &[&RowName]) -> String {
        let first = rows.first().map_or(&[][..], |row| row.as_slice());
        let columns: Vec<Option<&Column>> = first.iter().map(|(name, _)| column(table, name)).collect();
        self.numbered(&columns, rows.iter().map(|row| row.iter().map(|(_, value)| value)))
    }

    fn is_row(&mut self, table: &Table, row: &RowName) -> String {
        let equal: Vec<String> = row
            .iter()
            .map(|(name, value)| {
                let left = left_of(table, "t", name);
                // In a script, a row is also told by what it held: types without equality are held as text.
                let column = column(table, name);
                match column.and_then(|column| column.sql_type.as_ref()) {
                    Some(of) if of.equality.name.is_empty() => {
                        let text = self.parameter(Value::text(plain(value)));
                        format!("{} = {text}::text", as_text(&format!("t.{}", quoted(name))))
                    }
                    _ => format!("{left} {}", self.typed(column, value)),
                }
            })
            .collect();
        all(equal.into_iter())
    }

    /// A value of a column's type. Whole numbers stay wide: the server narrows them when it stores them.
    pub(super) fn typed(&mut self, column: Option<&Column>, value: &Value) -> String {
        let parameter = self.parameter(value.clone());
        let Some(column) = column else { return format!("{parameter}::text") };
        match (&column.family, &column.sql_type) {
            (Family::Integer, _) => format!("{parameter}::int8"),
            (Family::Real, _) => format!("{parameter}::float8"),
            (Family::Numeric, _) => format!("{parameter}::numeric"),
            (Family::Text, _) | (Family::Untyped, None) => format!("{parameter}::text"),
            (Family::Untyped, Some(_)) if is_bytes(column) && matches!(value, Value::Blob(_)) => parameter,
            (Family::Untyped, Some(of)) if of.base.name == "bool" && matches!(value, Value::Integer(_)) => {
                format!("({parameter}::int8 <> 0)")
            }
            (Family::Untyped, Some(of)) => format!("{parameter}::text::{}", qualified(&of.base)),
        }
    }

    /// The sequence `s` is the one that the column draws from.
    fn sequence(&mut self, table: &Table, column: &str) -> String {
        let table = self.parameter(Value::text(table_name(table)));
        let column = self.parameter(Value::text(column));
        format!("s.seqrelid = pg_get_serial_sequence({table}::text, {column}::text)::regclass")
    }

    /// What it gives, as text; the column that it is for reads it.
    fn wanted(&mut self, wanted: &Wanted<'_>) -> String {
        let one = |query: &str, column: usize, of: usize| {
            let columns: Vec<String> = (0..of).map(|place| format!("x{place}")).collect();
            let (value, columns) = (as_text(&format!("given.x{column}")), columns.join(", "));
            format!("(SELECT {value} FROM (\n{query}\n) AS given({columns}) LIMIT 1)")
        };
        match wanted {
            Wanted::Expression(Expression::Literal(value)) => {
                let kind = match value {
                    Value::Integer(_) => "int8",
                    Value::Real(_) => "float8",
                    Value::Blob(_) => "bytea",
                    Value::Null | Value::Text(_) => "text",
                };
                format!("{}::{kind}", self.parameter(value.clone()))
            }
            Wanted::Expression(Expression::Sql(sql)) => one(&format!("SELECT (\n{sql}\n)"), 0, 1),
            Wanted::Expression(Expression::Template(pieces)) => {
                let parts: Vec<String> = pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Text(text) => format!("{}::text", self.parameter(Value::text(text))),
                        Piece::Column { scope, column } => {
                            format!("format('%s', {}.{})", quoted(scope.name()), quoted(column))
                        }
                    })
                    .collect();
                if parts.is_empty() { "''::text".to_owned() } else { format!("({})", parts.join(" || ")) }
            }
            Wanted::Query { query, column, of } => one(query, *column, *of),
            Wanted::RowsOf(query) => {
                format!("(SELECT count(*) FROM (SELECT 1 FROM (\n{query}\n) AS given LIMIT 2) AS few)")
            }
        }
    }
}

/// A WITH of the tables of the default schema that a rule's SQL mentions, each under its own name. Beside them nothing of ours
/// is named so that the rule's SQL could mean it.
pub(super) fn named_tables(schema: &Schema, wanted: &[Wanted<'_>]) -> String {
    let texts: Vec<&str> = wanted
        .iter()
        .filter_map(|wanted| match wanted {
            Wanted::Query { query, .. } | Wanted::RowsOf(query) => Some(*query),
            Wanted::Expression(Expression::Sql(sql)) => Some(sql.as_str()),
            Wanted::Expression(_) => None,
        })
        .collect();
    let mentioned = schema.tables.iter().filter(|table| {
        table.name.schema.is_none()
            && texts.iter().any(|text| text.to_lowercase().contains(&table.name.table.to_lowercase()))
    });
    let mentioned: Vec<String> = mentioned
        .map(|table| {
            let name = quoted(&table.name.table);
            format!("{name} AS NOT MATERIALIZED (SELECT * FROM {})", table_name(table))
        })
        .collect();
    if mentioned.is_empty() { String::new() } else { format!("WITH {} ", mentioned.join(", ")) }
}

fn column<'t>(table: &'t Table, name: &str) -> Option<&'t Column> {
    table.columns.iter().find(|column| column.name == name)
}

/// A column and the operator under which its values are equal.
pub(super) fn left_of(table: &Table, alias: &str, name: &str) -> String {
    let equality = column(table, name).and_then(|column| column.sql_type.as_ref()).map(|of| operator(&of.equality));
    format!("{alias}.{} {}", quoted(name), equality.unwrap_or_else(|| "=".to_owned()))
}

/// The row of an alias is the wanted one.
fn named(table: &Table, alias: &str, rows: &[&RowName]) -> String {
    let row = rows.first().map_or(&[][..], |row| row.as_slice());
    all(row
        .iter()
        .enumerate()
        .map(|(place, (name, _))| format!("{} wanted.{}", left_of(table, alias, name), held(place))))
}

/// A text in its normal form.
fn in_form(text: &str, forms: &[Normal]) -> String {
    let trimmed = |form: &str| format!("btrim({form}, {})", super::WHITE_SPACE);
    clauses::in_form(format!("{text} COLLATE \"C\""), forms, trimmed, |form| format!("ltrim({form}, '0')"))
}

/// A value as SQL text that gives exactly this value.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => format!("'{number}'"),
        Value::Real(number) => format!("'{number:?}'"),
        Value::Blob(bytes) => format!("'\\x{}'::bytea", hex(bytes)),
        Value::Text(bytes) => {
            quoted_text(bytes).unwrap_or_else(|| format!("convert_from('\\x{}'::bytea, 'UTF8')", hex(bytes)))
        }
    }
}
