//! The changes of definitions on PostgreSQL. Constraints, indexes and triggers are separate objects here, so no change
//! rewrites a table. NOT NULL is a property of its column, and since PostgreSQL 18 a named constraint.
//!
//! All changes run in the plan's one transaction. A foreign key is declared NOT VALID and validated afterwards. An
//! index is created while writers wait, because CREATE INDEX CONCURRENTLY cannot run in a transaction. To avoid the
//! wait, create the index first; fk-doctor then leaves it alone.

use super::prevent;
use crate::model::catalog::Action;
use crate::model::catalog::Match;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::redefinition::Definition;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::sql::grammar::Grammar;
use crate::sql::grammar::postgres::POSTGRES;
use crate::sql::grammar::postgres::Postgres;
use crate::sql::query::Sql;
use crate::sql::query::plain;
use crate::sql::quoted;
use crate::sql::redefine::EnforceRequest;
use crate::sql::redefine::NullableColumn;
use crate::sql::redefine::PreventRequest;
use crate::sql::redefine::Redefine;
use crate::sql::redefine::RelaxRequest;
use crate::sql::redefine::Step;
use crate::sql::redefine::bounded;
use crate::sql::redefine::free_name;
use crate::sql::redefine::readable;
use crate::sql::redefine::text_of;

/// The prefix of the text of a NOT NULL column.
const NOT_NULL: &str = "NOT NULL ";

const NOT_VALID: &str = " NOT VALID";

impl Redefine for Postgres {
    fn relax(
        &self,
        _: &Schema,
        table: &Table,
        requests: &[RelaxRequest<'_>],
        nullable_columns: &[NullableColumn<'_>],
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String> {
        let of = table.name.to_string();
        let mut changes = Vec::new();
        // Returns the removal of a constraint, and adds the removal of its comment before it.
        let removal = |changes: &mut Vec<Redefinition>, rule: &str, name: &str, text: &str| {
            let change = |kind, before: &str| Redefinition {
                before: Some(before.to_owned()),
                ..Redefinition::new(kind, name, &table.name, rule, "relax")
            };
            let comment = text_of(definitions, "comment", name, &of);
            changes.extend(comment.map(|text| change(DefinitionKind::Comment, text)));
            change(DefinitionKind::Constraint, text)
        };
        for request in requests {
            let name = request.relation.name.as_deref().unwrap_or_default();
            let before =
                text_of(definitions, "constraint", name, &of).ok_or_else(|| format!("it has no constraint {name}"))?;
            let change = removal(&mut changes, request.rule, name, before);
            changes.push(Redefinition { dropped: vec![request.relation.id.clone()], ..change });
        }
        for NullableColumn { column, rule } in nullable_columns {
            let column = &table.columns[*column];
            let in_column = text_of(definitions, "column", &column.name, &of)
                .and_then(|before| Some((before, before.strip_prefix(NOT_NULL)?)));
            let named = not_null_named(definitions, &column.name, &of);
            if in_column.is_none() && named.is_none() {
                continue;
            }
            if table.kind == TableKind::Partitioned {
                return Err(format!(
                    "NOT NULL of {} also holds in the partitions of the table; remove `nullable` from the rule",
                    column.name
                ));
            }
            let nullable = vec![column.name.clone()];
            if let Some((before, after)) = in_column {
                changes.push(Redefinition {
                    before: Some(before.to_owned()),
                    after: Some(after.to_owned()),
                    nullable,
                    ..Redefinition::new(DefinitionKind::Column, &column.name, &table.name, rule, "relax")
                });
            } else if let Some((name, text)) = named {
                let change = removal(&mut changes, rule, name, text);
                changes.push(Redefinition { nullable, ..change });
            }
        }
        Ok(changes)
    }

    fn enforce(
        &self,
        schema: &Schema,
        request: &EnforceRequest<'_>,
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String> {
        let relation = request.relation;
        let table = schema.child(relation);
        let of = table.name.to_string();
        let columns: Vec<&str> = schema.child_column_names(relation).collect();
        let mut changes = Vec::new();
        if request.needs_index {
            let name = free_name(&bounded(&format!("{}_{}", table.name.table, columns.join("_")), ""), definitions);
            let text = format!("CREATE INDEX ({})", quoted_all(columns.iter().copied()));
            let index = Redefinition::new(DefinitionKind::Index, &name, &table.name, request.rule, "enforce");
            changes.push(Redefinition { after: Some(text), ..index });
        }
        let (name, before, after) = match &relation.name {
            // The foreign key is declared, but the server never checked its rows.
            Some(name) if relation.origin == Origin::Declared => {
                let before = text_of(definitions, "constraint", name, &of);
                let before = before.ok_or_else(|| format!("{of} has no constraint {name}"))?;
                let after = before
                    .strip_suffix(NOT_VALID)
                    .ok_or("its foreign key is valid already, or of a kind that cannot be validated")?;
                (name.clone(), Some(before.to_owned()), after.to_owned())
            }
            _ => {
                let name = bounded(&format!("{}_{}", table.name.table, columns.join("_")), "_fkey");
                (free_name(&name, definitions), None, clause(schema, request))
            }
        };
        changes.push(Redefinition {
            before,
            after: Some(after),
            declared: vec![relation.id.clone()],
            ..Redefinition::new(DefinitionKind::Constraint, &name, &table.name, request.rule, "enforce")
        });
        Ok(changes)
    }

    fn prevent(
        &self,
        schema: &Schema,
        request: &PreventRequest<'_>,
        definitions: &[Definition],
    ) -> Result<Vec<Redefinition>, String> {
        prevent::prevent(schema, request, definitions)
    }

    fn steps(&self, schema: &Schema, change: &Redefinition) -> Vec<Step> {
        let statements = statements(schema, change).into_iter();
        statements.map(|text| Step::Statement(plain(text))).collect()
    }

    fn rows_with_null(&self, table: &TableName, column: &str) -> Sql {
        plain(format!("SELECT 1::int8 FROM ONLY {} AS t WHERE t.{} IS NULL LIMIT 1", name_of(table), quoted(column)))
    }

    fn script(&self, schema: &Schema, change: &Redefinition, _: &[Definition]) -> Result<String, String> {
        let script: String = statements(schema, change).iter().map(|text| format!("{text};\n")).collect();
        readable(script, change)
    }
}

/// Returns the statements that replace the definition's text before the change with the text after it.
fn statements(schema: &Schema, change: &Redefinition) -> Vec<String> {
    let (table, name) = (name_of(&change.table), quoted(&change.name));
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    match change.kind {
        DefinitionKind::Constraint => constraint(schema, change, &table, &name),
        DefinitionKind::Column => {
            let verb = if after.is_some_and(|text| text.starts_with(NOT_NULL)) { "SET" } else { "DROP" };
            // ONLY, because inheriting tables keep NOT NULL on their own columns.
            vec![format!("ALTER TABLE ONLY {table} ALTER COLUMN {name} {verb} NOT NULL")]
        }
        DefinitionKind::Comment => {
            let text = after.map_or_else(|| "NULL".to_owned(), |text| POSTGRES.literal(&Value::text(text)));
            vec![format!("COMMENT ON CONSTRAINT {name} ON {table} IS {text}")]
        }
        DefinitionKind::Index => {
            let index = format!("{}.{name}", quoted(schema_of(&change.table)));
            let columns = after.and_then(|text| text.strip_prefix("CREATE INDEX "));
            let drop = before.map(|_| format!("DROP INDEX {index}"));
            drop.into_iter().chain(columns.map(|columns| format!("CREATE INDEX {name} ON {table} {columns}"))).collect()
        }
        DefinitionKind::Trigger => prevent::statements(change, &table, &name),
        DefinitionKind::Table => Vec::new(),
    }
}

/// Returns the name and the text of the constraint that makes a column NOT NULL, such as ("c_id_not_null", "NOT NULL
/// \"id\"").
fn not_null_named<'d>(definitions: &'d [Definition], column: &str, of: &str) -> Option<(&'d str, &'d str)> {
    let start = format!("{NOT_NULL}{}", quoted(column));
    let found = definitions.iter().find(|known| {
        let rest = known.text.strip_prefix(&start);
        known.kind == "constraint"
            && known.table == of
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    found.map(|found| (found.name.as_str(), found.text.as_str()))
}

fn constraint(schema: &Schema, change: &Redefinition, table: &str, name: &str) -> Vec<String> {
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    if before.or(after).is_some_and(|text| text.starts_with(NOT_NULL)) {
        // ONLY, because inheriting tables keep NOT NULL on their own columns.
        let drop = before.map(|_| format!("ALTER TABLE ONLY {table} DROP CONSTRAINT {name}"));
        let create = after.map(|text| format!("ALTER TABLE {table} ADD CONSTRAINT {name} {text}"));
        return drop.into_iter().chain(create).collect();
    }
    let validate = format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}");
    if let (Some(before), Some(after)) = (before, after)
        && before.strip_suffix(NOT_VALID) == Some(after)
    {
        return vec![validate];
    }
    let drop = before.map(|_| format!("ALTER TABLE {table} DROP CONSTRAINT {name}"));
    let add = |text: &str, end: &str| format!("ALTER TABLE {table} ADD CONSTRAINT {name} {text}{end}");
    // The server allows NOT VALID neither for partitioned tables nor twice in one constraint.
    let is_partitioned =
        schema.tables.iter().any(|known| known.name == change.table && known.kind == TableKind::Partitioned);
    let made = after.map(|text| match text {
        text if text.ends_with(NOT_VALID) || text.ends_with(" NOT ENFORCED") || is_partitioned => vec![add(text, "")],
        text => vec![add(text, NOT_VALID), validate],
    });
    drop.into_iter().chain(made.into_iter().flatten()).collect()
}

/// Returns a foreign key in the form of `definitions.sql`.
fn clause(schema: &Schema, request: &EnforceRequest<'_>) -> String {
    let relation: &Relation = request.relation;
    let mut clause = format!(
        "FOREIGN KEY ({}) REFERENCES {}({})",
        quoted_all(schema.child_column_names(relation)),
        name_of(&relation.parent.name),
        quoted_all(schema.parent_columns(relation).map(|column| column.name.as_str()))
    );
    if relation.match_rule == Match::Full {
        clause.push_str(" MATCH FULL");
    }
    clause.push_str(&request.actions(&[Action::NoAction]));
    clause
}

fn quoted_all<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(quoted).collect::<Vec<_>>().join(", ")
}

fn schema_of(table: &TableName) -> &str {
    table.schema.as_deref().unwrap_or("public")
}

fn name_of(table: &TableName) -> String {
    format!("{}.{}", quoted(schema_of(table)), quoted(&table.table))
}
