//! The history of scans on disk: a line of JSON for each, added at the end and never changed.

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

/// The line of one scan, with its line break.
pub fn line(moment: &PastScan) -> String {
    let line = Line {
        format: FORMAT.to_owned(),
        at: moment.at.clone(),
        database: moment.database.clone(),
        verdict: moment.verdict.clone(),
        relations: moment.relations,
        unchecked: moment.unchecked,
        orphan_rows: moment.orphan_rows,
        missing_keys: moment.missing_keys,
        defects: moment.defects,
    };
    // Texts and numbers always are JSON.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

/// Every line, or the number of the first that is none and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<PastScan>, (usize, String)> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(place, line)| moment(line).map_err(|why| (place + 1, why))).collect()
}

fn moment(line: &str) -> Result<PastScan, String> {
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
    fn what_is_written_is_read_again() {
        let moment = PastScan {
            at: "2026-01-01T00:00:00Z".to_owned(),
            database: "a\"b\n".to_owned(),
            verdict: "findings".to_owned(),
            relations: 1,
            unchecked: 2,
            orphan_rows: 3,
            missing_keys: 4,
            defects: 5,
        };
        let text = line(&moment) + "\n" + &line(&moment);
        assert_eq!(parse(&text), Ok(vec![moment.clone(), moment]));
        assert_eq!(parse("\n{}\n").unwrap_err().0, 2);
        assert!(parse(&text.replace("history@1", "history@9")).is_err());
    }
}
