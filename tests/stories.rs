//! Repairs from end to end with the rules that come with the program: scan, dry run, apply, scan again, undo. What they
//! print is kept beside each fixture; `BLESS=1` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use crate::common;

use std::path::Path;

use common::Bench;

const STORIES: [(&str, &str); 3] =
    [("multi-source-sync", "multi-source-sync"), ("media-sources", "media-sources"), ("near-misses", "near-misses")];

fn bench(fixture: &str) -> Bench {
    Bench::new(&std::fs::read_to_string(folder(fixture).join("seed.sql")).unwrap())
}

fn folder(fixture: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture)
}

fn expect(fixture: &str, file: &str, got: &str) {
    let expected = folder(fixture).join("expected").join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&expected, got).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&expected).unwrap_or_default(), got, "BLESS=1 accepts this: {fixture}/{file}");
}

#[test]
fn every_story_ends_well_and_can_be_taken_back() {
    for (fixture, rule) in STORIES {
        let bench = bench(fixture);
        let (file, dump) = (std::fs::read(bench.path("app.db")).unwrap(), bench.dump());
        let orphans = bench.scan().1["summary"]["orphan_rows"].as_u64().unwrap();
        assert!(orphans > 0, "{fixture}");

        let dry = bench.run(&["repair", "app.db", "--rules", rule, "-o", "plan.ndjson"]);
        assert_eq!(dry.stderr, "", "{fixture}");
        expect(fixture, "repair.txt", &format!("{}exit code {}\n", dry.stdout, dry.code));
        let json = bench.run(&["repair", "app.db", "--rules", rule, "--format", "json"]);
        expect(fixture, "repair.json", &json.stdout.replace(rusqlite::version(), "SQLITE_VERSION"));
        common::assert_obeys("repair", &serde_json::from_str(&json.stdout).unwrap());
        assert_eq!(std::fs::read(bench.path("app.db")).unwrap(), file, "{fixture}: a dry run writes nothing");

        let whole = dry.code == 0;
        let extra: &[&str] = if whole { &[] } else { &["--leave-undecided"] };
        if !whole {
            let refused = bench.run(&["apply", "app.db", "plan.ndjson"]);
            assert_eq!(refused.code, 5, "{fixture}: {}", refused.stderr);
            assert_eq!(bench.dump(), dump, "{fixture}");
        }
        let applied = bench.run(&[&["apply", "app.db", "plan.ndjson"], extra].concat());
        assert_eq!(applied.code, if whole { 0 } else { 6 }, "{fixture}: {}", applied.stderr);
        let left = bench.scan().1["summary"]["orphan_rows"].as_u64().unwrap();
        assert_eq!(left == 0, whole, "{fixture}");
        assert!(left < orphans, "{fixture}");

        let healed = bench.dump();
        let again = bench.run(&[&["apply", "app.db", "plan.ndjson"], extra].concat());
        assert!(again.stdout.contains("nothing was changed"), "{fixture}: {}{}", again.stdout, again.stderr);
        assert_eq!(bench.dump(), healed, "{fixture}: applying twice changes nothing");
        assert!(bench.run(&["repair", "app.db", "--rules", rule]).stdout.contains("0 changes") || whole, "{fixture}");

        let undone = bench.run(&["undo", "app.db", "plan.ndjson"]);
        assert_eq!(undone.code, 0, "{fixture}: {}", undone.stderr);
        assert_eq!(bench.dump(), dump, "{fixture}: undo restores every value");
    }
}

/// The script does what the plan does.
#[test]
fn the_script_is_the_plan() {
    for (fixture, rule) in STORIES {
        let bench = bench(fixture);
        let script = bench.run(&["repair", "app.db", "--rules", rule, "--format", "sql"]).stdout;
        expect(fixture, "repair.sql", &script);
        bench.run(&["repair", "app.db", "--rules", rule, "-o", "plan.ndjson"]);
        bench.run(&["apply", "app.db", "plan.ndjson", "--leave-undecided"]);
        let applied = bench.dump();
        let other = self::bench(fixture);
        other.execute(&script);
        assert_eq!(other.dump(), applied, "{fixture}");
    }
}

#[test]
fn every_rule_that_ships_is_listed_and_sound() {
    let bench = Bench::new("");
    let list = bench.run(&["rules", "list"]).stdout;
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut names = 0;
    for entry in std::fs::read_dir(&rules).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}: {list}");
        assert_eq!(bench.run(&["rules", "list", name]).stdout, std::fs::read_to_string(&path).unwrap());
        names += 1;
    }
    assert_eq!(list.lines().count(), names);
    let checked = bench.run(&["rules", "check", rules.to_str().unwrap()]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));
}

/// A draft is a sound file of rules that takes nothing away, for every fixture.
#[test]
fn drafted_rules_are_sound_and_safe() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !folder(&name).join("seed.sql").is_file() {
            continue;
        }
        let bench = bench(&name);
        let drafted = bench.run(&["rules", "suggest", "app.db"]);
        assert_eq!((drafted.code, drafted.stderr.as_str()), (0, ""), "{name}");
        if !drafted.stdout.contains("[[rule]]") {
            continue;
        }
        bench.write("drafted.toml", &drafted.stdout);
        let checked = bench.run(&["rules", "check", "drafted.toml", "--against", "app.db"]);
        assert_eq!(checked.code, 0, "{name}: {}\n{}", checked.stderr, drafted.stdout);
        let planned = bench.run(&["repair", "app.db", "--rules", "drafted.toml", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&planned.stdout).unwrap();
        assert!(report["tables"].as_array().unwrap().iter().all(|table| table["deleted"] == 0), "{name}");
        if name == "near-misses" {
            expect(&name, "suggested.toml", &drafted.stdout);
        }
    }
}
