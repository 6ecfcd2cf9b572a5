//! The ends of all help pages: examples, and the exit codes of each command.

use crate::exit::Exit;

/// Exit codes of every command that reads a database.
const READING: [Exit; 3] = [Exit::Clean, Exit::Usage, Exit::Unreadable];

/// The width of the meaning of an exit code, which clap would otherwise wrap without an indent.
const WIDTH: usize = 78;

/// A comment and a command.
type Example = (&'static str, &'static str);

fn page(examples: &[Example], exits: &[Exit]) -> String {
    let mut text = "Examples:\n".to_owned();
    for (comment, command) in examples {
        text.push_str(&format!("  # {comment}\n  {command}\n"));
    }
    text.push_str("\nExit codes:\n");
    // In the order of their numbers.
    for exit in Exit::ALL.iter().filter(|exit| exits.contains(exit)) {
        let code = format!("  {:<4} ", exit.code());
        let options = textwrap::Options::new(WIDTH).initial_indent(&code).subsequent_indent("       ");
        text.push_str(&textwrap::fill(&exit.meaning().replace('`', ""), options));
        text.push('\n');
    }
    text
}

fn reading(examples: &[Example], others: &[Exit]) -> String {
    page(examples, &[&READING, others].concat())
}

pub(super) fn program() -> String {
    let examples = [
        ("Find every orphan and every broken definition", "fk-doctor scan app.db"),
        ("Repair with questions on the terminal", "fk-doctor fix app.db"),
        ("Explain a code that a report names", "fk-doctor code orphan"),
    ];
    page(&examples, &Exit::ALL)
}

pub(super) fn scan() -> String {
    let examples = [
        ("Scan a file, or a server", "fk-doctor scan app.db"),
        ("A page with the picture of the schema", "fk-doctor scan postgres://app@db1/shop -o report.html"),
        ("In CI: fail only for what is new", "fk-doctor scan app.db --baseline known.toml --format junit=r.xml"),
    ];
    reading(&examples, &[Exit::Findings, Exit::Incomplete, Exit::Interrupted])
}

pub(super) fn schema() -> String {
    let examples = [
        ("Every relation and its health", "fk-doctor schema app.db"),
        ("A drawing of the tables around orders", "fk-doctor schema app.db --table orders --around 1 --format mermaid"),
    ];
    reading(&examples, &[Exit::Incomplete])
}

pub(super) fn check() -> String {
    let examples = [
        ("The rows of a file that would be refused", "fk-doctor check app.db --table orders orders.csv"),
        ("Today's rows against a planned schema", "fk-doctor check app.db --against planned.sql"),
    ];
    reading(&examples, &[Exit::Findings, Exit::Incomplete])
}

pub(super) fn explain() -> String {
    let examples = [
        ("Why an INSERT fails", "fk-doctor explain app.db 'INSERT INTO orders VALUES (9, 77, 5)'"),
        ("What a DELETE cascades to", "fk-doctor explain app.db 'DELETE FROM customers WHERE id = 1'"),
        ("What an error of the log means", "fk-doctor explain app.db --error 'FOREIGN KEY constraint failed'"),
    ];
    reading(&examples, &[Exit::Findings, Exit::Refused])
}

pub(super) fn discover() -> String {
    let examples = [
        ("Certain and likely references, with their orphans", "fk-doctor discover app.db"),
        ("The certain ones as a configuration", "fk-doctor discover app.db --accept certain > fk-doctor.toml"),
        ("In CI: fail if a certain reference is not declared", "fk-doctor discover app.db --fail-on certain"),
    ];
    reading(&examples, &[Exit::Findings, Exit::Incomplete])
}

pub(super) fn repair() -> String {
    let examples = [
        (
            "A dry run: shows the effects, and writes the plan",
            "fk-doctor repair app.db --rules rules.toml -o plan.ndjson",
        ),
        ("The changes as a script", "fk-doctor repair app.db --rules rules.toml --format sql=plan.sql"),
        ("Declare a foreign key", "fk-doctor repair app.db --enforce 'comments(post_id) -> posts(id)' -o plan.ndjson"),
    ];
    let others = [Exit::Findings, Exit::Incomplete, Exit::Refused, Exit::NotClean, Exit::Interrupted];
    reading(&examples, &others)
}

pub(super) fn apply() -> String {
    let examples = [
        ("In one transaction", "fk-doctor apply app.db plan.ndjson"),
        (
            "Where an application writes, in small transactions",
            "fk-doctor apply postgres://app@db1/shop plan.ndjson --batch 5ms --pause 20ms",
        ),
    ];
    reading(&examples, &[Exit::Incomplete, Exit::Refused, Exit::NotClean, Exit::Interrupted])
}

pub(super) fn undo() -> String {
    let examples = [
        ("Every value as it was", "fk-doctor undo app.db plan.ndjson"),
        ("Leave rows that changed since, and list them", "fk-doctor undo app.db plan.ndjson --skip-changed"),
    ];
    reading(&examples, &[Exit::Incomplete, Exit::Refused, Exit::NotClean, Exit::Interrupted])
}

pub(super) fn status() -> String {
    let examples = [
        ("Applied, partly applied or undone", "fk-doctor status plan.ndjson app.db"),
        ("Remove the record of a plan that was undone", "fk-doctor status plan.ndjson app.db --forget"),
    ];
    reading(&examples, &[Exit::Refused])
}

pub(super) fn restore() -> String {
    let examples = [
        ("Which rows could come back, and why the others could not", "fk-doctor restore app.db"),
        ("Bring back some rows of a table", "fk-doctor restore app.db --table orders --where 'total > 100' --apply"),
    ];
    reading(&examples, &[Exit::Incomplete, Exit::Refused, Exit::NotClean, Exit::Interrupted])
}

pub(super) fn fix() -> String {
    let examples = [("Scan, choose, plan and apply, each after a question", "fk-doctor fix app.db")];
    let others = [Exit::Findings, Exit::Incomplete, Exit::Refused, Exit::NotClean, Exit::Interrupted];
    reading(&examples, &others)
}

pub(super) fn rules() -> String {
    let examples = [
        ("A draft from a scan", "fk-doctor rules suggest app.db > rules.toml"),
        ("Faults, and which rule treats each relation", "fk-doctor rules check rules.toml --against app.db"),
        ("A rule that ships with fk-doctor", "fk-doctor rules list placeholders"),
    ];
    reading(&examples, &[])
}

pub(super) fn rules_check() -> String {
    let examples = [
        ("Faults of a file", "fk-doctor rules check rules.toml"),
        ("Also against a database", "fk-doctor rules check rules.toml --against app.db"),
    ];
    reading(&examples, &[])
}

pub(super) fn rules_suggest() -> String {
    reading(&[("A draft from a scan", "fk-doctor rules suggest app.db > rules.toml")], &[])
}

pub(super) fn rules_list() -> String {
    let examples = [
        ("All rules that ship with fk-doctor", "fk-doctor rules list"),
        ("The text of a rule", "fk-doctor rules list placeholders"),
    ];
    page(&examples, &[Exit::Clean, Exit::Usage])
}

pub(super) fn init() -> String {
    let examples = [
        ("Draft fk-doctor.toml", "fk-doctor init app.db"),
        ("Also accept what a scan finds today", "fk-doctor init app.db --baseline=known.toml"),
    ];
    reading(&examples, &[])
}

pub(super) fn code() -> String {
    let examples =
        [("The meaning of a code", "fk-doctor code parent-key-not-unique"), ("All codes and causes", "fk-doctor code")];
    page(&examples, &[Exit::Clean, Exit::Usage])
}

pub(super) fn completions() -> String {
    let examples = [
        ("For bash", "fk-doctor completions bash > ~/.local/share/bash-completion/completions/fk-doctor"),
        ("For fish", "fk-doctor completions fish > ~/.config/fish/completions/fk-doctor.fish"),
    ];
    page(&examples, &[Exit::Clean, Exit::Usage])
}

pub(super) fn man() -> String {
    let examples = [
        ("The page of the program", "fk-doctor man > fk-doctor.1"),
        ("The page of a command", "fk-doctor man scan > fk-doctor-scan.1"),
    ];
    page(&examples, &[Exit::Clean, Exit::Usage])
}
