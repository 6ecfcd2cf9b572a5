//! Reads the files of other programs that have relations, and finds their tables in the database.

use std::path::Path;

use super::Environment;
use super::RunError;
use crate::config;
use crate::config::relations_file;
use crate::config::relations_file::RelationsFile;
use crate::config::relations_file::WrittenRelation;
use crate::model::catalog::Catalog;
use crate::model::catalog::Table;
use crate::model::catalog::TableKind;
use crate::model::catalog::TableName;
use crate::model::configured::ConfiguredRelation;
use crate::model::configured::Spanned;
use crate::model::pattern::Pattern;
use crate::model::policy::Limit;
use crate::model::policy::Threshold;
use crate::model::text::io_reason;

/// A file, and what it says.
pub(super) struct WrittenFile {
    /// The path as shown to the user.
    pub(super) shown: String,
    pub(super) text: String,
    pub(super) content: RelationsFile,
}

pub(super) fn read(path: &Path, environment: &Environment) -> Result<WrittenFile, RunError> {
    let whole = environment.directory.join(path);
    let shown = whole.strip_prefix(&environment.directory).unwrap_or(path).display().to_string();
    let text = std::fs::read_to_string(&whole).map_err(|error| RunError::unreadable(path, &error, "--relations"))?;
    let beside = |name: &str| {
        let path = whole.parent().unwrap_or(Path::new(".")).join(name);
        std::fs::read_to_string(path).map_err(|error| format!("{name}: {}", io_reason(&error)))
    };
    let content = relations_file::parse(&text, &beside).map_err(|faults| fault(&shown, &faults))?;
    for note in &content.notes {
        environment.note(&format!("{shown}: {note}"));
    }
    Ok(WrittenFile { shown, text, content })
}

fn fault(shown: &str, faults: &[String]) -> RunError {
    RunError::Input {
        what: shown.to_owned(),
        why: faults.join("\n         "),
        help: "correct the file, or leave it out of --relations and of [scan] relations".to_owned(),
    }
}

impl WrittenFile {
    /// Returns the relations with the names that their tables have in the database. A child that the database does not have
    /// is added as a table that cannot be read, and so is a parent that only dbt could name: their relations are unchecked.
    /// Any other missing parent is a defect of its relation.
    pub(super) fn named(&self, catalog: &mut Catalog) -> Result<Vec<ConfiguredRelation>, RunError> {
        let mut faults = Vec::new();
        let mut relations = Vec::new();
        for written in &self.content.relations {
            let mut relation = written.relation.clone();
            let of_child = Some("the database has no such table".to_owned());
            let sides =
                [(&mut relation.child.value, of_child), (&mut relation.parent.value, written.unresolved.clone())];
            for ((side, why), schema) in sides.into_iter().zip(&written.schemas) {
                let table = table_name(catalog, schema.as_deref(), &side.table);
                side.table = table.to_string();
                let names = catalog.names;
                let known = catalog.tables.iter().find(|known| known.name.is_written(&side.table, names));
                match known {
                    Some(known) if known.unreadable.is_some() => {}
                    Some(known) => faults.extend(missing(names, known, &side.columns, self.line(written))),
                    None if why.is_some() => {
                        catalog.tables.push(Table { unreadable: why, ..Table::new(table, TableKind::Table) });
                    }
                    None => {}
                }
            }
            relations.push(relation);
        }
        if faults.is_empty() { Ok(relations) } else { Err(fault(&self.shown, &faults)) }
    }

    fn line(&self, written: &WrittenRelation) -> usize {
        config::fault::line_number(&self.text, written.relation.child.span.start)
    }

    /// Returns a threshold for each relation whose orphans are warnings.
    pub(super) fn thresholds(&self) -> impl Iterator<Item = Threshold> + '_ {
        let warnings = self.content.relations.iter().filter(|written| written.is_warning);
        warnings.filter_map(|written| {
            let (child, parent) = (&written.relation.child.value, &written.relation.parent.value);
            let side = |name: &str, columns: &[String]| {
                format!(
                    "*{}({})",
                    literally(name),
                    columns.iter().map(|column| literally(column)).collect::<Vec<_>>().join(",")
                )
            };
            let id = format!("{}->{}", side(&child.table, &child.columns), side(&parent.table, &parent.columns));
            let relation = Spanned { value: Pattern::new(&id).ok()?, span: 0..0 };
            Some(Threshold { relation, warn_if: Limit::parse("> 0 rows").ok(), fail_if: None })
        })
    }
}

/// Returns a pattern that matches this text only.
fn literally(text: &str) -> String {
    let quoted = |character: char| match character {
        '*' | '?' | '[' => format!("[{character}]"),
        other => other.to_string(),
    };
    text.chars().map(quoted).collect()
}

/// Returns the name of a table in the catalog: with its schema, or without it where that is the default or there are none.
fn table_name(catalog: &Catalog, schema: Option<&str>, table: &str) -> TableName {
    let default = catalog.database.default_schema.as_deref();
    let schema = schema.filter(|schema| default.is_some_and(|default| default != *schema));
    TableName { schema: schema.map(str::to_owned), table: table.to_owned() }
}

fn missing(names: crate::model::catalog::NameRule, table: &Table, columns: &[String], line: usize) -> Option<String> {
    let is_missing = |name: &&String| !table.columns.iter().any(|column| names.same(&column.name, name));
    let column = columns.iter().find(is_missing)?;
    Some(format!("line {line}: {} has no column {column}", table.name))
}
