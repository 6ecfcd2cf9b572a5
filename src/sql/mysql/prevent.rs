//! The triggers of `prevent` on MySQL and MariaDB. They insert a placeholder parent when a child row arrives before its
//! parent.
//!
//! A trigger of these servers runs with the privileges of its creator, and cannot write to the table that fires it. If
//! a row of the parent has another unique key in common with the placeholder, ON DUPLICATE KEY UPDATE changes nothing
//! in that row.
//!
//! The text of a definition is the event on the first line, and then the trigger's body.

use crate::model::catalog::Engine;
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
use crate::sql::grammar::mysql::MYSQL;
use crate::sql::in_backticks;
use crate::sql::phrases::Phrases;
use crate::sql::redefine::ParentValue;
use crate::sql::redefine::PreventRequest;
use crate::sql::redefine::text_of;
use crate::sql::redefine::trigger_name;
use crate::sql::scan::Scan;
use crate::sql::table_for;

pub(super) fn prevent(
    schema: &Schema,
    request: &PreventRequest<'_>,
    definitions: &[Definition],
) -> Result<Vec<Redefinition>, String> {
    let child = schema.child(request.relation);
    if request.relation.parent.name == child.name {
        return Err("a trigger of MySQL or MariaDB cannot write to the table that fires it".to_owned());
    }
    let body = body(schema, request).ok_or("its parent table is missing")?;
    let trigger = |(part, event): (&str, &str)| {
        let name = trigger_name(schema, request.relation, part);
        Redefinition {
            before: text_of(definitions, "trigger", &name, &child.name.to_string()).map(str::to_owned),
            after: Some(format!("BEFORE {event}\n{body}")),
            ..Redefinition::new(DefinitionKind::Trigger, &name, &child.name, request.rule, "prevent")
        }
    };
    let changes = [("_insert", "INSERT"), ("_update", "UPDATE")].map(trigger);
    Ok(changes.into_iter().filter(|change| change.before != change.after).collect())
}

pub(super) fn statements(change: &Redefinition, table: &str, name: &str) -> Vec<String> {
    let drop = change.before.as_ref().map(|_| format!("DROP TRIGGER {name}"));
    let definition = change.after.as_deref().and_then(|text| text.split_once('\n'));
    let create = definition.map(|(when, body)| format!("CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW {body}"));
    drop.into_iter().chain(create).collect()
}

fn body(schema: &Schema, request: &PreventRequest<'_>) -> Option<String> {
    let relation = request.relation;
    let parent = schema.parent(relation)?;
    let children: Vec<&str> = schema.child_column_names(relation).collect();
    let new = |name: &str, alias: &str| format!("NEW.{} AS {}", in_backticks(name), in_backticks(alias));
    let key: Vec<String> =
        key_names(schema, relation).into_iter().map(|(index, name)| new(children[index], name)).collect();
    let child = schema.child(relation).columns.iter().filter(|column| !column.generated);
    let child: Vec<String> = child.map(|column| new(&column.name, &column.name)).collect();
    let child = format!("(SELECT {}) AS child", child.join(", "));
    let via = request.via.and_then(|via| {
        let table = &schema.tables[schema.table(&via.table)?];
        let equal = via.columns.iter().zip(schema.child_columns(relation)).filter_map(|(name, theirs)| {
            let ours = table.columns.iter().find(|column| column.name == *name)?;
            let (left, right) =
                (format!("via.{}", in_backticks(name)), format!("`key`.{}", in_backticks(&theirs.name)));
            Some(MYSQL.equals_other_column(ours, &left, theirs, &right))
        });
        let equal = equal.collect::<Vec<_>>().join(" AND ");
        Some(format!("\n    JOIN {} AS via ON {equal}", table_for(Engine::Mariadb, &table.name)))
    });
    let columns: Vec<String> = request.values.iter().map(|(column, _)| in_backticks(&column.name)).collect();
    let values: Vec<String> = request.values.iter().map(|(_, parent_value)| value(parent_value, &children)).collect();
    let first = in_backticks(&schema.parent_columns(relation).next()?.name);
    let parent = table_for(Engine::Mariadb, &parent.name);
    Some(format!(
        "BEGIN\n  -- Made by fk-doctor, by its rule {}, for {}:\n  \
         -- a row that arrives before its parent gets a placeholder for it. DROP TRIGGER ends that.\n  \
         IF EXISTS (SELECT 1 FROM {child} WHERE {} AND NOT EXISTS ({})) THEN\n    \
         INSERT INTO {parent}({})\n    SELECT {}\n    FROM {child}\n    CROSS JOIN (SELECT {}) AS `key`{}\n    WHERE TRUE\n    \
         ON DUPLICATE KEY UPDATE {first} = {parent}.{first};\n  END IF;\nEND",
        visible(request.rule),
        visible(&relation.id),
        MYSQL.complete_key(schema, relation),
        MYSQL.parent_query(schema, relation)?,
        columns.join(", "),
        values.join(", "),
        key.join(", "),
        via.unwrap_or_default(),
    ))
}

fn value(parent_value: &ParentValue<'_>, children: &[&str]) -> String {
    let new = |name: &&str| format!("NEW.{}", in_backticks(name));
    match parent_value {
        ParentValue::Key(index) => new(&children[*index]),
        ParentValue::Derived => {
            format!("concat_ws('-', 'placeholder', {})", children.iter().map(new).collect::<Vec<_>>().join(", "))
        }
        ParentValue::Expression(expression) => match expression.as_ref() {
            Expression::Literal(value) => MYSQL.literal(value),
            Expression::Sql(sql) => format!("(\n{sql}\n)"),
            Expression::Template(pieces) => {
                let piece = |piece: &TemplatePiece| match piece {
                    TemplatePiece::Text(text) => MYSQL.literal(&Value::text(text)),
                    TemplatePiece::Column { scope, column } => {
                        format!("coalesce({}.{}, '')", in_backticks(scope.name()), in_backticks(column))
                    }
                };
                format!("concat('', {})", pieces.iter().map(piece).collect::<Vec<_>>().join(", "))
            }
        },
    }
}
