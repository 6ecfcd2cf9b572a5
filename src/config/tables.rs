//! Parses `[tables]`, which says where the files of each table are.

use toml::de::DeValue;

use crate::config::reader::Item;
use crate::config::reader::Reader;
use crate::model::configured::Spanned;
use crate::model::lake::CLUSTER_FORMATS;
use crate::model::lake::TableFiles;

const FORMATS: &str = "\"parquet\", \"csv\", \"json\", \"delta\" or \"iceberg\"";

const EXPECTED: &str =
    "a file, a folder, a pattern of files or a table such as `{ path = \"orders.csv\", key = [\"id\"] }`";

pub(crate) fn read(reader: Reader<'_, '_>) -> Vec<Spanned<TableFiles>> {
    let table = |(name, item): (Spanned<String>, Item<'_, '_>)| {
        let value = match item.value() {
            DeValue::Table(_) => described(name.value, &item)?,
            _ => TableFiles::new(name.value, paths(&item)?),
        };
        Some(Spanned { value, span: name.span })
    };
    reader.all_entries().into_iter().filter_map(table).collect()
}

fn described(name: String, item: &Item<'_, '_>) -> Option<TableFiles> {
    let mut reader = item.table(EXPECTED)?;
    let catalog_table = reader.take("table");
    let path = match &catalog_table {
        Some(_) => reader.take("path"),
        None => reader.require("path", "path = \"orders/\""),
    };
    let [key, null, delimiter, format, version] =
        ["key", "null", "delimiter", "format", "version"].map(|key| reader.take(key));
    reader.finish();
    let paths = match (path, &catalog_table) {
        (Some(path), Some(_)) => {
            path.fault("a table has either a path or a table of a catalog", Some("remove one of the two".to_owned()));
            return None;
        }
        (path, None) => paths(&path?)?,
        (None, Some(_)) => Vec::new(),
    };
    let mut table = TableFiles::new(name, paths);
    table.catalog_table = match catalog_table {
        Some(item) => Some(item.text("a table such as \"main.sales.orders\"")?.value.to_owned()),
        None => None,
    };
    table.format = format.and_then(|item| item.parsed(FORMATS, parse_format)).map(|at| at.value);
    table.version = version.and_then(|item| item.count(&(0..=i64::MAX.unsigned_abs()))).map(|version| version as u64);
    table.key = key.and_then(|item| texts(&item, "an array of columns, such as [\"id\"]")).unwrap_or_default();
    if let Some(null) = null.and_then(|item| texts_or_text(&item, "a text such as \"NA\"")) {
        table.null = null;
    }
    table.delimiter = delimiter.and_then(|item| {
        let text = item.text("a character such as \";\"")?.value;
        match text.as_bytes() {
            [byte] if !matches!(byte, b'"' | b'\n' | b'\r') => Some(*byte),
            _ => {
                item.fault("a delimiter is one character of ASCII, and no quotation mark", None);
                None
            }
        }
    });
    Some(table)
}

fn parse_format(text: &str) -> Result<String, String> {
    if CLUSTER_FORMATS.contains(&text) { Ok(text.to_owned()) } else { Err(format!("expected {FORMATS}")) }
}

fn paths(item: &Item<'_, '_>) -> Option<Vec<String>> {
    texts_or_text(item, EXPECTED)
}

fn texts_or_text(item: &Item<'_, '_>, expected: &str) -> Option<Vec<String>> {
    match item.value() {
        DeValue::Array(_) => texts(item, expected),
        _ => Some(vec![item.text(expected)?.value.to_owned()]),
    }
}

fn texts(item: &Item<'_, '_>, expected: &str) -> Option<Vec<String>> {
    let entries = item.entries(expected)?;
    entries.iter().map(|entry| Some(entry.text("a text")?.value.to_owned())).collect()
}
