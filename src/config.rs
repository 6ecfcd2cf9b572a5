//! Parses the text of `fk-doctor.toml` into settings and relations, or into all its faults with their spans.
//!
//! Other modules decide which file is read and which flag overrules it. Names are not resolved here, because that needs
//! a database.

pub mod append;
pub mod baseline;
pub mod fault;
pub mod option_values;
mod policy;
mod reader;
mod relation;
pub mod relations_file;
pub mod rules;
pub mod side;
mod syntax;
mod tables;

use std::time::Duration;

use crate::config::fault::line_number;
use crate::config::option_values::FailOn;
use crate::config::reader::Faults;
use crate::config::reader::Item;
use crate::config::reader::Reader;
use crate::model::configured::ConfiguredRelation;
use crate::model::configured::Fault;
use crate::model::configured::Spanned;
use crate::model::lake::TableFiles;
use crate::model::pattern::Pattern;
use crate::model::policy::Policy;
use crate::model::redaction::Values;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Patterns of tables, or of relation ids, that are not checked.
    pub exclude: Vec<Spanned<Pattern>>,
    pub scan: ScanSettings,
    pub relations: Vec<ConfiguredRelation>,
    /// `[tables]`: the tables of a folder of files.
    pub tables: Vec<Spanned<TableFiles>>,
    pub redact: RedactSettings,
    pub policy: Policy,
    pub discover: DiscoverSettings,
    /// `[database."NAME"]`: what holds for some databases only.
    pub databases: Vec<DatabaseSection>,
}

/// The part of a configuration for the databases with a matching name.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseSection {
    pub name: Spanned<Pattern>,
    pub config: Config,
}

/// `[redact]`: the values that no report shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RedactSettings {
    pub values: Option<Values>,
    pub columns: Vec<Pattern>,
}

/// `[discover]`: what the user knows about references that nobody declares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiscoverSettings {
    /// Patterns of pairs, `child(cols)->parent(cols)`, that are no references.
    pub reject: Vec<Pattern>,
}

/// `[scan]`: settings that a flag of the same name overrules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanSettings {
    pub jobs: Option<usize>,
    pub samples: Option<usize>,
    pub fail_on: Option<FailOn>,
    pub timeout: Option<Duration>,
    /// The longest wait for a lock.
    pub wait: Option<Duration>,
    /// Bytes for the keys of parents.
    pub memory: Option<u64>,
    /// Columns with the time of a row's creation: `table.column`, or the name of a column of any table.
    pub time_columns: Vec<Pattern>,
    /// Files of other programs that have relations, from the folder of the configuration on.
    pub relations: Vec<String>,
    /// Tables on other servers that a scan may read.
    pub remote_tables: Vec<Pattern>,
}

/// Returns the configuration, or all faults in the order of the text.
pub fn parse(text: &str) -> Result<Config, Vec<Fault>> {
    reader::read(text, |root| config(root, text, Scope::File))
}

/// The part of the file that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    File,
    /// `[database."NAME"]`, which has no sections of its own.
    Section,
}

fn databases(sections: Reader<'_, '_>, text: &str) -> Vec<DatabaseSection> {
    let faults = sections.faults();
    let read = |(name, item): (Spanned<String>, Item<'_, '_>)| {
        let section = item.table("a table such as `[database.\"app.db\"]`")?;
        let config = config(section, text, Scope::Section);
        match Pattern::new(&name.value) {
            Ok(pattern) => Some(DatabaseSection { name: Spanned { value: pattern, span: name.span }, config }),
            Err(message) => {
                let name_and_message = format!("{} is not valid: {message}", fault::quoted(&name.value));
                faults.report(name.span, name_and_message, None);
                None
            }
        }
    };
    sections.all_entries().into_iter().filter_map(read).collect()
}

impl Config {
    /// Returns the configuration for a database that has these names. Its sections are stronger than the rest, and the
    /// last section is the strongest.
    pub fn for_database(self, names: &[String]) -> Config {
        let is_meant = |section: &DatabaseSection| names.iter().any(|name| section.name.value.matches(name));
        let (meant, others): (Vec<_>, Vec<_>) = self.databases.clone().into_iter().partition(is_meant);
        let whole = Config { databases: others, ..self };
        meant.into_iter().fold(whole, |config, section| config.overruled_by(section.config))
    }

    fn overruled_by(self, section: Config) -> Config {
        let identity = |relation: &ConfiguredRelation| {
            let condition = relation.condition.as_ref().map(|condition| condition.value.clone());
            (relation.child.value.clone(), relation.parent.value.clone(), condition)
        };
        let replaced: Vec<_> = section.relations.iter().map(identity).collect();
        let kept = self.relations.into_iter().filter(|relation| !replaced.contains(&identity(relation)));
        Config {
            exclude: [self.exclude, section.exclude].concat(),
            scan: self.scan.overruled_by(section.scan),
            relations: kept.chain(section.relations).collect(),
            tables: if section.tables.is_empty() { self.tables } else { section.tables },
            redact: RedactSettings {
                values: section.redact.values.or(self.redact.values),
                columns: [self.redact.columns, section.redact.columns].concat(),
            },
            discover: DiscoverSettings { reject: [self.discover.reject, section.discover.reject].concat() },
            // The first match counts.
            policy: Policy {
                severities: [section.policy.severities, self.policy.severities].concat(),
                thresholds: [section.policy.thresholds, self.policy.thresholds].concat(),
            },
            databases: self.databases,
        }
    }
}

impl ScanSettings {
    fn overruled_by(self, stronger: ScanSettings) -> ScanSettings {
        ScanSettings {
            jobs: stronger.jobs.or(self.jobs),
            samples: stronger.samples.or(self.samples),
            fail_on: stronger.fail_on.or(self.fail_on),
            timeout: stronger.timeout.or(self.timeout),
            wait: stronger.wait.or(self.wait),
            memory: stronger.memory.or(self.memory),
            time_columns: [self.time_columns, stronger.time_columns].concat(),
            relations: [self.relations, stronger.relations].concat(),
            remote_tables: [self.remote_tables, stronger.remote_tables].concat(),
        }
    }
}

const SCAN_KEYS: [&str; 9] =
    ["time-columns", "jobs", "samples", "fail-on", "timeout", "wait", "memory", "relations", "remote-tables"];

fn config(mut root: Reader<'_, '_>, text: &str, scope: Scope) -> Config {
    let exclude = root.take("exclude").map(|item| patterns(&item)).unwrap_or_default();
    let scan = root.take("scan").and_then(|item| item.table("the table `[scan]`")).map(scan).unwrap_or_default();
    let blocks = root.take("relation").map(|item| item.tables()).unwrap_or_default();
    let relations: Vec<_> = blocks.into_iter().filter_map(relation::read).collect();
    report_duplicates(&relations, text, root.faults());
    let tables = root.take("tables").and_then(|item| item.table("the table `[tables]`"));
    let tables = tables.map(tables::read).unwrap_or_default();
    let redact =
        root.take("redact").and_then(|item| item.table("the table `[redact]`")).map(redact).unwrap_or_default();
    let discover = root.take("discover").and_then(|item| item.table("the table `[discover]`"));
    let discover = discover.map(discover_settings).unwrap_or_default();
    let severities = root.take("severity").and_then(|item| item.table("the table `[severity]`"));
    let severities = severities.map(policy::severities).unwrap_or_default();
    let blocks = root.take("threshold").map(|item| item.tables()).unwrap_or_default();
    let thresholds = blocks.into_iter().filter_map(policy::threshold).collect();
    let sections = if scope == Scope::File { root.take("database") } else { None };
    let sections = sections.and_then(|item| item.table("tables such as `[database.\"app.db\"]`"));
    let databases = sections.map(|sections| databases(sections, text)).unwrap_or_default();
    root.advise_misplaced(&["warn-if", "fail-if"], "it belongs under a `[[threshold]]`");
    root.advise_misplaced(&SCAN_KEYS, "it belongs under `[scan]`");
    root.advise_misplaced(
        &["child", "parent", "where", "ignore-values", "soft-deleted"],
        "it belongs under a `[[relation]]`",
    );
    root.finish();
    let policy = Policy { severities, thresholds };
    Config { exclude, scan, relations, tables, redact, policy, discover, databases }
}

fn discover_settings(mut reader: Reader<'_, '_>) -> DiscoverSettings {
    let reject = reader.take("reject").map(|item| patterns(&item)).unwrap_or_default();
    reader.finish();
    DiscoverSettings { reject: reject.into_iter().map(|pattern| pattern.value).collect() }
}

fn redact(mut reader: Reader<'_, '_>) -> RedactSettings {
    let values = reader.take("values");
    let columns = reader.take("columns").map(|item| patterns(&item)).unwrap_or_default();
    reader.finish();
    RedactSettings {
        values: values
            .and_then(|item| item.parsed("\"mask\" or \"hash\"", option_values::parse_redact))
            .map(|at| at.value),
        columns: columns.into_iter().map(|pattern| pattern.value).collect(),
    }
}

fn patterns(item: &Item<'_, '_>) -> Vec<Spanned<Pattern>> {
    let entries = item.entries("an array of patterns, such as [\"audit_*\"]").unwrap_or_default();
    entries.iter().filter_map(|entry| entry.parsed("a pattern, such as \"audit_*\"", Pattern::new)).collect()
}

fn scan(mut reader: Reader<'_, '_>) -> ScanSettings {
    let [time_columns, jobs, samples, fail_on, timeout, wait, memory, relations, remote_tables] =
        SCAN_KEYS.map(|key| reader.take(key));
    reader.advise_misplaced(&["exclude"], "write `exclude` above the first `[…]` of the file");
    reader.finish();
    let duration = "a duration such as \"60s\"";
    let severity = "\"error\", \"warning\", \"note\" or \"never\"";
    let remote_tables = remote_tables.map(|item| patterns(&item)).unwrap_or_default();
    let time_columns = time_columns.map(|item| patterns(&item)).unwrap_or_default();
    let relations = relations.and_then(|item| item.entries("an array of files, such as [\"target/manifest.json\"]"));
    let file = |item: &Item<'_, '_>| item.text("a file such as \"target/manifest.json\"").map(|at| at.value.to_owned());
    ScanSettings {
        relations: relations.unwrap_or_default().iter().filter_map(file).collect(),
        remote_tables: remote_tables.into_iter().map(|pattern| pattern.value).collect(),
        time_columns: time_columns.into_iter().map(|pattern| pattern.value).collect(),
        jobs: jobs.and_then(|item| item.count(&option_values::JOBS)),
        samples: samples.and_then(|item| item.count(&option_values::SAMPLES)),
        fail_on: fail_on.and_then(|item| item.parsed(severity, option_values::parse_fail_on)).map(|at| at.value),
        timeout: timeout.and_then(|item| item.parsed(duration, option_values::parse_timeout)).map(|at| at.value),
        wait: wait.and_then(|item| item.parsed(duration, option_values::parse_duration)).map(|at| at.value),
        memory: memory
            .and_then(|item| item.parsed("a size such as \"256MB\"", option_values::parse_memory))
            .map(|at| at.value),
    }
}

/// Reports relations with equal child, parent and condition, which would report the same rows twice.
fn report_duplicates(relations: &[ConfiguredRelation], text: &str, faults: &Faults) {
    let mut seen = std::collections::HashMap::new();
    for relation in relations {
        let condition = relation.condition.as_ref().map(|condition| &condition.value);
        let identity = (&relation.child.value, &relation.parent.value, condition);
        match seen.get(&identity) {
            None => {
                seen.insert(identity, relation.child.span.start);
            }
            Some(first) => faults.report(
                relation.child.span.clone(),
                format!("this relation is already configured on line {}", line_number(text, *first)),
                Some("remove one of the two, or give them different `where` conditions".to_owned()),
            ),
        }
    }
}
