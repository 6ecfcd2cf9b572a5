//! `fix`: the guided repair. It scans, asks what should happen to each group of orphans, plans, and applies the plan after
//! a last "yes". Each step is an existing command, which is shown, so that a script can repeat it.
//!
//! Nothing is written to the database before that "yes", and no existing file is replaced.

use std::path::Path;
use std::path::PathBuf;

use super::Environment;
use super::Outcome;
use super::RunError;
use super::database;
use super::guided_scan;
use super::printed_command;
use super::repair::repair_with;
use crate::apply::Direction;
use crate::cli;
use crate::exit::Exit;
use crate::model::choice::Choice;
use crate::model::choice::ChoiceKind;
use crate::model::examination::Examination;
use crate::model::finding::Severity;
use crate::model::finding_group::FindingGroup;
use crate::model::text::count;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::model::text::visible_lines;
use crate::plan_file::PlanFile;
use crate::report;
use crate::report::status::restore_command;
use crate::scan::Progress;
use crate::whole_file;

/// Asks a person on a terminal.
pub trait Dialogue {
    /// True if there is a terminal to ask on.
    fn is_possible(&self) -> bool;
    /// Shows a text.
    fn show(&self, text: &str);
    /// Asks for one of several items. Returns its position.
    fn choose(&self, question: &str, items: &[MenuItem], first: usize) -> Reply<usize>;
    /// Asks for one of several words. Returns its position.
    fn answer(&self, question: &str, words: &[&str]) -> Reply<usize>;
}

/// An item of a menu, with its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuItem {
    pub title: String,
    pub effect: String,
    /// True if rows lose values or leave their table.
    pub takes_away: bool,
}

/// The reply of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<T> {
    Given(T),
    /// The person wants to go back to the question before.
    Back,
    /// The person wants to leave.
    Quit,
}

pub fn fix(
    typed: &cli::FixArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    dialogue: &dyn Dialogue,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = database::source(typed.database.as_deref(), global, environment)?;
    if !dialogue.is_possible() {
        let database = typed.database.as_ref().map(|_| shell(&source.to_string())).unwrap_or_default();
        return Err(RunError::NoTerminal { database: database + &printed_command::ending(global.words()) });
    }
    let named = typed.database.as_deref();
    let examination = guided_scan::scan(&source, named, typed.timeout, global, environment, progress)?;
    let fix = Fix { typed: named, global, environment, examination: &examination, dialogue, progress };
    let exit = fix.repair()?;
    Ok(Outcome { documents: Vec::new(), notes: Vec::new(), exit })
}

struct Fix<'a> {
    /// The argument that names the database.
    typed: Option<&'a str>,
    global: &'a cli::GlobalArgs,
    environment: &'a Environment,
    examination: &'a Examination,
    dialogue: &'a dyn Dialogue,
    progress: Progress<'a>,
}

/// What a person chose for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Chosen {
    Treatment(ChoiceKind),
    /// The rule of this name, which ships with the program.
    Rule(String),
}

impl Fix<'_> {
    fn repair(&self) -> Result<Exit, RunError> {
        self.scanned();
        let groups: Vec<&FindingGroup> =
            self.examination.groups.groups.iter().filter(|group| is_asked_about(group)).collect();
        if groups.iter().all(|group| !group.code.is_orphan()) {
            self.dialogue.show("There are no orphan rows to repair.\n");
            return Ok(super::scan::exit(self.examination));
        }
        let chosen = match self.ask_about_all(&groups) {
            Reply::Given(chosen) => chosen,
            Reply::Back | Reply::Quit => {
                self.dialogue.show("Nothing was changed, and no file was written.\n");
                return Ok(Exit::Interrupted);
            }
        };
        if chosen.iter().flatten().all(|chosen| *chosen == Chosen::Treatment(ChoiceKind::Leave)) {
            self.dialogue.show("Nothing was changed: all orphan rows stay as they are.\n");
            return Ok(Exit::Findings);
        }
        let files = self.write_rules(&groups, &chosen)?;
        self.plan_and_apply(&files)
    }

    /// Shows the scan's report.
    fn scanned(&self) {
        let mut words = self.words("scan");
        words.push("--brief".to_owned());
        self.step(1, "scan", &words);
        self.dialogue.show(&report::scan_to_repair(self.examination, &self.environment.terminal));
    }

    /// Shows a text that may hold names from the database.
    fn say(&self, text: &str) {
        self.dialogue.show(&visible_lines(text));
    }

    /// Shows the title of a step, and the command that it runs.
    fn step(&self, number: usize, title: &str, words: &[String]) {
        let words: Vec<String> = words.iter().map(|word| self.shown_word(word)).collect();
        let title = format!("Step {number} of 4: {title}");
        self.dialogue.show(&report::step(&title, &words, &self.environment.terminal));
    }

    /// Returns a word of a command, quoted for a shell and without a password.
    fn shown_word(&self, word: &str) -> String {
        let named = self.examination.run.as_ref().and_then(|run| run.database.clone());
        if Some(word) == self.typed { named.unwrap_or_else(|| shell(word)) } else { shell(word) }
    }

    /// Returns the words of a command about the database.
    fn words(&self, command: &str) -> Vec<String> {
        let words = [Some(command), self.typed].into_iter().flatten().map(str::to_owned);
        words.chain(self.global.words()).collect()
    }

    /// Returns the words of a repair by these values of `--rules`.
    fn repair_words(&self, rules: &[String]) -> Vec<String> {
        let mut words = self.words("repair");
        words.extend(rules.iter().flat_map(|file| ["--rules".to_owned(), file.clone()]));
        words
    }

    /// Runs a command of this program, given its words without the program's name.
    fn run(&self, words: &[String]) -> Result<Outcome, RunError> {
        let (global, environment) = (self.global, self.environment);
        match cli::command(words) {
            Some(cli::Command::Repair(typed)) => repair_with(&typed, global, environment, self.progress, true),
            Some(cli::Command::Apply(typed)) => {
                super::apply(Direction::Apply, &typed.run, typed.admission, global, environment, self.progress)
            }
            _ => Err(RunError::unresolved()),
        }
    }

    /// Asks about each group. Going back asks about the group before.
    fn ask_about_all(&self, groups: &[&FindingGroup]) -> Reply<Vec<Option<Chosen>>> {
        let number = plural(groups.len() as u64, "group");
        let title = format!("Step 2 of 4: choose ({number})");
        self.dialogue.show(&report::choosing_step(&title, &self.environment.terminal));
        let mut chosen: Vec<Option<Chosen>> = vec![None; groups.len()];
        let mut position = 0;
        while let Some(group) = groups.get(position) {
            let title = format!("{} of {}", position + 1, groups.len());
            self.dialogue.show(&report::group_to_decide(self.examination, group, &title, &self.environment.terminal));
            if !group.code.is_orphan() {
                position += 1;
                continue;
            }
            match self.ask(group, chosen[position].as_ref()) {
                Reply::Given(answer) => {
                    chosen[position] = Some(answer);
                    position += 1;
                }
                Reply::Back => match (0..position).rev().find(|&before| groups[before].code.is_orphan()) {
                    Some(before) => position = before,
                    None => return Reply::Back,
                },
                Reply::Quit => return Reply::Quit,
            }
        }
        Reply::Given(chosen)
    }

    /// Asks what should happen to a group. `before` is an earlier answer.
    fn ask(&self, group: &FindingGroup, before: Option<&Chosen>) -> Reply<Chosen> {
        let (offered, refused): (Vec<Choice>, Vec<Choice>) =
            report::choices_for(self.examination, group).into_iter().partition(|choice| choice.refusal.is_none());
        let rule = report::shipped_rule(self.examination, group);
        let mut items: Vec<(MenuItem, Option<Chosen>)> = rule.iter().map(|rule| rule_item(rule)).collect();
        items.extend(offered.into_iter().map(|choice| (item(&choice), Some(Chosen::Treatment(choice.kind)))));
        let show = MenuItem { title: "Show the rows".to_owned(), effect: String::new(), takes_away: false };
        items.push((show, None));
        if !refused.is_empty() {
            self.dialogue.show(&report::remark(&not_offered(&refused), &self.environment.terminal));
        }
        let menu: Vec<MenuItem> = items.iter().map(|(item, _)| item.clone()).collect();
        let first = items.iter().position(|(_, chosen)| before.is_some() && chosen.as_ref() == before).unwrap_or(0);
        let question = if group.rows.count == 1 { "What should happen to it?" } else { "What should happen to them?" };
        loop {
            match self.dialogue.choose(question, &menu, first) {
                Reply::Given(position) => match items.get(position) {
                    Some((item, Some(chosen))) if item.takes_away => match self.confirm(group, item) {
                        Reply::Given(()) => return Reply::Given(chosen.clone()),
                        Reply::Back => {}
                        Reply::Quit => return Reply::Quit,
                    },
                    Some((_, Some(chosen))) => return Reply::Given(chosen.clone()),
                    Some((_, None)) | None => {
                        self.dialogue.show(&report::rows_to_decide(
                            self.examination,
                            group,
                            &self.environment.terminal,
                        ));
                    }
                },
                Reply::Back => return Reply::Back,
                Reply::Quit => return Reply::Quit,
            }
        }
    }

    /// Asks for the number of rows that lose something.
    fn confirm(&self, group: &FindingGroup, item: &MenuItem) -> Reply<()> {
        let number = group.rows.count.to_string();
        let question = format!("{}. Type {} to choose this:", item.effect, count(group.rows.count));
        let words = [number.as_str()];
        match self.dialogue.answer(&question, &words) {
            Reply::Given(_) => Reply::Given(()),
            Reply::Back => Reply::Back,
            Reply::Quit => Reply::Quit,
        }
    }

    /// Writes the answers as rules. Returns the values for `--rules`: the file, and the names of shipped rules.
    fn write_rules(&self, groups: &[&FindingGroup], chosen: &[Option<Chosen>]) -> Result<Vec<String>, RunError> {
        let of_group = |group: &FindingGroup| {
            let position = groups.iter().position(|known| *known == group)?;
            match chosen.get(position)? {
                Some(Chosen::Treatment(kind)) => Some(kind.clone()),
                _ => None,
            }
        };
        let mut values: Vec<String> = Vec::new();
        for chosen in chosen.iter().flatten() {
            if let Chosen::Rule(name) = chosen
                && !values.contains(name)
            {
                values.push(name.clone());
            }
        }
        if chosen.iter().flatten().any(|chosen| matches!(chosen, Chosen::Treatment(_))) {
            let path = unused(self.environment, &format!("{}.rules", self.stem()), "toml");
            let text = report::suggestion(self.examination, &of_group);
            let file = path.display().to_string();
            super::create_file(&path, &text, self.environment)?;
            values.insert(0, file);
        }
        Ok(values)
    }

    fn stem(&self) -> String {
        self.examination.run.as_ref().map(|run| run.stem.clone()).unwrap_or_default()
    }

    /// Plans the repair, shows it, and applies it if the person says yes.
    fn plan_and_apply(&self, rules: &[String]) -> Result<Exit, RunError> {
        let plan = unused(self.environment, &format!("{}.plan", self.stem()), "ndjson");
        let mut words = self.repair_words(rules);
        words.extend(["-o".to_owned(), plan.display().to_string()]);
        self.step(3, "plan", &words);
        let outcome = self.run(&words)?;
        let report = text_of(&outcome);
        self.dialogue.show(&report);
        if !matches!(outcome.exit, Exit::Findings | Exit::Clean) || !self.environment.directory.join(&plan).exists() {
            self.later(rules);
            return Ok(outcome.exit);
        }
        let exit = loop {
            match self.dialogue.answer("Apply this plan? A backup is made first.", &["yes", "no", "show"]) {
                Reply::Given(0) => return self.apply(&plan),
                Reply::Given(2) => self.dialogue.show(&report),
                Reply::Given(_) => break Exit::Findings,
                Reply::Back | Reply::Quit => break Exit::Interrupted,
            }
        };
        self.later(rules);
        Ok(exit)
    }

    /// Says how to go on later.
    fn later(&self, rules: &[String]) {
        let mut words = self.repair_words(rules);
        words.push("--apply".to_owned());
        let words: Vec<String> = words.iter().map(|word| self.shown_word(word)).collect();
        let answers = rules.first().cloned().unwrap_or_default();
        self.say(&format!(
            "Nothing was changed. Your answers are in {answers}; to go on:\n  fk-doctor {}\n",
            words.join(" ")
        ));
    }

    fn afterwards(&self, label: &str, text: &str, command: &str) {
        self.dialogue.show(&report::afterwards(label, text, command, &self.environment.terminal));
    }

    fn apply(&self, plan: &Path) -> Result<Exit, RunError> {
        let mut words = self.words("apply");
        words.push(plan.display().to_string());
        let header = PlanFile::open(&self.environment.directory.join(plan))?.header;
        if header.undecided > 0 {
            words.push("--leave-undecided".to_owned());
        }
        self.step(4, "apply", &words);
        let outcome = self.run(&words)?;
        self.dialogue.show(&text_of(&outcome));
        if header.keeps_rows() {
            let words: Vec<String> = self.words("restore").iter().map(|word| self.shown_word(word)).collect();
            let command = restore_command(&header, plan, &words.join(" "));
            self.afterwards("restore", "quarantined rows come back once their parents exist:", &command);
        }
        let left =
            self.examination.groups.groups.iter().filter(|group| is_asked_about(group) && !group.code.is_orphan());
        for group in left {
            let relations = plural(group.findings.len() as u64, "relation");
            let code = group.code.name();
            let text = format!("{relations} to {}:", group.parent_key);
            self.afterwards("schema", &text, &format!("fk-doctor code {code}"));
        }
        Ok(outcome.exit)
    }
}

/// True if the guided repair shows the group.
fn is_asked_about(group: &FindingGroup) -> bool {
    group.code.is_orphan() || group.severity == Severity::Error
}

fn item(choice: &Choice) -> MenuItem {
    let takes_away = choice.kind.takes_away();
    MenuItem { title: choice.title.clone(), effect: choice.effect.clone(), takes_away }
}

fn rule_item(rule: &str) -> (MenuItem, Option<Chosen>) {
    let effect = "the rule that ships with fk-doctor for this relation".to_owned();
    let item = MenuItem { title: format!("Use the rule {rule}"), effect, takes_away: false };
    (item, Some(Chosen::Rule(rule.to_owned())))
}

/// Returns the choices that are not offered, those with one reason together.
fn not_offered(refused: &[Choice]) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for choice in refused {
        let reason = choice.refusal.as_deref().unwrap_or_default();
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, verbs)) => verbs.push(choice.kind.verb()),
            None => reasons.push((reason, vec![choice.kind.verb()])),
        }
    }
    let parts: Vec<String> =
        reasons.into_iter().map(|(reason, verbs)| format!("{} ({reason})", verbs.join(", "))).collect();
    format!("Not offered: {}", parts.join("; "))
}

/// Returns a file name that does not exist yet, such as `flight_2.rules.toml` or `flight_2.rules-2.toml`.
fn unused(environment: &Environment, name: &str, ending: &str) -> PathBuf {
    whole_file::first_free(name, &format!(".{ending}"), |file| !environment.directory.join(file).exists())
}

fn text_of(outcome: &Outcome) -> String {
    let texts = outcome.documents.iter().filter(|(file, _)| file.is_none()).map(|(_, text)| text.as_str());
    texts.collect()
}
