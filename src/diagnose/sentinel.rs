//! Values that programs write to mean "none".

use super::Explanation;
use crate::model::diagnosis::Evidence;
use crate::model::finding::MissingKey;
use crate::model::value::Key;
use crate::model::value::Value;

/// `largest` is the largest key of the parent, if its key is one integer.
pub(super) fn find(open: &[&MissingKey<Value>], largest: Option<i64>) -> Option<Explanation> {
    let keys: Vec<Key> =
        open.iter().map(|missing| &missing.key).filter(|key| is_sentinel(key, largest)).cloned().collect();
    Some(Explanation::of(keys, Evidence::Sentinel))
}

fn is_sentinel(key: &Key, largest: Option<i64>) -> bool {
    key.iter().all(|value| match value {
        Value::Integer(0 | -1) => true,
        // 9999 and the limits of number types, where no parent comes near them.
        Value::Integer(number) => {
            let is_limit = [i64::MAX, i64::MIN, i32::MAX.into(), i32::MIN.into(), u32::MAX.into()].contains(number);
            let size = number.unsigned_abs();
            let is_all_nines = size > 999 && 10_u64.pow(size.ilog10() + 1) == size + 1;
            (is_limit || is_all_nines) && largest.is_some_and(|largest| largest < number.saturating_abs() / 10)
        }
        Value::Text(text) => {
            let words: [&[u8]; 11] =
                [b"", b"0", b"-1", b"null", b"(null)", b"none", b"nil", b"n/a", b"undefined", b"unknown", b"-"];
            words.iter().any(|word| text.trim_ascii().eq_ignore_ascii_case(word)) || is_nil_uuid(text)
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
            assert!(is_sentinel(&vec![value.clone()], None), "{value:?}");
        }
        assert!(is_sentinel(&vec![Value::text("00000000-0000-0000-0000-000000000000")], None));
        for value in [Value::Integer(1), Value::text("00"), Value::text("x"), Value::Real(0.5), Value::Integer(9_999)] {
            assert!(!is_sentinel(&vec![value.clone()], Some(5_000)), "{value:?}");
        }
        for number in [9_999, -9_999, 99_999, 2_147_483_647, i64::MAX] {
            assert!(is_sentinel(&vec![Value::Integer(number)], Some(500)), "{number}");
        }
        for number in [999, 9_998, 10_000, 99_998, 999_999_999_999_999_998, i64::MIN + 1] {
            assert!(!is_sentinel(&vec![Value::Integer(number)], Some(5)), "{number}");
        }
        assert!(is_sentinel(&vec![Value::Integer(-999_999_999_999_999_999)], Some(5)));
    }
}
