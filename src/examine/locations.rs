//! Where the relations of a scan are written down, for the formats that point at files: the configuration's entry,
//! the line of the schema's SQL file, else the configuration's first line.

use std::path::Path;

use crate::config::fault::line_number;
use crate::model::file_line::FileLine;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::relation::Origin;
use crate::model::schema::Schema;
use crate::run::RunError;
use crate::run::config_file::ConfigFile;
use crate::sql::read::locations;

/// What is pointed at where there is neither.
const USUAL: &str = "fk-doctor.toml";

pub(crate) fn places(
    schema: &Schema,
    config: &ConfigFile,
    sql: Option<&Path>,
) -> Result<IdVec<RelationId, FileLine>, RunError> {
    let declared = match sql {
        None => vec![None; schema.relations.len()],
        Some(path) => {
            let text = std::fs::read(path).map_err(|error| RunError::Unreadable {
                path: path.to_owned(),
                why: error.to_string(),
                option: "--schema-file",
            })?;
            locations::in_sql(&String::from_utf8_lossy(&text), schema)
        }
    };
    let file_of_sql = sql.map(|path| path.display().to_string()).unwrap_or_default();
    let config_file = if config.path.is_empty() { USUAL } else { &config.path };
    let found = schema.relations.iter().zip(declared).map(|(relation, declared)| {
        let entry = relation.configured.and_then(|entry| config.config.relations.get(entry));
        let entry = entry.map(|entry| line_number(&config.text, entry.child.place.start));
        match (declared, entry) {
            (Some(line), _) if relation.origin == Origin::Declared => FileLine { file: file_of_sql.clone(), line },
            (_, line) => FileLine { file: config_file.to_owned(), line: line.unwrap_or(1) },
        }
    });
    Ok(found.collect())
}
