//! Definitions that these servers hide from a user who may only read: the actions of foreign keys, and triggers. A plan is
//! held against definitions, and who makes it need not be who applies it.

use super::siblings::Sibling;
use crate::model::catalog::Engine;
use crate::model::redefinition::Definition;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::sql::in_backticks;
use crate::model::sql::table_for;

/// What `definitions.sql` gives for the text of a trigger that the user may not see.
const HIDDEN: &str = "(hidden)";

/// Adds the foreign keys that are hidden, as `definitions.sql` spells them: the schema knows them all. Returns true if the
/// user does not see all definitions.
pub(super) fn complete(of: Sibling, schema: &Schema, definitions: &mut Vec<Definition>) -> bool {
    let mut missing = Vec::new();
    let declared = schema.relations.iter().filter(|relation| relation.origin == Origin::Declared);
    for relation in declared.filter(|relation| schema.child(relation).name.schema.is_none()) {
        let Some(name) = &relation.name else { continue };
        let child = &schema.child(relation).name.table;
        let is_it = |[kind, known, table, _]: &Definition| kind == "constraint" && known == name && table == child;
        if !definitions.iter().any(is_it) {
            let text = constraint(of, schema, relation, definitions);
            missing.push(["constraint".to_owned(), name.clone(), child.clone(), text]);
        }
    }
    let hides_text = |[kind, _, _, text]: &Definition| kind == "trigger" && text.ends_with(HIDDEN);
    let is_hidden = !missing.is_empty() || definitions.iter().any(hides_text);
    if !missing.is_empty() {
        definitions.extend(missing);
        // The order of the server's answer.
        definitions.sort();
    }
    is_hidden
}

fn constraint(of: Sibling, schema: &Schema, relation: &Relation, definitions: &[Definition]) -> String {
    let list = |names: &mut dyn Iterator<Item = &str>| names.map(in_backticks).collect::<Vec<_>>().join(", ");
    let child = &schema.child(relation).name.table;
    let columns = format!("({})", list(&mut schema.child_column_names(relation)));
    let parent = table_for(Engine::Mariadb, &relation.parent.name);
    let parent_columns = list(&mut relation.parent.column_names.iter().map(String::as_str));
    let rules = [("UPDATE", relation.on_update), ("DELETE", relation.on_delete)];
    let rules = rules.into_iter().filter(|(_, action)| *action != of.default_action());
    let rules: String = rules.map(|(event, action)| format!(" ON {event} {}", action.name())).collect();
    let wanted = format!("INDEX {columns}");
    let indexes =
        definitions.iter().filter(|[kind, _, table, text]| kind == "index" && table == child && *text == wanted);
    let index = indexes.map(|[_, name, ..]| name).min();
    let index = index.map(|name| format!("\nINDEX {name}")).unwrap_or_default();
    format!("FOREIGN KEY {columns} REFERENCES {parent}({parent_columns}){rules}{index}")
}
