//! Reads the changes of a plan as any program could, without fk-doctor's own code: `docs/plan.md` describes the format.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Map;
use serde_json::Value;

/// Returns the changes of a plan, each as an object that is complete by itself: the facts of its group, and the columns
/// with their values.
pub(crate) fn changes(plan: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(plan).unwrap();
    let (mut groups, mut changes) = (BTreeMap::new(), Vec::new());
    for line in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        match &line {
            Value::Array(parts) => changes.push(complete(&groups[&parts[0].as_u64().unwrap()], parts)),
            _ if line["group"].is_u64() => drop(groups.insert(line["group"].as_u64().unwrap(), line)),
            _ => {}
        }
    }
    changes
}

fn complete(group: &Value, parts: &[Value]) -> Value {
    let mut change = group.clone();
    let facts = change.as_object_mut().unwrap();
    for name in ["group", "change", "columns", "set"] {
        facts.remove(name);
    }
    let image = |columns: &Value, values: &Value| -> Map<String, Value> {
        let names = columns.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        let values = values.as_array().unwrap();
        assert_eq!(columns.as_array().unwrap().len(), values.len(), "{parts:?}");
        names.zip(values.iter().cloned()).collect()
    };
    let (before, after) = match group["change"].as_str().unwrap() {
        "insert" => (None, Some(image(&group["columns"], &parts[2]))),
        "delete" => (Some(image(&group["columns"], &parts[1])), None),
        _ => {
            let before = image(&group["columns"], &parts[1]);
            let mut after = before.clone();
            after.extend(image(&group["set"], &parts[2]));
            (Some(before), Some(after))
        }
    };
    let row: Vec<&str> = group["row"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let stored = before.as_ref().or(after.as_ref()).unwrap();
    let mut named: Map<String, Value> =
        row.iter().filter_map(|name| Some(((*name).to_owned(), stored.get(*name)?.clone()))).collect();
    if let Some(rare) = parts.get(3) {
        facts.extend(rare.as_object().unwrap().clone());
        if !rare["row"].is_null() {
            named = image(&group["row"], &rare["row"]);
        }
    }
    facts.insert("row".to_owned(), Value::Object(named));
    facts.insert("before".to_owned(), before.map_or(Value::Null, Value::Object));
    facts.insert("after".to_owned(), after.map_or(Value::Null, Value::Object));
    change
}
