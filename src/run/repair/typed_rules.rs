//! Makes rules from the options `--relax`, `--enforce`, `--prevent` and `--no-prevent`. Their faults point into the text of
//! the option.

use std::ops::Range;

use crate::cli::repair::RepairArgs;
use crate::config::fault::quoted;
use crate::config::rules::side_pattern;
use crate::config::rules::spelled;
use crate::config::side;
use crate::model::catalog::Action;
use crate::model::configured::ConfiguredRelation;
use crate::model::configured::Fault;
use crate::model::configured::SideName;
use crate::model::configured::Spanned;
use crate::model::pattern::Pattern;
use crate::model::rule::Enforcement;
use crate::model::rule::Nullable;
use crate::model::rule::Prevention;
use crate::model::rule::Rule;
use crate::model::rule::Rules;
use crate::model::rule::Treatment;
use crate::run::RunError;
use crate::run::rule_files::TypedRule;

/// Returns one rule for each `--relax`, `--enforce` and `--no-prevent`.
pub(super) fn rules(typed: &RepairArgs) -> Result<Vec<TypedRule>, RunError> {
    let mut rules = Vec::new();
    for (number, child) in typed.relax.iter().enumerate() {
        let nullable = if typed.nullable { Nullable::Key } else { Nullable::AsBefore };
        let flags = if typed.nullable { " --nullable" } else { "" };
        let option = OptionText { name: "relax", number, text: child, child: 0..child.len(), parent: None };
        rules.push(option.rule(Treatment::Relax(nullable), flags));
    }
    for (number, relation) in typed.enforce.iter().enumerate() {
        let (child, parent) = sides(relation)?;
        let action = |typed: Option<Action>| typed.unwrap_or(Action::NoAction);
        let (on_delete, on_update) = (action(typed.on_delete), action(typed.on_update));
        let flags = format!(" --on-delete {} --on-update {}", spelled(on_delete), spelled(on_update));
        let option = OptionText { name: "enforce", number, text: relation, child, parent: Some(parent) };
        rules.push(option.rule(Treatment::Enforce(Enforcement { on_delete, on_update, index: true }), &flags));
    }
    for (number, child) in typed.no_prevent.iter().enumerate() {
        let option = OptionText { name: "no-prevent", number, text: child, child: 0..child.len(), parent: None };
        rules.push(option.rule(Treatment::Prevent(Prevention { remove: true }), ""));
    }
    Ok(rules)
}

/// One occurrence of an option, and the spans of its sides.
struct OptionText<'a> {
    name: &'static str,
    /// The position among the occurrences of this option.
    number: usize,
    text: &'a str,
    child: Range<usize>,
    parent: Option<Range<usize>>,
}

impl OptionText<'_> {
    /// `flags` are the other options that the treatment depends on.
    fn rule(&self, treatment: Treatment, flags: &str) -> TypedRule {
        let OptionText { name, number, text, .. } = *self;
        let id = if number == 0 { name.to_owned() } else { format!("{name}-{}", number + 1) };
        let whole = 0..text.len();
        let child = self.side("child", &self.child);
        let parent = self.parent.as_ref().map(|parent| self.side("parent", parent)).transpose();
        let rule = match (child, parent) {
            (Ok(child), Ok(parent)) => Ok(Rule {
                id: Spanned { value: id, span: whole.clone() },
                explain: None,
                child,
                parent,
                limits: None,
                even_if_parent_lost: false,
                treatments: vec![Spanned { value: treatment, span: whole }],
            }),
            (child, parent) => Err(child.err().into_iter().chain(parent.err()).collect()),
        };
        let option = format!("--{name}");
        TypedRule { command: format!("{option} {text}{flags}"), option, text: text.to_owned(), rule }
    }

    fn side(&self, key: &str, span: &Range<usize>) -> Result<Spanned<Pattern>, Fault> {
        let text = &self.text[span.clone()];
        match side_pattern(text) {
            Ok(value) => Ok(Spanned { value, span: span.clone() }),
            Err(why) => {
                let message = format!("`{key}`: {} is not valid: {why}", quoted(text));
                Err(Fault { span: span.clone(), message, help: None })
            }
        }
    }
}

/// Returns each relation of `--enforce`, with the text that was typed: it need not be configured.
pub(super) fn relations(typed: &RepairArgs) -> Result<Vec<(String, ConfiguredRelation)>, RunError> {
    let relation = |text: &String| {
        let (child, parent) = sides(text)?;
        let side = |span: Range<usize>| -> Result<Spanned<SideName>, RunError> {
            let value = side::parse(&text[span.clone()]).map_err(|why| not_a_relation(text, why))?;
            Ok(Spanned { value, span })
        };
        let (child, parent) = (side(child)?, side(parent)?);
        let relation = ConfiguredRelation {
            child,
            parent,
            condition: None,
            ignored: Vec::new(),
            soft_deleted: None,
            parent_may_be_missing: false,
        };
        Ok((text.clone(), relation))
    };
    typed.enforce.iter().map(relation).collect()
}

/// Returns the spans of child and parent in `child(columns) -> parent(columns)`.
fn sides(text: &str) -> Result<(Range<usize>, Range<usize>), RunError> {
    let arrow = text.find("->").ok_or_else(|| not_a_relation(text, "it names no parent".to_owned()))?;
    Ok((trimmed(text, 0..arrow), trimmed(text, arrow + "->".len()..text.len())))
}

fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let part = &text[span.clone()];
    let start = span.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

fn not_a_relation(text: &str, why: String) -> RunError {
    RunError::Input {
        what: format!("the relation {text}"),
        why,
        help: "write --enforce 'child(column) -> parent(column)'".to_owned(),
    }
}

/// Adds the treatment of `--prevent` to every rule that has a `placeholder` treatment.
pub(super) fn prevent(rules: &mut Rules) -> Result<(), RunError> {
    let mut is_applied = false;
    for rule in rules {
        let placeholder = rule.treatments.iter().find(|at| matches!(at.value, Treatment::Placeholder(_)));
        let Some(span) = placeholder.map(|at| at.span.clone()) else { continue };
        is_applied = true;
        if rule.prevents().is_none() {
            rule.treatments.push(Spanned { value: Treatment::Prevent(Prevention { remove: false }), span });
        }
    }
    if is_applied {
        return Ok(());
    }
    Err(RunError::Input {
        what: "--prevent".to_owned(),
        why: "none of the rules has a `placeholder` treatment, which defines the values of a new parent".to_owned(),
        help: "name a rule that has one with --rules, such as media-sources".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;
    use crate::cli::Command;

    fn typed(options: &[&str]) -> RepairArgs {
        let cli = Cli::parse_from([&["fk-doctor", "repair", "app.db"], options].concat());
        let Command::Repair(repair) = cli.command else { panic!("no repair") };
        repair
    }

    #[test]
    fn fault_points_into_the_option() {
        let rules = rules(&typed(&["--enforce", "pp(id)  ->  p(id"])).unwrap();
        let faults = rules[0].rule.as_ref().unwrap_err();
        assert_eq!((faults.len(), &rules[0].text[faults[0].span.clone()]), (1, "p(id"));
        assert_eq!(faults[0].message, "`parent`: `p(id` is not valid: `p(id` is not of the form `table(column, …)`");
    }

    #[test]
    fn side_spans_point_into_the_option() {
        let relations = relations(&typed(&["--enforce", "pp(id) -> p(id)"])).unwrap();
        let (text, relation) = &relations[0];
        assert_eq!(relation.parent.span, 10..15);
        assert_eq!((&text[relation.child.span.clone()], &text[relation.parent.span.clone()]), ("pp(id)", "p(id)"));
    }

    #[test]
    fn digest_text_holds_everything_that_the_rule_depends_on() {
        let command = |options: &[&str]| rules(&typed(options)).unwrap()[0].command.clone();
        assert_eq!(command(&["--relax", "c(*)", "--nullable"]), "--relax c(*) --nullable");
        assert_ne!(
            command(&["--enforce", "c(x)->p(id)"]),
            command(&["--enforce", "c(x)->p(id)", "--on-delete", "cascade"])
        );
    }
}
