//! What is typed instead of written into a rule: `--relax`, `--enforce`, `--prevent` and `--no-prevent` as the rules and
//! relations that they are short for.

use std::path::PathBuf;

use crate::cli::repair::Repair;
use crate::config::rules::spelled;
use crate::config::side;
use crate::model::configured::ConfiguredRelation;
use crate::model::configured::SideName;
use crate::model::configured::Spanned;
use crate::model::rule::Prevention;
use crate::model::rule::Rules;
use crate::model::rule::Treatment;
use crate::run::RunError;

/// The rules, each as a text and the option that it stands for.
pub(super) fn rules(typed: &Repair) -> Result<Vec<(PathBuf, String)>, RunError> {
    let mut rules = Vec::new();
    for (number, child) in typed.relax.iter().enumerate() {
        let treat = format!("action = \"relax\"\nnullable = {}\n", typed.nullable);
        rules.push(rule("relax", number, &[("child", child)], &treat));
    }
    for (number, relation) in typed.enforce.iter().enumerate() {
        let (child, parent) = sides(relation)?;
        let mut treat = "action = \"enforce\"\n".to_owned();
        for (key, action) in [("on-delete", typed.on_delete), ("on-update", typed.on_update)] {
            treat.extend(action.map(|action| format!("{key} = \"{}\"\n", spelled(action))));
        }
        rules.push(rule("enforce", number, &[("child", child), ("parent", parent)], &treat));
    }
    for (number, child) in typed.no_prevent.iter().enumerate() {
        rules.push(rule("no-prevent", number, &[("child", child)], "action = \"prevent\"\nremove = true\n"));
    }
    Ok(rules)
}

fn rule(option: &str, number: usize, sides: &[(&str, &str)], treat: &str) -> (PathBuf, String) {
    let id = if number == 0 { option.to_owned() } else { format!("{option}-{}", number + 1) };
    // What JSON writes as a string is a string of TOML, too.
    let sides: Vec<String> =
        sides.iter().map(|(side, text)| format!("relation.{side} = {}\n", serde_json::Value::from(*text))).collect();
    (PathBuf::from(format!("--{option}")), format!("id = \"{id}\"\n{}[[treat]]\n{treat}", sides.concat()))
}

/// What is to be enforced need not be configured: each relation, and the text that it was typed as.
pub(super) fn relations(typed: &Repair) -> Result<Vec<(String, ConfiguredRelation)>, RunError> {
    let relation = |text: &String| {
        let (child, parent) = sides(text)?;
        let side = |part: &str| -> Result<Spanned<SideName>, RunError> {
            let start = text.find(part).unwrap_or_default();
            let value = side::parse(part).map_err(|why| not_a_relation(text, why))?;
            Ok(Spanned { value, span: start..start + part.len() })
        };
        let (child, parent) = (side(child)?, side(parent)?);
        let relation = ConfiguredRelation { child, parent, condition: None, ignored: Vec::new(), soft_deleted: None };
        Ok((text.clone(), relation))
    };
    typed.enforce.iter().map(relation).collect()
}

fn sides(text: &str) -> Result<(&str, &str), RunError> {
    let parts = text.split_once("->").map(|(child, parent)| (child.trim(), parent.trim()));
    parts.ok_or_else(|| not_a_relation(text, "it names no parent".to_owned()))
}

fn not_a_relation(text: &str, why: String) -> RunError {
    RunError::Input {
        what: format!("the relation {text}"),
        why,
        help: "write --enforce 'child(column) -> parent(column)'".to_owned(),
    }
}

/// `--prevent`: every rule that makes placeholders also prevents.
pub(super) fn prevent(rules: &mut Rules) -> Result<(), RunError> {
    let mut none = true;
    for rule in rules {
        let placeholder = rule.treatments.iter().find(|at| matches!(at.value, Treatment::Placeholder(_)));
        let Some(span) = placeholder.map(|at| at.span.clone()) else { continue };
        none = false;
        if rule.prevents().is_none() {
            rule.treatments.push(Spanned { value: Treatment::Prevent(Prevention { remove: false }), span });
        }
    }
    if !none {
        return Ok(());
    }
    Err(RunError::Input {
        what: "what --prevent is to make".to_owned(),
        why: "none of the rules has a `placeholder`, which says what a parent holds".to_owned(),
        help: "name a rule that has one with --rules, such as media-sources".to_owned(),
    })
}
