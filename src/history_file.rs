//! The history of scans on disk. Each scan appends a line of JSON; lines never change.

use serde::Deserialize;
use serde::Serialize;

use crate::model::history::PastScan;

const FORMAT: &str = "fk-doctor/history@1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: String,
    at: String,
    database: String,
    verdict: String,
    relations: u64,
    unchecked: u64,
    orphan_rows: u64,
    missing_keys: u64,
    defects: u64,
}

/// Returns the line of one scan, with its line break.
pub fn line(entry: &PastScan) -> String {
    let line = Line {
        format: FORMAT.to_owned(),
        at: entry.at.clone(),
        database: entry.database.clone(),
        verdict: entry.verdict.clone(),
        relations: entry.relations,
        unchecked: entry.unchecked,
        orphan_rows: entry.orphan_rows,
        missing_keys: entry.missing_keys,
        defects: entry.defects,
    };
    // Texts and numbers can always be written as JSON.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

/// Returns all entries, or the number of the first invalid line, counted from 1, and its fault: `(2, "missing field
/// `at`")`.
pub fn parse(text: &str) -> Result<Vec<PastScan>, (usize, String)> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(position, line)| entry(line).map_err(|why| (position + 1, why))).collect()
}

fn entry(line: &str) -> Result<PastScan, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if line.format != FORMAT {
        return Err(format!("this fk-doctor reads {FORMAT}"));
    }
    let Line { at, database, verdict, relations, unchecked, orphan_rows, missing_keys, defects, .. } = line;
    Ok(PastScan { at, database, verdict, relations, unchecked, orphan_rows, missing_keys, defects })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_entries_are_read_back_unchanged() {
        let entry = PastScan {
            at: "2026-01-01T00:00:00Z".to_owned(),
            database: "a\"b\n".to_owned(),
            verdict: "findings".to_owned(),
            relations: 1,
            unchecked: 2,
            orphan_rows: 3,
            missing_keys: 4,
            defects: 5,
        };
        let text = line(&entry) + "\n" + &line(&entry);
        assert_eq!(parse(&text), Ok(vec![entry.clone(), entry]));
        assert_eq!(parse("\n{}\n").unwrap_err().0, 2);
        assert!(parse(&text.replace("history@1", "history@9")).is_err());
    }
}
