//! Parses `[treat.values]`, the values of a new parent's columns. A string may contain columns (`"{via.name}"`), `{ sql
//! = "…" }` is SQL, and numbers and booleans are literals.

use toml::de::DeValue;

use crate::config::fault::quoted;
use crate::config::reader::Item;
use crate::model::configured::Spanned;
use crate::model::rule::Expression;
use crate::model::rule::ExpressionScope;
use crate::model::rule::TemplatePiece;
use crate::model::value::Value;

pub(super) fn read(item: &Item<'_, '_>) -> Vec<(Spanned<String>, Spanned<Expression>)> {
    let Some(table) = item.table("the table `[treat.values]`") else { return Vec::new() };
    let read = |(column, item): (Spanned<String>, Item<'_, '_>)| Some((column, expression(&item)?));
    table.all_entries().into_iter().filter_map(read).collect()
}

/// Returns a literal key: one value, or an array with one value per column.
pub(super) fn key(item: &Item<'_, '_>) -> Option<Vec<Value>> {
    match item.value() {
        DeValue::Array(_) => item.entries("an array of values")?.iter().map(literal).collect(),
        _ => Some(vec![literal(item)?]),
    }
}

fn expression(item: &Item<'_, '_>) -> Option<Spanned<Expression>> {
    let value = match item.value() {
        DeValue::Table(_) => {
            let mut table = item.table("a table")?;
            let sql = table.require("sql", "{ sql = \"via.name\" }").and_then(|sql| sql.text("an SQL expression"));
            table.finish();
            Expression::Sql(sql?.value.to_owned())
        }
        DeValue::String(text) => match template(text) {
            Ok(expression) => expression,
            Err(message) => {
                let help = "write {child.x}, {via.x} or {key.x}; {{ and }} stand for braces; or use { sql = \"…\" }";
                item.fault(&message, Some(help.to_owned()));
                return None;
            }
        },
        _ => Expression::Literal(literal(item)?),
    };
    Some(Spanned { value, span: item.span() })
}

fn literal(item: &Item<'_, '_>) -> Option<Value> {
    match item.value() {
        DeValue::String(text) => Some(Value::text(text.as_ref())),
        DeValue::Boolean(flag) => Some(Value::Integer(i64::from(*flag))),
        DeValue::Integer(integer) => item.whole_number(integer).map(Value::Integer),
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Some(Value::Real(number)),
            _ => {
                item.fault("the float is not a finite number", None);
                None
            }
        },
        _ => {
            item.mismatch("a string, a number, a boolean or { sql = \"…\" }", None);
            None
        }
    }
}

/// Parses text with columns in braces. Text without braces is a literal. The error is a message.
fn template(text: &str) -> Result<Expression, String> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let brace = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if rest.starts_with(brace) {
            plain.push_str(brace);
            rest = &rest[1..];
        } else if brace == "{" {
            let Some((inside, after)) = rest.split_once('}') else {
                return Err("a { is never closed".to_owned());
            };
            if !plain.is_empty() {
                pieces.push(TemplatePiece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(column(inside)?);
            rest = after;
        } else {
            return Err("a } has no opening {".to_owned());
        }
    }
    plain.push_str(rest);
    if pieces.is_empty() {
        return Ok(Expression::Literal(Value::text(plain)));
    }
    if !plain.is_empty() {
        pieces.push(TemplatePiece::Text(plain));
    }
    Ok(Expression::Template(pieces))
}

fn column(text: &str) -> Result<TemplatePiece, String> {
    let known = text.trim().split_once('.').and_then(|(scope, column)| {
        let scope = ExpressionScope::ALL.into_iter().find(|known| known.name() == scope)?;
        (!column.is_empty()).then(|| TemplatePiece::Column { scope, column: column.to_owned() })
    });
    known.ok_or_else(|| format!("{} is not a column of child, via or key", quoted(&format!("{{{text}}}"))))
}
