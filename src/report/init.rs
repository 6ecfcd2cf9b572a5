//! The configuration that `init` drafts from a database, and what it prints.
//!
//! Only `fail-on` is switched on. Every suggestion is a comment that begins with `#` and no space, so that a person
//! decides, and so that a test can switch all of them on.

use std::collections::BTreeSet;

use crate::model::discovery_view::CandidateView;
use crate::model::examination::Examination;
use crate::model::finding::Cause;
use crate::model::finding::Code;
use crate::model::finding::Finding;
use crate::model::finding::Severity;
use crate::model::pattern;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text;
use crate::model::text::plural;
use crate::model::text::visible;
use crate::model::toml_text;
use crate::report::TerminalStyle;
use crate::report::discovery;
use crate::report::layout::Piece;
use crate::report::layout::Sheet;
use crate::report::layout::Style;
use crate::report::layout::Symbol;
use crate::report::schema_line;

/// Columns that usually hold the time at which a row was made.
const TIME_COLUMNS: [&str; 8] =
    ["created_at", "createdat", "created_on", "created", "inserted_at", "date_created", "updated_at", "updatedat"];
/// Columns that usually mark a row as deleted by a time, and by a flag.
const DELETION_TIMES: [&str; 5] = ["deleted_at", "deletedat", "deleted_on", "date_deleted", "removed_at"];
const DELETION_FLAGS: [&str; 4] = ["is_deleted", "isdeleted", "deleted", "is_removed"];
/// Parts of the names of columns that usually hold private values.
const PRIVATE: [&str; 9] = ["email", "e_mail", "phone", "password", "passwd", "secret", "token", "ssn", "iban"];
/// Tables that usually are copies or logs.
const MARGINAL: [&str; 6] = ["audit_", "log_", "tmp_", "temp_", "backup_", "bak_"];
/// The most names of one suggestion, and the most relations that get one.
const MOST_NAMES: usize = 8;
const MOST_RELATIONS: usize = 10;

const LABEL: usize = 9;

/// The files that `init` writes, and the commands about them.
pub struct InitReport<'a> {
    pub examination: &'a Examination,
    /// The references that the database does not declare, and the date on which they were found.
    pub undeclared: &'a [CandidateView],
    pub date: &'a str,
    /// The command as typed, without a password.
    pub command: &'a str,
    /// The database and the options that choose it, as words of a command. The environment may name the database instead.
    pub database: &'a str,
    /// The configuration file, and the file of known findings if one was asked for.
    pub file: &'a str,
    pub baseline: Option<&'a str>,
}

impl InitReport<'_> {
    fn discover(&self) -> String {
        format!("fk-doctor discover {}", self.database).trim_end().to_owned()
    }

    /// Returns the command for a pipeline.
    fn in_pipeline(&self, options: &str) -> String {
        let mut command = "fk-doctor scan".to_owned();
        for word in [self.database, options] {
            if !word.is_empty() {
                command.push_str(&format!(" {word}"));
            }
        }
        // Only a file of this name in this folder is found without an option.
        if self.file != "fk-doctor.toml" {
            command.push_str(&format!(" --config {}", text::shell(self.file)));
        }
        if let Some(baseline) = self.baseline {
            command.push_str(&format!(" --baseline {}", text::shell(baseline)));
        }
        command
    }
}

/// Returns the text of the configuration.
pub fn configuration(report: &InitReport<'_>) -> String {
    let examination = report.examination;
    let schema = &examination.schema;
    let mut lines: Vec<String> = vec![
        schema_line("config"),
        format!("# The configuration of fk-doctor for {}, drafted by: {}", schema.database.name, report.command),
        "# It holds for this folder and all below it. Options of a command overrule it.".to_owned(),
        "# A line below that begins with \"#\" and no space is a suggestion: remove the \"#\" to switch it on."
            .to_owned(),
        format!("# In CI: {}", report.in_pipeline("")),
        String::new(),
    ];
    let marginal = marginal_tables(schema);
    if !marginal.is_empty() {
        lines.push("# Tables, or relations such as \"log(user_id)->*\", that a scan leaves out".to_owned());
        lines.push(format!("#exclude = {}", array(&marginal)));
        lines.push(String::new());
    }
    lines.push("[scan]".to_owned());
    lines.push("fail-on = \"error\"  # or \"warning\", \"note\", \"never\"".to_owned());
    let times = time_columns(schema);
    if !times.is_empty() {
        lines.push("# For --since, and for the first and the last time of each missing key".to_owned());
        lines.push(format!("#time-columns = {}", array(&times)));
    }
    let private = private_columns(schema);
    if !private.is_empty() {
        lines.extend([String::new(), "# Columns whose values no report shows".to_owned()]);
        lines.extend(["#[redact]".to_owned(), format!("#columns = {}", array(&private))]);
    }
    let without_index = examination.findings.iter().filter(|finding| finding.code == Code::ChildNotIndexed).count();
    if without_index > 0 {
        let relations = plural(without_index as u64, "relation");
        lines.extend([
            String::new(),
            format!("# {relations} without an index on the child's key: a note, which fails no scan. To change that:"),
            "#[severity]".to_owned(),
            "#child-not-indexed = \"error\"".to_owned(),
        ]);
    }
    lines.extend(relations(examination));
    lines.extend(undeclared(report));
    if schema.relations.is_empty() && report.undeclared.is_empty() {
        lines.extend([
            String::new(),
            "# The database declares no foreign keys. Name the references that a scan is to check:".to_owned(),
            "# [[relation]]".to_owned(),
            "# child = \"comments(post_id)\"".to_owned(),
            "# parent = \"posts(id)\"".to_owned(),
        ]);
    }
    // A name of the database could hold a line break, which would end a comment.
    let lines = lines.iter().map(|line| visible(line).into_owned());
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn array(names: &[String]) -> String {
    format!("[{}]", names.iter().map(|name| toml_text::string(name)).collect::<Vec<_>>().join(", "))
}

fn marginal_tables(schema: &Schema) -> Vec<String> {
    let is_used =
        |prefix: &&&str| schema.tables.iter().any(|table| table.name.table.to_lowercase().starts_with(**prefix));
    MARGINAL.iter().filter(is_used).map(|prefix| format!("{prefix}*")).collect()
}

fn time_columns(schema: &Schema) -> Vec<String> {
    let names: BTreeSet<&str> =
        schema.tables.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str()).collect();
    let is_time = |name: &&&str| TIME_COLUMNS.contains(&name.to_lowercase().as_str());
    names.iter().filter(is_time).take(MOST_NAMES).map(|name| pattern::literal(name)).collect()
}

fn private_columns(schema: &Schema) -> Vec<String> {
    let mut columns = Vec::new();
    for table in schema.tables.iter() {
        for column in &table.columns {
            let name = column.name.to_lowercase();
            // A column such as email_id refers to a row, and its value is no secret.
            if PRIVATE.iter().any(|part| name.contains(part)) && !name.ends_with("_id") {
                columns.push(pattern::literal(&format!("{}.{}", table.name, column.name)));
            }
        }
    }
    columns.truncate(MOST_NAMES);
    columns
}

/// Returns a suggestion for each relation whose parent marks rows as deleted, or whose keys perhaps mean "none".
fn relations(examination: &Examination) -> Vec<String> {
    let schema = &examination.schema;
    let mut lines = Vec::new();
    let mut number = 0;
    for relation in schema.relations.iter().filter(|relation| relation.configured.is_none()) {
        let own = |finding: &&Finding| finding.code.is_orphan() && finding.relation_id == relation.id;
        let none = examination.findings.iter().find(own).and_then(values_for_none);
        let deleted = deletion_mark(schema, relation);
        if (none.is_none() && deleted.is_none()) || number == MOST_RELATIONS {
            continue;
        }
        number += 1;
        lines.push(String::new());
        if let Some((why, _)) = &none {
            lines.push(format!("# {}: {why}. If so, they are no orphans:", relation.id));
        }
        if let Some((column, _)) = &deleted {
            let parent = &relation.parent.name;
            lines.push(format!("# {parent} has the column {column}. If it marks deleted rows, they are no parents:"));
        }
        let child = &schema.child(relation).name.to_string();
        lines.push("#[[relation]]".to_owned());
        lines.push(format!(
            "#child = {}",
            toml_text::side(child, &schema.child_column_names(relation).collect::<Vec<_>>())
        ));
        let parent = relation.parent.name.to_string();
        let columns: Vec<&str> = relation.parent.column_names.iter().map(String::as_str).collect();
        lines.push(format!("#parent = {}", toml_text::side(&parent, &columns)));
        if let Some((_, values)) = none {
            lines.push(format!("#ignore-values = [{values}]"));
        }
        if let Some((_, condition)) = deleted {
            lines.push(format!("#soft-deleted = {}", toml_text::string(&condition)));
        }
    }
    lines
}

/// Returns a suggestion for each reference that the database does not declare.
fn undeclared(report: &InitReport<'_>) -> Vec<String> {
    if report.undeclared.is_empty() {
        return Vec::new();
    }
    let facts = report.examination.schema.database.engine.facts();
    let mut lines = vec![
        String::new(),
        format!("# References that the database does not declare. For their evidence: {}", report.discover()),
    ];
    for line in discovery::entries(report.undeclared.iter(), facts, report.date).lines() {
        lines.push(if line.is_empty() || line.starts_with("# ") { line.to_owned() } else { format!("#{line}") });
    }
    lines
}

/// Returns the suspicion that some keys stand for "none", and these keys as an array's content.
fn values_for_none(finding: &Finding) -> Option<(String, String)> {
    let diagnosis = finding.diagnosis.iter().find(|diagnosis| diagnosis.cause == Cause::Sentinel)?;
    let keys = finding.top_missing.iter().filter(|missing| diagnosis.examples.contains(&text::key(&missing.key)));
    let values: Vec<String> = keys
        .filter_map(|missing| match missing.key.as_slice() {
            [single] => toml_text::value(single.as_ref()),
            _ => None,
        })
        .collect();
    let why = format!("{} ({})", diagnosis.sentence(), plural(diagnosis.rows, "row"));
    (!values.is_empty()).then(|| (why, values.join(", ")))
}

/// Returns the column of the parent that perhaps marks deleted rows, and the condition for it.
fn deletion_mark(schema: &Schema, relation: &Relation) -> Option<(String, String)> {
    let facts = schema.database.engine.facts();
    let parent = schema.parent(relation)?;
    parent.columns.iter().find_map(|column| {
        let lower = column.name.to_lowercase();
        let name = facts.readable(&column.name);
        if DELETION_TIMES.contains(&lower.as_str()) {
            Some((column.name.clone(), format!("parent.{name} IS NOT NULL")))
        } else if DELETION_FLAGS.contains(&lower.as_str()) {
            Some((column.name.clone(), format!("parent.{name} = {}", facts.truth[1])))
        } else {
            None
        }
    })
}

/// Returns what the command prints.
pub fn render(report: &InitReport<'_>, terminal: &TerminalStyle) -> String {
    let mut sheet = Sheet::new(terminal);
    let examination = report.examination;
    let schema = &examination.schema;
    let tables = plural(schema.user_tables().count() as u64, "table");
    let relations = plural(schema.relations.len() as u64, "relation");
    let line = format!("{} is written for {}: {tables}, {relations}", report.file, schema.database.name);
    sheet.headline(Symbol::Done, line);
    let orphans = examination.groups.orphan_rows;
    let is_defect = |finding: &&Finding| !finding.code.is_orphan() && finding.severity == Severity::Error;
    let defects = examination.findings.iter().filter(is_defect).count();
    let mut found: Vec<String> = Vec::new();
    if orphans.count > 0 {
        found.push(orphans.of("orphan row"));
    }
    if defects > 0 {
        found.push(plural(defects as u64, "defect"));
    }
    let found = if found.is_empty() { "no orphan rows and no defects".to_owned() } else { found.join(", ") };
    sheet.labelled_prose(LABEL, "found", &Piece::plain(found));
    if !report.undeclared.is_empty() {
        let references = plural(report.undeclared.len() as u64, "reference");
        let line = format!("{references} that the database does not declare, as comments in {}", report.file);
        sheet.labelled_prose(LABEL, "", &Piece::plain(line));
    }
    if let Some(baseline) = report.baseline {
        let line = format!("{baseline} holds what was found; with it, a scan fails only for what is new");
        sheet.labelled_prose(LABEL, "baseline", &Piece::plain(line));
    }
    sheet.blank();
    sheet.prose(0, &Piece::new("as a step of a GitHub workflow:", Style::Dim));
    let step = report.in_pipeline("--format github --redact");
    sheet.whole_line(2, &[Piece::new(format!("- run: {step}"), Style::Command)]);
    let discover = (!report.undeclared.is_empty()).then(|| report.discover());
    sheet.next(&[Some(report.in_pipeline("")), discover].into_iter().flatten().collect::<Vec<_>>());
    sheet.finish()
}
