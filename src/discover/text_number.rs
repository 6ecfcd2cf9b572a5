//! The number that a text means to a database.

/// Returns the integer whose text this is exactly, as SQLite writes it.
#[inline]
pub fn plain_integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] => return (!is_negative).then_some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut number: i64 = 0;
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        let digit = i64::from(byte - b'0');
        number = number.checked_mul(10)?;
        number = if is_negative { number.checked_sub(digit)? } else { number.checked_add(digit)? };
    }
    Some(number)
}

/// The number that SQLite's numeric affinity makes of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    None,
    Integer(i64),
    /// False if SQLite may round the number in another way.
    Real(f64, bool),
}

/// More digits, or a larger exponent, may be rounded.
const EXACT_DIGITS: usize = 15;
const EXACT_EXPONENT: i32 = 22;

pub fn number(text: &[u8]) -> Number {
    if let Some(number) = plain_integer(text) {
        return Number::Integer(number);
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | 9..=13);
    let start = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    let trimmed = &text[start..end];
    if !matches!(trimmed.first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.')) {
        return Number::None;
    }
    parsed(trimmed).unwrap_or(Number::None)
}

fn parsed(text: &[u8]) -> Option<Number> {
    let (sign, rest) = match text {
        [b'-', rest @ ..] => ("-", rest),
        [b'+', rest @ ..] => ("", rest),
        rest => ("", rest),
    };
    let digits = |text: &[u8]| text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(rest);
    let (whole, rest) = rest.split_at(whole);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => rest.split_at(digits(rest)),
        rest => (&[][..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let is_whole = rest.is_empty() && text.iter().all(|byte| *byte != b'.');
    let exponent = match rest {
        [] => &[][..],
        [b'e' | b'E', exponent @ ..] => exponent,
        _ => return None,
    };
    if !rest.is_empty() {
        let unsigned = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
        if unsigned.is_empty() || digits(unsigned) != unsigned.len() {
            return None;
        }
    }
    let ascii = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if is_whole && let Ok(number) = format!("{sign}{}", ascii(whole)).parse() {
        return Some(Number::Integer(number));
    }
    let fraction_text = if fraction.is_empty() { "0".to_owned() } else { ascii(fraction) };
    let whole_text = if whole.is_empty() { "0".to_owned() } else { ascii(whole) };
    let exponent_text = if exponent.is_empty() { "0".to_owned() } else { ascii(exponent) };
    let number: f64 = format!("{sign}{whole_text}.{fraction_text}e{exponent_text}").parse().ok()?;
    let significant = whole.iter().chain(fraction).skip_while(|byte| **byte == b'0').count();
    let power: i32 = exponent_text.parse().unwrap_or(i32::MAX);
    let is_exact =
        significant <= EXACT_DIGITS && power.saturating_abs().saturating_add(fraction.len() as i32) <= EXACT_EXPONENT;
    Some(Number::Real(number, is_exact))
}

/// Returns a decimal number without the zeros at the end of its fraction.
pub fn significant(text: &[u8]) -> &[u8] {
    if !text.contains(&b'.') {
        return text;
    }
    let end = text.iter().rposition(|&byte| byte != b'0').map_or(0, |last| last + 1);
    let digits = text[..end].strip_suffix(b".").unwrap_or(&text[..end]);
    if digits == b"-0" { b"0" } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_integer_is_the_canonical_text_only() {
        for (text, number) in
            [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(plain_integer(text.as_bytes()), Some(number));
        }
        for other in ["", "-", "-0", "01", "+1", "1 ", "9223372036854775808", "1.0", "99999999999999999999"] {
            assert_eq!(plain_integer(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn text_that_is_no_number_has_none() {
        for none in [&b""[..], b"-", b".", b"1e", b"1x", b"0x1", b"inf", b"nan", b"1_0", b"- 1"] {
            assert_eq!(number(none), Number::None, "{none:?}");
        }
    }
}
