//! Keys and columns whose values have several notations: bytes, bits, and names that must be quoted.

use super::patient::KINDS;
use super::patient::Kind;
use super::patient::MYSQL_FAMILY;
use super::patient::Patient;
use super::patient::rule;

/// Keys of bytes: `0a` is distinct from `000a`.
#[test]
fn normalized_remap_finds_binary_keys() {
    for kind in KINDS {
        let (bytes, a, padded, b) = match kind {
            Kind::Postgres => ("bytea", "'\\x0a'", "'\\x000a'", "'\\xff'"),
            Kind::Mariadb | Kind::Mysql => ("varbinary(8)", "x'0a'", "x'000a'", "x'ff'"),
        };
        let seed = format!(
            "CREATE TABLE p(id {bytes} PRIMARY KEY); CREATE TABLE c(id int PRIMARY KEY, r {bytes}, FOREIGN KEY (r) REFERENCES p(id)); \
             INSERT INTO p VALUES ({a}), ({b}); INSERT INTO c VALUES (1, {padded}), (2, {a})"
        );
        let Some(patient) = Patient::new(kind, &seed) else { continue };
        patient.rules(&rule("c(r)", "action = \"remap\"\nnormalize = [\"zero-padding\"]"));
        let before = patient.dump();
        patient.repair();
        let same = patient.server.texts(
            "SELECT CAST(count(*) AS char(9)) FROM c JOIN p ON p.id = c.r WHERE c.r IN (SELECT r FROM c WHERE id = 2)",
        );
        assert_eq!(same[0].trim(), "2", "{kind:?}");
        patient.take_back(&before);
    }
}

/// Bits are numbers in files, in keys that the configuration ignores, and in normal forms.
#[test]
fn bit_keys_are_read_as_numbers() {
    let seed = "CREATE TABLE p(id bit(8) PRIMARY KEY, b bit(1), w bit(64)); INSERT INTO p VALUES (5, 1, 1); \
        CREATE TABLE c(id int PRIMARY KEY, r bit(8), FOREIGN KEY (r) REFERENCES p(id)); INSERT INTO c VALUES (1, 7), (2, 5)";
    for kind in MYSQL_FAMILY {
        let Some(patient) = Patient::new(kind, seed) else { continue };
        let url = patient.server.url();
        patient.server.bench.write("p.csv", "id,b,w\n6,1,18446744073709551615\n200,0,0\n");
        let run = patient.server.run(&["check", &url, "--table", "p", "p.csv"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{kind:?}: {}", run.stdout);
        patient.server.bench.write("c.csv", "id,r\n10,5\n11,6\n");
        let run = patient.server.run(&["check", &url, "--table", "c", "c.csv", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["findings"][0]["samples"][0]["key"]["r"], 6, "{kind:?}: {report:#}");
        patient.server.bench.write("p.csv", "id,b,w\n6,2,0\n7,x,0\n5,1,0\n");
        let run = patient.server.run(&["check", &url, "--table", "p", "p.csv", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["summary"]["would_fail"], 3, "{kind:?}: too large, no number, there already: {report:#}");
        assert_eq!(patient.orphans(), 1, "{kind:?}");
        let ignoring = "[[relation]]\nchild = \"c(r)\"\nparent = \"p(id)\"\nignore-values = [7]\n";
        patient.server.bench.write("fk-doctor.toml", ignoring);
        assert_eq!(patient.orphans(), 0, "{kind:?}");
    }
}

/// A suggested statement can be run as it stands.
#[test]
fn suggested_insert_runs_on_its_engine() {
    for kind in KINDS {
        let quote = if kind == Kind::Postgres { '"' } else { '`' };
        let q = |name: &str| format!("{quote}{name}{quote}");
        let seed = format!(
            "CREATE TABLE {order}({key} int PRIMARY KEY, {odd} int NOT NULL DEFAULT 0); \
             CREATE TABLE c(id int PRIMARY KEY, r int, FOREIGN KEY (r) REFERENCES {order}({key})); INSERT INTO {order}({key}) VALUES (1)",
            order = q("order"),
            key = q("key"),
            odd = q("a b"),
        );
        let Some(patient) = Patient::new(kind, &seed) else { continue };
        let url = patient.server.url();
        let insert = "INSERT INTO c VALUES (1, 9)";
        let run = patient.server.run(&["explain", &url, insert, "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let help = report["statements"][0]["findings"][0]["help"].as_str().unwrap().to_owned();
        let suggested = help.strip_prefix("insert the parent first: ").unwrap_or_else(|| panic!("{help}"));
        patient.server.execute(&suggested.replace('…', "0"));
        patient.server.execute(insert);
        assert_eq!(patient.orphans(), 0, "{kind:?}: {suggested}");
    }
}
