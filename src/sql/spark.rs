//! The statements that make the tables of a cluster, a temporary view for each, and those that find text files whose keys it
//! would misread.

use crate::model::catalog::Column;
use crate::model::catalog::Engine;
use crate::model::lake::TableFiles;
use crate::sql::query::Sql;
use crate::sql::query::plain;

/// How a cluster reads CSV files. With a text for NULL that no field has, Spark reads an empty field as NULL only if it has no
/// quotation marks; its default makes `""` NULL too. Text after the quotation mark that ends a field is an error.
const CSV_OPTIONS: [(&str, &str); 5] = [
    ("header", "true"),
    ("multiLine", "true"),
    ("escape", "\""),
    ("nullValue", "fk-doctor: no field has this text"),
    ("unescapedQuoteHandling", "RAISE_ERROR"),
];

/// The formats of tables whose files a cluster finds by listing folders.
const IN_FOLDERS: [&str; 3] = ["parquet", "csv", "json"];

/// The character that decoders put in place of bytes that are not UTF-8.
const REPLACEMENT: char = '\u{FFFD}';

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
    let format = format(table).ok_or_else(|| {
        "the ending of its path does not say its format: add format = \"parquet\", \"csv\", \"json\", \"delta\" or \"iceberg\""
            .to_owned()
    })?;
    let mut options = vec![("path", path.clone())];
    if IN_FOLDERS.contains(&format) {
        // A cluster can be set to leave out what it cannot read.
        options.extend(["ignoreCorruptFiles", "ignoreMissingFiles"].map(|name| (name, "false".to_owned())));
    }
    if ["csv", "json"].contains(&format) {
        // Spark would read a record that it cannot parse as a row of NULL.
        options.push(("mode", "FAILFAST".to_owned()));
    }
    if format == "csv" {
        // Sail ignores the option for other fields.
        if table.null != [""] {
            return Err("a cluster reads only empty fields of text files as NULL: remove `null`".to_owned());
        }
        options.extend(CSV_OPTIONS.map(|(name, value)| (name, value.to_owned())));
        options.extend(delimiter(table).map(|delimiter| ("sep", delimiter.to_string())));
    }
    options.extend(table.version.map(|version| ("versionAsOf", version.to_string())));
    let options: Vec<String> = options.into_iter().map(|(name, value)| format!("{name} {}", string(&value))).collect();
    Ok(plain(format!("{view} USING {format} OPTIONS ({})", options.join(", "))))
}

/// Returns the question for the rows of a view.
pub fn rows(view: &str) -> Sql {
    plain(format!("SELECT * FROM {}", Engine::Spark.facts().quoted(view)))
}

/// Returns the name of a temporary view of all files of a table, also of those in folders below it, and the statement that makes it.
/// `None` for a table whose files are listed elsewhere, such as in the log of a Delta table.
pub fn all_files(table: &TableFiles) -> Option<(String, Sql)> {
    let [path] = table.paths.as_slice() else { return None };
    let is_listed = format(table).is_some_and(|format| IN_FOLDERS.contains(&format));
    let name = format!("fk-doctor: files of {}", table.name);
    let view = Engine::Spark.facts().quoted(&name);
    let options = format!("path {}, recursiveFileLookup 'true'", string(path));
    is_listed.then(|| (name, plain(format!("CREATE OR REPLACE TEMPORARY VIEW {view} USING text OPTIONS ({options})"))))
}

/// Returns the question for two numbers about the rows of a view: those with NULL in one of these columns, and those with U+FFFD
/// in one of those that are texts, such as (3, 0).
pub fn unclear_keys(name: &str, columns: &[&Column]) -> Sql {
    let facts = Engine::Spark.facts();
    let any = |conditions: Vec<String>| match conditions.is_empty() {
        true => "0".to_owned(),
        false => format!("count(CASE WHEN {} THEN 1 END)", conditions.join(" OR ")),
    };
    let nulls = columns.iter().map(|column| format!("{} IS NULL", facts.quoted(&column.name)));
    let texts = columns.iter().filter(|column| column.declared_type == "STRING");
    let replaced = texts.map(|column| format!("{} LIKE '%{REPLACEMENT}%'", facts.quoted(&column.name)));
    plain(format!("SELECT {}, {} FROM {}", any(nulls.collect()), any(replaced.collect()), facts.quoted(name)))
}

/// Returns the statement that makes the lines of a table's CSV files a temporary view, and the question for two numbers about
/// them: the quotation marks, and the lines that have `""` as a field, such as (42, 1).
pub fn lines(table: &TableFiles) -> Option<[Sql; 2]> {
    let (true, [path]) = (is_csv(table), table.paths.as_slice()) else { return None };
    let view = Engine::Spark.facts().quoted(&format!("fk-doctor: lines of {}", table.name));
    let separator = format!("\\x{:02X}", u32::from(delimiter(table).unwrap_or(',')));
    let empty_field = format!("(^|[{separator}\\r])\"\"([{separator}\\r]|$)");
    let create = format!("CREATE OR REPLACE TEMPORARY VIEW {view} USING text OPTIONS (path {})", string(path));
    let ask = format!(
        "SELECT coalesce(sum(length(value) - length(replace(value, '\"', ''))), 0), count(CASE WHEN value RLIKE {} THEN 1 END) FROM {view}",
        string(&empty_field)
    );
    Some([plain(create), plain(ask)])
}

/// True if the files of a table are known to be CSV files.
pub fn is_csv(table: &TableFiles) -> bool {
    format(table) == Some("csv")
}

/// Returns the format of a table's files; `None` if neither the configuration nor the path says it.
fn format(table: &TableFiles) -> Option<&str> {
    let of_path = || table.paths.first().and_then(|path| format_of(path));
    table.format.as_deref().or_else(of_path)
}

/// Returns the character between two fields, if it is not a comma.
fn delimiter(table: &TableFiles) -> Option<char> {
    let is_tabbed = table.paths.first().is_some_and(|path| is_tabbed(path));
    table.delimiter.map(char::from).or_else(|| is_tabbed.then_some('\t'))
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
        let expected = "CREATE OR REPLACE TEMPORARY VIEW `my``orders` USING parquet OPTIONS (path 's3://lake/raw/*.parquet', \
             ignoreCorruptFiles 'false', ignoreMissingFiles 'false')";
        assert_eq!(parquet.as_deref(), Ok(expected));
        let text = created("it's.tsv.gz", |_| {}).unwrap();
        assert!(text.contains("ignoreMissingFiles 'false', mode 'FAILFAST', header 'true'"), "{text}");
        assert!(text.ends_with("sep '\t')"), "{text}");
        let json = created("raw.ndjson", |_| {}).unwrap();
        assert!(json.ends_with("ignoreMissingFiles 'false', mode 'FAILFAST')"), "{json}");
        let delta = created("s3://lake/orders", |table| {
            table.format = Some("delta".to_owned());
            table.version = Some(3);
        });
        assert!(delta.unwrap().ends_with("USING delta OPTIONS (path 's3://lake/orders', versionAsOf '3')"));
    }

    #[test]
    fn all_files_of_a_folder_are_listed_but_not_those_of_delta() {
        let table = |format: &str| {
            let mut table = TableFiles::new("c".to_owned(), vec!["lake/c".to_owned()]);
            table.format = Some(format.to_owned());
            table
        };
        let (name, view) = all_files(&table("parquet")).unwrap();
        assert_eq!(name, "fk-doctor: files of c");
        assert!(
            view.text().ends_with("USING text OPTIONS (path 'lake/c', recursiveFileLookup 'true')"),
            "{}",
            view.text()
        );
        assert!(all_files(&table("delta")).is_none());
    }

    #[test]
    fn lines_are_asked_for_in_csv_files_only() {
        let table = |path: &str| TableFiles::new("a`b".to_owned(), vec![path.to_owned()]);
        let [create, ask] = lines(&table("a.tsv")).unwrap();
        let view = "`fk-doctor: lines of a``b`";
        assert_eq!(create.text(), format!("CREATE OR REPLACE TEMPORARY VIEW {view} USING text OPTIONS (path 'a.tsv')"));
        assert!(ask.text().contains(r#"RLIKE '(^|[\\x09\\r])""([\\x09\\r]|$)'"#), "{}", ask.text());
        assert!(lines(&table("a.parquet")).is_none() && lines(&table("a.ndjson")).is_none());
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
