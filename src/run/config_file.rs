//! Finds and reads the configuration file, and shows its faults with line and caret. `config` parses the text.

use std::path::Path;
use std::path::PathBuf;

use super::Environment;
use super::RunError;
use crate::cli;
use crate::config;
use crate::config::Config;
use crate::engine::Database;
use crate::engine::Session;
use crate::model::configured::ConfiguredRelation;
use crate::model::configured::Fault;
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
}

/// Reads the configuration for a database.
pub(super) fn read(
    source: &Source,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<ConfigFile, RunError> {
    let file = read_for_all(global, environment)?;
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

/// Reads the configuration without choosing the sections of any database.
pub(super) fn read_for_all(global: &cli::GlobalArgs, environment: &Environment) -> Result<ConfigFile, RunError> {
    let found = match &global.config {
        _ if global.no_config => None,
        Some(path) => Some(path.clone()),
        None => {
            environment.directory.ancestors().map(|directory| directory.join(FILE_NAME)).find(|path| path.is_file())
        }
    };
    let Some(path) = found else { return Ok(ConfigFile::default()) };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| RunError::ConfigFile { path: path.clone(), why: io_reason(&error) })?;
    let shown = path.strip_prefix(&environment.directory).unwrap_or(&path).display().to_string();
    match config::parse(&text) {
        Ok(config) => {
            let folder = environment.directory.join(&path).parent().map(Path::to_owned);
            Ok(ConfigFile { path: shown, folder, text, config, typed: Vec::new() })
        }
        Err(faults) => Err(RunError::Config {
            rendered: config::fault::render(&faults, &text, &shown, environment.terminal.color),
        }),
    }
}

/// Returns the names by which a section can mean a database: of a file, its name, its path as given, and its path from
/// the folder of the configuration; of a server, the name of the database, with and without its host, and the URL.
fn names(source: &Source, folder: &Path) -> Vec<String> {
    let shown = |path: &Path| path.display().to_string();
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match source {
        Source::File { path, .. } => {
            let below = whole(path).strip_prefix(whole(folder)).map(shown);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            name.into_iter().chain(below).chain([shown(path), shown(&whole(path))]).collect()
        }
        Source::Server { address, .. } => {
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
    /// Returns the line of each configured relation.
    pub(super) fn relation_lines(&self) -> Vec<usize> {
        let entries = self.config.relations.iter();
        entries.map(|entry| config::fault::line_number(&self.text, entry.child.span.start)).collect()
    }

    fn faults(&self, faults: &[Fault], environment: &Environment) -> RunError {
        RunError::Config { rendered: config::fault::render(faults, &self.text, &self.path, environment.terminal.color) }
    }

    pub(super) fn resolve(&self, database: &mut dyn Database, environment: &Environment) -> Result<Schema, RunError> {
        let catalog = database.catalog()?;
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
        let relations: Vec<ConfiguredRelation> = self.config.relations.iter().chain(typed).cloned().collect();
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
                    text.as_ref() == Some(&condition.value)
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
