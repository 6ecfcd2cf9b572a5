//! The definitions that these servers hide from a user who may only read: the actions of foreign keys, and triggers.
//!
//! `apply` compares the definitions with those of the plan, and another user may have made the plan. So hidden texts
//! are restored from the schema.

use super::variant::Variant;
use crate::model::catalog::Engine;
use crate::model::redefinition::Definition;
use crate::model::relation::Origin;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::sql::in_backticks;
use crate::sql::table_for;

/// The text that `definitions.sql` returns for a definition that is hidden from the user.
const HIDDEN: &str = "(hidden)";

/// The account of this user as the server lists its privileges, such as `'app'@'%'`.
const ACCOUNT: &str = "SELECT concat('\\'', left(name, char_length(name) - char_length(substring_index(name, '@', -1)) - 1), '\\'@\\'', \
     substring_index(name, '@', -1), '\\'') FROM (SELECT current_user() AS name) AS names";

/// Returns the query that gives a row if this user may not see the triggers of some table. MySQL does not list a user's privileges by
/// roles, so they count as the privilege.
pub(in crate::sql) fn triggers_of_some_table() -> String {
    format!(
        "SELECT 1 FROM dual WHERE current_role() = 'NONE' AND EXISTS (SELECT 1 FROM information_schema.tables AS t \
         WHERE t.table_schema = database() AND t.table_type = 'BASE TABLE' AND NOT ({}))",
        may_see_triggers("t.table_name")
    )
}

/// MySQL lists that this user may see the triggers of a table. `table` is an expression for its name.
pub(in crate::sql) fn may_see_triggers(table: &str) -> String {
    let granted = |list: &str, of_table: &str| {
        format!(
            "EXISTS (SELECT 1 FROM information_schema.{list} AS granted WHERE granted.grantee = ({ACCOUNT}) \
             AND granted.privilege_type = 'TRIGGER'{of_table})"
        )
    };
    [
        granted("user_privileges", ""),
        granted("schema_privileges", " AND database() LIKE granted.table_schema"),
        granted(
            "table_privileges",
            &format!(" AND granted.table_schema = database() AND granted.table_name = {table}"),
        ),
    ]
    .join(" OR ")
}

/// Fills in the hidden texts of foreign keys from the schema, in the form of `definitions.sql`. Returns true if some
/// definitions are hidden from the user.
pub(in crate::sql) fn fill_hidden_texts(variant: Variant, schema: &Schema, definitions: &mut [Definition]) -> bool {
    let is_hidden = |definition: &Definition| {
        let Definition { kind, text, .. } = definition;
        text == HIDDEN && kind == "constraint" || text.ends_with(HIDDEN) && kind == "trigger"
    };
    let are_some_hidden = definitions.iter().any(is_hidden);
    for index in 0..definitions.len() {
        let Definition { kind, name, table, text } = &definitions[index];
        if kind != "constraint" || text != HIDDEN {
            continue;
        }
        let is_same = |relation: &&Relation| {
            let child = &schema.child(relation).name;
            relation.origin == Origin::Declared
                && relation.name.as_ref() == Some(name)
                && child.schema.is_none()
                && child.table == *table
        };
        if let Some(relation) = schema.relations.iter().find(is_same) {
            definitions[index].text = constraint(variant, schema, relation, definitions);
        }
    }
    are_some_hidden
}

/// Returns the text of a foreign key in the form of `definitions.sql`.
fn constraint(variant: Variant, schema: &Schema, relation: &Relation, definitions: &[Definition]) -> String {
    let list = |names: &mut dyn Iterator<Item = &str>| names.map(in_backticks).collect::<Vec<_>>().join(", ");
    let child = &schema.child(relation).name.table;
    let columns = format!("({})", list(&mut schema.child_column_names(relation)));
    let parent = table_for(Engine::Mariadb, &relation.parent.name);
    let parent_columns = list(&mut relation.parent.column_names.iter().map(String::as_str));
    let rules = [("UPDATE", relation.on_update), ("DELETE", relation.on_delete)];
    let rules = rules.into_iter().filter(|(_, action)| *action != variant.listed_default_action());
    let rules: String = rules.map(|(event, action)| format!(" ON {event} {}", action.name())).collect();
    let wanted = format!("INDEX {columns}");
    let indexes =
        definitions.iter().filter(|known| known.kind == "index" && known.table == *child && known.text == wanted);
    let index = indexes.map(|index| &index.name).min();
    let index = index.map(|name| format!("\nINDEX {name}")).unwrap_or_default();
    format!("FOREIGN KEY {columns} REFERENCES {parent}({parent_columns}){rules}{index}")
}
