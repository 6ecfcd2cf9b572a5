//! Finds and reads the configuration file, and shows its faults with line and caret. `config` parses the text.

use std::path::Path;
use std::path::PathBuf;

use super::Environment;
use super::RunError;
use super::relations_files;
use super::relations_files::WrittenFile;
use crate::cli;
use crate::config;
use crate::config::Config;
use crate::engine::Database;
use crate::engine::Session;
use crate::model::configured::ConfiguredRelation;
use crate::model::configured::Fault;
use crate::model::file_line::FileLine;
use crate::model::ids::RelationId;
use crate::model::lake::TableFiles;
use crate::model::relation::Judge;
use crate::model::relation::Relation;
use crate::model::remote;
use crate::model::remote::RemoteUse;
use crate::model::resolve;
use crate::model::schema::Schema;
use crate::model::text::io_reason;
use crate::model::text::nearest;
use crate::model::text::shell;
use crate::source;
use crate::source::Source;
use crate::sql;

/// The name of the configuration file in a folder.
pub(super) const FILE_NAME: &str = "fk-doctor.toml";

/// A configuration and the text that its faults point into.
#[derive(Default)]
pub(super) struct ConfigFile {
    /// The path as shown to the user. It is empty if there is no file.
    pub(super) path: String,
    /// The folder of the file.
    folder: Option<PathBuf>,
    pub(super) text: String,
    pub(super) config: Config,
    /// The relations of the option --enforce, each with its text.
    pub(super) typed: Vec<(String, ConfiguredRelation)>,
    /// The files of other programs that have relations.
    written: Vec<WrittenFile>,
}

/// Reads the configuration for a database.
pub(super) fn read(
    source: &Source,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<ConfigFile, RunError> {
    let file = read_from(source.folder(), global, environment)?;
    if let Some(fault) = misplaced_tables(source, &file.config) {
        return Err(file.faults(&[fault], environment));
    }
    let file = with_written(file, source, global, environment)?;
    let Some(folder) = &file.folder else { return Ok(file) };
    let names = names(source, folder);
    let config = file.config.clone().for_database(&names);
    if config.databases.len() == file.config.databases.len()
        && let Some(near) = near_section(&config, &names)
    {
        let database = names.first().map_or("", String::as_str);
        environment.note(&format!(
            "{} has no section for {database}; did you mean [database.\"{database}\"] instead of \"{near}\"?",
            file.path
        ));
    }
    Ok(ConfigFile { config, ..file })
}

/// Returns the fault of `[tables]` for a database, or of a table of files with keys for a cluster.
fn misplaced_tables(source: &Source, config: &Config) -> Option<Fault> {
    if !source.has_configured_tables() {
        let table = config.tables.first()?;
        return Some(Fault {
            span: table.span.clone(),
            message: format!("[tables] is for a folder of files or a cluster, and {source} is a database"),
            help: Some("move it to a fk-doctor.toml in the folder of the files".to_owned()),
        });
    }
    source.folder()?;
    let (table, key) = config.tables.iter().find_map(|table| Some((table, table.value.key_for_clusters()?)))?;
    Some(Fault {
        span: table.span.clone(),
        message: format!("the key {key} of this table is for a cluster, and {source} is a folder"),
        help: Some(format!("remove {key}, or let a cluster read the files: fk-doctor scan sc://HOST:15002")),
    })
}

/// Reads the configuration without choosing the sections of any database.
pub(super) fn read_for_all(global: &cli::GlobalArgs, environment: &Environment) -> Result<ConfigFile, RunError> {
    read_from(None, global, environment)
}

/// Reads the configuration in a folder or above it, else that of the working directory.
fn read_from(
    folder: Option<&Path>,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<ConfigFile, RunError> {
    let folder = folder.map(|folder| environment.directory.join(folder));
    let found = match &global.config {
        _ if global.no_config => None,
        Some(path) => Some(path.clone()),
        None => folder
            .iter()
            .flat_map(|folder| folder.ancestors())
            .chain(environment.directory.ancestors())
            .map(|directory| directory.join(FILE_NAME))
            .find(|path| path.is_file()),
    };
    let Some(path) = found else { return Ok(ConfigFile::default()) };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| RunError::ConfigFile { path: path.clone(), why: io_reason(&error) })?;
    let shown = path.strip_prefix(&environment.directory).unwrap_or(&path).display().to_string();
    match config::parse(&text) {
        Ok(config) => {
            let folder = environment.directory.join(&path).parent().map(Path::to_owned);
            Ok(ConfigFile { path: shown, folder, text, config, ..ConfigFile::default() })
        }
        Err(faults) => Err(RunError::Config {
            rendered: config::fault::render(&faults, &text, &shown, environment.terminal.color),
        }),
    }
}

/// True if all tables of a relation can be read. Otherwise it is unchecked, whatever its conditions are.
fn is_readable(schema: &Schema, relation: &Relation) -> bool {
    schema.child(relation).unreadable.is_none()
        && schema.parent(relation).is_none_or(|parent| parent.unreadable.is_none())
}

/// Adds the relations of other programs' files: those of the configuration, those of the options, and the data package of a
/// folder.
fn with_written(
    mut file: ConfigFile,
    source: &Source,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<ConfigFile, RunError> {
    let beside = file.folder.clone().unwrap_or_default();
    let configured = file.config.scan.relations.iter().map(|path| beside.join(path));
    let package = source.folder().map(|folder| folder.join("datapackage.json"));
    let package = package.filter(|path| environment.directory.join(path).is_file());
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in configured.chain(global.relations.iter().cloned()).chain(package) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    file.written = paths.iter().map(|path| relations_files::read(path, environment)).collect::<Result<_, _>>()?;
    let warnings = file.written.iter().flat_map(WrittenFile::thresholds);
    file.config.policy.thresholds.extend(warnings);
    Ok(file)
}

/// Returns the names by which a section can mean a database: of a file, its name, its path as given, and its path from
/// the folder of the configuration; of a server, the name of the database, with and without its host, and the URL.
fn names(source: &Source, folder: &Path) -> Vec<String> {
    let shown = |path: &Path| path.display().to_string();
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match source {
        Source::File { path, .. } | Source::Folder { path, .. } => {
            let below = whole(path).strip_prefix(whole(folder)).map(shown);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            name.into_iter().chain(below).chain([shown(path), shown(&whole(path))]).collect()
        }
        Source::Server { address, .. } | Source::Cluster { address, .. } => {
            let name = source.name();
            let with_host = address.host.as_ref().map(|host| format!("{host}/{name}"));
            [name].into_iter().chain(with_host).chain([address.to_string()]).collect()
        }
    }
}

/// Returns the name of a section that is similar to the name of the database.
fn near_section(config: &Config, names: &[String]) -> Option<String> {
    let sections: Vec<&str> = config.databases.iter().map(|section| section.name.value.as_str()).collect();
    nearest(names.first()?, sections).map(str::to_owned)
}

impl ConfigFile {
    /// Returns a folder of files with the tables of the configuration; any other source as it is.
    pub(super) fn completed(&self, source: Source) -> Source {
        let configured = self.config.tables.iter().map(|table| table.value.clone());
        let mut tables: Vec<TableFiles> = configured.collect();
        for table in self.written.iter().flat_map(|file| &file.content.tables) {
            if tables.iter().all(|known| known.name != table.name) {
                tables.push(table.clone());
            }
        }
        source.with_tables(tables)
    }

    /// Returns the place of each configured relation.
    pub(super) fn relation_lines(&self) -> Vec<FileLine> {
        let line = |text: &str, entry: &ConfiguredRelation| config::fault::line_number(text, entry.child.span.start);
        let entries = self.config.relations.iter();
        let entries = entries.map(|entry| FileLine { file: self.path.clone(), line: line(&self.text, entry) });
        let typed = self.typed.iter().map(|_| FileLine { file: self.path.clone(), line: 1 });
        let written = self.written.iter().flat_map(|file| {
            let entries = file.content.relations.iter();
            entries.map(|written| FileLine { file: file.shown.clone(), line: line(&file.text, &written.relation) })
        });
        entries.chain(typed).chain(written).collect()
    }

    fn faults(&self, faults: &[Fault], environment: &Environment) -> RunError {
        RunError::Config { rendered: config::fault::render(faults, &self.text, &self.path, environment.terminal.color) }
    }

    /// Resolves the definitions for a command that leaves rows on other servers alone.
    pub(super) fn resolve(&self, database: &mut dyn Database, environment: &Environment) -> Result<Schema, RunError> {
        self.resolve_with(RemoteUse::None, database, environment)
    }

    /// Resolves the definitions for a command that makes this use of rows on other servers.
    pub(super) fn resolve_with(
        &self,
        used: RemoteUse<'_>,
        database: &mut dyn Database,
        environment: &Environment,
    ) -> Result<Schema, RunError> {
        let mut catalog = database.catalog()?;
        remote::admit(&mut catalog, used);
        let name = catalog.database.name.clone();
        for (text, relation) in &self.typed {
            let color = environment.terminal.color;
            resolve::resolve(catalog.clone(), std::slice::from_ref(relation)).map_err(|faults| RunError::Config {
                rendered: config::fault::render(&faults, text, "--enforce", color),
            })?;
        }
        let foreign = resolve::foreign_tables(&catalog, &self.config.relations);
        if !foreign.is_empty() {
            let words: Vec<String> = environment.words().iter().map(|word| shell(&source::masked(word))).collect();
            let command = if words.is_empty() { format!("scan {}", shell(&name)) } else { words.join(" ") };
            let without = format!("fk-doctor {command} --no-config");
            return Err(RunError::ConfigOfOthers { path: self.path.clone(), database: name, tables: foreign, without });
        }
        let typed = self.typed.iter().map(|(_, relation)| relation);
        let mut relations: Vec<ConfiguredRelation> = self.config.relations.iter().chain(typed).cloned().collect();
        for file in &self.written {
            relations.extend(file.named(&mut catalog)?);
        }
        let schema = resolve::resolve(catalog, &relations);
        let schema = schema.map_err(|faults| self.faults(&faults, environment))?;
        let idle = self.config.policy.thresholds.iter().filter(|threshold| {
            !schema
                .relations
                .iter()
                .any(|relation| threshold.is_for(&relation.id, &schema.child(relation).name.to_string()))
        });
        let faults: Vec<Fault> = idle
            .map(|threshold| Fault {
                span: threshold.relation.span.clone(),
                message: "no relation and no child table matches this threshold".to_owned(),
                help: Some(
                    "`fk-doctor schema` lists the relations; a threshold for another database belongs below \
                     [database.\"app.db\"]"
                        .to_owned(),
                ),
            })
            .collect();
        if faults.is_empty() { Ok(schema) } else { Err(self.faults(&faults, environment)) }
    }

    /// Compiles the conditions of other programs' files. A relation whose condition this engine does not compile is unchecked.
    pub(super) fn leave_uncompiled(&self, schema: &mut Schema, session: &mut dyn Session) {
        let first = self.config.relations.len() + self.typed.len();
        let written: Vec<RelationId> = schema
            .relations
            .entries()
            .filter(|(_, relation)| {
                relation.configured.is_some_and(|entry| entry >= first) && is_readable(schema, relation)
            })
            .map(|(id, _)| id)
            .collect();
        for id in written {
            let relation = &schema.relations[id];
            let conditions = [(&relation.scope.condition, false), (&relation.scope.soft_deleted, true)];
            let failure = conditions.into_iter().find_map(|(condition, of_parent)| {
                let check = sql::of(schema).condition_check(schema, relation, condition.as_ref()?, of_parent)?;
                session.each_row(&check, &mut |_| {}).err()
            });
            if let Some(error) = failure {
                let why = format!("the engine refuses its condition: {}", error.because());
                schema.relations[id].judge = Judge::Incomparable(why);
            }
        }
    }

    /// Compiles the configured conditions before the scan. The error shows every fault with its line.
    pub(super) fn check_conditions(
        &self,
        schema: &Schema,
        session: &mut dyn Session,
        environment: &Environment,
    ) -> Result<(), RunError> {
        let mut faults = Vec::new();
        for entry in &self.config.relations {
            for (condition, of_parent) in [(&entry.condition, false), (&entry.soft_deleted, true)] {
                let Some(condition) = condition else { continue };
                let mut conditioned = schema.relations.iter().filter(|relation| {
                    let scope = &relation.scope;
                    let text = if of_parent { &scope.soft_deleted } else { &scope.condition };
                    text.as_ref() == Some(&condition.value) && is_readable(schema, relation)
                });
                let failure = conditioned.find_map(|relation| {
                    let check = sql::of(schema).condition_check(schema, relation, &condition.value, of_parent)?;
                    session.each_row(&check, &mut |_| {}).err()
                });
                faults.extend(failure.map(|error| Fault {
                    span: condition.span.clone(),
                    message: format!("the engine refuses this condition: {}", error.because()),
                    help: Some(format!(
                        "use only columns of {}",
                        if of_parent { "the parent, as parent.column" } else { "the child, as child.column" }
                    )),
                }));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(self.faults(&faults, environment)) }
    }
}
