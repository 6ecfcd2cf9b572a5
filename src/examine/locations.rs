//! Where the relations of a scan are written down, for the formats that point at files: the configuration's entry,
//! the line of the schema's SQL file, else the configuration's first line.

use crate::model::file_line::FileLine;
use crate::model::ids::IdVec;
use crate::model::ids::RelationId;
use crate::model::relation::Origin;
use crate::model::schema::Schema;
use crate::sql::read::locations;

/// The file that reports point at where nobody named another one.
const USUAL: &str = "fk-doctor.toml";

/// The configuration's file.
pub struct ConfigLines<'a> {
    /// Empty where there is no file.
    pub path: &'a str,
    /// The line of each configured relation.
    pub relations: &'a [usize],
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
    let config_file = if config.path.is_empty() { USUAL } else { config.path };
    let relations = schema.relations.iter().zip(declared);
    let location = relations.map(|(relation, declared)| {
        let entry = relation.configured.and_then(|entry| config.relations.get(entry));
        match (declared, entry) {
            (Some(line), _) if relation.origin == Origin::Declared => FileLine { file: sql_file.clone(), line },
            (_, line) => FileLine { file: config_file.to_owned(), line: line.copied().unwrap_or(1) },
        }
    });
    location.collect()
}
