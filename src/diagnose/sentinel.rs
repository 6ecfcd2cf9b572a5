//! Values that programs write to mean "none".

use super::Evidence;
use super::Show;
use super::is_or_are;
use crate::model::finding::MissingKey;
use crate::model::value::Key;
use crate::model::value::Value;

pub(super) fn find(top: &[MissingKey<Value>], show: Show<'_>) -> Evidence {
    let keys: Vec<Key> = top.iter().map(|missing| &missing.key).filter(|key| is_sentinel(key)).cloned().collect();
    let evidence = format!("{} a value that often stands for \"none\"", is_or_are(&keys, show));
    (!keys.is_empty()).then_some((keys, evidence))
}

fn is_sentinel(key: &Key) -> bool {
    key.iter().all(|value| match value {
        Value::Integer(number) => matches!(number, 0 | -1),
        Value::Text(text) => {
            let words: [&[u8]; 5] = [b"", b"0", b"-1", b"null", b"none"];
            words.iter().any(|word| text.eq_ignore_ascii_case(word)) || is_nil_uuid(text)
        }
        Value::Blob(bytes) => bytes.is_empty() || (bytes.len() == 16 && bytes.iter().all(|&byte| byte == 0)),
        Value::Null | Value::Real(_) => false,
    })
}

fn is_nil_uuid(text: &[u8]) -> bool {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !b"-{}".contains(byte)).collect();
    digits.len() == 32 && digits.iter().all(|&digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_none_is_known() {
        for value in
            [Value::Integer(0), Value::Integer(-1), Value::text(""), Value::text("NULL"), Value::Blob(vec![0; 16])]
        {
            assert!(is_sentinel(&vec![value.clone()]), "{value:?}");
        }
        assert!(is_sentinel(&vec![Value::text("00000000-0000-0000-0000-000000000000")]));
        for value in [Value::Integer(1), Value::text("00"), Value::text("x"), Value::Real(0.5)] {
            assert!(!is_sentinel(&vec![value.clone()]), "{value:?}");
        }
    }
}
