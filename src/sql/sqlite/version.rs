//! The version of SQLite that an expression requires. A trigger runs in the application's SQLite, which may be years
//! older than the one that fk-doctor contains.
//!
//! Only features newer than 3.24 have a version here: functions, and a few clauses. Every trigger of a repair has an
//! `ON CONFLICT` clause, which needs 3.24. A function of the application or of an extension has no version.

use crate::sql::read::tokens::Token;
use crate::sql::read::tokens::tokens;

/// The minor version: 3.24 is `24`. The major version is always 3.
pub(super) type Minor = u16;

/// Built-in functions, by the version that introduced them.
const FUNCTIONS: &[(Minor, &[&str])] = &[
    (
        25,
        &[
            "cume_dist",
            "dense_rank",
            "first_value",
            "lag",
            "last_value",
            "lead",
            "nth_value",
            "ntile",
            "percent_rank",
            "rank",
            "row_number",
        ],
    ),
    (32, &["iif"]),
    (34, &["substring"]),
    (
        35,
        &[
            "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh", "degrees",
            "exp", "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow", "power", "radians", "sign", "sin",
            "sinh", "sqrt", "tan", "tanh", "trunc",
        ],
    ),
    (
        38,
        &[
            "format",
            "json",
            "json_array",
            "json_array_length",
            "json_each",
            "json_extract",
            "json_group_array",
            "json_group_object",
            "json_insert",
            "json_object",
            "json_patch",
            "json_quote",
            "json_remove",
            "json_replace",
            "json_set",
            "json_tree",
            "json_type",
            "json_valid",
            "unixepoch",
        ],
    ),
    (41, &["unhex"]),
    (42, &["json_error_position"]),
    (43, &["octet_length", "timediff"]),
    (44, &["concat", "concat_ws", "string_agg"]),
    (
        45,
        &[
            "jsonb",
            "jsonb_array",
            "jsonb_extract",
            "jsonb_group_array",
            "jsonb_group_object",
            "jsonb_insert",
            "jsonb_object",
            "jsonb_patch",
            "jsonb_remove",
            "jsonb_replace",
            "jsonb_set",
        ],
    ),
    (46, &["json_pretty"]),
    (47, &["median", "percentile", "percentile_cont", "percentile_disc"]),
    (48, &["if"]),
    (50, &["unistr", "unistr_quote"]),
    (51, &["jsonb_each", "jsonb_tree"]),
    (53, &["json_array_insert", "jsonb_array_insert"]),
];

/// Returns a version in words. The JSON functions were an extension before 3.38, and many programs included it.
pub(super) fn named(minor: Minor, feature: &str) -> String {
    let older =
        if feature.starts_with("json_") && minor == 38 { ", or an older one with its JSON extension" } else { "" };
    format!("SQLite 3.{minor}{older}")
}

/// Functions that accept ORDER BY inside their parentheses since 3.44.
const AGGREGATES: &[&str] = &[
    "avg",
    "count",
    "group_concat",
    "json_group_array",
    "json_group_object",
    "max",
    "min",
    "string_agg",
    "sum",
    "total",
];

/// Returns the newest feature in an expression: its version and its name, such as (38, "->>"). `None` if 3.24 is
/// enough.
pub(super) fn newest(sql: &str) -> Option<(Minor, String)> {
    let words = tokens(sql);
    let found = (0..words.len()).filter_map(|at| function(&words, at).or_else(|| clause(&words, at)));
    // Of several features of one version, the first counts.
    found.fold(None, |newest: Option<(Minor, String)>, found| match newest {
        Some(newest) if newest.0 >= found.0 => Some(newest),
        _ => Some(found),
    })
}

fn function(words: &[Token], at: usize) -> Option<(Minor, String)> {
    let [name, open, ..] = &words[at..] else { return None };
    if !open.is_word("(") {
        return None;
    }
    let lower = name.text.to_ascii_lowercase();
    if AGGREGATES.contains(&lower.as_str()) && is_ordered(&words[at + 2..]) {
        return Some((44, format!("ORDER BY in {lower}()")));
    }
    let known = FUNCTIONS.iter().find(|(_, names)| names.contains(&lower.as_str()));
    known.map(|(version, _)| (*version, format!("{lower}()")))
}

/// True if ORDER BY is directly in these parentheses, which begin before the first word.
fn is_ordered(words: &[Token]) -> bool {
    if words.first().is_some_and(|word| word.is_any(&["SELECT", "WITH", "VALUES"])) {
        return false;
    }
    let mut depth = 0;
    for pair in words.windows(2) {
        match &pair[0] {
            word if word.is_word("(") => depth += 1,
            word if word.is_word(")") && depth == 0 => return false,
            word if word.is_word(")") => depth -= 1,
            word if depth == 0 && word.is_word("ORDER") && pair[1].is_word("BY") => return true,
            _ => {}
        }
    }
    false
}

/// Clauses as consecutive words, each with the version that introduced it.
const CLAUSES: &[(Minor, &[&str])] = &[
    (25, &["OVER"]),
    (30, &["FILTER", "("]),
    (30, &["NULLS", "FIRST"]),
    (30, &["NULLS", "LAST"]),
    (35, &["AS", "MATERIALIZED"]),
    (35, &["NOT", "MATERIALIZED"]),
    (39, &["DISTINCT", "FROM"]),
    (39, &["RIGHT", "JOIN"]),
    (39, &["RIGHT", "OUTER"]),
    (39, &["FULL", "JOIN"]),
    (39, &["FULL", "OUTER"]),
];

fn clause(words: &[Token], at: usize) -> Option<(Minor, String)> {
    let rest = &words[at..];
    if let [minus, arrow, after @ ..] = rest
        && minus.is_word("-")
        && arrow.is_word(">")
        && minus.span.end == arrow.span.start
    {
        let second = after.first().is_some_and(|second| second.is_word(">") && second.span.start == arrow.span.end);
        return Some((38, if second { "->>" } else { "->" }.to_owned()));
    }
    let number =
        |word: &Token| !word.quoted && word.text.starts_with(|c: char| c.is_ascii_digit()) && word.text.contains('_');
    if rest.first().is_some_and(number) {
        return Some((46, "_ in numbers".to_owned()));
    }
    let matches =
        |names: &[&str]| names.len() <= rest.len() && names.iter().zip(rest).all(|(name, word)| word.is_word(name));
    let follows_is = at > 0 && words[at - 1].is_any(&["IS", "NOT"]);
    let found = CLAUSES.iter().find(|(_, names)| matches(names) && (names[0] != "DISTINCT" || follows_is))?;
    let text = found.1.iter().filter(|name| **name != "(").copied().collect::<Vec<_>>().join(" ");
    Some((found.0, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expression_requires_the_version_of_its_newest_feature() {
        for (sql, expected) in [
            ("upper(trim(key.r)) || coalesce(NULL, 'concat(1)')", None),
            ("printf('%d', 3) -- concat(1)", None),
            ("via.concat", None),
            ("concat('a', key.r)", Some((44, "concat()"))),
            ("CONCAT ('a', iif(key.r > 3, 1, 2))", Some((44, "concat()"))),
            ("iif(key.r - > 3, 1, 2)", Some((32, "iif()"))),
            ("child.data ->> '$.url'", Some((38, "->>"))),
            ("child.data -> 'url'", Some((38, "->"))),
            ("(SELECT group_concat(a, ',' ORDER BY a) FROM t)", Some((44, "ORDER BY in group_concat()"))),
            ("(SELECT group_concat(a) FROM (SELECT a FROM t ORDER BY a))", None),
            ("(SELECT max((SELECT a FROM t ORDER BY a LIMIT 1)) FROM t)", None),
            ("(SELECT DISTINCT a FROM t)", None),
            ("key.r IS NOT DISTINCT FROM 3", Some((39, "DISTINCT FROM"))),
            ("(SELECT count(*) FILTER (WHERE a) FROM t)", Some((30, "FILTER"))),
            ("(SELECT a FROM t ORDER BY a NULLS LAST)", Some((30, "NULLS LAST"))),
            ("1_000", Some((46, "_ in numbers"))),
        ] {
            let expected = expected.map(|(version, feature): (Minor, &str)| (version, feature.to_owned()));
            assert_eq!(newest(sql), expected, "{sql}");
        }
    }

    /// Functions of 3.24, and functions that no expression of a trigger calls.
    const OLD: &str = "abs avg changes char coalesce count current_date current_time current_timestamp date datetime fts3_tokenizer \
        glob group_concat hex ifnull instr julianday last_insert_rowid length like likelihood likely load_extension lower ltrim \
        match max min nullif offsets optimize printf quote random randomblob replace round rtreecheck rtreedepth rtreenode \
        rtrim snippet soundex sqlite_compileoption_get sqlite_compileoption_used sqlite_log sqlite_offset sqlite_source_id \
        sqlite_version strftime substr subtype sum time total total_changes trim typeof unicode unlikely upper zeroblob -> ->> \
        bm25 fts5 fts5_source_id highlight matchinfo";

    /// If this test fails, fk-doctor contains a newer SQLite: add its new functions above.
    #[test]
    fn every_built_in_function_has_a_version() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        let mut statement = database.prepare("SELECT DISTINCT name FROM pragma_function_list WHERE builtin").unwrap();
        let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let is_known = |name: &&String| {
            OLD.split_whitespace().any(|old| old == *name)
                || FUNCTIONS.iter().any(|(_, names)| names.contains(&name.as_str()))
        };
        let unknown: Vec<&String> = names.iter().filter(|name| !is_known(name)).collect();
        assert!(names.len() > 100 && unknown.is_empty(), "{unknown:?}");
    }
}
