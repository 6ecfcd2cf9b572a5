//! Parses one `[[treat]]` with the keys that belong to its action.

use toml::de::DeValue;

use crate::config::fault::quoted;
use crate::config::reader::Item;
use crate::config::reader::Reader;
use crate::config::rules::repoint;
use crate::config::rules::values;
use crate::config::side;
use crate::model::catalog::Action;
use crate::model::configured::Spanned;
use crate::model::rule::Enforcement;
use crate::model::rule::KeyMap;
use crate::model::rule::Normalization;
use crate::model::rule::Nullable;
use crate::model::rule::OnConflict;
use crate::model::rule::Placeholder;
use crate::model::rule::PlaceholderKey;
use crate::model::rule::Prevention;
use crate::model::rule::QuarantineTarget;
use crate::model::rule::Remap;
use crate::model::rule::RemapHow;
use crate::model::rule::Sentinel;
use crate::model::rule::Treatment;
use crate::model::rule::Via;
use crate::model::text::nearest;

/// All actions that a treatment can have.
pub const ACTIONS: [&str; 13] = [
    "remap",
    "placeholder",
    "sentinel",
    "set-null",
    "set-default",
    "quarantine",
    "delete",
    "follow",
    "report",
    "repoint",
    "relax",
    "enforce",
    "prevent",
];

pub(super) fn read(mut reader: Reader<'_, '_>) -> Option<Spanned<Treatment>> {
    let span = reader.span();
    let item = reader.require("action", "action = \"remap\"")?;
    let action = item.text("an action")?;
    let treatment = match action.value {
        "remap" => remap(&mut reader).map(Treatment::Remap),
        "placeholder" => placeholder(&mut reader).map(Treatment::Placeholder),
        "sentinel" => sentinel(&mut reader).map(Treatment::Sentinel),
        "set-null" => Some(Treatment::SetNull { columns: reader.take("columns").and_then(|item| names(&item)) }),
        "set-default" => Some(Treatment::SetDefault),
        "quarantine" => Some(Treatment::Quarantine { keep: kept(&mut reader) }),
        "delete" => delete(&mut reader, &item),
        "follow" => Some(Treatment::Follow { keep: keep(&mut reader).unwrap_or(true) }),
        "report" => Some(Treatment::Report),
        "repoint" => repoint::read(&mut reader).map(Treatment::Repoint),
        "relax" => Some(Treatment::Relax(reader.take("nullable").map_or(Nullable::AsBefore, |item| nullable(&item)))),
        "enforce" => Some(Treatment::Enforce(enforcement(&mut reader))),
        "prevent" => {
            let remove = reader.take("remove").and_then(|item| item.flag()).unwrap_or_default();
            Some(Treatment::Prevent(Prevention { remove }))
        }
        unknown => {
            let known = format!("known actions: {}", ACTIONS.join(", "));
            let help = nearest(unknown, ACTIONS).map(|near| format!("did you mean `{near}`? {known}"));
            item.fault(&format!("there is no action {}", quoted(unknown)), Some(help.unwrap_or(known)));
            return None;
        }
    };
    reader.advise_misplaced(&["max-rows", "max-share"], "it belongs under `[limits]`");
    reader.advise_misplaced(&["even-if-parent-lost"], "it belongs above the first `[…]` of the rule");
    reader.finish();
    treatment.map(|value| Spanned { value, span: if span.is_empty() { item.span() } else { span } })
}

fn remap(reader: &mut Reader<'_, '_>) -> Option<Remap> {
    let via = reader.take("via").and_then(|item| via(&item));
    let ways = ["to", "map", "table", "normalize"].map(|key| (key, reader.take(key)));
    let record = reader.take("record").and_then(|item| name(&item));
    let on_conflict = reader.take("on-conflict").and_then(|item| conflict(&item)).unwrap_or_default();
    let given: Vec<_> = ways.into_iter().filter_map(|(key, item)| item.map(|item| (key, item))).collect();
    let Some((key, item)) = given.first() else {
        reader.missing("`to`, `map`, `table` or `normalize`", "to = \"SELECT id FROM posts WHERE …\"");
        return None;
    };
    if let Some((second, other)) = given.get(1) {
        let help = format!("leave out `{key}` or `{second}`, or write two `[[treat]]`");
        other.fault(&format!("`{key}` already sets the new parent of the rows"), Some(help));
        return None;
    }
    let how = match *key {
        "to" => RemapHow::To(item.text("a query such as \"SELECT id FROM posts WHERE …\"")?.value.to_owned()),
        "map" => {
            let file = item.text("the path of a CSV file")?.value.to_owned();
            RemapHow::File(KeyMap { file, ..KeyMap::default() })
        }
        "table" => mapping(item)?,
        _ => RemapHow::Normalize(normal_forms(item)?),
    };
    Some(Remap { via, how: Spanned { value: how, span: item.span() }, record, on_conflict })
}

/// Parses `table(old -> new)`.
pub(super) fn mapping(item: &Item<'_, '_>) -> Option<RemapHow> {
    let expected = "a table of keys such as \"kb_map(old_id -> new_id)\"";
    let text = item.text(expected)?.value;
    let columns = |text: &str| -> Vec<String> { text.split(',').map(|name| name.trim().to_owned()).collect() };
    let parts = text.split_once('(').and_then(|(table, rest)| {
        let (from, into) = rest.trim_end().strip_suffix(')')?.split_once("->")?;
        Some((table.trim().to_owned(), columns(from), columns(into)))
    });
    match parts {
        Some((table, from, into)) if !table.is_empty() && from.len() == into.len() => {
            Some(RemapHow::Table { table, from, into })
        }
        _ => {
            item.fault(&format!("expected {expected}, found {}", quoted(text)), None);
            None
        }
    }
}

fn normal_forms(item: &Item<'_, '_>) -> Option<Vec<Normalization>> {
    let entries = item.entries("an array such as [\"trim\", \"casefold\"]")?;
    if entries.is_empty() {
        item.fault("expected at least one of trim, casefold, zero-padding, uuid", None);
    }
    let forms = entries.iter().map(|entry| entry.parsed("a normal form", normal_form).map(|at| at.value));
    let forms: Vec<Option<Normalization>> = forms.collect();
    forms.into_iter().collect::<Option<Vec<Normalization>>>().filter(|forms| !forms.is_empty())
}

fn normal_form(text: &str) -> Result<Normalization, String> {
    let known = Normalization::ALL.map(Normalization::name).join(", ");
    Normalization::ALL.into_iter().find(|form| form.name() == text).ok_or_else(|| format!("expected one of {known}"))
}

fn conflict(item: &Item<'_, '_>) -> Option<OnConflict> {
    let parse = |text: &str| match text {
        "undecided" => Ok(OnConflict::Undecided),
        "quarantine" => Ok(OnConflict::Quarantine),
        _ => Err("expected undecided or quarantine".to_owned()),
    };
    item.parsed("\"undecided\" or \"quarantine\"", parse).map(|at| at.value)
}

fn placeholder(reader: &mut Reader<'_, '_>) -> Option<Placeholder> {
    let via = reader.take("via").and_then(|item| via(&item));
    let parse = |text: &str| match text {
        "missing" => Ok(PlaceholderKey::Missing),
        "new" => Ok(PlaceholderKey::New),
        _ => Err("expected missing or new".to_owned()),
    };
    let key = reader.take("key").and_then(|item| item.parsed("\"missing\" or \"new\"", parse)).map(|at| at.value);
    let values = reader.take("values").map(|item| values::read(&item)).unwrap_or_default();
    let record = reader.take("record").and_then(|item| name(&item));
    Some(Placeholder { via, key: key.unwrap_or_default(), record, values })
}

fn sentinel(reader: &mut Reader<'_, '_>) -> Option<Sentinel> {
    let key = reader.require("key", "key = 0");
    let values = reader.take("values").map(|item| values::read(&item)).unwrap_or_default();
    let key = key.and_then(|item| Some(Spanned { value: values::key(&item)?, span: item.span() }))?;
    Some(Sentinel { key, values })
}

fn enforcement(reader: &mut Reader<'_, '_>) -> Enforcement {
    let mut on = |key: &'static str| {
        let action = reader.take(key).and_then(|item| item.parsed("an action such as \"cascade\"", action));
        action.map_or(Action::NoAction, |at| at.value)
    };
    let (on_delete, on_update) = (on("on-delete"), on("on-update"));
    let index = reader.take("index").and_then(|item| item.flag()).unwrap_or(true);
    Enforcement { on_delete, on_update, index }
}

/// Parses an action of a foreign key as rules spell it: `set-null`.
pub fn action(text: &str) -> Result<Action, String> {
    let known = Action::ALL.map(spelled).join(", ");
    Action::ALL.into_iter().find(|action| spelled(*action) == text).ok_or_else(|| format!("expected one of {known}"))
}

/// Returns an action in the spelling that [`action`] parses.
pub fn spelled(action: Action) -> String {
    action.name().to_lowercase().replace(' ', "-")
}

/// Requires `keep = false`, so that no rule deletes rows without a copy by accident.
fn delete(reader: &mut Reader<'_, '_>, action: &Item<'_, '_>) -> Option<Treatment> {
    if keep(reader) == Some(false) {
        return Some(Treatment::Delete);
    }
    action.fault(
        "delete keeps no copy of the rows, which a rule must confirm",
        Some("add `keep = false`, or use `quarantine`, which keeps them".to_owned()),
    );
    None
}

fn keep(reader: &mut Reader<'_, '_>) -> Option<bool> {
    reader.take("keep").and_then(|item| item.flag())
}

/// Returns where quarantined rows are kept: a table or a file. A rule must not name both.
pub(super) fn kept(reader: &mut Reader<'_, '_>) -> QuarantineTarget {
    let table = reader.take("table").and_then(|item| name(&item));
    let file = reader.take("file").and_then(|item| {
        if table.is_some() {
            item.fault("`table` already says where the rows are kept", Some("leave out `table` or `file`".to_owned()));
        }
        Some(item.parsed("the name of a file", file_name)?.value)
    });
    file.map(QuarantineTarget::File).or(table.map(QuarantineTarget::Table)).unwrap_or_default()
}

/// Parses a plain file name without a folder, because a rule may write only beside the plan.
fn file_name(text: &str) -> Result<String, String> {
    let is_plain = !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\\', '\0', ':']);
    if is_plain {
        Ok(text.to_owned())
    } else {
        Err("expected the name of a file without a folder; it is written beside the plan".to_owned())
    }
}

fn via(item: &Item<'_, '_>) -> Option<Spanned<Via>> {
    let side = item.parsed("`table(column, …)`", side::parse)?;
    Some(Spanned { value: Via { table: side.value.table, columns: side.value.columns }, span: side.span })
}

fn name(item: &Item<'_, '_>) -> Option<String> {
    Some(item.text("the name of a table")?.value.to_owned())
}

/// Parses `nullable`. `true` means the columns of the key.
fn nullable(item: &Item<'_, '_>) -> Nullable {
    match item.value() {
        DeValue::Array(_) => names(item).map_or(Nullable::AsBefore, Nullable::Columns),
        DeValue::Boolean(true) => Nullable::Key,
        DeValue::Boolean(false) => Nullable::AsBefore,
        _ => {
            item.mismatch("true, false or an array of column names", None);
            Nullable::AsBefore
        }
    }
}

fn names(item: &Item<'_, '_>) -> Option<Vec<Spanned<String>>> {
    let entries = item.entries("an array of column names")?;
    let names = entries.iter().filter_map(|entry| entry.text("the name of a column"));
    Some(names.map(|name| Spanned { value: name.value.to_owned(), span: name.span }).collect())
}
