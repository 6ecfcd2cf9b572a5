//! The trigger and function of `prevent` on PostgreSQL. They insert a placeholder parent when a child row arrives
//! before its parent.
//!
//! The function runs with the privileges of the user who writes the row, so it gives nobody more privileges. Its search
//! path holds the server's own schema alone, so no user's object can hide another one. `ON CONFLICT DO NOTHING` lets
//! two writers insert one placeholder at the same time.
//!
//! The text of a definition is the event on the first line, and then the function's body.

use crate::model::catalog::Column;
use crate::model::catalog::Family;
use crate::model::redefinition::Definition;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::rule::Expression;
use crate::model::rule::TemplatePiece;
use crate::model::schema::Schema;
use crate::model::text::visible;
use crate::model::value::Value;
use crate::sql::clauses::key_names;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::RuleGrammar;
use crate::sql::grammar::postgres::POSTGRES;
use crate::sql::grammar::postgres::as_text;
use crate::sql::grammar::postgres::qualified;
use crate::sql::phrases::Phrases;
use crate::sql::phrases::column as find_column;
use crate::sql::quoted;
use crate::sql::redefine::ParentValue;
use crate::sql::redefine::PreventRequest;
use crate::sql::redefine::text_of;
use crate::sql::redefine::trigger_name;
use crate::sql::repair::RequestedValue;
use crate::sql::scan::Scan;

pub(super) fn prevent(
    schema: &Schema,
    request: &PreventRequest<'_>,
    definitions: &[Definition],
) -> Result<Vec<Redefinition>, String> {
    let child = schema.child(request.relation);
    let name = trigger_name(schema, request.relation, "");
    let columns: Vec<String> = schema.child_column_names(request.relation).map(quoted).collect();
    let body = body(schema, request).ok_or("its parent table is missing")?;
    if body.contains(TAG) {
        return Err(format!("the rule's SQL contains {TAG}, which would end the text of the function"));
    }
    let change = Redefinition {
        before: text_of(definitions, "trigger", &name, &child.name.to_string()).map(str::to_owned),
        after: Some(format!("BEFORE INSERT OR UPDATE OF {}\n{body}", columns.join(", "))),
        ..Redefinition::new(DefinitionKind::Trigger, &name, &child.name, request.rule, "prevent")
    };
    Ok(if change.before == change.after { Vec::new() } else { vec![change] })
}

/// The dollar quote around the body of the function.
const TAG: &str = "$fk_doctor$";

pub(super) fn statements(change: &Redefinition, table: &str, name: &str) -> Vec<String> {
    let function = format!("{}.{name}", quoted(change.table.schema.as_deref().unwrap_or("public")));
    let mut statements = Vec::new();
    if change.before.is_some() {
        statements.push(format!("DROP TRIGGER {name} ON {table}"));
        statements.push(format!("DROP FUNCTION {function}()"));
    }
    if let Some((when, body)) = change.after.as_deref().and_then(|text| text.split_once('\n')) {
        statements.push(format!(
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS {TAG}{body}{TAG}"
        ));
        statements.push(format!("CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"));
    }
    statements
}

fn body(schema: &Schema, request: &PreventRequest<'_>) -> Option<String> {
    let relation = request.relation;
    let parent = schema.parent(relation)?;
    let children: Vec<&str> = schema.child_column_names(relation).collect();
    let key = key_names(schema, relation).into_iter();
    let key: Vec<String> =
        key.map(|(index, name)| format!("NEW.{} AS {}", quoted(children[index]), quoted(name))).collect();
    let expressions = request.values.iter().filter_map(|(_, parent_value)| match parent_value {
        ParentValue::Expression(expression) => Some(RequestedValue::Expression(expression)),
        ParentValue::Key(_) | ParentValue::Derived => None,
    });
    let tables = POSTGRES.rule_tables(schema, &expressions.collect::<Vec<_>>());
    let via = request.via.and_then(|via| {
        let table = &schema.tables[schema.table(&via.table)?];
        let equal = via.columns.iter().zip(&children);
        let equal: Vec<String> = equal
            .map(|(name, key)| {
                let key = format!("\"key\".{}", quoted(key));
                POSTGRES.equal(find_column(table, name), &POSTGRES.qualified("via", name), &key)
            })
            .collect();
        Some(format!("\n    JOIN {} AS via ON {}", POSTGRES.table_name(None, table), equal.join(" AND ")))
    });
    let columns: Vec<String> = request.values.iter().map(|(column, _)| quoted(&column.name)).collect();
    let values: Vec<String> =
        request.values.iter().map(|(column, parent_value)| value(column, parent_value, &children)).collect();
    Some(format!(
        "\n#variable_conflict use_column\nBEGIN\n  \
         -- Made by fk-doctor, by its rule {}, for {}:\n  \
         -- a row that arrives before its parent gets a placeholder for it. DROP TRIGGER ends that.\n  \
         IF EXISTS (SELECT 1 FROM (SELECT NEW.*) AS child WHERE {} AND NOT EXISTS ({})) THEN\n    \
         {tables}INSERT INTO {}({})\n    SELECT {}\n    \
         FROM (SELECT NEW.*) AS child CROSS JOIN (SELECT {}) AS \"key\"{}\n    ON CONFLICT DO NOTHING;\n  \
         END IF;\n  RETURN NEW;\nEND\n",
        visible(request.rule),
        visible(&relation.id),
        POSTGRES.complete_key(schema, relation),
        POSTGRES.parent_query(schema, relation)?,
        POSTGRES.table_name(None, parent),
        columns.join(", "),
        values.join(", "),
        key.join(", "),
        via.unwrap_or_default(),
    ))
}

fn value(column: &Column, parent_value: &ParentValue<'_>, children: &[&str]) -> String {
    let new = |name: &&str| format!("NEW.{}", quoted(name));
    let text = match parent_value {
        ParentValue::Key(index) => return new(&children[*index]),
        ParentValue::Derived => {
            let key: Vec<String> = children.iter().map(|name| format!("format('%s', {})", new(name))).collect();
            format!("('placeholder-' || {})", key.join(" || '-' || "))
        }
        ParentValue::Expression(expression) => match expression.as_ref() {
            Expression::Literal(value) => POSTGRES.literal(value),
            Expression::Sql(sql) => format!("(SELECT {} FROM (SELECT (\n{sql}\n)) AS given(x))", as_text("given.x")),
            Expression::Template(pieces) => {
                let piece = |piece: &TemplatePiece| match piece {
                    TemplatePiece::Text(text) => POSTGRES.literal(&Value::text(text)),
                    TemplatePiece::Column { scope, column } => {
                        format!("format('%s', {}.{})", quoted(scope.name()), quoted(column))
                    }
                };
                format!(
                    "({})",
                    std::iter::once("''".to_owned()).chain(pieces.iter().map(piece)).collect::<Vec<_>>().join(" || ")
                )
            }
        },
    };
    match (&column.family, &column.sql_type) {
        (Family::Text, _) | (Family::Untyped, None) => format!("{text}::text"),
        (_, Some(of)) => format!("{text}::{}", qualified(&of.base)),
        (_, None) => text,
    }
}
