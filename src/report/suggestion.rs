//! Drafts rules from a scan and its diagnosis, as a file to edit. The active treatments delete nothing and change only
//! keys that have exactly one right value. All other treatments are commented out, so that a person chooses.

use std::collections::BTreeSet;

use crate::model::catalog::Action;
use crate::model::examination::Examination;
use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::schema::side;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::model::text::visible;

pub(super) fn render(examination: &Examination, database: &str) -> String {
    let schema = &examination.schema;
    let mut text = String::new();
    let mut ids = BTreeSet::new();
    line(
        &mut text,
        &format!(
            "fk-doctor drafted these rules from a scan of {}. Choose the treatments, then see what they would change:",
            schema.database.name
        ),
    );
    line(&mut text, &format!("fk-doctor repair {} --rules THIS-FILE", shell(database)));
    let orphans: Vec<&Finding> = examination.findings.iter().filter(|finding| finding.code == Code::Orphan).collect();
    if orphans.is_empty() {
        line(&mut text, "There are no orphans, so there is nothing to treat.");
    }
    for finding in orphans {
        let Some(relation) = schema.relations.get(finding.relation) else { continue };
        text.push('\n');
        draft(&mut text, schema, relation, finding, &mut ids);
    }
    text
}

fn draft(text: &mut String, schema: &Schema, relation: &Relation, finding: &Finding, ids: &mut BTreeSet<String>) {
    line(text, &format!("{}: {}.", relation.id, finding.message));
    for diagnosis in &finding.diagnosis {
        line(text, &format!("{} ({})", diagnosis.sentence(), plural(diagnosis.rows, "row")));
    }
    let child = side(&schema.child(relation).name, schema.child_column_names(relation));
    let parent = side(&relation.parent.name, relation.parent.column_names.iter().map(String::as_str));
    let (Some(child), Some(parent)) = (pattern(&child), pattern(&parent)) else {
        line(text, "The names of this relation cannot be written in a rule.");
        return;
    };
    text.push_str(&format!("[[rule]]\nid = {}\n", string(&fresh_id(schema, relation, ids))));
    text.push_str(&format!("relation = {{ child = {child}, parent = {parent} }}\n"));
    let causes: Vec<Cause> = finding.diagnosis.iter().map(|diagnosis| diagnosis.cause).collect();
    let has = |cause: Cause| causes.contains(&cause);
    let forms = normal_forms(&causes);
    if !forms.is_empty() && relation.child_columns.len() == 1 {
        text.push_str(&format!(
            "[[rule.treat]] # only if exactly one parent is then equal\naction = \"remap\"\nnormalize = [{}]\n",
            forms.join(", ")
        ));
    }
    if has(Cause::WrongTable) {
        choice(
            text,
            "the keys belong to another table: name it, and the query that finds the right parent",
            &[
                "action = \"remap\"",
                "via = \"that_table(id)\"",
                "to = \"SELECT … FROM … WHERE … = via.…\"",
                "record = \"kept_keys\" # both keys of every row",
            ],
        );
    }
    let lost = has(Cause::ParentLoss) || has(Cause::ParentTableEmpty) || has(Cause::NotLoadedYet);
    if lost {
        line(
            text,
            "The parent table seems to be incomplete. Restore or load it before you delete rows or set keys to NULL.",
        );
    }
    if relation.parent.table.is_some() {
        choice(
            text,
            "create the missing parents",
            &["action = \"placeholder\"", "record = \"fk_doctor_placeholders\""],
        );
    }
    if !lost {
        let nullable = schema.child_columns(relation).any(|column| !column.not_null);
        if nullable {
            choice(text, "set the key to NULL", &["action = \"set-null\""]);
        }
        if matches!(relation.on_delete, Action::Cascade | Action::SetNull | Action::SetDefault) {
            choice(text, &format!("apply ON DELETE {}", relation.on_delete.name()), &["action = \"follow\""]);
        }
        choice(text, "move the rows into quarantine", &["action = \"quarantine\""]);
    }
    text.push_str("[[rule.treat]] # the rest stays unchanged, and is reported\naction = \"report\"\n");
}

/// Returns the normal forms in which the keys may equal their parents', as TOML strings.
fn normal_forms(causes: &[Cause]) -> Vec<&'static str> {
    let forms = [
        (Cause::Whitespace, "\"trim\""),
        (Cause::Case, "\"casefold\""),
        (Cause::ZeroPadding, "\"zero-padding\""),
        (Cause::UuidFormat, "\"uuid\""),
    ];
    forms.into_iter().filter(|(cause, _)| causes.contains(cause)).map(|(_, form)| form).collect()
}

/// Writes a treatment that is commented out.
fn choice(text: &mut String, why: &str, lines: &[&str]) {
    text.push_str(&format!("# [[rule.treat]] # {why}\n"));
    for line in lines {
        text.push_str(&format!("# {line}\n"));
    }
}

/// Writes a comment of one line.
fn line(text: &mut String, content: &str) {
    text.push_str(&format!("# {}\n", visible(content)));
}

/// Returns a name as a pattern that matches only this name, or `None` if no pattern can.
fn pattern(name: &str) -> Option<String> {
    if name.contains(['"', '`', '\0']) || name.matches(['(', ')']).count() != 2 {
        return None;
    }
    let escaped: String =
        name.chars().map(|c| if matches!(c, '*' | '?' | '[') { format!("[{c}]") } else { c.to_string() }).collect();
    Some(string(&escaped))
}

fn string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            c if crate::model::text::is_unseen(c) => format!("\\U{:08X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

fn fresh_id(schema: &Schema, relation: &Relation, ids: &mut BTreeSet<String>) -> String {
    let name: Vec<&str> = std::iter::once(schema.child(relation).name.table.as_str())
        .chain(schema.child_column_names(relation))
        .collect();
    let plain: String = name
        .join("-")
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    let plain = if plain.starts_with(|first: char| first.is_ascii_lowercase()) { plain } else { format!("r-{plain}") };
    let numbered = std::iter::once(plain.clone()).chain((2..).map(|number| format!("{plain}-{number}")));
    let id = numbered.into_iter().find(|id| !ids.contains(id)).unwrap_or(plain);
    ids.insert(id.clone());
    id
}
