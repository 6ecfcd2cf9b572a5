//! Finds text files whose keys a cluster would misread without an error.
//!
//! A cluster replaces bytes that are not UTF-8 by one character, which makes unequal keys equal. A quoted field that never ends
//! hides the rows after it. Sail reads the field `""` as NULL. A scan of the same files on this machine would report each.

use super::failure::Failure;
use crate::model::catalog::Column;
use crate::model::catalog::Table;
use crate::model::lake::TableFiles;
use crate::sql::Sql;
use crate::sql::spark;

/// Returns the answer to a question if it is one row of two numbers, and `None` for a statement.
pub(super) type Ask<'a> = dyn FnMut(&Sql) -> Result<Option<[i64; 2]>, Failure> + 'a;

#[derive(Clone)]
pub(super) struct TextFiles {
    tables: Vec<TableFiles>,
    /// True if the cluster reads the field `""` as an empty text.
    keeps_empty_texts: bool,
}

impl TextFiles {
    /// `version` is that of the cluster, such as `4.3.0`. Spark Connect is a part of Spark since 3.4: other engines have lower
    /// versions.
    pub(super) fn new(tables: &[TableFiles], version: &str) -> TextFiles {
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        TextFiles { tables: tables.to_vec(), keeps_empty_texts: major.is_some_and(|major| major >= 3) }
    }

    /// Returns why the cluster may misread the keys of a table in these columns.
    pub(super) fn doubt(&self, table: &Table, columns: &[usize], ask: &mut Ask<'_>) -> Result<Option<String>, Failure> {
        let Some(files) = self.tables.iter().find(|files| files.name == table.name.table) else { return Ok(None) };
        let Some([view, lines]) = spark::lines(files) else { return Ok(None) };
        let columns: Vec<&Column> = columns.iter().map(|&column| &table.columns[column]).collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let names = names.join(", ");
        let [nulls, replaced] = ask(&spark::unclear_keys(&table.name.table, &columns))?.ok_or_else(no_numbers)?;
        if replaced > 0 {
            return Ok(Some(format!(
                "{} has U+FFFD in {names}, which a cluster reads in place of bytes that are not UTF-8, so that unequal keys become equal: write its files in UTF-8",
                table.name
            )));
        }
        ask(&view)?;
        let [quotation_marks, empty_texts] = ask(&lines)?.ok_or_else(no_numbers)?;
        if quotation_marks % 2 != 0 {
            return Ok(Some(format!(
                "the files of {} have an odd number of quotation marks, so that a field may never end and hide rows: correct the files",
                table.name
            )));
        }
        let is_ambiguous = nulls > 0 && empty_texts > 0 && !self.keeps_empty_texts;
        Ok(is_ambiguous.then(|| {
            format!(
                "{} has NULL in {names}, and its files have fields \"\", which this cluster reads as NULL too: scan the files on this machine, or write them as Parquet",
                table.name
            )
        }))
    }
}

fn no_numbers() -> Failure {
    Failure::Broken("it has not one row of two numbers".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::TableKind;
    use crate::model::catalog::TableName;

    /// Returns the doubt about a table of this file if the cluster gives these answers about its keys and its lines.
    fn doubt(path: &str, version: &str, keys: [i64; 2], lines: [i64; 2]) -> Option<String> {
        let files = TableFiles::new("c".to_owned(), vec![path.to_owned()]);
        let mut table = Table::new(TableName { schema: None, table: "c".to_owned() }, TableKind::Table);
        table.columns.push(Column { declared_type: "STRING".to_owned(), ..Column::unknown("r".to_owned()) });
        let mut answers = vec![Some(lines), None, Some(keys)];
        TextFiles::new(&[files], version).doubt(&table, &[0], &mut |_| Ok(answers.pop().unwrap())).unwrap()
    }

    #[test]
    fn fields_that_a_cluster_would_misread_are_in_doubt() {
        for (version, keys, lines, part) in [
            ("4.3.0", [0, 1], [0, 0], "c has U+FFFD in r"),
            ("4.3.0", [0, 0], [3, 0], "an odd number of quotation marks"),
            ("0.7.2", [1, 0], [2, 1], "this cluster reads as NULL too"),
        ] {
            let why = doubt("c.csv", version, keys, lines).unwrap_or_else(|| panic!("{part}"));
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn answer_without_its_row_is_an_error() {
        let files = TableFiles::new("c".to_owned(), vec!["c.csv".to_owned()]);
        let table = Table::new(TableName { schema: None, table: "c".to_owned() }, TableKind::Table);
        let doubt = TextFiles::new(&[files], "4.3.0").doubt(&table, &[], &mut |_| Ok(None));
        assert!(matches!(doubt, Err(Failure::Broken(_))), "{doubt:?}");
    }

    #[test]
    fn fields_that_a_cluster_reads_as_files_are_read_are_not_in_doubt() {
        assert_eq!(doubt("c.csv", "4.3.0", [1, 0], [2, 1]), None);
        assert_eq!(doubt("c.csv", "0.7.2", [0, 0], [2, 1]), None);
        assert_eq!(doubt("c.csv", "0.7.2", [1, 0], [2, 0]), None);
        assert_eq!(doubt("c.parquet", "0.7.2", [1, 1], [1, 1]), None);
    }
}
