//! What every dialect says alike, around the words that are its own.

use crate::model::catalog::Column;
use crate::model::relation::Relation;
use crate::model::rule::Normal;
use crate::model::schema::Schema;
use crate::model::text::is_unseen;
use crate::model::value::Key;
use crate::model::value::Value;

/// The column of the child that holds a part of the key.
pub(super) fn child_column<'a>(schema: &'a Schema, relation: &Relation, place: usize) -> &'a Column {
    &schema.child(relation).columns[relation.child_columns[place]]
}

/// Whether a row has one of these keys, where there are any; `equal` says it of one part.
pub(super) fn any_key(keys: &[Key], mut equal: impl FnMut(usize, &Value) -> String) -> Option<String> {
    let mut alternatives = Vec::new();
    for key in keys {
        let parts: Vec<String> = key.iter().enumerate().map(|(place, value)| equal(place, value)).collect();
        alternatives.push(format!("({})", parts.join(" AND ")));
    }
    (!alternatives.is_empty()).then(|| format!("({})", alternatives.join(" OR ")))
}

/// Rows that must have a parent: complete, in scope where there is a condition, and not ignored.
pub(super) fn considered(
    relation: &Relation,
    complete: String,
    in_scope: fn(&Relation) -> String,
    ignored: Option<String>,
) -> String {
    let mut parts = vec![complete];
    if relation.scope.condition.is_some() {
        parts.push(in_scope(relation));
    }
    parts.extend(ignored.map(|ignored| format!("NOT {ignored}")));
    parts.join(" AND ")
}

/// The columns of `key`: called as the child calls them, and as the parent does where that is another name.
pub(super) fn key_names<'a>(schema: &'a Schema, relation: &'a Relation) -> Vec<(usize, &'a str)> {
    let mut names: Vec<(usize, &str)> = schema.child_column_names(relation).enumerate().collect();
    for (place, name) in relation.parent.column_names.iter().enumerate() {
        if !names.iter().any(|(_, known)| schema.names.same(known, name)) {
            names.push((place, name));
        }
    }
    names
}

/// A text in its normal form; `trimmed` takes the white space from both its ends.
pub(super) fn in_form(text: String, forms: &[Normal], trimmed: fn(&str) -> String) -> String {
    forms.iter().fold(text, |form, normal| match normal {
        Normal::Trim => trimmed(&form),
        Normal::Casefold => format!("lower({form})"),
        Normal::ZeroPadding => format!("ltrim({form}, '0')"),
        Normal::Uuid => format!("replace(replace(replace(lower({form}), '-', ''), '{{', ''), '}}', '')"),
    })
}

/// Text between quotes, for a script that people read; `None` where it had better be bytes: what is unseen could end the
/// statement, repaint the screen it is read on, or hide what it says.
pub(super) fn quoted_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_plain = !text.contains(|c: char| c != '\n' && is_unseen(c));
    is_plain.then(|| format!("'{}'", text.replace('\'', "''")))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
