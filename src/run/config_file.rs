//! Finds and reads the configuration file, and shows its faults with line and caret. `config` parses the text.

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
use crate::sql;

/// A configuration and the text that its faults point into.
pub(super) struct ConfigFile {
    /// The path as shown to the user. It is empty if there is no file.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) config: Config,
    /// The relations of the option --enforce, each with its text.
    pub(super) typed: Vec<(String, ConfiguredRelation)>,
}

pub(super) fn read(global: &cli::GlobalArgs, environment: &Environment) -> Result<ConfigFile, RunError> {
    let found = match &global.config {
        Some(path) => Some(path.clone()),
        None => environment
            .directory
            .ancestors()
            .map(|directory| directory.join("fk-doctor.toml"))
            .find(|path| path.is_file()),
    };
    let Some(path) = found else { return Ok(ConfigFile::none()) };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| RunError::ConfigFile { path: path.clone(), why: io_reason(&error) })?;
    let shown = path.strip_prefix(&environment.directory).unwrap_or(&path).display().to_string();
    match config::parse(&text) {
        Ok(config) => Ok(ConfigFile { path: shown, text, config, typed: Vec::new() }),
        Err(faults) => Err(RunError::Config {
            rendered: config::fault::render(&faults, &text, &shown, environment.terminal.color),
        }),
    }
}

impl ConfigFile {
    /// Returns the configuration of a command without a file.
    pub(super) fn none() -> ConfigFile {
        ConfigFile { path: String::new(), text: String::new(), config: Config::default(), typed: Vec::new() }
    }

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
        for (text, relation) in &self.typed {
            let color = environment.terminal.color;
            resolve::resolve(catalog.clone(), std::slice::from_ref(relation)).map_err(|faults| RunError::Config {
                rendered: config::fault::render(&faults, text, "--enforce", color),
            })?;
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
                help: Some("`fk-doctor schema` lists the relations".to_owned()),
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
