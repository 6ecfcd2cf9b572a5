//! Triggers that create placeholder parents: the columns of the new parent, and the value of each column.

use std::borrow::Cow;

use super::DecisionInput;
use crate::model::catalog::Column;
use crate::model::catalog::TableKind;
use crate::model::ids::TableId;
use crate::model::redefinition::Definition;
use crate::model::redefinition::DefinitionKind;
use crate::model::redefinition::Redefinition;
use crate::model::relation::Relation;
use crate::model::rule::Expression;
use crate::model::rule::Placeholder;
use crate::model::rule::PlaceholderKey;
use crate::model::rule::Rule;
use crate::model::rule::Treatment;
use crate::model::rule::TreatmentKind;
use crate::sql::redefine::ParentValue;
use crate::sql::redefine::PreventRequest;
use crate::sql::redefine::trigger_names;
use crate::treat::neutral_values::Neutral;
use crate::treat::neutral_values::neutral_kind;
use crate::treat::references::is_judged;

/// Returns warnings about placeholders for the developers of the application.
pub(super) fn warnings(relation: &Relation, rule: &Rule) -> Vec<String> {
    let parent = &relation.parent.name;
    let update = "the application must then update it (INSERT … ON CONFLICT … DO UPDATE)";
    let record = placeholder_of(rule).and_then(|placeholder| placeholder.record.as_ref());
    let unlisted = record.map(|record| format!("{record} does not list placeholders that a trigger creates"));
    std::iter::once(format!("{parent} may hold a placeholder when the application inserts the real row: {update}"))
        .chain(unlisted)
        .collect()
}

impl DecisionInput<'_> {
    /// Returns the changes that create the triggers, and a warning if the triggers need a newer version of the engine.
    pub(super) fn prevented(
        &self,
        relation: &Relation,
        rule: &Rule,
        definitions: &[Definition],
    ) -> Result<(Vec<Redefinition>, Option<String>), String> {
        let sql = self.sql()?;
        let placeholder = placeholder_of(rule)
            .ok_or("the rule has no `placeholder` treatment, which gives the values of a new parent")?;
        if placeholder.key == PlaceholderKey::New {
            return Err("`key = \"new\"` gives the child row another key, and a trigger cannot do that".to_owned());
        }
        if !relation.scope.is_everything() {
            return Err("the configuration restricts it to some rows, and a trigger acts on every row".to_owned());
        }
        let parent = self.parent_of(relation)?;
        let request = PreventRequest {
            relation,
            via: placeholder.via.as_ref().map(|via| &via.value),
            values: self.values(relation, parent, placeholder)?,
            rule: &rule.id.value,
        };
        Ok((sql.prevent(self.schema, &request, definitions)?, sql.required_version(&request)))
    }

    fn parent_of(&self, relation: &Relation) -> Result<TableId, String> {
        let is_table = |&table: &TableId| self.schema.tables[table].kind == TableKind::Table;
        let parent = relation.parent.table.filter(is_table).filter(|_| !relation.parent.columns.is_empty());
        parent.ok_or_else(|| "there is no parent table in which a row could be created".to_owned())
    }

    /// Returns the columns of a placeholder that need a value. Each value is the key, an expression of the rule, or a neutral
    /// value.
    fn values<'w>(
        &'w self,
        relation: &Relation,
        parent: TableId,
        placeholder: &'w Placeholder,
    ) -> Result<Vec<(&'w Column, ParentValue<'w>)>, String> {
        let table = &self.schema.tables[parent];
        let has_default =
            |name: &str| self.defaults.get(&parent).is_some_and(|names| names.iter().any(|own| own == name));
        let own: Vec<&Relation> = self
            .schema
            .relations
            .iter()
            .filter(|other| other.child == parent && is_judged(other) && other.id != relation.id)
            .collect();
        let mut values = Vec::new();
        for (position, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.generated) {
            if let Some(part) = relation.parent.columns.iter().position(|&key| key == position) {
                values.push((column, ParentValue::Key(part)));
                continue;
            }
            let given = placeholder.values.iter().find(|(name, _)| self.schema.names.same(&name.value, &column.name));
            if let Some((_, expression)) = given {
                values.push((column, ParentValue::Expression(Cow::Borrowed(&expression.value))));
                continue;
            }
            let numbers_itself = table.address_column == Some(position);
            if !column.not_null || has_default(&column.name) || numbers_itself {
                continue;
            }
            if let Some(required) = own.iter().find(|other| other.child_columns.contains(&position)) {
                return Err(format!(
                    "the placeholder needs a parent itself ({}): give {} in `values`",
                    required.id, column.name
                ));
            }
            let is_unique = table
                .indexes
                .iter()
                .any(|index| index.unique && index.columns.iter().any(|part| part.column == Some(position)));
            values.push((
                column,
                match neutral_kind(column, is_unique) {
                    Neutral::Plain(value) => ParentValue::Expression(Cow::Owned(Expression::Literal(value))),
                    Neutral::Derived => ParentValue::Derived,
                    Neutral::Key => ParentValue::Key(0),
                },
            ));
        }
        Ok(values)
    }

    /// Returns the changes that drop the triggers of an earlier repair.
    pub(super) fn unprevented(&self, relation: &Relation, rule: &Rule) -> Vec<Redefinition> {
        let names = trigger_names(self.schema, relation);
        let table = &self.schema.child(relation).name;
        let own = self
            .definitions
            .iter()
            .filter(|known| known.kind == "trigger" && known.table == table.to_string() && names.contains(&known.name));
        own.map(|Definition { name, text, .. }| Redefinition {
            before: Some(text.clone()),
            ..Redefinition::new(DefinitionKind::Trigger, name, table, &rule.id.value, TreatmentKind::Prevent.name())
        })
        .collect()
    }
}

fn placeholder_of(rule: &Rule) -> Option<&Placeholder> {
    rule.treatments.iter().find_map(|treatment| match &treatment.value {
        Treatment::Placeholder(placeholder) => Some(placeholder),
        _ => None,
    })
}
