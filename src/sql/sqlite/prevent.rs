//! The triggers of `prevent` on SQLite. They insert a placeholder parent when a child row arrives before its parent.
//!
//! The INSERT has `ON CONFLICT DO NOTHING`. Otherwise the conflict clause of the application's own statement would
//! apply to it, and `INSERT OR REPLACE` of a child could replace another parent. A trigger must not qualify names with
//! their database.
//!
//! SQLite compiles a trigger when it first fires, not when it is created, so fk-doctor compiles each before the plan
//! commits. Later the trigger runs in the application's SQLite. Its own text needs 3.24, and fk-doctor warns if a
//! rule's expression needs a newer version.

use super::version;
use crate::model::redefinition::Definition;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::rule::Expression;
use crate::model::rule::ExpressionScope;
use crate::model::rule::TemplatePiece;
use crate::model::schema::Schema;
use crate::model::text::visible;
use crate::model::value::Value;
use crate::sql::clauses::key_names;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::sqlite::Sqlite;
use crate::sql::quoted;
use crate::sql::read::tokens::tokens;
use crate::sql::redefine::ParentValue;
use crate::sql::redefine::PreventRequest;
use crate::sql::redefine::text_of;
use crate::sql::redefine::trigger_name;

pub(super) fn prevent(
    schema: &Schema,
    request: &PreventRequest<'_>,
    definitions: &[Definition],
) -> Result<Vec<Redefinition>, String> {
    let relation = request.relation;
    let child = schema.child(relation);
    let address = child.address_column.filter(|column| relation.child_columns.contains(column));
    if let Some(column) = address {
        return Err(format!(
            "{} is the row's own address, which SQLite assigns only when it inserts the row",
            child.columns[column].name
        ));
    }
    let columns: Vec<String> = schema.child_column_names(relation).map(quoted).collect();
    let events = [("_insert", "INSERT".to_owned()), ("_update", format!("UPDATE OF {}", columns.join(", ")))];
    let trigger = |(part, event): (&str, String)| {
        let name = trigger_name(schema, relation, part);
        let before = text_of(definitions, "trigger", &name, &child.name.table).map(str::to_owned);
        let after = text(schema, request, &name, &event);
        let about = Redefinition::new(DefinitionKind::Trigger, &name, &child.name, request.rule, "prevent");
        Redefinition { before, after: Some(after), ..about }
    };
    let changes = events.into_iter().map(trigger);
    Ok(changes.filter(|change| change.before != change.after).collect())
}

/// Returns the newest feature in a rule's expressions, and its version; `None` if the triggers need no newer version
/// anyway.
fn newest(request: &PreventRequest<'_>) -> Option<(version::Minor, String)> {
    let expressions = request.values.iter().filter_map(|(_, parent_value)| match parent_value {
        ParentValue::Expression(expression) => match expression.as_ref() {
            Expression::Sql(sql) => version::newest(sql),
            Expression::Literal(_) | Expression::Template(_) => None,
        },
        ParentValue::Key(_) | ParentValue::Derived => None,
    });
    expressions.max_by_key(|(minor, _)| *minor)
}

pub(super) fn required_version(request: &PreventRequest<'_>) -> Option<String> {
    let (minor, feature) = newest(request)?;
    let version = version::named(minor, &feature);
    Some(format!(
        "the triggers use {feature}: each program that writes to the table needs {version}, or its writes fail"
    ))
}

fn text(schema: &Schema, request: &PreventRequest<'_>, name: &str, event: &str) -> String {
    let relation = request.relation;
    let child = schema.child(relation);
    let parent = quoted(&relation.parent.name.table);
    let new = |column: &str| format!("NEW.{}", quoted(column));
    let complete = schema.child_column_names(relation).map(|column| format!("{} IS NOT NULL", new(column)));
    // As in the check of a foreign key, the child's affinity does not convert values.
    let equal = schema.parent_columns(relation).zip(schema.child_column_names(relation));
    let equal = equal.map(|(ours, theirs)| format!("parent.{} = +{}", quoted(&ours.name), new(theirs)));
    let columns: Vec<String> = request.values.iter().map(|(column, _)| quoted(&column.name)).collect();
    let values: Vec<String> =
        request.values.iter().map(|(_, parent_value)| value(schema, request, parent_value)).collect();
    let takes = newest(request)
        .map(|(minor, feature)| format!("    -- For {feature} it takes {}.\n", version::named(minor, &feature)));
    let takes = takes.unwrap_or_default();
    format!(
        "CREATE TRIGGER {}\nBEFORE {event} ON {}\nWHEN {}\n    AND NOT EXISTS (SELECT 1 FROM {parent} AS parent WHERE {})\n\
         BEGIN\n    -- Made by fk-doctor, by its rule {}, for {}:\n\
         \x20   -- a row that arrives before its parent gets a placeholder for it. DROP TRIGGER ends that.\n{takes}\
         \x20   INSERT INTO {parent}({})\n    SELECT {}{}\n    WHERE true\n    ON CONFLICT DO NOTHING;\nEND",
        quoted(name),
        quoted(&child.name.table),
        complete.collect::<Vec<_>>().join(" AND "),
        equal.collect::<Vec<_>>().join(" AND "),
        visible(request.rule),
        visible(&relation.id),
        columns.join(", "),
        values.join(", "),
        scopes(schema, request),
    )
}

fn value(schema: &Schema, request: &PreventRequest<'_>, parent_value: &ParentValue<'_>) -> String {
    let key: Vec<String> =
        schema.child_column_names(request.relation).map(|name| format!("NEW.{}", quoted(name))).collect();
    match parent_value {
        ParentValue::Key(index) => key[*index].clone(),
        ParentValue::Derived => format!("'placeholder-' || {}", key.join(" || '-' || ")),
        ParentValue::Expression(expression) => match expression.as_ref() {
            Expression::Literal(value) => Sqlite.literal(value),
            Expression::Sql(sql) => format!("(\n{sql}\n)"),
            Expression::Template(pieces) => {
                let piece = |piece: &TemplatePiece| match piece {
                    TemplatePiece::Text(text) => Sqlite.literal(&Value::text(text)),
                    TemplatePiece::Column { scope, column } => {
                        format!("coalesce(CAST({}.{} AS TEXT), '')", quoted(scope.name()), quoted(column))
                    }
                };
                if pieces.is_empty() {
                    "''".to_owned()
                } else {
                    pieces.iter().map(piece).collect::<Vec<_>>().join(" || ")
                }
            }
        },
    }
}

/// Returns the FROM clause with the scopes that the rule's expressions refer to; empty if they refer to none.
fn scopes(schema: &Schema, request: &PreventRequest<'_>) -> String {
    let relation = request.relation;
    let as_row = |columns: &mut dyn Iterator<Item = (&str, &str)>, scope: ExpressionScope| {
        let columns: Vec<String> =
            columns.map(|(column, name)| format!("NEW.{} AS {}", quoted(column), quoted(name))).collect();
        format!("(SELECT {}) AS {}", columns.join(", "), quoted(scope.name()))
    };
    let children: Vec<&str> = schema.child_column_names(relation).collect();
    let mut from = Vec::new();
    if speaks_of(request, ExpressionScope::Key) || request.via.is_some() {
        let mut columns = key_names(schema, relation).into_iter().map(|(index, name)| (children[index], name));
        from.push(as_row(&mut columns, ExpressionScope::Key));
    }
    if speaks_of(request, ExpressionScope::Child) {
        let stored = schema.child(relation).columns.iter().filter(|column| !column.generated);
        let mut columns = stored.map(|column| (column.name.as_str(), column.name.as_str()));
        from.push(as_row(&mut columns, ExpressionScope::Child));
    }
    if let Some(via) = request.via {
        let equal = via.columns.iter().zip(&children);
        let equal: Vec<String> =
            equal.map(|(name, key)| format!("via.{} = +\"key\".{}", quoted(name), quoted(key))).collect();
        from.push(format!("{} AS via ON {}", quoted(&via.table), equal.join(" AND ")));
    }
    if from.is_empty() { String::new() } else { format!("\n    FROM {}", from.join("\n    JOIN ")) }
}

fn speaks_of(request: &PreventRequest<'_>, scope: ExpressionScope) -> bool {
    request.values.iter().any(|(_, parent_value)| match parent_value {
        ParentValue::Expression(expression) => match expression.as_ref() {
            Expression::Literal(_) => false,
            Expression::Template(pieces) => pieces
                .iter()
                .any(|piece| matches!(piece, TemplatePiece::Column { scope: other, .. } if *other == scope)),
            Expression::Sql(sql) => {
                let words = tokens(sql);
                words.windows(2).any(|pair| pair[0].text.eq_ignore_ascii_case(scope.name()) && pair[1].is_word("."))
            }
        },
        ParentValue::Key(_) | ParentValue::Derived => false,
    })
}
