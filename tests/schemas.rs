//! `schemas/config.schema.json` and `schemas/rules.schema.json` accept what the parsers accept, and reject unknown keys as
//! they do.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use crate::common::Bench;

use fk_doctor::internals::config;
use fk_doctor::internals::model::configured::Fault;
use fk_doctor::internals::model::finding::Code;
use serde_json::Value as Json;
use toml::de::DeTable;
use toml::de::DeValue;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema(name: &str) -> Json {
    let path = root().join(format!("schemas/{name}.schema.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn validator(name: &str) -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema(name)).unwrap()
}

fn to_json(text: &str) -> Json {
    table(DeTable::parse(text).unwrap().get_ref())
}

fn table(table: &DeTable<'_>) -> Json {
    Json::Object(table.iter().map(|(key, item)| (key.get_ref().to_string(), value(item.get_ref()))).collect())
}

fn value(item: &DeValue<'_>) -> Json {
    match item {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).unwrap().into()
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().unwrap().into(),
        DeValue::Boolean(flag) => Json::from(*flag),
        DeValue::Datetime(time) => Json::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| value(item.get_ref())).collect(),
        DeValue::Table(items) => table(items),
    }
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(toml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files
}

/// Returns the blocks of TOML in the pages of the book.
fn blocks_of_pages(folder: &Path) -> Vec<String> {
    let mut blocks = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            blocks.extend(blocks_of_pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let text = std::fs::read_to_string(path).unwrap();
            let after_fences = text.split("\n```toml\n").skip(1);
            blocks.extend(after_fences.filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned())));
        }
    }
    blocks
}

#[test]
fn json_schemas_accept_what_the_parsers_accept() {
    let (of_config, of_rules) = (validator("config"), validator("rules"));
    let files = [root().join("rules"), root().join("fixtures"), root().join("docs")].map(|folder| toml_files(&folder));
    let texts = files.concat().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
    let (mut configurations, mut rules) = (0, 0);
    for text in texts.chain(blocks_of_pages(&root().join("docs"))) {
        if config::parse(&text).is_ok() {
            configurations += 1;
            let faults: Vec<String> = of_config.iter_errors(&to_json(&text)).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{faults:#?}\n{text}");
        }
        if config::rules::parse(&text).is_ok() {
            rules += 1;
            let faults: Vec<String> = of_rules.iter_errors(&to_json(&text)).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{faults:#?}\n{text}");
        }
    }
    assert!(configurations > 12 && rules > 30, "{configurations} configurations, {rules} rules");
}

const CONFIG: &str = "
exclude = [\"a_*\"]
scan = { fail-on = \"error\", jobs = 2, samples = 3, timeout = \"5m\", wait = \"1s\", memory = \"1GB\", time-columns = [\"t\"], relations = [\"m.json\"] }
relation = [{ child = \"c(r)\", parent = \"p(id)\", where = \"1\", ignore-values = [0, \"x\"], soft-deleted = \"0\" }]
tables = { t = { path = [\"t.csv\"], key = [\"id\"], null = \"NA\", delimiter = \";\" }, u = \"u/\" }
redact = { values = \"hash\", columns = [\"u.email\"] }
discover = { reject = [\"a(b)->*\"] }
severity = { orphan = \"warning\" }
threshold = [{ relation = \"*\", warn-if = \"> 0\", fail-if = \">= 5 keys or > 0.1%\" }]
[database.\"app.db\"]
scan = { fail-on = \"never\" }
";

const RULES: &str = "
[[rule]]
id = \"every-action\"
explain = \"A sentence.\"
relation = { child = \"c(*)\", parent = \"p(*)\" }
limits = { max-rows = 1, max-share = 0.5 }
even-if-parent-lost = true
treat = [
    { action = \"remap\", to = \"SELECT 1\", via = \"v(id)\", record = \"r\", on-conflict = \"quarantine\" },
    { action = \"placeholder\", key = \"new\", record = \"r\", via = \"v(id)\", values = { a = 1, b = { sql = \"1\" } } },
    { action = \"sentinel\", key = [0, \"x\"], values = { a = \"b\" } },
    { action = \"set-null\", columns = [\"r\"] },
    { action = \"set-default\" },
    { action = \"quarantine\", file = \"q.ndjson\" },
    { action = \"delete\", keep = false },
    { action = \"follow\", keep = false },
    { action = \"report\" },
    { action = \"relax\", nullable = [\"r\"] },
    { action = \"enforce\", on-delete = \"cascade\", on-update = \"set-null\", index = false },
    { action = \"prevent\", remove = true },
]
[[rule]]
id = \"twins\"
relation = { parent = \"p(id)\" }
treat = [{ action = \"repoint\", same = [\"a\"], keep = \"oldest\", on-conflict = \"fail\", table = \"q\" }]
";

/// Returns the document with an unknown key in each of its tables, one after the other.
fn with_unknown_key(document: &Json) -> Vec<Json> {
    let mut spoiled = Vec::new();
    if let Json::Object(entries) = document {
        let mut copy = entries.clone();
        copy.insert("unknown-key".to_owned(), Json::from(1));
        spoiled.push(Json::Object(copy));
        for (key, inner) in entries {
            // Tables that name tables, columns or databases have no keys of ours.
            if ["tables", "values", "database"].contains(&key.as_str()) {
                continue;
            }
            for changed in with_unknown_key(inner) {
                let mut copy = entries.clone();
                copy.insert(key.clone(), changed);
                spoiled.push(Json::Object(copy));
            }
        }
    }
    if let Json::Array(items) = document {
        for (index, item) in items.iter().enumerate() {
            for changed in with_unknown_key(item) {
                let mut copy = items.clone();
                copy[index] = changed;
                spoiled.push(Json::Array(copy));
            }
        }
    }
    spoiled
}

fn to_toml(document: &Json) -> String {
    match document {
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, item)| format!("{key:?} = {}", to_toml(item)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(to_toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// Returns a document as the lines of a file.
fn to_file(document: &Json) -> String {
    document.as_object().unwrap().iter().map(|(key, item)| format!("{key} = {}\n", to_toml(item))).collect()
}

#[test]
fn unknown_key_fails_in_the_parser_and_in_the_json_schema() {
    let (of_config, of_rules) = (validator("config"), validator("rules"));
    assert!(config::parse(CONFIG).is_ok() && of_config.is_valid(&to_json(CONFIG)), "{:?}", config::parse(CONFIG));
    let spoiled = with_unknown_key(&to_json(CONFIG));
    assert!(spoiled.len() >= 7, "{}", spoiled.len());
    for document in spoiled {
        assert!(config::parse(&to_file(&document)).is_err(), "{document}");
        assert!(!of_config.is_valid(&document), "{document}");
    }
    let parsed = config::rules::parse(RULES);
    assert!(parsed.is_ok() && of_rules.is_valid(&to_json(RULES)), "{parsed:?}");
    let spoiled = with_unknown_key(&to_json(RULES));
    assert!(spoiled.len() >= 19, "{}", spoiled.len());
    for document in spoiled {
        assert!(config::rules::parse(&to_file(&document)).is_err(), "{document}");
        assert!(!of_rules.is_valid(&document), "{document}");
    }
}

#[test]
fn json_schemas_list_the_words_of_the_parsers() {
    let config = schema("config");
    let codes: Vec<&str> =
        config["properties"]["severity"]["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut known = Code::ALL.map(Code::name).to_vec();
    known.sort_unstable();
    assert_eq!(codes, known);
    let rules = schema("rules");
    let treatments = rules["$defs"]["treatment"]["oneOf"].as_array().unwrap();
    let actions: Vec<&str> =
        treatments.iter().map(|it| it["properties"]["action"]["const"].as_str().unwrap()).collect();
    assert_eq!(actions, config::rules::ACTIONS);
}

/// Returns the keys that the parser names when it meets the unknown key `zzz`.
fn known_keys(faults: Vec<Fault>) -> BTreeSet<String> {
    let help = faults.into_iter().find(|fault| fault.message.contains("zzz")).and_then(|fault| fault.help).unwrap();
    let (_, keys) = help.split_once("known keys: ").unwrap();
    keys.split(", ").map(str::to_owned).collect()
}

/// Returns the keys of the object at a pointer of a JSON Schema.
fn keys_of_schema(schema: &Json, pointer: &str) -> BTreeSet<String> {
    let object = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
    object["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn json_schemas_have_the_keys_of_the_parsers() {
    let config = schema("config");
    for (text, pointer) in [
        ("zzz = 1", ""),
        ("[database.\"app.db\"]\nzzz = 1", "/$defs/section"),
        ("[scan]\nzzz = 1", "/properties/scan"),
        ("[[relation]]\nchild = \"c(r)\"\nparent = \"p(id)\"\nzzz = 1", "/$defs/relation"),
        ("[redact]\nzzz = 1", "/properties/redact"),
        ("[discover]\nzzz = 1", "/properties/discover"),
        ("[severity]\nzzz = \"note\"", "/properties/severity"),
        ("[[threshold]]\nrelation = \"*\"\nwarn-if = \"> 0\"\nzzz = 1", "/properties/threshold/items"),
        ("[tables]\nt = { path = \"t.csv\", zzz = 1 }", "/properties/tables/additionalProperties/anyOf/2"),
    ] {
        let keys = known_keys(config::parse(text).unwrap_err());
        assert_eq!(keys, keys_of_schema(&config, pointer), "schemas/config.schema.json, {pointer}");
    }
    let rules = schema("rules");
    let rule = "id = \"a\"\nrelation = { child = \"*\" ";
    for (text, pointer) in [
        (format!("zzz = 1\n{rule}}}\ntreat = [{{ action = \"report\" }}]"), "/$defs/rule"),
        (format!("{rule}, zzz = 1 }}\ntreat = [{{ action = \"report\" }}]"), "/$defs/rule/properties/relation"),
        (
            format!("{rule}}}\nlimits = {{ zzz = 1 }}\ntreat = [{{ action = \"report\" }}]"),
            "/$defs/rule/properties/limits",
        ),
    ] {
        let keys = known_keys(config::rules::parse(&text).unwrap_err());
        assert_eq!(keys, keys_of_schema(&rules, pointer), "schemas/rules.schema.json, {pointer}");
    }
    let required = BTreeMap::from([
        ("remap", "to = \"SELECT 1\""),
        ("sentinel", "key = 0"),
        ("delete", "keep = false"),
        ("repoint", "same = [\"a\"]"),
    ]);
    for (index, action) in config::rules::ACTIONS.into_iter().enumerate() {
        let needed = required.get(action).map(|key| format!(", {key}")).unwrap_or_default();
        let side = if action == "repoint" { "parent = \"p(id)\"" } else { "child = \"*\"" };
        let text =
            format!("id = \"a\"\nrelation = {{ {side} }}\ntreat = [{{ action = \"{action}\"{needed}, zzz = 1 }}]");
        let keys = known_keys(config::rules::parse(&text).unwrap_err());
        assert_eq!(keys, keys_of_schema(&rules, &format!("/$defs/treatment/oneOf/{index}")), "{action}");
    }
}

/// Drafts name the schema of their format, in the repository of the manifest.
#[test]
fn drafts_begin_with_their_json_schema() {
    let bench = Bench::new(
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, r INTEGER REFERENCES p(id)); \
         INSERT INTO c VALUES (1, 7);",
    );
    bench.run(&["init", "app.db"]);
    let config = std::fs::read_to_string(bench.path("fk-doctor.toml")).unwrap();
    let rules = bench.run(&["rules", "suggest", "app.db", "--no-config"]).stdout;
    for (draft, name) in [(config, "config"), (rules, "rules")] {
        let address = format!("{}/raw/main/schemas/{name}.schema.json", env!("CARGO_PKG_REPOSITORY"));
        assert_eq!(draft.lines().next(), Some(format!("#:schema {address}").as_str()));
        assert!(root().join(format!("schemas/{name}.schema.json")).exists());
    }
}
