//! Reads a row of a server's catalog from left to right.

use crate::model::catalog::QualifiedName;
use crate::model::value::Value;

pub(super) struct CatalogRow<'a> {
    values: std::slice::Iter<'a, Value>,
}

impl<'a> CatalogRow<'a> {
    pub(super) fn new(values: &'a [Value]) -> CatalogRow<'a> {
        CatalogRow { values: values.iter() }
    }

    pub(super) fn optional_text(&mut self) -> Option<String> {
        match self.values.next() {
            Some(Value::Text(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    pub(super) fn text(&mut self) -> String {
        self.optional_text().unwrap_or_default()
    }

    pub(super) fn number(&mut self) -> i64 {
        self.values.next().and_then(Value::as_integer).unwrap_or_default()
    }

    pub(super) fn truth(&mut self) -> bool {
        self.number() != 0
    }

    /// Reads two columns, a schema and a name in it.
    pub(super) fn qualified(&mut self) -> Option<QualifiedName> {
        let (schema, name) = (self.optional_text(), self.optional_text());
        Some(QualifiedName { schema: schema?, name: name? })
    }
}
