//! The statements that make the tables of a cluster: a temporary view for each.

use crate::model::catalog::Engine;
use crate::model::lake::TableFiles;
use crate::sql::query::Sql;
use crate::sql::query::plain;

/// Returns the question for the version of the cluster: one row of one text.
pub fn version() -> Sql {
    plain("SELECT version()".to_owned())
}

/// Returns the question for the columns of a view, without rows.
pub fn columns(name: &str) -> Sql {
    plain(format!("SELECT * FROM {} LIMIT 0", Engine::Spark.facts().quoted(name)))
}

/// Returns the statement that makes a table a temporary view. The error says what the configuration lacks.
pub fn create(table: &TableFiles) -> Result<Sql, String> {
    let facts = Engine::Spark.facts();
    let view = format!("CREATE OR REPLACE TEMPORARY VIEW {}", facts.quoted(&table.name));
    if let Some(name) = &table.catalog_table {
        let parts: Vec<String> = name.split('.').map(|part| facts.quoted(part)).collect();
        return Ok(plain(format!("{view} AS SELECT * FROM {}", parts.join("."))));
    }
    let [path] = table.paths.as_slice() else {
        return Err("a cluster reads one path for each table: name a folder, or a pattern of files".to_owned());
    };
    let format = match &table.format {
        Some(format) => format.as_str(),
        None => format_of(path).ok_or_else(|| {
            "the ending of its path does not say its format: add format = \"parquet\", \"csv\", \"json\", \"delta\" or \"iceberg\""
                .to_owned()
        })?,
    };
    let mut options = vec![("path", path.clone())];
    if format == "csv" {
        // Sail ignores the option for other fields.
        if table.null != [""] {
            return Err("a cluster reads only empty fields of text files as NULL: remove `null`".to_owned());
        }
        let delimiter = table.delimiter.map(char::from).or_else(|| is_tabbed(path).then_some('\t'));
        options.extend([
            ("header", "true".to_owned()),
            ("multiLine", "true".to_owned()),
            ("escape", "\"".to_owned()),
            ("mode", "FAILFAST".to_owned()),
        ]);
        options.extend(delimiter.map(|delimiter| ("sep", delimiter.to_string())));
    }
    options.extend(table.version.map(|version| ("versionAsOf", version.to_string())));
    let options: Vec<String> = options.into_iter().map(|(name, value)| format!("{name} {}", string(&value))).collect();
    Ok(plain(format!("{view} USING {format} OPTIONS ({})", options.join(", "))))
}

/// Returns the format that the ending of a path means.
fn format_of(path: &str) -> Option<&'static str> {
    let path = path.trim_end_matches('/').to_ascii_lowercase();
    let path = path.strip_suffix(".gz").unwrap_or(&path);
    let endings = [
        (".parquet", "parquet"),
        (".csv", "csv"),
        (".tsv", "csv"),
        (".json", "json"),
        (".jsonl", "json"),
        (".ndjson", "json"),
    ];
    endings.into_iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, format)| format)
}

fn is_tabbed(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.strip_suffix(".gz").unwrap_or(&path).ends_with(".tsv")
}

/// Returns a text as a string of Spark's SQL.
fn string(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(path: &str, change: impl FnOnce(&mut TableFiles)) -> Result<String, String> {
        let mut table = TableFiles::new("my`orders".to_owned(), vec![path.to_owned()]);
        change(&mut table);
        create(&table).map(|sql| sql.text().to_owned())
    }

    #[test]
    fn view_is_made_with_the_format_of_its_path() {
        let parquet = created("s3://lake/raw/*.parquet", |_| {});
        let expected =
            "CREATE OR REPLACE TEMPORARY VIEW `my``orders` USING parquet OPTIONS (path 's3://lake/raw/*.parquet')";
        assert_eq!(parquet.as_deref(), Ok(expected));
        let text = created("it's.tsv.gz", |_| {}).unwrap();
        assert!(text.contains("USING csv OPTIONS (path 'it\\'s.tsv.gz', header 'true'"), "{text}");
        assert!(text.ends_with("sep '\t')"), "{text}");
        let delta = created("s3://lake/orders", |table| {
            table.format = Some("delta".to_owned());
            table.version = Some(3);
        });
        assert!(delta.unwrap().ends_with("USING delta OPTIONS (path 's3://lake/orders', versionAsOf '3')"));
    }

    #[test]
    fn folder_without_a_format_is_not_guessed() {
        assert!(created("s3://lake/orders/", |_| {}).unwrap_err().contains("add format ="));
    }

    #[test]
    fn other_fields_than_empty_ones_are_not_read_as_null() {
        let why = created("orders.csv", |table| table.null = vec!["NA".to_owned()]).unwrap_err();
        assert!(why.contains("remove `null`"), "{why}");
    }

    #[test]
    fn table_of_the_catalog_is_quoted() {
        let text = created("", |table| table.catalog_table = Some("main.sales.or`ders".to_owned())).unwrap();
        assert!(text.ends_with("AS SELECT * FROM `main`.`sales`.`or``ders`"), "{text}");
    }
}
