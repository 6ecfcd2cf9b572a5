//! A stored value with its exact storage class.
//!
//! fk-doctor reads values, shows them, groups them and sends them back to the engine. This module does not decide if a
//! child has a parent, because only the engine's comparison can.

/// A value as the database stores it. Text is stored as bytes, because it may be invalid in the database's encoding.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into().into_bytes())
    }

    /// Returns the integer, if the value is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the size in memory.
    pub fn bytes(&self) -> usize {
        let beside = match self {
            Value::Text(bytes) | Value::Blob(bytes) => bytes.len(),
            Value::Null | Value::Integer(_) | Value::Real(_) => 0,
        };
        size_of::<Value>() + beside
    }

    /// True if both values have equal storage classes and equal bits: `1`, `1.0` and `'1'` differ, and so do `0.0` and
    /// `-0.0`.
    pub fn is_same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Real(left), Value::Real(right)) => left.to_bits() == right.to_bits(),
            (left, right) => left == right,
        }
    }

    /// Appends bytes for [`exact_bytes`].
    pub fn append_exact(&self, into: &mut Vec<u8>) {
        let mut sized = |class: u8, bytes: &[u8]| {
            into.push(class);
            into.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            into.extend_from_slice(bytes);
        };
        match self {
            Value::Null => into.push(0),
            Value::Integer(number) => sized(1, &(number ^ i64::MIN).to_be_bytes()),
            Value::Real(number) => sized(2, &number.to_bits().to_be_bytes()),
            Value::Text(bytes) => sized(3, bytes),
            Value::Blob(bytes) => sized(4, bytes),
        }
    }

    /// Returns the text, if the value is valid UTF-8 text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

/// Returns bytes that differ for any two rows of values, unless their values are all [`same`](Value::is_same).
pub fn exact_bytes<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.into_iter().for_each(|value| value.append_exact(&mut bytes));
    bytes
}

/// A value that is borrowed from where it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl Value {
    pub fn borrowed(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(bytes) => ValueRef::Text(bytes),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }
}

impl ValueRef<'_> {
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }
}

impl AsRef<Value> for Value {
    fn as_ref(&self) -> &Value {
        self
    }
}

/// The values of a key, in the order of the relation's columns.
pub type Key = Vec<Value>;
