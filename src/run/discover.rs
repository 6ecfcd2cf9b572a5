//! `discover`: finds references that the database does not declare, reports them, and writes down what a person accepts.

use std::path::Path;
use std::path::PathBuf;

use super::DEFAULT_MEMORY;
use super::DEFAULT_SAMPLES;
use super::DEFAULT_WAIT;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::config_file;
use super::config_file::ConfigFile;
use super::database;
use super::printed_command;
use crate::cli;
use crate::cli::discover::DiscoverArgs;
use crate::config::append;
use crate::discover;
use crate::discover::DiscoverOptions;
use crate::discover::StrongNames;
use crate::discover::pairs::Pruning;
use crate::discover::tolerance::Tolerance;
use crate::engine::Database;
use crate::engine::Deadline;
use crate::engine::Session;
use crate::engine::WaitLimits;
use crate::exit::Exit;
use crate::model::date;
use crate::model::discovery::Candidate;
use crate::model::discovery::ColumnList;
use crate::model::discovery::Discovery;
use crate::model::discovery::NotObserved;
use crate::model::discovery::Omission;
use crate::model::discovery::Tier;
use crate::model::discovery_condition;
use crate::model::discovery_view::CandidateView;
use crate::model::discovery_view::DiscoveryView;
use crate::model::ids::TableId;
use crate::model::pattern;
use crate::model::pattern::Pattern;
use crate::model::redaction::Redaction;
use crate::model::resolve::discovered::DiscoveredRelation;
use crate::model::schema::Schema;
use crate::model::text::io_reason;
use crate::model::text::nearest;
use crate::model::text::plural;
use crate::model::text::shell;
use crate::model::text::visible;
use crate::report;
use crate::report::DiscoveryFormat;
use crate::report::discovery::DiscoveryReport;
use crate::scan::Progress;

mod absent;

/// The largest number of columns of a key.
const DEFAULT_ARITY: u8 = 4;

pub fn discover(
    typed: &DiscoverArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = database::source_to_read(typed.database.as_deref(), global, environment)?;
    super::refuse_discovery(&source, Some("discover"))?;
    let outputs = super::outputs_by_ending(&typed.format, &typed.output, DiscoveryFormat::Table)?;
    super::refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    let edited = edited_file(typed, global, environment)?;
    let read_as = match &edited {
        // The file is new, so there is nothing to read.
        Some(file) if !file.exists => &cli::GlobalArgs { config: None, no_config: true, ..global.clone() },
        _ => global,
    };
    let file = config_file::read(&source, read_as, environment)?;
    if let (Some(edited), false) = (&edited, typed.reject.is_empty()) {
        return Ok(rejecting(edited, &typed.reject));
    }
    let redaction = super::redaction(typed.privacy.redact, &file, environment)?;
    let settings = &file.config.scan;
    let wait_limits = WaitLimits {
        lock_wait: typed.wait.or(settings.wait).unwrap_or(DEFAULT_WAIT),
        deadline: Deadline::after(typed.timeout.or(settings.timeout)),
    };
    let source = file.completed(source);
    let mut database = database::open(&source, &wait_limits, environment)?;
    let schema = file.resolve(database.as_mut(), environment)?;
    let mut session = database.session()?;
    let lowest = typed.tier.unwrap_or(Tier::Likely);
    let explains_all = !typed.explain.is_empty() || outputs.iter().any(|(format, _)| format.lists_all());
    let explained_tier = if explains_all { Tier::Rejected } else { lowest };
    let mut discovery = found(&schema, session.as_mut(), typed, &file, environment, (explained_tier, progress))?;
    discovery.not_observed.extend(changed(&schema, database.as_ref()));
    restrict(&schema, &mut discovery, typed, &file);
    // Accepted values become SQL of the configuration, so they are not hidden.
    let shown = if typed.accept.is_empty() { redaction } else { Redaction::default() };
    let view = DiscoveryView::of(&schema, discovery, &shown);
    let word = typed.database.as_ref().map(|_| shell(&source.to_string())).unwrap_or_default();
    let typed_config = global.config.as_ref().map(|path| path.display().to_string());
    let config = typed_config.unwrap_or_else(|| match file.path.as_str() {
        "" => match source.folder() {
            Some(folder) if folder != Path::new(".") => folder.join(config_file::FILE_NAME).display().to_string(),
            _ => config_file::FILE_NAME.to_owned(),
        },
        path => path.to_owned(),
    });
    let report = DiscoveryReport { view: &view, schema: &schema, lowest, database: &word, config: &shell(&config) };
    let exit = exit(&view, typed.fail_on);
    if !typed.accept.is_empty() {
        return accepting(&report, typed, edited.as_ref(), (global, environment), exit);
    }
    if !typed.explain.is_empty() {
        let text = explained(&report, &schema, session.as_mut(), &typed.explain, environment)?;
        return Ok(Outcome { documents: vec![(None, text)], notes: Vec::new(), exit });
    }
    drop(session);
    let documents =
        super::documents(outputs, environment, |format, terminal| report::discovery::render(&report, format, terminal));
    Ok(Outcome { documents, notes: Vec::new(), exit })
}

/// Returns the part of the database that changed while it was read, if it may have.
pub(super) fn changed(schema: &Schema, database: &dyn Database) -> Option<NotObserved> {
    let reason = database.change_while_reading()?;
    Some(NotObserved { subject: schema.database.name.clone(), reason, number: 1, omission: Omission::NotRead })
}

/// Reads the database and judges every pair. Candidates below the tier `explained` come without evidence.
fn found(
    schema: &Schema,
    session: &mut dyn Session,
    typed: &DiscoverArgs,
    file: &ConfigFile,
    environment: &Environment,
    (explained, progress): (Tier, Progress<'_>),
) -> Result<Discovery, RunError> {
    let settings = &file.config.scan;
    let mut tolerance = Tolerance::default();
    if let Some(shares) = typed.tolerance {
        tolerance = Tolerance { keys: u64::from(shares.keys), rows: u64::from(shares.rows), ..tolerance };
    }
    let excluded: Vec<&Pattern> = excluded(typed, file).filter(|pattern| !pattern.is_for_relations()).collect();
    let is_wanted = |table: TableId| {
        let name = schema.tables[table].name.to_string();
        !excluded.iter().any(|pattern| pattern.matches(&name))
    };
    let names = StrongNames::of(schema);
    let options = DiscoverOptions {
        tolerance,
        pruning: Pruning::ALL,
        max_arity: usize::from(typed.max_arity.unwrap_or(DEFAULT_ARITY)),
        deadline: Deadline::after(typed.timeout.or(settings.timeout)),
        progress,
        memory: typed.memory.or(settings.memory).unwrap_or(DEFAULT_MEMORY),
        threads: typed.jobs.or(settings.jobs).unwrap_or(environment.cores).max(1),
        samples: typed.samples.or(settings.samples).unwrap_or(DEFAULT_SAMPLES),
        seed: seed(),
        is_wanted: &is_wanted,
        has_strong_name: &|child, parent| names.speak_for(child, parent),
    };
    let facts = discover::facts(schema, session, &options)?;
    Ok(discover::assess(schema, facts, &file.config.discover.reject, explained))
}

/// Returns the candidates of this tier or above that are not known yet, with the notes about all that was left out.
pub(super) fn candidates(
    schema: &Schema,
    session: &mut dyn Session,
    typed: &DiscoverArgs,
    environment: &Environment,
    lowest: Tier,
    progress: Progress<'_>,
) -> Result<(Vec<CandidateView>, Vec<String>), RunError> {
    let discovery = found(schema, session, typed, &ConfigFile::default(), environment, (lowest, progress))?;
    let failures: Vec<NotObserved> =
        discovery.not_observed.iter().filter(|part| part.omission.is_failure()).cloned().collect();
    let view = DiscoveryView::of(schema, discovery, &Redaction::default());
    let is_wanted = |candidate: &CandidateView| candidate.tier != Tier::Declared && candidate.tier <= lowest;
    let candidates = view.candidates.into_iter().filter(is_wanted).collect();
    Ok((candidates, Undeclared::notes(&failures)))
}

/// The relations that nobody declares, and what the discovery could not read or compare.
pub(super) struct Undeclared {
    pub(super) relations: Vec<DiscoveredRelation>,
    pub(super) failures: Vec<NotObserved>,
}

impl Undeclared {
    /// Returns the exit code of a run whose discovery may be incomplete.
    pub(super) fn exit(failures: &[NotObserved], exit: Exit) -> Exit {
        if failures.is_empty() { exit } else { exit.or_graver(Exit::Incomplete) }
    }

    /// Returns a note for each table or column that was left out.
    pub(super) fn notes(failures: &[NotObserved]) -> Vec<String> {
        let note = |part: &NotObserved| {
            let verb = if part.omission == Omission::NotRead { "read" } else { "compare" };
            format!("note: the discovery could not {verb} {}: {}", visible(&part.subject), visible(&part.reason))
        };
        failures.iter().map(note).collect()
    }
}

/// Returns the relations that nobody declares, of this tier or above.
pub(super) fn undeclared(
    schema: &Schema,
    session: &mut dyn Session,
    typed: &DiscoverArgs,
    file: &ConfigFile,
    environment: &Environment,
    lowest: Tier,
    progress: Progress<'_>,
) -> Result<Undeclared, RunError> {
    let discovery = found(schema, session, typed, file, environment, (lowest, progress))?;
    let facts = schema.database.engine.facts();
    let is_wanted = |candidate: &&Candidate| candidate.tier != Tier::Declared && candidate.tier <= lowest;
    let relation = |candidate: &Candidate| {
        let pair = &candidate.pair;
        let table = &schema.tables[pair.child.table];
        let terms = pair.condition.iter().map(|(column, value)| (table.columns[*column].name.as_str(), value));
        DiscoveredRelation {
            child: pair.child.clone(),
            parent: pair.parent.clone(),
            condition: (!pair.condition.is_empty()).then(|| discovery_condition::sql(terms, facts)),
            origin: candidate.tier.origin(),
        }
    };
    let relations = discovery.candidates.iter().filter(is_wanted).map(relation).collect();
    let failures = discovery.not_observed.into_iter().filter(|part| part.omission.is_failure()).collect();
    Ok(Undeclared { relations, failures })
}

/// Returns numbers that differ in each run, so that nobody can choose values whose hashes are equal.
fn seed() -> (u64, u64) {
    use std::hash::BuildHasher;
    let state = std::hash::RandomState::new();
    (state.hash_one(0_u8), state.hash_one(1_u8))
}

fn excluded<'a>(typed: &'a DiscoverArgs, file: &'a ConfigFile) -> impl Iterator<Item = &'a Pattern> {
    typed.exclude.iter().chain(file.config.exclude.iter().map(|pattern| &pattern.value))
}

/// Leaves out the pairs that the user does not want to see. They were judged, because they are neighbours of others.
fn restrict(schema: &Schema, discovery: &mut Discovery, typed: &DiscoverArgs, file: &ConfigFile) {
    let pairs: Vec<&Pattern> = excluded(typed, file).filter(|pattern| pattern.is_for_relations()).collect();
    let is_excluded = |child: &ColumnList, parent: &ColumnList, also: &[Pattern]| {
        let id = schema.pair_id(child, parent);
        pairs.iter().copied().chain(also).any(|pattern| pattern.matches(&id))
    };
    let is_of_table = |table: TableId| {
        let name = schema.tables[table].name.to_string();
        typed.table.is_empty() || typed.table.iter().any(|pattern| pattern.matches(&name))
    };
    discovery.candidates.retain(|candidate| {
        let (child, parent) = (&candidate.pair.child, &candidate.pair.parent);
        (is_of_table(child.table) || is_of_table(parent.table)) && !is_excluded(child, parent, &[])
    });
    // A rejected candidate is in the report as such. A rejected near pair has no tier to show it.
    let rejected = &file.config.discover.reject;
    discovery.near.retain(|near| {
        let (child, parent) = (&near.child, &near.parent);
        (is_of_table(child.table) || is_of_table(parent.table)) && !is_excluded(child, parent, rejected)
    });
    discovery.parents_missing.retain(|missing| is_of_table(missing.child.table));
}

fn exit(view: &DiscoveryView, fail_on: Option<Tier>) -> Exit {
    let fails = fail_on.is_some_and(|lowest| view.found().any(|candidate| candidate.tier <= lowest));
    let exit = if fails { Exit::Findings } else { Exit::Clean };
    if view.is_incomplete() { exit.or_graver(Exit::Incomplete) } else { exit }
}

/// The configuration file that is to be changed.
struct EditedFile {
    path: PathBuf,
    text: String,
    exists: bool,
}

fn edited_file(
    typed: &DiscoverArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<Option<EditedFile>, RunError> {
    let Some(path) = global.config.as_ref().filter(|_| !typed.accept.is_empty() || !typed.reject.is_empty()) else {
        return Ok(None);
    };
    match std::fs::read_to_string(environment.directory.join(path)) {
        Ok(text) => Ok(Some(EditedFile { path: path.clone(), text, exists: true })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Some(EditedFile { path: path.clone(), text: String::new(), exists: false }))
        }
        Err(error) => Err(RunError::ConfigFile { path: path.clone(), why: io_reason(&error) }),
    }
}

/// Writes rejected pairs to the configuration.
fn rejecting(file: &EditedFile, patterns: &[Pattern]) -> Outcome {
    let patterns: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
    let text = append::with_rejected(&file.text, &patterns);
    if text == file.text {
        let note = format!("note: {} rejects this already", file.path.display());
        return Outcome { documents: Vec::new(), notes: vec![note], exit: Exit::Clean };
    }
    let note = format!("wrote {}: discover asks about {} no more", file.path.display(), patterns.join(", "));
    Outcome { documents: vec![(Some(file.path.clone()), text)], notes: vec![note], exit: Exit::Clean }
}

/// Prints the accepted candidates as configuration, or adds them to the file.
fn accepting(
    report: &DiscoveryReport<'_>,
    typed: &DiscoverArgs,
    file: Option<&EditedFile>,
    (global, environment): (&cli::GlobalArgs, &Environment),
    exit: Exit,
) -> Result<Outcome, RunError> {
    let accepted = accepted(report.view, &typed.accept)?;
    let facts = report.view.database.engine.facts();
    let today = &date::timestamp(environment.now)[..10];
    let entries = report::discovery::entries(accepted.iter().copied(), facts, today);
    let number = plural(accepted.len() as u64, "relation");
    if accepted.is_empty() {
        let note =
            "note: nothing is to be accepted; what is known already is in the configuration or declared".to_owned();
        return Ok(Outcome { documents: Vec::new(), notes: vec![note], exit });
    }
    let Some(file) = file else {
        return Ok(Outcome { documents: vec![(None, entries)], notes: Vec::new(), exit });
    };
    let text = append::with_blocks(&file.text, &entries);
    let mut notes = vec![format!("wrote {}: {number} added", file.path.display())];
    // The file is the value of --config, so the options name it.
    let options = printed_command::ending(global.words());
    let scan = ["fk-doctor scan", report.database].join(" ");
    notes.push(format!("next: {}{options}", scan.trim_end()));
    Ok(Outcome { documents: vec![(Some(file.path.clone()), text)], notes, exit })
}

/// Returns the candidates that the options accept. What is known already is not accepted again.
fn accepted<'v>(view: &'v DiscoveryView, options: &[String]) -> Result<Vec<&'v CandidateView>, RunError> {
    let mut is_accepted = vec![false; view.candidates.len()];
    for option in options {
        let tier = [Tier::Certain, Tier::Likely, Tier::Possible].into_iter().find(|tier| tier.name() == option);
        let mut is_known = false;
        let mut any = false;
        let pattern =
            tier.is_none().then(|| Pattern::new(option)).transpose().map_err(|why| not_accepted(option, why))?;
        let has_wildcard = pattern::has_wildcard(option);
        for (accepted, candidate) in is_accepted.iter_mut().zip(&view.candidates) {
            let is_meant = match (&pattern, tier) {
                (Some(pattern), _) => pattern.matches(&candidate.id),
                (None, Some(tier)) => candidate.tier <= tier,
                (None, None) => false,
            };
            if !is_meant {
                continue;
            }
            is_known |= candidate.tier == Tier::Declared;
            // A rejected pair is accepted only by its whole id.
            if candidate.tier != Tier::Declared && (candidate.tier != Tier::Rejected || !has_wildcard) {
                *accepted = true;
                any = true;
            }
        }
        if !any && !is_known && tier.is_none() {
            let ids: Vec<&str> = view.candidates.iter().map(|candidate| candidate.id.as_str()).collect();
            let near = nearest(option, ids).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(not_accepted(option, format!("no candidate matches it{near}")));
        }
    }
    let candidates = view.candidates.iter().zip(is_accepted);
    Ok(candidates.filter(|(_, is_accepted)| *is_accepted).map(|(candidate, _)| candidate).collect())
}

fn not_accepted(option: &str, why: String) -> RunError {
    RunError::Input {
        what: format!("--accept {option}"),
        why,
        help: "name a tier (certain, likely, possible) or a pair that `fk-doctor discover --tier rejected` lists"
            .to_owned(),
    }
}

/// Explains each pair, also one that is no candidate.
fn explained(
    report: &DiscoveryReport<'_>,
    schema: &Schema,
    session: &mut dyn Session,
    pairs: &[String],
    environment: &Environment,
) -> Result<String, RunError> {
    let mut texts = Vec::new();
    for pair in pairs {
        let (child, parent) = absent::columns(schema, pair)?;
        let id = schema.pair_id(&child, &parent);
        let listed: Vec<&CandidateView> =
            report.view.candidates.iter().filter(|candidate| candidate.id == id).collect();
        if listed.is_empty() {
            let pair = absent::observe(schema, session, child, parent)?;
            texts.push(report::discovery::absent(&pair, &environment.terminal));
        }
        texts.extend(
            listed.into_iter().map(|found| report::discovery::explanation(report, found, &environment.terminal)),
        );
    }
    Ok(texts.join("\n"))
}
