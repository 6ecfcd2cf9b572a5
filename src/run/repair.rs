//! `repair`: rules and a database → a report and a plan; with `--apply`, the plan is applied too.

use std::collections::BTreeMap;
use std::io::BufWriter;
use std::path::Path;
use std::path::PathBuf;

use super::DEFAULT_MEMORY;
use super::DEFAULT_WAIT;
use super::Outcome;
use super::RunError;
use super::Surroundings;
use super::config_file;
use super::config_file::ConfigFile;
use super::rule_files;
use super::rule_files::RuleFiles;
use crate::cli;
use crate::engine;
use crate::engine::Database;
use crate::engine::Deadline;
use crate::engine::EngineError;
use crate::engine::Patience;
use crate::engine::Session;
use crate::exit::Exit;
use crate::model::plan::Forecast;
use crate::model::plan::Header;
use crate::model::plan::NewTable;
use crate::model::plan::Treated;
use crate::model::prospect::Prospect;
use crate::model::redefinition;
use crate::model::redefinition::Definition;
use crate::model::redefinition::Redefinition;
use crate::model::schema::Schema;
use crate::model::sql;
use crate::model::sql::repair::RepairDialect;
use crate::model::value::Value;
use crate::plan_file;
use crate::plan_file::PlanWriter;
use crate::report;
use crate::report::Paper;
use crate::report::RepairFormat;
use crate::scan;
use crate::scan::Progress;
use crate::scan::Wishes;
use crate::source::Source;
use crate::treat;
use crate::treat::Draft;
use crate::treat::Rooms;
use crate::treat::redefine;

mod script;
mod wishes;

pub fn repair(
    typed: &cli::repair::Repair,
    global: &cli::Global,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let source = super::source(&typed.database, surroundings)?;
    let outputs = super::outputs(&typed.format, &None, RepairFormat::Table)?;
    super::refuse_to_overwrite(&source, outputs.iter().filter_map(|(_, file)| file.as_deref()))?;
    super::refuse_to_overwrite(&source, typed.output.as_deref().into_iter())?;
    let mut files = rule_files::read_with(&typed.rules, wishes::rules(typed)?, surroundings)?;
    let patience = Patience { lock_wait: typed.writing.wait.unwrap_or(DEFAULT_WAIT), deadline: Deadline::default() };
    if typed.prevent {
        wishes::prevent(&mut files.rules)?;
    }
    let mut config = config_file::read(global, surroundings)?;
    config.typed = wishes::relations(typed)?;
    let redaction = super::redaction(typed.privacy.redact, &config, surroundings)?;
    let mut database = engine::open(&source, &patience)?;
    let planned = plan(database.as_mut(), &files, &config, surroundings, progress)?;
    let exit = exit(&planned.draft.prospect);
    let is_refused = !planned.draft.prospect.refusals.is_empty();
    let path = match (&typed.output, typed.apply) {
        _ if is_refused => None,
        (Some(path), _) => Some(path.clone()),
        (None, true) => Some(beside(&source, &planned.header)),
        (None, false) => None,
    };
    if let Some(path) = &path {
        write(path, &planned.header, &planned.draft)?;
    }
    let shown = redaction.prospect(&planned.schema, &planned.draft.prospect);
    let said = report::repair::Said {
        schema: &planned.schema,
        prospect: &shown,
        plan: path.as_deref(),
        database: typed.database.as_deref(),
        is_applied: typed.apply,
    };
    let mut documents = Vec::new();
    for (format, file) in outputs {
        let paper = if file.is_some() { Paper::default() } else { surroundings.paper };
        let text = match format {
            RepairFormat::Sql => script::script(&planned)?,
            format => report::repair(&said, format, &paper),
        };
        documents.push((file, text));
    }
    drop(database);
    match path.filter(|_| typed.apply) {
        None => Ok(Outcome { documents, exit }),
        Some(plan) => {
            let applied = super::apply::go(
                crate::apply::Direction::Apply,
                &source,
                &plan,
                &typed.writing,
                global,
                surroundings,
                progress,
            )?;
            let is_table = typed.format.is_empty();
            documents.extend(applied.documents.into_iter().filter(|_| is_table));
            Ok(Outcome { documents, exit: applied.exit })
        }
    }
}

/// A plan that is thought of and not yet written.
struct Planned {
    schema: Schema,
    definitions: Vec<Definition>,
    surgery: &'static dyn RepairDialect,
    header: Header,
    draft: Draft,
}

fn plan(
    database: &mut dyn Database,
    files: &RuleFiles,
    config: &ConfigFile,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Result<Planned, RunError> {
    let schema = config.resolve(database, surroundings)?;
    let surgery = sql::repair::of(&schema).ok_or(RunError::NoRepair)?;
    let (assigned, faults) = treat::assign::assign(&schema, &files.rules);
    if !faults.is_empty() {
        return Err(files.faulty(&faults, surroundings));
    }
    let mut sessions = database.sessions(surroundings.cores.max(2))?;
    config.check_conditions(&schema, &mut sessions, surroundings)?;
    let faults = treat::check::check(&schema, &files.rules, &assigned, surgery, sessions[0].as_mut())?;
    if !faults.is_empty() {
        return Err(files.faulty(&faults, surroundings));
    }
    let wishes = Wishes {
        samples: 1,
        memory: DEFAULT_MEMORY,
        threads: surroundings.cores,
        progress,
        is_known: &|_, _, _| false,
    };
    let facts = scan::scan(&schema, &mut sessions, &wishes);
    let definitions = definitions(sessions[0].as_mut(), surgery)?;
    let defaults = defaults(&schema, files, &assigned, surgery, sessions[0].as_mut())?;
    let (Some(reader), Some(asker)) = (sessions.pop(), sessions.pop()) else {
        let why = "other programs write to it too often for two sessions to see one moment".to_owned();
        return Err(RunError::Engine(EngineError::Failed { why }));
    };
    drop(sessions);
    let rooms = Rooms { reader, asker, rehearsal: database.rehearsal()? };
    let mut draft = treat::plan(&schema, &facts, &files.rules, &assigned, surgery, rooms, progress)?;
    let decided = redefine::decide(&redefine::Matter {
        schema: &schema,
        rules: &files.rules,
        assigned: &assigned,
        outlooks: &draft.prospect.relations,
        definitions: &definitions,
        defaults: &defaults,
        dialect: surgery.redefining(),
    });
    draft.prospect.redefinitions = decided.changes;
    draft.prospect.refusals.extend(decided.refusals);
    draft.prospect.hazards = hazards(&schema, surgery, &definitions, &draft.prospect);
    draft.prospect.hazards.extend(decided.hazards);
    let header = Header {
        engine: schema.database.engine,
        database: schema.database.name.clone(),
        identity: plan_file::digest([database.identity()?.as_bytes()]),
        schema: fingerprint(&definitions, &draft.prospect.creates, &draft.prospect.redefinitions),
        rules: files.digests(),
        creates: draft.prospect.creates.clone(),
        redefinitions: draft.prospect.redefinitions.clone(),
        forecasts: forecasts(&schema, &facts, &draft.prospect),
        treated: treated(&draft.prospect),
        undecided: draft.prospect.undecided_keys(),
    };
    Ok(Planned { schema, definitions, surgery, header, draft })
}

/// The columns of parents that have a DEFAULT, where triggers are to make such parents.
fn defaults(
    schema: &Schema,
    files: &RuleFiles,
    assigned: &[Option<usize>],
    surgery: &dyn RepairDialect,
    session: &mut dyn Session,
) -> Result<BTreeMap<usize, Vec<String>>, EngineError> {
    let mut defaults = BTreeMap::new();
    for parent in redefine::parents_to_know(schema, &files.rules, assigned) {
        let mut names = Vec::new();
        session.each_row(&surgery.defaults(&schema.tables[parent]), &mut |row| {
            names.extend(row.first().and_then(Value::as_text).map(str::to_owned));
        })?;
        defaults.insert(parent, names);
    }
    Ok(defaults)
}

pub(super) fn definitions(
    session: &mut dyn Session,
    surgery: &dyn RepairDialect,
) -> Result<Vec<Definition>, EngineError> {
    let mut definitions = Vec::new();
    session.each_row(&surgery.definitions(), &mut |row| {
        let text = |place: usize| match row.get(place) {
            Some(Value::Text(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        definitions.push([text(0), text(1), text(2), text(3)]);
    })?;
    Ok(definitions)
}

/// A digest of all definitions, as they are before the plan: without the tables that it makes.
pub(super) fn fingerprint(definitions: &[Definition], creates: &[NewTable], changes: &[Redefinition]) -> String {
    let own = |definition: &&Definition| !creates.iter().any(|table| table.name.table == definition[2]);
    let before = redefinition::before(changes, definitions);
    plan_file::digest(before.iter().filter(own).flatten().map(String::as_bytes))
}

/// What else will happen when the plan is applied.
fn hazards(
    schema: &Schema,
    surgery: &dyn RepairDialect,
    definitions: &[Definition],
    prospect: &Prospect,
) -> Vec<String> {
    let mut hazards = Vec::new();
    for table in &prospect.tables {
        let triggers: Vec<&str> = definitions
            .iter()
            .filter(|[kind, _, of, _]| kind == "trigger" && schema.names.same(of, &table.table))
            .map(|[_, name, ..]| name.as_str())
            .collect();
        if !triggers.is_empty() {
            let silence = if surgery.can_silence_triggers() { "; --no-triggers keeps them silent" } else { "" };
            hazards.push(format!(
                "{} has triggers ({}): what they change beyond the plan rolls it back{silence}",
                table.table,
                triggers.join(", ")
            ));
        }
    }
    if surgery.defines_at_once() && !prospect.redefinitions.is_empty() {
        hazards.push(format!(
            "{} commits each definition at once: what is cut off is gone on with by the same command, or taken back by undo",
            schema.database.engine.title()
        ));
    }
    if surgery.defines_at_once() && !prospect.creates.is_empty() {
        let names: Vec<&str> = prospect.creates.iter().map(|new| new.name.table.as_str()).collect();
        hazards.push(format!(
            "{} is made before the transaction, which cannot hold it: a failure may leave it behind, empty",
            names.join(", ")
        ));
    }
    hazards
}

/// Every relation that a changed table has a part in.
fn forecasts(schema: &Schema, facts: &[scan::Fact], prospect: &Prospect) -> Vec<Forecast> {
    let is_changed = |table: Option<usize>| {
        table.is_some_and(|table| {
            let name = schema.tables[table].name.to_string();
            prospect.tables.iter().any(|changes| changes.table == name)
        })
    };
    let is_declared = |id: &String| prospect.redefinitions.iter().any(|change| change.declared.contains(id));
    let is_dropped = |id: &String| prospect.redefinitions.iter().any(|change| change.dropped.contains(id));
    let declared =
        schema.relations.iter().zip(facts).enumerate().filter(|(_, (relation, _))| !is_dropped(&relation.id));
    let touched = declared.filter_map(|(index, (relation, fact))| match fact {
        scan::Fact::Checked(tally)
            if is_changed(Some(relation.child)) || is_changed(relation.parent.table) || is_declared(&relation.id) =>
        {
            let outlook = prospect.relations.iter().find(|outlook| outlook.relation == index);
            Some(Forecast {
                relation: relation.id.clone(),
                rows_before: tally.orphan_rows,
                rows_after: outlook.map_or(tally.orphan_rows, |outlook| outlook.rows_after),
            })
        }
        _ => None,
    });
    touched.collect()
}

fn treated(prospect: &Prospect) -> Vec<Treated> {
    let all =
        prospect.relations.iter().flat_map(|outlook| outlook.treatments.iter().map(move |share| (outlook, share)));
    all.map(|(outlook, share)| Treated {
        rule: outlook.rule.clone().unwrap_or_default(),
        relation: outlook.id.clone(),
        treatment: share.treatment.clone(),
        keys: share.keys,
        rows: share.rows,
    })
    .collect()
}

fn exit(prospect: &Prospect) -> Exit {
    if !prospect.refusals.is_empty() {
        Exit::Refused
    } else if prospect.relations.iter().any(|outlook| outlook.unchecked.is_some() && outlook.rule.is_some()) {
        Exit::Incomplete
    } else if prospect.undecided_keys() > 0 {
        Exit::Findings
    } else {
        Exit::Clean
    }
}

/// Where a plan goes that nobody named a place for: it has to be kept, because it is also the way back.
fn beside(source: &Source, header: &Header) -> PathBuf {
    let database = match source {
        Source::Sqlite(path) => path.as_path(),
        Source::Postgres(_) | Source::Mysql(_) => Path::new("fk-doctor"),
    };
    let all: Vec<u8> = header.forecasts.iter().flat_map(|forecast| forecast.relation.bytes()).collect();
    super::apply::free_name(
        database,
        &format!("plan-{}", &plan_file::digest([header.schema.as_bytes(), &all])[..8]),
        ".ndjson",
    )
}

/// The file is there whole and on the disk, or not at all.
fn write(path: &Path, header: &Header, draft: &Draft) -> Result<(), RunError> {
    let unwritten = |error: std::io::Error| RunError::unwritten(Some(path), &error);
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".fk-doctor-").tempfile_in(folder).map_err(unwritten)?;
    let mut writer = PlanWriter::new(BufWriter::new(file), header).map_err(unwritten)?;
    draft.bench.each(|change| writer.change(change).map_err(Kept::File)).map_err(|kept| match kept {
        Kept::File(error) => unwritten(error),
        Kept::Bench(error) => RunError::Treat(error.into()),
    })?;
    let file = writer.finish().and_then(|out| out.into_inner().map_err(std::io::Error::from)).map_err(unwritten)?;
    file.as_file().sync_all().map_err(unwritten)?;
    file.persist(path).map_err(|error| unwritten(error.error))?;
    // The name is on the disk too.
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritten)
}

/// Why a plan could not be written down.
enum Kept {
    File(std::io::Error),
    Bench(rusqlite::Error),
}

impl From<rusqlite::Error> for Kept {
    fn from(error: rusqlite::Error) -> Kept {
        Kept::Bench(error)
    }
}
