//! A line of a file of JSON lines: the members of its object.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;

/// A value of a member.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum JsonValue<'a> {
    Null,
    Boolean(bool),
    /// The text of a number.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// The text of an object or an array.
    Nested(&'a str),
}

/// Calls `each` with the members of the object that a line consists of. The error says why the line is none.
pub(super) fn each_member<'a>(line: &'a [u8], each: &mut dyn FnMut(&str, JsonValue<'a>)) -> Result<(), String> {
    if line.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err("it is no JSON object".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_slice(line);
    let read = reader.deserialize_map(Members(each)).and_then(|()| reader.end());
    read.map_err(|error| {
        let reason = error.to_string();
        // The reader counts lines too, and knows one only.
        reason.split(" at line ").next().unwrap_or(&reason).to_owned()
    })
}

struct Members<'e, 'a>(&'e mut dyn FnMut(&str, JsonValue<'a>));

impl<'a> Visitor<'a> for Members<'_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Name<'a>>()? {
            let value: &'a RawValue = map.next_value()?;
            (self.0)(&name.0, value_of(value.get()).map_err(A::Error::custom)?);
        }
        Ok(())
    }
}

fn value_of(text: &str) -> Result<JsonValue<'_>, serde_json::Error> {
    Ok(match text.as_bytes().first() {
        Some(b'"') => JsonValue::Text(serde_json::from_str::<Name<'_>>(text)?.0),
        Some(b't') => JsonValue::Boolean(true),
        Some(b'f') => JsonValue::Boolean(false),
        Some(b'n') => JsonValue::Null,
        Some(b'{' | b'[') => JsonValue::Nested(text),
        _ => JsonValue::Number(text),
    })
}

/// A text that is borrowed unless it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'a> Deserialize<'a> for Name<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Name<'a>, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'a> Visitor<'a> for NameVisitor {
    type Value = Name<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Name<'a>, E> {
        Ok(Name(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Name<'a>, E> {
        Ok(Name(Cow::Owned(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(line: &str) -> Result<Vec<(String, String)>, String> {
        let mut found = Vec::new();
        each_member(line.as_bytes(), &mut |name, value| found.push((name.to_owned(), format!("{value:?}"))))?;
        Ok(found)
    }

    #[test]
    fn members_keep_the_text_of_their_numbers() {
        let line =
            r#" {"a": 9007199254740993, "b": 1.50, "c\u0041": "x\"y", "d": [1, {"e": 2}], "f": null, "g": true} "#;
        let expected = [
            ("a", "Number(\"9007199254740993\")"),
            ("b", "Number(\"1.50\")"),
            ("cA", "Text(\"x\\\"y\")"),
            ("d", "Nested(\"[1, {\\\"e\\\": 2}]\")"),
            ("f", "Null"),
            ("g", "Boolean(true)"),
        ];
        assert_eq!(members(line).unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn line_that_is_no_object_is_refused() {
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
        for line in ["[1]", "1", "", "{", "{\"a\": 1} {\"a\": 2}", "{\"a\": \"\\ud800\"}", "{\"a\": 01}", "{'a': 1}"] {
            assert!(members(line).is_err(), "{line}");
        }
        // A deep value takes no stack.
        assert_eq!(members(&deep).unwrap().len(), 1);
        assert_eq!(members("[1]").unwrap_err(), "it is no JSON object");
        assert_eq!(members("{\"a\": tru}").unwrap_err(), "expected ident");
    }
}
