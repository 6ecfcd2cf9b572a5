//! Defects of declared keys that the engine does not enforce, each with the statement that repairs it.

use crate::model::catalog::Engine;
use crate::model::catalog::Flaw;
use crate::model::catalog::ForeignKey;
use crate::model::catalog::Table;
use crate::model::catalog::Tables;
use crate::model::finding::Code;
use crate::model::relation::Defect;

/// Adds a defect for each flaw of a declared key.
pub(super) fn name(engine: Engine, tables: &Tables, key: &ForeignKey, defects: &mut Vec<Defect>) {
    if key.flaws.is_empty() {
        return;
    }
    let child = engine.facts().quoted_table(&tables[key.child].name);
    let constraint = engine.facts().quoted(key.name.as_deref().unwrap_or_default());
    defects.extend(key.flaws.iter().map(|flaw| match flaw {
        Flaw::NotValidated => Defect {
            code: Code::NotValidated,
            message: "declared NOT VALID: the server has never checked the rows that are older than the key".to_owned(),
            help: format!("once no orphan is left: ALTER TABLE {child} VALIDATE CONSTRAINT {constraint}"),
        },
        Flaw::NotEnforced => Defect {
            code: Code::NotEnforced,
            message: "declared NOT ENFORCED: the server checks no write against it".to_owned(),
            help: format!("once no orphan is left: ALTER TABLE {child} ALTER CONSTRAINT {constraint} ENFORCED"),
        },
        Flaw::TriggersDisabled(on) => Defect {
            code: Code::TriggersDisabled,
            message: format!("the triggers that enforce it are disabled on {}", on.join(", ")),
            help: format!("as a superuser, on each of them: ALTER TABLE {} ENABLE TRIGGER ALL; then scan again", on[0]),
        },
    }));
}

/// Adds a defect if the engine keeps no foreign keys on the table, so that a configured relation cannot be declared.
pub(super) fn not_enforceable(table: &Table, defects: &mut Vec<Defect>) {
    if let Some(why) = &table.without_foreign_keys {
        defects.push(Defect {
            code: Code::NotEnforced,
            message: format!("{} {why}, so the server can enforce no foreign key on it", table.name),
            help: "to declare the key, convert the table to InnoDB without partitions; until then, scan it regularly"
                .to_owned(),
        });
    }
}
