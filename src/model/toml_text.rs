//! Names and values as the text of a configuration or of rules.

use crate::model::text::is_unseen;
use crate::model::value::Value;

/// Returns a basic string of TOML, with invisible characters as escapes.
pub fn string(text: &str) -> String {
    let mut shown = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => shown.extend(['\\', character]),
            unseen if is_unseen(unseen) => shown.push_str(&format!("\\U{:08X}", u32::from(unseen))),
            plain => shown.push(plain),
        }
    }
    shown + "\""
}

/// Returns a side of a relation: `"comments(post_id)"`, or a table for names that this form cannot express.
pub fn side(table: &str, columns: &[&str]) -> String {
    let is_odd = |name: &str| name.contains(['(', ')', ',', '"', '`', '*', '?', '[']) || name.trim() != name;
    if !is_odd(table) && !columns.iter().any(|column| is_odd(column)) {
        return string(&format!("{table}({})", columns.join(", ")));
    }
    let columns: Vec<String> = columns.iter().map(|column| string(column)).collect();
    format!("{{ table = {}, columns = [{}] }}", string(table), columns.join(", "))
}

/// Returns a value; `None` if TOML has none like it.
pub fn value(value: &Value) -> Option<String> {
    match value {
        Value::Integer(number) => Some(number.to_string()),
        Value::Text(bytes) => std::str::from_utf8(bytes).ok().map(string),
        Value::Null | Value::Real(_) | Value::Blob(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_become_a_table() {
        assert_eq!(side("Order Details", &["OrderID", "Line"]), "\"Order Details(OrderID, Line)\"");
        assert_eq!(side("a", &["`b`"]), "{ table = \"a\", columns = [\"`b`\"] }");
        assert_eq!(side("a(b", &["c,d"]), "{ table = \"a(b\", columns = [\"c,d\"] }");
        assert_eq!(string("a\"b\\\n"), "\"a\\\"b\\\\\\U0000000A\"");
        assert_eq!(value(&Value::text("none")).as_deref(), Some("\"none\""));
        assert_eq!(value(&Value::Real(0.5)), None);
    }
}
