//! The location of each relation, for reports that point to files: the line of the SQL file that declares it, the line
//! of its entry in the configuration, or else the first line of the configuration.

use crate::model::file_line::FileLine;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::relation::Origin;
use crate::model::schema::Schema;
use crate::sql::read::locations;

/// The configuration file to which reports point if there is none.
const DEFAULT_FILE: &str = "fk-doctor.toml";

/// The configuration's file.
pub struct ConfigLines<'a> {
    /// Empty if there is no file.
    pub path: &'a str,
    /// The place of each configured relation.
    pub relations: &'a [FileLine],
}

/// Returns a location for each relation. `sql` is the file that declares the schema: its path and its text.
pub fn locations(
    schema: &Schema,
    config: &ConfigLines<'_>,
    sql: Option<(String, String)>,
) -> IdVec<RelationId, FileLine> {
    let (sql_file, declared) = match sql {
        None => (String::new(), vec![None; schema.relations.len()]),
        Some((file, text)) => (file, locations::in_sql(&text, schema)),
    };
    let config_file = if config.path.is_empty() { DEFAULT_FILE } else { config.path };
    let relations = schema.relations.iter().zip(declared);
    let location = relations.map(|(relation, declared)| {
        let entry = relation.configured.and_then(|entry| config.relations.get(entry));
        match (declared, entry) {
            (Some(line), _) if relation.origin == Origin::Declared => FileLine { file: sql_file.clone(), line },
            (_, Some(entry)) => entry.clone(),
            (_, None) => FileLine { file: config_file.to_owned(), line: 1 },
        }
    });
    location.collect()
}
