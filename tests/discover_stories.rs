//! Whole stories of databases that declare no foreign key: references are discovered and accepted, their orphans are found and
//! repaired, and the engine enforces them from then on.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;
use crate::discover_command;

use common::Bench;
use discover_command::SHOP;
use discover_command::ids;
use discover_command::report;
use rusqlite::Connection;
use serde_json::Value;

/// Writes what a tier or an id stands for into the configuration.
fn accept(bench: &Bench, accepted: &str) {
    let run = bench.run(&["discover", "app.db", "--accept", accepted, "--config", "fk-doctor.toml"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

/// Returns each finding of a scan: its relation, its code and its number of rows.
fn findings(bench: &Bench) -> Vec<(String, String, u64)> {
    let (code, report) = bench.scan();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings: Vec<_> =
        findings.map(|one| (text(&one["relation"]), text(&one["code"]), one["rows"].as_u64().unwrap())).collect();
    assert_eq!(code, i32::from(!findings.is_empty()), "{report}");
    findings
}

fn repair(bench: &Bench, rules: &str) {
    bench.write("rules.toml", rules);
    let run = bench.run(&["repair", "app.db", "--rules", "rules.toml", "--apply", "-o", "repair-plan"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

/// Makes the engine enforce a relation.
fn enforce(bench: &Bench, id: &str) {
    let relation = id.replace("->", " -> ");
    let plan = format!("plan of {}", id.split('>').next().unwrap());
    let run = bench.run(&["repair", "app.db", "--enforce", &relation, "--apply", "-o", &plan]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

/// Opens the database as an application whose foreign keys are enforced.
fn application(bench: &Bench) -> Connection {
    let application = Connection::open(bench.path("app.db")).unwrap();
    application.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    application
}

#[test]
fn accepted_reference_is_repaired_and_declared() {
    let bench = Bench::new(SHOP);
    let id = "orders(customer_id)->customers(id)";
    accept(&bench, id);
    let orphans: u64 = findings(&bench).iter().map(|(.., rows)| rows).sum();
    assert_eq!(orphans, 3);
    let rule = "id = \"lost\"\nexplain = \"orders of lost customers\"\n[relation]\nchild = \"orders(customer_id)\"\nparent = \"customers(id)\"\n[[treat]]\naction = \"set-null\"\n";
    repair(&bench, rule);
    assert_eq!(findings(&bench), []);
    enforce(&bench, id);
    assert!(application(&bench).execute("UPDATE orders SET customer_id = 7654321 WHERE id = 1", []).is_err());
    assert!(ids(&report(&bench, &[]), &["declared"]).contains(&id.to_owned()));
}

/// Cars with their models, makers, countries and continents, in the shape of a well-known database for practice. One model has
/// no maker, and one car has a blank before its model.
const CARS: &str = "
CREATE TABLE continents(ContId INT PRIMARY KEY, Continent TEXT);
CREATE TABLE countries(CountryId INT PRIMARY KEY, CountryName TEXT, Continent INT);
CREATE TABLE car_makers(Id INT PRIMARY KEY, Maker TEXT, FullName TEXT, Country INT);
CREATE TABLE model_list(ModelId INT PRIMARY KEY, Maker INT, Model TEXT UNIQUE);
CREATE TABLE car_names(MakeId INT PRIMARY KEY, Model TEXT, Make TEXT);
CREATE TABLE cars_data(Id INT PRIMARY KEY, MPG TEXT, Cylinders INT, Weight INT, Accelerate REAL, Year INT);
CREATE TEMP TABLE n AS WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT i FROM n;
INSERT INTO continents VALUES (1, 'africa'), (2, 'america'), (3, 'asia'), (4, 'australia'), (5, 'europe');
INSERT INTO countries SELECT i, 'country ' || char(64 + i), 1 + i * 3 % 5 FROM n WHERE i <= 15;
INSERT INTO car_makers SELECT i, 'maker ' || char(64 + i), 'Maker ' || char(64 + i) || ' Works', 1 + i * 7 % 15
    FROM n WHERE i <= 22;
INSERT INTO model_list SELECT i, 1 + i * 5 % 22, 'model-' || char(96 + i % 26) || i FROM n WHERE i <= 36;
INSERT INTO car_names SELECT i, (SELECT Model FROM model_list WHERE ModelId = 1 + i * 11 % 36), 'make ' || i FROM n;
INSERT INTO cars_data SELECT i, 9 + i % 37, 3 + i % 6, 1600 + i * 13 % 3500, 8.0 + i % 17 / 2.0, 1970 + i % 13 FROM n;
UPDATE model_list SET Maker = 99 WHERE ModelId = 14;
UPDATE car_names SET Model = ' ' || Model WHERE MakeId = 340;";

const REFERENCES_OF_CARS: [&str; 4] = [
    "car_makers(Country)->countries(CountryId)",
    "car_names(Model)->model_list(Model)",
    "countries(Continent)->continents(ContId)",
    "model_list(Maker)->car_makers(Id)",
];

#[test]
fn references_of_a_whole_database_are_accepted_repaired_and_enforced() {
    let bench = Bench::new(CARS);
    assert_eq!(ids(&report(&bench, &[]), &["certain", "likely"]), REFERENCES_OF_CARS);
    accept(&bench, "likely");
    let mut found = findings(&bench);
    found.sort();
    let orphan = |id: &str| (id.to_owned(), "orphan".to_owned(), 1);
    assert_eq!(found, [orphan(REFERENCES_OF_CARS[1]), orphan(REFERENCES_OF_CARS[3])]);

    // The draft repairs the blank, and leaves the missing maker to a person.
    let draft = bench.run(&["rules", "suggest", "app.db"]).stdout;
    assert!(draft.contains("\ntreat = [{ action = \"remap\", normalize = [\"trim\"] }]"), "{draft}");
    let open = "\ntreat = [{ action = \"report\" }]";
    assert_eq!(draft.matches(open).count(), 1, "{draft}");
    repair(&bench, &draft.replace(open, "\ntreat = [{ action = \"placeholder\" }]"));
    assert_eq!(findings(&bench), []);
    assert_eq!(bench.value("SELECT Model = trim(Model) FROM car_names WHERE MakeId = 340"), "1");
    assert_eq!(bench.value("SELECT count(*) FROM car_makers WHERE Id = 99"), "1");

    REFERENCES_OF_CARS.iter().for_each(|id| enforce(&bench, id));
    let application = application(&bench);
    for (table, column) in
        [("car_makers", "Country"), ("car_names", "Model"), ("countries", "Continent"), ("model_list", "Maker")]
    {
        let sql = format!("UPDATE {table} SET {column} = 7654321 WHERE rowid = 1");
        assert!(application.execute(&sql, []).is_err(), "{sql}");
    }
    drop(application);
    std::fs::remove_file(bench.path("fk-doctor.toml")).unwrap();
    let known = report(&bench, &[]);
    assert_eq!(ids(&known, &["declared"]), REFERENCES_OF_CARS);
    assert_eq!(ids(&known, &["certain", "likely"]), Vec::<String>::new());
}
