//! Parses the settings of `repoint`.

use crate::config::fault::quoted;
use crate::config::reader::Item;
use crate::config::reader::Reader;
use crate::config::rules::treatment;
use crate::model::configured::Spanned;
use crate::model::rule::KeptTwin;
use crate::model::rule::KeyMap;
use crate::model::rule::RemapHow;
use crate::model::rule::Repoint;
use crate::model::rule::TwinConflict;
use crate::model::rule::TwinSource;

pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Repoint> {
    let ways = [("same", reader.take("same")), ("map", reader.take("map"))];
    let keep = reader.take("keep");
    let on_conflict = reader.take("on-conflict").and_then(|item| conflict(&item)).unwrap_or_default();
    let target = treatment::kept(reader);
    let given: Vec<_> = ways.into_iter().filter_map(|(key, item)| item.map(|item| (key, item))).collect();
    let Some((key, item)) = given.first() else {
        reader.missing("`same` or `map`", "same = [\"lower(email)\"]");
        return None;
    };
    if let Some((second, other)) = given.get(1) {
        other.fault(&format!("`{key}` already finds the twins"), Some(format!("leave out `{key}` or `{second}`")));
        return None;
    }
    let source = match *key {
        "same" => {
            let none = Spanned { value: KeptTwin::Oldest, span: item.span() };
            let keep = keep.as_ref().map_or(Some(none), kept_twin);
            TwinSource::Same { expressions: expressions(item)?, keep: keep? }
        }
        _ => {
            if let Some(keep) = &keep {
                keep.fault("`map` already gives the rows that are kept", Some("leave out `keep`".to_owned()));
            }
            map(item)?
        }
    };
    Some(Repoint { twins: Spanned { value: source, span: item.span() }, on_conflict, keep: target })
}

/// Reads a file of keys, or a table such as `merged(old_id -> kept_id)`.
fn map(item: &Item<'_, '_>) -> Option<TwinSource> {
    let file = item.text("a CSV file, or a table such as \"merged(old_id -> kept_id)\"")?.value.to_owned();
    if !file.contains("->") {
        return Some(TwinSource::File(KeyMap { file, ..KeyMap::default() }));
    }
    match treatment::mapping(item)? {
        RemapHow::Table { table, from, into } => Some(TwinSource::Table { table, from, into }),
        _ => None,
    }
}

fn expressions(item: &Item<'_, '_>) -> Option<Vec<Spanned<String>>> {
    let entries = item.entries("an array of SQL expressions such as [\"lower(email)\"]")?;
    if entries.is_empty() {
        item.fault("expected at least one SQL expression such as \"lower(email)\"", None);
    }
    let expression = |entry: &Item<'_, '_>| {
        let text = entry.text("an SQL expression")?;
        let is_plain = !text.value.trim().is_empty() && !text.value.contains('\0');
        if !is_plain {
            entry.fault("expected an SQL expression such as \"lower(email)\"", None);
        }
        is_plain.then(|| Spanned { value: text.value.to_owned(), span: text.span })
    };
    let expressions: Option<Vec<Spanned<String>>> = entries.iter().map(expression).collect();
    expressions.filter(|expressions| !expressions.is_empty())
}

fn kept_twin(item: &Item<'_, '_>) -> Option<Spanned<KeptTwin>> {
    item.parsed("\"oldest\", \"most-referred\" or a query", |text| match text {
        "oldest" => Ok(KeptTwin::Oldest),
        "most-referred" => Ok(KeptTwin::MostReferred),
        query if query.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select")) => {
            Ok(KeptTwin::Query(query.to_owned()))
        }
        other => Err(format!(
            "expected oldest, most-referred or a query such as \"SELECT min(id) FROM …\", found {}",
            quoted(other)
        )),
    })
}

fn conflict(item: &Item<'_, '_>) -> Option<TwinConflict> {
    let parse = |text: &str| match text {
        "skip" => Ok(TwinConflict::Skip),
        "merge-delete" => Ok(TwinConflict::MergeDelete),
        "fail" => Ok(TwinConflict::Fail),
        _ => Err("expected skip, merge-delete or fail".to_owned()),
    };
    item.parsed("\"skip\", \"merge-delete\" or \"fail\"", parse).map(|at| at.value)
}
