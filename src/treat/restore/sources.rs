//! The tables and files that keep quarantined rows. Only the numbers of the rows and the names of their tables are held in
//! memory; the rows are read a chunk at a time.

use crate::model::catalog::Table;
use crate::model::ids::TableId;
use crate::model::plan::identity_columns;
use crate::model::plan::shown_name;
use crate::model::row::Row;
use crate::model::row::RowName;
use crate::model::schema::Schema;
use crate::model::value::Value;
use crate::plan_file;
use crate::quarantine_file::QuarantinedRows;
use crate::stored_rows;
use crate::stored_rows::Image;
use crate::stored_rows::Stored;
use crate::treat::Planner;
use crate::treat::TreatError;
use crate::treat::kept_rows::QUARANTINE;

pub(super) struct Sources {
    tables: Vec<TableId>,
    files: Vec<QuarantinedRows>,
    names: Vec<String>,
    /// The names of the tables to which the rows belong.
    targets: Vec<String>,
    rows: Vec<Kept>,
}

/// The position of one quarantined row.
struct Kept {
    /// The index in `targets`.
    target: u32,
    /// The index of the source: of the tables first, then of the files.
    source: u32,
    /// The id of its record, or its offset in a file.
    position: i64,
}

/// A quarantined row.
pub(super) struct Quarantined {
    pub(super) name: RowName,
    pub(super) image: Row,
    pub(super) address: Option<i64>,
    pub(super) rule: String,
    pub(super) relation: String,
    /// The record in a quarantine table.
    pub(super) record: Option<KeptRecord>,
}

pub(super) struct KeptRecord {
    pub(super) table: TableId,
    pub(super) name: RowName,
    pub(super) image: Image,
}

impl Quarantined {
    pub(super) fn shown_name(&self, table: &Table) -> Vec<(String, Value)> {
        shown_name(table, &self.name, Some(&self.image)).pairs()
    }
}

/// Returns the tables that have the columns of a quarantine table.
pub fn quarantine_tables(schema: &Schema) -> Vec<TableId> {
    let has = |table: &Table, name: &str| table.columns.iter().any(|column| column.name == name);
    let is_quarantine =
        |table: &Table| QUARANTINE.iter().all(|name| has(table, name)) && identity_columns(table) == ["id"];
    schema.tables.entries().filter(|(_, table)| is_quarantine(table)).map(|(id, _)| id).collect()
}

impl Sources {
    /// Lists the rows of these files, or of all quarantine tables if there are no files.
    pub(super) fn read(planner: &mut Planner<'_>, files: Vec<QuarantinedRows>) -> Result<Sources, TreatError> {
        let schema = planner.schema;
        let tables = if files.is_empty() { quarantine_tables(schema) } else { Vec::new() };
        let names = tables.iter().map(|&table| schema.tables[table].name.to_string());
        let names = names.chain(files.iter().map(|file| file.path().display().to_string())).collect();
        let mut sources = Sources { tables, files: Vec::new(), names, targets: Vec::new(), rows: Vec::new() };
        for (source, table) in sources.tables.clone().into_iter().enumerate() {
            let query = planner.sql.all_rows(&schema.tables[table], &["id", "table_name"]);
            planner.lookups.each_row(&query, &mut |row| {
                if let [id, target] = row
                    && let (Some(id), Some(target)) = (id.as_integer(), target.as_text())
                {
                    sources.add(source, id, target);
                }
            })?;
        }
        for (index, file) in files.iter().enumerate() {
            for (offset, target) in file.rows() {
                sources.add(sources.tables.len() + index, offset.cast_signed(), target);
            }
        }
        sources.files = files;
        Ok(sources)
    }

    fn add(&mut self, source: usize, position: i64, target: &str) {
        let target = self.targets.iter().position(|known| known == target).unwrap_or_else(|| {
            self.targets.push(target.to_owned());
            self.targets.len() - 1
        });
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        self.rows.push(Kept { target: number(target), source: number(source), position });
    }

    pub(super) fn names(self) -> Vec<String> {
        self.names
    }

    /// Returns the name of the table of each row.
    pub(super) fn table_names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| self.targets[row.target as usize].as_str())
    }

    /// Returns the rows with these indexes, each with its index. The error of a row is the reason why it cannot be read.
    #[allow(clippy::type_complexity, reason = "a result for each row")]
    pub(super) fn rows(
        &mut self,
        planner: &mut Planner<'_>,
        indexes: &[usize],
    ) -> Result<Vec<(usize, Result<Quarantined, String>)>, TreatError> {
        let mut found = Vec::with_capacity(indexes.len());
        for (source, &table) in self.tables.iter().enumerate() {
            let of_source = |index: &usize| self.rows[*index].source as usize == source;
            let own: Vec<usize> = indexes.iter().copied().filter(of_source).collect();
            let name = |&index: &usize| RowName::from(vec![("id", Value::Integer(self.rows[index].position))]);
            let names: Vec<RowName> = own.iter().map(name).collect();
            let about = &planner.schema.tables[table];
            let stored =
                stored_rows::read(planner.lookups.as_mut(), planner.sql, about, &names.iter().collect::<Vec<_>>())?;
            for ((index, name), stored) in own.into_iter().zip(names).zip(stored) {
                found.push((index, of_record(table, name, stored)));
            }
        }
        for &index in indexes {
            let Kept { source, position, .. } = self.rows[index];
            let Some(file) = (source as usize).checked_sub(self.tables.len()).and_then(|file| self.files.get_mut(file))
            else {
                continue;
            };
            found.push((index, of_file(file, position.cast_unsigned())));
        }
        found.sort_by_key(|(index, _)| *index);
        Ok(found)
    }
}

fn of_record(table: TableId, name: RowName, stored: Stored) -> Result<Quarantined, String> {
    let image = match stored {
        Stored::Row(image) => image,
        Stored::TooLong => return Err(crate::treat::TOO_LONG.to_owned()),
        Stored::Nothing => return Err("its record is gone".to_owned()),
    };
    let text = |column: &str| image.columns.get(column).and_then(Value::as_text).unwrap_or_default();
    let row = |column: &str| plan_file::read_row(text(column)).map_err(|why| format!("{column} of its record: {why}"));
    Ok(Quarantined {
        name: row("row_name")?,
        image: row("row")?,
        address: None,
        rule: text("rule").to_owned(),
        relation: text("relation").to_owned(),
        record: Some(KeptRecord { table, name, image }),
    })
}

fn of_file(file: &mut QuarantinedRows, offset: u64) -> Result<Quarantined, String> {
    let change = file.row(offset).map_err(|error| error.because())?;
    let image = change.before.ok_or_else(|| "it is no deleted row".to_owned())?;
    let (rule, relation) =
        change.reasons.into_iter().next().map(|reason| (reason.rule, reason.relation)).unwrap_or_default();
    Ok(Quarantined { name: change.row, image, address: change.address, rule, relation, record: None })
}
