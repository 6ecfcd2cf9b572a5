//! Drafts rules from the groups of a scan's findings, as a file to edit: one rule for each relation to decide about, or one for
//! all relations of a table. The active treatments delete nothing and change only keys that have exactly one right value,
//! unless a person chose another. All other treatments are comments, each with its effect.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::catalog::Action;
use crate::model::choice::Choice;
use crate::model::choice::ChoiceKind;
use crate::model::choice::choices;
use crate::model::choice::limit;
use crate::model::examination::Examination;
use crate::model::finding::Finding;
use crate::model::finding_group::FindingGroup;
use crate::model::ids::RelationId;
use crate::model::ids::TableId;
use crate::model::relation::Relation;
use crate::model::schema::side;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::model::text::visible;
use crate::model::toml_text::string;
use crate::report::causes;
use crate::report::schema_line;

/// Returns the choice that a person made for a group, if any.
pub type Chosen<'a> = &'a dyn Fn(&FindingGroup) -> Option<ChoiceKind>;

pub(super) fn render(examination: &Examination, chosen: Chosen<'_>) -> String {
    let mut text = schema_line("rules") + "\n";
    let mut ids = BTreeSet::new();
    let run = examination.run.clone().unwrap_or_default();
    let groups: Vec<&FindingGroup> = orphan_groups(examination).collect();
    let shipped: BTreeSet<&str> = groups.iter().filter_map(|group| shipped_rule(examination, group, chosen)).collect();
    let is_drafted = groups.iter().any(|group| shipped_rule(examination, group, chosen).is_none());
    let file = (is_drafted || groups.is_empty()).then(|| shell(&format!("{}.rules.toml", run.stem)));
    let rules = file.into_iter().chain(shipped.into_iter().map(shell)).map(|rule| format!("--rules {rule} "));
    let next = run.command("fk-doctor repair", &format!("{}-o plan.ndjson", rules.collect::<String>()));
    line(&mut text, &format!("Drafted from a scan of {}. Next: {next}", examination.schema.database.name));
    if groups.is_empty() {
        line(&mut text, "There are no orphans, so there is nothing to treat.");
    }
    let rows_of_tables = examination.rows_of_tables();
    for group in groups {
        let shipped = shipped_rule(examination, group, chosen);
        Draft { examination, rows_of_tables: &rows_of_tables, group, chosen: chosen(group), shipped }
            .write(&mut text, &mut ids);
    }
    for group in causes::grave_groups(examination).filter(|group| !group.code.is_orphan()) {
        let relations = plural(group.findings.len() as u64, "relation");
        let words = causes::words(group.code);
        let about = if group.parent_key.is_empty() { relations } else { format!("{}: {relations}", group.parent_key) };
        text.push('\n');
        line(&mut text, &format!("{about}, {words}: no rule repairs that. See: fk-doctor code {}", group.code.name()));
    }
    text
}

/// Returns the rule that ships with fk-doctor and treats a group, unless a person chose another treatment.
fn shipped_rule<'e>(examination: &'e Examination, group: &FindingGroup, chosen: Chosen<'_>) -> Option<&'e str> {
    causes::rule(examination, group).filter(|_| chosen(group).is_none())
}

/// Returns the groups that a rule can treat.
pub(super) fn orphan_groups(examination: &Examination) -> impl Iterator<Item = &FindingGroup> {
    examination.groups.groups.iter().filter(|group| group.code.is_orphan())
}

/// Returns the choices for a group.
pub(super) fn choices_for(examination: &Examination, group: &FindingGroup) -> Vec<Choice> {
    choices(&examination.schema, group, &examination.findings, &examination.rows_of_tables())
}

/// The rules of one group.
struct Draft<'a> {
    examination: &'a Examination,
    rows_of_tables: &'a BTreeMap<TableId, u64>,
    group: &'a FindingGroup,
    chosen: Option<ChoiceKind>,
    /// The rule that ships with fk-doctor and treats the group.
    shipped: Option<&'a str>,
}

impl Draft<'_> {
    fn write(&self, text: &mut String, ids: &mut BTreeSet<String>) {
        text.push('\n');
        if let Some(rule) = self.shipped {
            let run = self.examination.run.clone().unwrap_or_default();
            let command = run.command("fk-doctor repair", &format!("--rules {rule}"));
            line(text, &format!("{}: a rule ships with fk-doctor: {command}", self.about()));
            return;
        }
        let relations: Vec<RelationId> =
            self.group.findings(&self.examination.findings).map(|finding| finding.relation).collect();
        let targets = self.targets(&relations);
        for (position, (relation, child)) in targets.iter().enumerate() {
            let about = if position == 0 { self.about() } else { "as above".to_owned() };
            self.write_rule(text, (self.relation(*relation), child), &about, position == 0, ids);
        }
    }

    fn relation(&self, id: RelationId) -> &Relation {
        &self.examination.schema.relations[id]
    }

    /// Returns what the group is about, in numbers, with its causes.
    fn about(&self) -> String {
        let FindingGroup { rows, keys, .. } = self.group;
        let causes = causes::causes(self.examination, self.group);
        let sentences: Vec<String> = causes
            .iter()
            .filter_map(|cause| cause.diagnosis.as_ref())
            .map(|diagnosis| match causes.len() {
                1 => diagnosis.sentence(),
                _ => format!("{} ({})", diagnosis.sentence(), plural(diagnosis.rows, "row")),
            })
            .collect();
        format!("{}, {}. {}", rows.of("row"), keys.of("key"), sentences.join(". "))
    }

    /// Returns the relations to write rules for, each with the pattern of its child's side. One rule treats all relations of a
    /// table, if all of them to this parent belong to the group.
    fn targets(&self, relations: &[RelationId]) -> Vec<(RelationId, String)> {
        let schema = &self.examination.schema;
        let is_in_group = |id: &RelationId| relations.contains(id);
        let mut targets: Vec<(RelationId, String)> = Vec::new();
        let mut whole: BTreeSet<TableId> = BTreeSet::new();
        for &id in relations {
            let relation = &schema.relations[id];
            let siblings = schema.relations.entries().filter(|(_, other)| {
                other.child == relation.child
                    && other.parent.name == relation.parent.name
                    && other.parent.column_names == relation.parent.column_names
            });
            let siblings: Vec<RelationId> = siblings.map(|(id, _)| id).collect();
            let is_whole = siblings.len() > 1 && siblings.iter().all(is_in_group);
            if !is_whole {
                targets.push((id, side(&schema.child(relation).name, schema.child_column_names(relation))));
            } else if whole.insert(relation.child) {
                targets.push((id, format!("{}(*)", schema.child(relation).name)));
            }
        }
        targets
    }

    fn write_rule(
        &self,
        text: &mut String,
        (relation, child): (&Relation, &str),
        about: &str,
        is_first: bool,
        ids: &mut BTreeSet<String>,
    ) {
        let parent = side(&relation.parent.name, relation.parent.column_names.iter().map(String::as_str));
        let is_whole_table = child.ends_with("(*)");
        let child = match is_whole_table {
            true => pattern(&child.replace("(*)", "(x)")).map(|pattern| pattern.replace("(x)", "(*)")),
            false => pattern(child),
        };
        let (Some(child), Some(parent)) = (child, pattern(&parent)) else {
            line(text, &format!("{}: {about}", relation.id));
            line(text, "The names of this relation cannot be written in a rule.");
            return;
        };
        let id = fresh_id(self.examination, relation, is_whole_table, ids);
        text.push_str(&format!("[[rule]] # {}\n", visible(about)));
        text.push_str(&format!("id = {}\n", string(&id)));
        text.push_str(&format!("relation = {{ child = {child}, parent = {parent} }}\n"));
        let choices = choices(&self.examination.schema, self.group, &self.examination.findings, self.rows_of_tables);
        let limit_of_child = limit(self.rows_of_tables.get(&relation.child).copied().unwrap_or_default());
        let active = match &self.chosen {
            Some(kind) => choices.iter().find(|choice| choice.kind == *kind),
            None => choices.first(),
        };
        if let Some(active) = active {
            let effect = if is_first { format!(" # {}", visible(&active.effect)) } else { String::new() };
            text.push_str(&format!("treat = [{}]{effect}\n", self.treatments(&active.kind)));
        }
        if !is_first {
            return;
        }
        for choice in choices.iter().filter(|choice| Some(*choice) != active && choice.kind != ChoiceKind::Leave) {
            let limit = match choice.kind.takes_away() {
                true => format!(" (limit {})", count(limit_of_child)),
                false => String::new(),
            };
            let refusal = choice.refusal.as_ref().map(|why| format!("; refused: {why}")).unwrap_or_default();
            let effect = format!("{}{limit}{refusal}", choice.effect);
            line(text, &format!("treat = [{}] # {effect}", self.treatments(&choice.kind)));
        }
        if matches!(relation.on_delete, Action::Cascade | Action::SetNull | Action::SetDefault) {
            let effect = format!("applies ON DELETE {} to {}", relation.on_delete.name(), self.group.rows.of("row"));
            line(text, &format!("treat = [{{ action = \"follow\" }}] # {effect}"));
        }
    }

    /// Returns the treatments of a choice. The last one reports the keys that the others cannot treat.
    fn treatments(&self, kind: &ChoiceKind) -> String {
        let is_whole = self.group.findings(&self.examination.findings).flat_map(|finding: &Finding| &finding.diagnosis);
        let is_whole = is_whole.clone().all(|diagnosis| diagnosis.can_remap);
        match kind {
            ChoiceKind::Remap(forms) => {
                let forms: Vec<String> = forms.iter().map(|form| string(form.name())).collect();
                let remap = format!("{{ action = \"remap\", normalize = [{}] }}", forms.join(", "));
                if is_whole { remap } else { format!("{remap}, {{ action = \"report\" }}") }
            }
            ChoiceKind::Placeholder => "{ action = \"placeholder\", record = \"fk_doctor_placeholders\" }".to_owned(),
            ChoiceKind::SetNull => "{ action = \"set-null\" }".to_owned(),
            ChoiceKind::Quarantine => "{ action = \"quarantine\" }".to_owned(),
            ChoiceKind::Leave => "{ action = \"report\" }".to_owned(),
        }
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

/// Returns an id that no other rule of the file has, such as `flights-airports`.
fn fresh_id(
    examination: &Examination,
    relation: &Relation,
    is_whole_table: bool,
    ids: &mut BTreeSet<String>,
) -> String {
    let schema = &examination.schema;
    let (child, parent) = (schema.child(relation).name.table.as_str(), relation.parent.name.table.as_str());
    let mut words = vec![child];
    if !is_whole_table {
        words.extend(schema.child_column_names(relation));
    }
    words.push(parent);
    let (short, plain) = (id_of(&[child, parent]), id_of(&words));
    let numbered = [short, plain.clone()].into_iter().chain((2..).map(|number| format!("{plain}-{number}")));
    let id = numbered.into_iter().find(|id| !ids.contains(id)).unwrap_or(plain);
    ids.insert(id.clone());
    id
}

/// Returns words as an id: lower-case letters, digits and dashes, beginning with a letter.
fn id_of(words: &[&str]) -> String {
    let plain = words.join("-").to_lowercase();
    let plain: String =
        plain.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    if plain.starts_with(|first: char| first.is_ascii_lowercase()) { plain } else { format!("r-{plain}") }
}
