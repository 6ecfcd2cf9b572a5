//! The changes of definitions on MySQL and MariaDB. These servers commit each such statement at once and cannot roll it
//! back. A run that is resumed reads from the definitions how far the interrupted run came.
//!
//! The server does not check the rows when `undo` restores a foreign key, because there may have been orphans before.
//! It does check them when `enforce` declares one.

use super::prevent;
use super::variant::Variant;
use crate::model::catalog::Engine;
use crate::model::catalog::Table;
use crate::model::catalog::TableName;
use crate::model::redefinition::Definition;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::schema::Schema;
use crate::sql::grammar::mysql::Mysql;
use crate::sql::in_backticks;
use crate::sql::query::Sql;
use crate::sql::query::plain;
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
use crate::sql::table_for;

const RELAX: &str = "relax";

impl Redefine for Mysql {
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
        for request in requests {
            let name = request.relation.name.as_deref().unwrap_or_default();
            let before = text_of(definitions, "constraint", name, &of);
            changes.push(Redefinition {
                before: Some(before.ok_or_else(|| format!("it has no constraint {name}"))?.to_owned()),
                dropped: vec![request.relation.id.clone()],
                ..Redefinition::new(DefinitionKind::Constraint, name, &table.name, request.rule, RELAX)
            });
        }
        for NullableColumn { column, rule } in nullable_columns {
            let column = &table.columns[*column];
            let Some(before) = text_of(definitions, "column", &column.name, &of) else { continue };
            if !before.starts_with("NOT NULL\n") {
                continue;
            }
            if text_of(definitions, "check", &column.name, &of).is_some() {
                return Err(format!("column {} has a CHECK of its own, which MODIFY would remove", column.name));
            }
            changes.push(Redefinition {
                after: Some(nullable(before).ok_or_else(|| {
                    format!(
                        "{} is more than a plain column: it is generated, is auto-increment or has a binary default",
                        column.name
                    )
                })?),
                before: Some(before.to_owned()),
                nullable: vec![column.name.clone()],
                ..Redefinition::new(DefinitionKind::Column, &column.name, &table.name, rule, RELAX)
            });
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
        let columns: Vec<&str> = schema.child_column_names(relation).collect();
        let named = format!("{}_{}", table.name.table, columns.join("_"));
        let mut changes = Vec::new();
        if request.needs_index {
            let name = free_name(&bounded(&named, ""), definitions);
            changes.push(Redefinition {
                after: Some(format!("INDEX ({})", quoted_all(columns.iter().copied()))),
                ..Redefinition::new(DefinitionKind::Index, &name, &table.name, request.rule, "enforce")
            });
        }
        let mut clause = format!(
            "FOREIGN KEY ({}) REFERENCES {}({})",
            quoted_all(columns.iter().copied()),
            table_for(Engine::Mariadb, &relation.parent.name),
            quoted_all(schema.parent_columns(relation).map(|column| column.name.as_str()))
        );
        clause.push_str(&request.actions(self.variant.default_actions()));
        let of = table.name.to_string();
        let wanted = format!("INDEX ({})", quoted_all(columns.iter().copied()));
        let existing =
            definitions.iter().filter(|known| known.kind == "index" && known.table == of && known.text == wanted);
        let created = changes.iter().map(|index| &index.name);
        if let Some(index) = existing.map(|index| &index.name).chain(created).min() {
            clause.push_str(&format!("\nINDEX {index}"));
        }
        let name = free_name(&bounded(&named, "_fkey"), definitions);
        changes.push(Redefinition {
            after: Some(clause),
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

    fn steps(&self, _: &Schema, change: &Redefinition) -> Vec<Step> {
        statements(self.variant, change).into_iter().map(|text| Step::Statement(plain(text))).collect()
    }

    fn rows_with_null(&self, table: &TableName, column: &str) -> Sql {
        plain(format!(
            "SELECT 1 FROM {} AS t WHERE t.{} IS NULL LIMIT 1",
            table_for(Engine::Mariadb, table),
            in_backticks(column)
        ))
    }

    fn script(&self, _: &Schema, change: &Redefinition, _: &[Definition]) -> Result<String, String> {
        let statements = statements(self.variant, change);
        let script: String = match change.kind {
            // The body of a trigger contains semicolons.
            DefinitionKind::Trigger => {
                let all: String = statements.iter().map(|text| format!("{text}\n$$\n")).collect();
                format!("DELIMITER $$\n{all}DELIMITER ;\n")
            }
            _ => statements.iter().map(|text| format!("{text};\n")).collect(),
        };
        readable(script, change)
    }
}

fn statements(variant: Variant, change: &Redefinition) -> Vec<String> {
    let (table, name) = (table_for(Engine::Mariadb, &change.table), in_backticks(&change.name));
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    match change.kind {
        DefinitionKind::Constraint => {
            let drop = before.map(|_| format!("ALTER TABLE {table} DROP FOREIGN KEY {name}"));
            let key = after.map(|text| text.split_once("\nINDEX ").unwrap_or((text, "")));
            let add = key.map(|(text, _)| {
                let add = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {text}");
                variant.with_checks(change.treatment != RELAX, &add)
            });
            // If the server created the index by itself, it creates it again, under the name of the foreign key.
            let index = key.map(|(_, index)| index).filter(|index| !index.is_empty());
            let rename = index.filter(|index| *index != change.name);
            let rename = rename.map(|index| variant.rename_index(&change.table, &change.name, index));
            drop.into_iter().chain(add).chain(rename).collect()
        }
        DefinitionKind::Column => after
            .and_then(column)
            .map(|text| variant.with_checks(false, &format!("ALTER TABLE {table} MODIFY {name} {text}")))
            .into_iter()
            .collect(),
        DefinitionKind::Index => {
            let drop = before.map(|_| format!("DROP INDEX {name} ON {table}"));
            let columns = after.and_then(|text| text.strip_prefix("INDEX "));
            drop.into_iter().chain(columns.map(|columns| format!("CREATE INDEX {name} ON {table} {columns}"))).collect()
        }
        DefinitionKind::Trigger => prevent::statements(change, &table, &name),
        DefinitionKind::Table | DefinitionKind::Comment => Vec::new(),
    }
}

/// Returns the parts of a column's text in the form of `definitions.sql`: nullability, type, default, extra and
/// comment, such as `["NOT NULL", "int", "", "", ""]`. `None` if the column is not a plain one.
fn parts(text: &str) -> Option<[&str; 5]> {
    let parts: Vec<&str> = text.splitn(6, '\n').collect();
    let [null, kind, default, extra, comment, rest] = parts[..] else { return None };
    // A generated or auto-increment column, or one with a binary default, cannot be written again from its text.
    let is_plain = rest.starts_with('\n') && (extra.is_empty() || extra.starts_with("on update"));
    is_plain.then_some([null, kind, default, extra, comment])
}

/// Returns a column's text without NOT NULL. A column without a default gets DEFAULT NULL.
fn nullable(text: &str) -> Option<String> {
    let [_, kind, default, extra, comment] = parts(text)?;
    let default = if default.is_empty() { "DEFAULT NULL" } else { default };
    let rest = text.splitn(6, '\n').nth(5)?;
    Some(["NULL", kind, default, extra, comment, rest].join("\n"))
}

/// Returns a column's text in the form of a MODIFY clause.
fn column(text: &str) -> Option<String> {
    let [null, kind, default, extra, comment] = parts(text)?;
    let parts = [kind, null, default, extra, comment].into_iter().filter(|part| !part.is_empty());
    Some(parts.collect::<Vec<_>>().join(" "))
}

fn quoted_all<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(in_backticks).collect::<Vec<_>>().join(", ")
}
