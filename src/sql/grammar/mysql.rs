//! The grammar of MySQL and MariaDB.
//!
//! The server's own `=` decides whether two keys are equal. It compares two columns of a foreign key as InnoDB does, if
//! their types and collations agree. If they do not, as in a configured relation, the child's text is converted to the
//! parent's collation. Two enumerations are compared as numbers, as InnoDB compares them.
//!
//! No statement tests a NOT NULL column with `IS NULL`, because the test is true of the date `0000-00-00`.
//!
//! A value that a statement searches for is cast to its column's type, because this server compares any two values and
//! finds `'abc'` equal to 0. A value that a statement stores needs no cast, because the session is strict. Rows are
//! changed without the server's own check of foreign keys: its cascades would change rows that no plan lists and no
//! count includes.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::catalog::Table;
use crate::model::facts::Facts;
use crate::model::plan::identity_columns;
use crate::model::value::Value;
use crate::sql::clauses::hex;
use crate::sql::clauses::plain;
use crate::sql::clauses::quoted_text;
use crate::sql::comparison::ColumnComparison;
use crate::sql::comparison::TextComparison;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::KeyPart;
use crate::sql::grammar::RuleGrammar;
use crate::sql::grammar::WriteGrammar;
use crate::sql::grammar::WriteWords;
use crate::sql::mysql::variant::Variant;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column;
use crate::sql::query::Query;
use crate::sql::query::Sql;

/// A part of a union that has no rows.
const NULLS: &str = "SELECT NULL FROM dual WHERE FALSE";

#[derive(Debug)]
pub(in crate::sql) struct Mysql {
    pub(in crate::sql) variant: Variant,
    /// True if the statements are about the temporary tables of the rehearsal.
    in_rehearsal: bool,
}

pub(in crate::sql) static MYSQL: Mysql = Mysql { variant: Variant::Mysql, in_rehearsal: false };
pub(in crate::sql) static MARIADB: Mysql = Mysql { variant: Variant::Mariadb, in_rehearsal: false };
static MYSQL_REHEARSAL: Mysql = Mysql { variant: Variant::Mysql, in_rehearsal: true };
static MARIADB_REHEARSAL: Mysql = Mysql { variant: Variant::Mariadb, in_rehearsal: true };

impl Mysql {
    /// Returns the grammar for the tables of the rehearsal.
    pub(in crate::sql) fn rehearsal(&self) -> &'static Mysql {
        match self.variant {
            Variant::Mysql => &MYSQL_REHEARSAL,
            Variant::Mariadb => &MARIADB_REHEARSAL,
        }
    }
}

impl Grammar for Mysql {
    fn facts(&self) -> &'static Facts {
        self.variant.engine().facts()
    }

    /// A temporary table has a name of its own, so that no statement reaches the user's table by mistake.
    fn table_name(&self, default_schema: Option<&str>, table: &Table) -> String {
        if self.in_rehearsal {
            let mut hasher = DefaultHasher::new();
            table.name.hash(&mut hasher);
            return self.quoted(&format!("fk-doctor room {:016x}", hasher.finish()));
        }
        match table.name.schema.as_deref().or(default_schema) {
            Some(schema) => format!("{}.{}", self.quoted(schema), self.quoted(&table.name.table)),
            None => self.quoted(&table.name.table),
        }
    }

    /// The first row names the columns.
    fn derived_table(&self, name: &str, columns: &[String], rows: &[(usize, Vec<String>)]) -> String {
        let row = |(first, (number, values)): (usize, &(usize, Vec<String>))| {
            let values = std::iter::once(number.to_string()).chain(values.iter().cloned()).zip(columns);
            let values: Vec<String> =
                values.map(|(value, column)| if first == 0 { format!("{value} AS {column}") } else { value }).collect();
            format!("SELECT {}", values.join(", "))
        };
        let rows: Vec<String> = rows.iter().enumerate().map(row).collect();
        format!("({}) AS {name}", rows.join(" UNION ALL "))
    }

    fn literal(&self, value: &Value) -> String {
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

    fn shown(&self, value: &str, column: &Column) -> String {
        match column.family {
            Family::Integer | Family::Numeric | Family::Real => value.to_owned(),
            Family::Untyped if holds_bytes(column) => value.to_owned(),
            Family::Untyped if holds_bits(column) => format!("{value} + 0"),
            Family::Text | Family::Untyped => format!("CAST({value} AS CHAR)"),
        }
    }

    /// The stored value is shown, because an enumeration is compared as a number, which people cannot read.
    fn shown_key(&self, stored: &str, _: &str, column: &Column) -> String {
        self.shown(stored, column)
    }

    fn sort_key(&self, value: &str) -> String {
        format!("CAST({value} AS BINARY)")
    }

    fn typed(&self, mark: String, column: Option<&Column>, value: &Value) -> String {
        let Some(column) = column else { return format!("CAST({mark} AS CHAR)") };
        let kind = column.declared_type.split(['(', ' ']).next().unwrap_or_default();
        let sql_type = match (&column.family, kind) {
            (Family::Integer, _) if column.declared_type.contains("unsigned") => "UNSIGNED",
            (Family::Integer, _) => "SIGNED",
            (Family::Real, "float") => "FLOAT",
            (Family::Real, _) => "DOUBLE",
            (Family::Numeric, _) => return format!("CAST({mark} AS {})", exact_number(column)),
            (_, "bit") if !matches!(value, Value::Blob(_)) => "UNSIGNED",
            (_, "json") => "JSON",
            (_, "date") => "DATE",
            (_, "time") => "TIME(6)",
            (_, "datetime" | "timestamp") => "DATETIME(6)",
            _ if holds_bytes(column) || holds_shape(column) || matches!(value, Value::Blob(_)) => return mark,
            _ => match &column.collation {
                Some(collation) => return under(&mark, collation),
                None => "CHAR",
            },
        };
        match value {
            // A number that is too large for a signed integer arrives as text. MySQL would read that text as a signed
            // integer.
            Value::Text(_) if sql_type == "UNSIGNED" => format!("CAST(CAST({mark} AS CHAR) AS UNSIGNED)"),
            _ => format!("CAST({mark} AS {sql_type})"),
        }
    }

    /// MySQL would compare values of any two types, so a scan searches only for values of a fitting type.
    fn can_search_for(&self, column: &Column, value: &Value) -> bool {
        match value {
            Value::Integer(_) => matches!(column.family, Family::Integer | Family::Numeric),
            Value::Text(_) => match column.family {
                Family::Text => true,
                Family::Untyped => !holds_bytes(column),
                _ => false,
            },
            Value::Blob(_) => holds_bytes(column),
            Value::Null | Value::Real(_) => false,
        }
    }

    fn searched_parameter(&self, mark: String, column: &Column) -> String {
        column.collation.as_deref().map_or(mark.clone(), |collation| under(&mark, collation))
    }

    /// Two texts are compared under the collation of `ours`. A text and a value of another type are compared to the
    /// byte.
    fn equals_other_column(&self, ours: &Column, left: &str, theirs: &Column, right: &str) -> String {
        match (&ours.collation, &theirs.collation) {
            (Some(collation), Some(other)) if collation != other => format!("{left} = {}", under(right, collation)),
            (Some(_), None) | (None, Some(_)) => {
                self.same_text(&format!("CAST({left} AS CHAR)"), &format!("CAST({right} AS CHAR)"))
            }
            _ => format!("{left} = {right}"),
        }
    }

    fn stored_queries(&self) -> Option<&'static str> {
        Some(
            "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = database() ORDER BY 1",
        )
    }

    fn comparison(&self, column: &Column) -> ColumnComparison {
        let kind = column.declared_type.split(['(', ' ']).next().unwrap_or_default();
        match column.family {
            Family::Integer | Family::Numeric => ColumnComparison::ExactNumber,
            Family::Real => ColumnComparison::FloatingPoint,
            Family::Text => ColumnComparison::Text(text_comparison(column.collation.as_deref().unwrap_or_default())),
            Family::Untyped if kind == "binary" || kind == "varbinary" => {
                ColumnComparison::Spelling("binary".to_owned())
            }
            Family::Untyped if holds_bytes(column) || holds_shape(column) || kind == "json" => ColumnComparison::NoKey,
            Family::Untyped => ColumnComparison::Spelling(column.declared_type.clone()),
        }
    }

    fn spelled(&self, value: &str, column: &Column) -> String {
        match column.family {
            Family::Untyped => self.plain_text(value, Some(column)),
            _ => self.shown(value, column),
        }
    }

    /// Most collations of this server ignore spaces at the end, but its weight strings have them.
    fn comparison_key(&self, value: &str, collation: &str) -> String {
        let weights = format!("WEIGHT_STRING({})", under(value, collation));
        let space = under("' '", collation);
        format!(
            "CASE WHEN {} = {space} THEN TRIM(TRAILING WEIGHT_STRING({space}) FROM {weights}) ELSE {weights} END",
            under("''", collation)
        )
    }

    fn under_collation_of(&self, parent: &Column, child: &Column, value: &str) -> String {
        match (&parent.collation, &child.collation) {
            (Some(parent), Some(child)) if parent != child => under(value, parent),
            _ => value.to_owned(),
        }
    }

    fn not_null(&self, value: &str) -> String {
        format!("NOT ({value} <=> NULL)")
    }

    fn is_present(&self, column: &Column, value: &str) -> Option<String> {
        (!column.not_null).then(|| format!("{value} IS NOT NULL"))
    }

    fn compared(&self, part: &KeyPart<'_>, child: &str) -> String {
        let Some(parent) = part.parent else { return child.to_owned() };
        match (&part.child.collation, &parent.collation) {
            (Some(left), Some(right)) if left != right => under(child, right),
            _ if meet_as_numbers(part.child, parent) => format!("{child} + 0"),
            _ => child.to_owned(),
        }
    }

    fn refers(&self, part: &KeyPart<'_>, parent: &str, child: &str) -> String {
        let are_numbers = part.parent.is_some_and(|column| meet_as_numbers(part.child, column));
        let number = if are_numbers { " + 0" } else { "" };
        format!("{parent}{number} = {}", self.compared(part, child))
    }

    /// The configuration writes bytes as text.
    fn has_configured_value(&self, query: &mut Query, part: &KeyPart<'_>, child: &str, value: &Value) -> String {
        match value {
            Value::Integer(_) if part.child.family == Family::Integer => {
                format!("{child} = {}", query.parameter(value.clone()))
            }
            _ => {
                let text = match holds_bytes(part.child) {
                    true => format!("CAST({child} AS CHAR)"),
                    false => self.plain_text(child, Some(part.child)),
                };
                self.same_text(&text, &query.parameter(Value::text(plain(value))))
            }
        }
    }

    fn count_of(&self, condition: &str) -> String {
        format!("CAST(coalesce(sum({condition}), 0) AS SIGNED)")
    }

    fn no_rows(&self) -> String {
        "SELECT 1 FROM dual WHERE FALSE".to_owned()
    }

    /// The plain text of a bit string is that of its number.
    fn plain_text(&self, value: &str, column: Option<&Column>) -> String {
        match column {
            None => value.to_owned(),
            Some(column) if column.family == Family::Untyped && holds_bytes(column) => format!("lower(hex({value}))"),
            Some(column) if column.family == Family::Untyped && holds_bits(column) => {
                format!("CAST({value} + 0 AS CHAR)")
            }
            Some(_) => format!("CAST({value} AS CHAR)"),
        }
    }

    fn same_text(&self, left: &str, right: &str) -> String {
        format!("CAST({left} AS BINARY) = CAST({right} AS BINARY)")
    }

    fn trimmed(&self, text: &str) -> String {
        format!("regexp_replace({text}, '^[[:space:]]+|[[:space:]]+$', '')")
    }

    fn unpadded(&self, text: &str) -> String {
        format!("trim(LEADING '0' FROM {text})")
    }
}

impl RuleGrammar for Mysql {
    fn untyped_parameter(&self, mark: String, value: &Value) -> String {
        match value {
            Value::Integer(_) => format!("CAST({mark} AS SIGNED)"),
            Value::Real(_) => format!("CAST({mark} AS DOUBLE)"),
            _ => mark,
        }
    }

    fn text_or_empty(&self, value: &str) -> String {
        format!("coalesce({value}, '')")
    }

    fn concatenated(&self, parts: &[String]) -> String {
        if parts.is_empty() { "''".to_owned() } else { format!("concat({})", parts.join(", ")) }
    }

    fn value_of(&self, expression: &str) -> String {
        format!("concat((\n{expression}\n))")
    }

    /// A part of a union can refer to the row at hand, and a derived table cannot.
    fn query_column(&self, query: &str, _: usize, _: usize) -> String {
        format!("concat(((\n{query}\n) UNION ALL ({NULLS}) LIMIT 1))")
    }

    fn query_row_count(&self, query: &str) -> String {
        format!("(EXISTS (\n{query}\n) + EXISTS ((\n{query}\n) UNION ALL ({NULLS}) LIMIT 1 OFFSET 1))")
    }
}

static WORDS: WriteWords = WriteWords {
    insert: ["INSERT INTO", " VALUES"],
    update: "UPDATE",
    number: "bigint",
    // A text in a key needs a length: a plan's digest has 64 characters.
    digest: "char(64)",
    text: "longtext",
    plan_column: " longtext",
    options: " ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    state_options: " ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
};

impl WriteGrammar for Mysql {
    fn words(&self) -> &'static WriteWords {
        &WORDS
    }

    fn lossless(&self, value: &str, column: &Column) -> String {
        match column.family {
            Family::Real => format!("CAST({value} AS DOUBLE)"),
            _ if holds_shape(column) => format!("CAST({value} AS BINARY)"),
            _ => self.shown(value, column),
        }
    }

    /// The column converts the value. A bit column would store the bytes of a text, so such a value gets a cast.
    fn stored_parameter(&self, mark: String, column: Option<&Column>, value: &Value) -> String {
        match (column, value) {
            (Some(column), Value::Text(_)) if holds_bits(column) => self.typed(mark, Some(column), value),
            _ => mark,
        }
    }

    /// A text is compared to the byte, unless its column names the row.
    fn still_equals(&self, query: &mut Query, table: &Table, name: &str, value: &Value) -> String {
        let left = self.quoted(name);
        let column = column(table, name);
        let right = self.typed(query.parameter(value.clone()), column, value);
        let names_row = identity_columns(table).contains(&name);
        match column.filter(|column| !names_row && (column.collation.is_some() || holds_shape(column))) {
            Some(column) => self.same_text(&self.lossless(&left, column), &self.lossless(&right, column)),
            None => format!("{left} = {right}"),
        }
    }

    fn without_cascades(&self, statement: String) -> String {
        self.variant.without_checks(&statement)
    }

    /// The server sets some times anew when a row changes; these assignments preserve them.
    fn preserving_assignments(&self, table: &Table, is_set: &dyn Fn(&Column) -> bool) -> Vec<String> {
        let times = kept_times(table, is_set).map(|column| self.quoted(&column.name));
        times.map(|name| format!("{name} = {name}")).collect()
    }

    fn in_script(&self, statement: String) -> String {
        self.variant.in_script(statement)
    }

    fn without_enforcement(&self, statement: &Sql) -> Option<Sql> {
        let text = self.variant.without_checks(statement.text());
        Some(statement.clone().with_text(text))
    }
}

/// Returns the times that the server would set anew when a row changes, except those that a statement sets.
pub(in crate::sql) fn kept_times<'t>(
    table: &'t Table,
    is_set: &dyn Fn(&Column) -> bool,
) -> impl Iterator<Item = &'t Column> {
    let is_time = |column: &Column| ["timestamp", "datetime"].iter().any(|kind| column.declared_type.starts_with(kind));
    table.columns.iter().filter(move |column| is_time(column) && !column.generated && !is_set(column))
}

/// Returns a text under another collation.
fn under(value: &str, collation: &str) -> String {
    let (charset, collation) = charset_of(collation);
    format!("CONVERT({value} USING {charset}) COLLATE {collation}")
}

/// The character sets in which the weight of a space is no part of another weight.
const PLAIN_SETS: [&str; 17] = [
    "utf8mb4", "utf8mb3", "utf8", "latin1", "latin2", "latin5", "latin7", "ascii", "cp1250", "cp1251", "cp1256",
    "cp1257", "koi8r", "koi8u", "greek", "hebrew", "cp850",
];

fn text_comparison(collation: &str) -> TextComparison {
    let is_plain = collation.split('_').next().is_some_and(|set| PLAIN_SETS.contains(&set));
    // The weights of these collations have several levels, with spaces at the end of each.
    let has_levels = collation.contains("czech") || collation.ends_with("_w2") || collation.contains("uca1400");
    let is_simple = !has_levels || collation.ends_with("uca1400_ai_ci");
    if collation.ends_with("_bin") && is_plain {
        let keeps_spaces = collation.contains("_0900_") || collation.contains("nopad");
        if keeps_spaces { TextComparison::Bytes } else { TextComparison::BytesWithoutPadding }
    } else if is_plain && is_simple {
        TextComparison::Collation(collation.to_owned())
    } else {
        TextComparison::Engine
    }
}

/// Returns a collation after its character set, as SQL. The name of a collation begins with the name of its character set.
pub(in crate::sql) fn charset_of(collation: &str) -> (String, String) {
    let word = |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    (word(collation.split('_').next().unwrap_or(collation)), word(collation))
}

fn meet_as_numbers(child: &Column, parent: &Column) -> bool {
    let is_enumeration =
        |column: &Column| column.declared_type.starts_with("enum(") || column.declared_type.starts_with("set(");
    is_enumeration(child) && is_enumeration(parent) && child.declared_type != parent.declared_type
}

pub(in crate::sql) fn holds_bits(column: &Column) -> bool {
    column.declared_type.starts_with("bit")
}

pub(in crate::sql) fn holds_bytes(column: &Column) -> bool {
    column.declared_type.contains("binary") || column.declared_type.contains("blob")
}

/// True if a column holds spatial values, which are bytes.
pub(in crate::sql) fn holds_shape(column: &Column) -> bool {
    let kinds = ["geometry", "point", "linestring", "polygon"];
    column.family == Family::Untyped && kinds.iter().any(|kind| column.declared_type.contains(kind))
}

/// Returns the type without its attributes: `decimal(10,2)` of `decimal(10,2) unsigned`.
fn exact_number(column: &Column) -> &str {
    column.declared_type.split(' ').next().unwrap_or("decimal(65,30)")
}
