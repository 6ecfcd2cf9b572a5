//! Data packages of Frictionless, versions 1 and 2: `foreignKeys` of the tables, and where their files are.

use serde_json::Map;
use serde_json::Value;

use super::RelationsFile;
use super::WrittenRelation;
use super::side;
use super::span_of;
use super::texts;
use crate::model::configured::ConfiguredRelation;
use crate::model::lake::TableFiles;

pub(super) fn read(
    package: &Map<String, Value>,
    text: &str,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<RelationsFile, Vec<String>> {
    let mut found = RelationsFile::default();
    let mut faults = Vec::new();
    let resources = package.get("resources").and_then(Value::as_array).cloned().unwrap_or_default();
    for (number, resource) in resources.iter().enumerate() {
        let Some(name) = resource.get("name").and_then(Value::as_str) else {
            faults.push(format!("resource {} has no name", number + 1));
            continue;
        };
        match one_resource(name, resource, text, read) {
            Ok((table, relations)) => {
                found.tables.extend(table);
                found.relations.extend(relations);
            }
            Err(why) => faults.push(format!("resource {name}: {why}")),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

fn one_resource(
    name: &str,
    resource: &Value,
    text: &str,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(Option<TableFiles>, Vec<WrittenRelation>), String> {
    let schema = match resource.get("schema") {
        Some(Value::String(path)) => {
            is_below(path)?;
            serde_json::from_str(&read(path)?).map_err(|error| format!("{path} is no JSON: {error}"))?
        }
        Some(schema) => schema.clone(),
        None => Value::Null,
    };
    let list = |key: &str| match schema.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => texts(value).map(Some).ok_or_else(|| format!("{key} is neither a text nor an array of texts")),
    };
    let table = match resource.get("path") {
        None => None,
        Some(path) => {
            let paths = texts(path).ok_or("path is neither a text nor an array of texts")?;
            paths.iter().try_for_each(|path| is_below(path))?;
            let mut table = TableFiles::new(name.to_owned(), paths);
            table.key = list("primaryKey")?.unwrap_or_default();
            if let Some(null) = list("missingValues")? {
                table.null = null;
            }
            table.delimiter = delimiter(resource)?;
            Some(table)
        }
    };
    let keys = schema.get("foreignKeys").and_then(Value::as_array).cloned().unwrap_or_default();
    let span = span_of(text, name);
    let relation = |key: &Value| {
        let reference = key.get("reference").ok_or("a foreign key has no reference")?;
        let columns = |of: &Value| {
            let fields = of.get("fields").and_then(texts);
            fields.filter(|fields| !fields.is_empty()).ok_or_else(|| "a foreign key has no fields".to_owned())
        };
        let (child, parent) = (columns(key)?, columns(reference)?);
        if child.len() != parent.len() {
            return Err(format!("a foreign key has {} fields and refers to {}", child.len(), parent.len()));
        }
        // A table refers to itself without a name.
        let target = reference.get("resource").and_then(Value::as_str).filter(|target| !target.is_empty());
        Ok(WrittenRelation {
            relation: ConfiguredRelation {
                child: side(name.to_owned(), child, &span),
                parent: side(target.unwrap_or(name).to_owned(), parent, &span),
                condition: None,
                ignored: Vec::new(),
                soft_deleted: None,
                parent_may_be_missing: true,
            },
            schemas: [None, None],
            unresolved: None,
            is_warning: false,
        })
    };
    let relations = keys.iter().map(relation).collect::<Result<_, String>>()?;
    Ok((table, relations))
}

fn delimiter(resource: &Value) -> Result<Option<u8>, String> {
    let dialect = resource.get("dialect");
    let csv = dialect.and_then(|dialect| dialect.get("csv")).or(dialect);
    match csv.and_then(|csv| csv.get("delimiter")).and_then(Value::as_str) {
        None => Ok(None),
        Some(text) => match text.as_bytes() {
            [byte] if !matches!(byte, b'"' | b'\n' | b'\r') => Ok(Some(*byte)),
            _ => Err("its delimiter is not one character of ASCII".to_owned()),
        },
    }
}

/// Returns an error for an address, and for a path that leaves the folder of the package.
fn is_below(path: &str) -> Result<(), String> {
    let leaves = path.starts_with('/') || path.split(['/', '\\']).any(|part| part == "..") || path.contains("://");
    if leaves { Err(format!("{path} is not below the folder of the package")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::RelationsFile;
    use super::super::parse;

    fn read(package: &str) -> Result<RelationsFile, Vec<String>> {
        parse(package, &|path| match path {
            "schema.json" => {
                Ok(r#"{"foreignKeys": [{"fields": "r", "reference": {"resource": "p", "fields": "id"}}]}"#.to_owned())
            }
            other => Err(format!("there is no {other}")),
        })
    }

    #[test]
    fn both_forms_of_keys_and_references_are_read() {
        let found = read(
            r#"{"resources": [
                {"name": "p", "path": "p.csv", "schema": {"primaryKey": "id", "missingValues": ["NA"]}},
                {"name": "c", "path": ["c-1.csv", "c-2.csv"], "dialect": {"delimiter": ";"}, "schema": "schema.json"},
                {"name": "t", "schema": {"foreignKeys": [
                    {"fields": ["a", "b"], "reference": {"resource": "", "fields": ["c", "d"]}}]}}
            ]}"#,
        )
        .unwrap();
        let sides: Vec<String> = found
            .relations
            .iter()
            .map(|written| {
                let (child, parent) = (&written.relation.child.value, &written.relation.parent.value);
                format!("{}({})->{}({})", child.table, child.columns.join(","), parent.table, parent.columns.join(","))
            })
            .collect();
        assert_eq!(sides, ["c(r)->p(id)", "t(a,b)->t(c,d)"]);
        assert_eq!(found.tables.len(), 2);
        assert_eq!((&found.tables[0].key, &found.tables[0].null), (&vec!["id".to_owned()], &vec!["NA".to_owned()]));
        assert_eq!((found.tables[1].paths.len(), found.tables[1].delimiter), (2, Some(b';')));
    }

    #[test]
    fn all_faults_are_reported_with_their_resource() {
        let faults = read(
            r#"{"resources": [
                {"path": "x.csv"},
                {"name": "a", "path": "https://example.org/a.csv"},
                {"name": "b", "path": "../b.csv"},
                {"name": "c", "schema": "other.json"},
                {"name": "d", "schema": {"foreignKeys": [{"fields": ["a", "b"], "reference": {"fields": "c"}}]}}
            ]}"#,
        )
        .unwrap_err();
        assert_eq!(
            faults,
            [
                "resource 1 has no name",
                "resource a: https://example.org/a.csv is not below the folder of the package",
                "resource b: ../b.csv is not below the folder of the package",
                "resource c: there is no other.json",
                "resource d: a foreign key has 2 fields and refers to 1",
            ]
        );
    }
}
