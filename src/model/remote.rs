//! Tables whose rows lie on other servers, such as foreign tables of PostgreSQL and tables that Spider stores.
//!
//! Only a scan reads them, and a table as a whole only with the consent of the user. Other servers share no snapshot with this
//! one, so that the report says so. A repair refuses such tables.

use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::facts::Location;
use crate::model::pattern::Pattern;
use crate::model::pattern::literal;
use crate::model::relation::Relation;
use crate::model::schema::Schema;
use crate::model::text::shell;

/// The reason why changes of such rows are not tried: it follows the name of the table.
pub const IRREVERSIBLE: &str = "has rows on other servers, where fk-doctor can neither rehearse nor undo a change";

/// The use that a command makes of such tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteUse<'a> {
    /// A scan reads the tables that match one of these patterns. It also reads tables of which only partitions lie elsewhere.
    Scan { consent: &'a [Pattern] },
    /// The command leaves them alone.
    None,
}

/// Admits the tables that the command reads. All others become unreadable.
pub fn admit(catalog: &mut Catalog, used: RemoteUse<'_>) {
    for table in catalog.tables.iter_mut() {
        let Some(remote) = table.remote.clone() else { continue };
        let name = table.name.to_string();
        match used {
            RemoteUse::Scan { .. } if table.kind == TableKind::Partitioned => {}
            RemoteUse::Scan { consent } if consent.iter().any(|pattern| pattern.matches(&name)) => {
                // Once it is read, a table of another server is read like any other. A view stays a view.
                if table.kind == TableKind::Virtual {
                    table.kind = TableKind::Table;
                }
            }
            RemoteUse::Scan { .. } => {
                let option = shell(&literal(&name));
                let why = format!(
                    "it {remote}, so that its rows lie on other servers; to read them too, add --remote-tables {option}"
                );
                table.unreadable = Some(why);
            }
            RemoteUse::None => {
                table.unreadable =
                    Some(format!("it {remote}, and only `fk-doctor scan` reads rows that lie on other servers"));
            }
        }
    }
}

/// True if a relation of the schema reads rows of other servers. A second session would see another moment of them.
pub fn is_read(schema: &Schema) -> bool {
    schema.relations.iter().any(|relation| table_of(schema, relation).is_some())
}

/// Returns the note for a relation that reads rows of other servers or of a cluster.
pub fn note(schema: &Schema, relation: &Relation) -> Option<String> {
    if schema.database.engine.facts().location == Location::Cluster {
        let note = "the cluster answers each question at its own moment: a row that was written during the scan may count as an \
                    orphan or hide one";
        return Some(note.to_owned());
    }
    let table = table_of(schema, relation)?;
    let remote = table.remote.as_ref()?;
    Some(format!(
        "{} {remote}: other servers share no snapshot with this one, so a row that was written during the scan may count as an \
         orphan or hide one",
        table.name
    ))
}

/// Returns the first table of a relation whose rows a scan reads from other servers.
pub fn table_of<'a>(schema: &'a Schema, relation: &'a Relation) -> Option<&'a Table> {
    let tables = [Some(schema.child(relation)), schema.parent(relation)].into_iter().flatten();
    tables.into_iter().find(|table| table.remote.is_some() && table.unreadable.is_none())
}
