//! Numbers that compare exactly, whatever their type.
//!
//! Every integer, decimal and floating-point number is `digits * 2^twos * 5^fives` in exactly one way, if `digits` has
//! neither 2 nor 5 as a factor. So equal numbers have equal parts, and no conversion loses a digit.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Finite { digits: i128, twos: i64, fives: i64 },
    Infinite { is_negative: bool },
    Nan,
}

/// No number is greater than ten to this power, or smaller than its inverse.
const LARGEST_EXPONENT: i64 = 5_000;

impl Number {
    pub(super) fn of_integer(number: i64) -> Number {
        Number::of_decimal(i128::from(number), 0)
    }

    /// Returns `digits * 10^exponent`.
    pub(super) fn of_decimal(digits: i128, exponent: i64) -> Number {
        Number::reduced(digits, exponent, exponent)
    }

    pub(super) fn of_real(number: f64) -> Number {
        if number.is_nan() {
            return Number::Nan;
        }
        if number.is_infinite() {
            return Number::Infinite { is_negative: number < 0.0 };
        }
        let bits = number.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i64, (bits & ((1 << 52) - 1)) as i128);
        let (digits, twos) = if exponent == 0 { (fraction, -1_074) } else { (fraction | 1 << 52, exponent - 1_075) };
        Number::reduced(if number < 0.0 { -digits } else { digits }, twos, 0)
    }

    fn reduced(mut digits: i128, mut twos: i64, mut fives: i64) -> Number {
        if digits == 0 {
            return Number::Finite { digits, twos: 0, fives: 0 };
        }
        let zeros = digits.trailing_zeros();
        digits >>= zeros;
        twos += i64::from(zeros);
        while digits % 5 == 0 {
            digits /= 5;
            fives += 1;
        }
        Number::Finite { digits, twos, fives }
    }

    /// Returns the number, if it is an integer of 64 bits.
    pub(super) fn as_integer(self) -> Option<i64> {
        let Number::Finite { digits, twos, fives } = self else { return None };
        let (twos, fives) = (u32::try_from(twos).ok()?, u32::try_from(fives).ok()?);
        let factor = 5_i128.checked_pow(fives)?.checked_mul(1_i128.checked_shl(twos).filter(|_| twos < 64)?)?;
        i64::try_from(digits.checked_mul(factor)?).ok()
    }

    /// Returns the decimal digits; `None` if there are too many.
    pub(super) fn text(self) -> Option<String> {
        /// A number with more zeros is written with an exponent.
        const MOST_ZEROS: u64 = 60;
        let Number::Finite { digits, twos, fives } = self else { return None };
        let exponent = twos.min(fives);
        let factor = |base: i128, power: i64| base.checked_pow(u32::try_from(power - exponent).ok()?);
        let digits = digits.checked_mul(factor(2, twos)?)?.checked_mul(factor(5, fives)?)?;
        let zeros = exponent.unsigned_abs();
        if zeros > MOST_ZEROS {
            return Some(format!("{digits}e{exponent}"));
        }
        let (sign, places) = (if digits < 0 { "-" } else { "" }, zeros as usize);
        let digits = digits.unsigned_abs();
        if exponent >= 0 {
            return Some(format!("{sign}{digits}{}", "0".repeat(places)));
        }
        let digits = format!("{digits:0width$}", width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        Some(format!("{sign}{whole}.{fraction}"))
    }

    pub(super) fn feed(self, into: &mut Vec<u8>) {
        match self {
            Number::Finite { digits, twos, fives } => {
                into.push(0);
                into.extend_from_slice(&digits.to_le_bytes());
                into.extend_from_slice(&twos.to_le_bytes());
                into.extend_from_slice(&fives.to_le_bytes());
            }
            Number::Infinite { is_negative } => into.push(1 + u8::from(is_negative)),
            Number::Nan => into.push(3),
        }
    }
}

/// Returns the integer that a text spells as programs write it: `7` or `-7`, but neither `007` nor `+7`. Two texts that
/// spell the same integer so are the same text. `None` if the text spells none, or has more than 18 digits.
#[inline(always)]
pub(super) fn plain_integer(text: &[u8]) -> Option<i64> {
    const MOST_DIGITS: usize = 18;
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let begins_well = match digits {
        [] => false,
        [b'0'] => !is_negative,
        [first, ..] => (b'1'..=b'9').contains(first) && digits.len() <= MOST_DIGITS,
    };
    if !begins_well {
        return None;
    }
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    Some(if is_negative { -number } else { number })
}

/// Returns the number of a text such as `007`, `-1.50` or `2e3`; `None` if the text is not one. If `is_real`, a number
/// with a fraction or an exponent is the nearest floating-point number.
pub(super) fn of_text(text: &[u8], is_real: bool) -> Option<Number> {
    let (is_negative, unsigned) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if is_real && unsigned.first().is_some_and(u8::is_ascii_alphabetic) {
        return match unsigned.to_ascii_lowercase().as_slice() {
            b"nan" => Some(Number::Nan),
            b"inf" | b"infinity" => Some(Number::Infinite { is_negative }),
            _ => None,
        };
    }
    let (mantissa, exponent) = match unsigned.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&unsigned[..at], exponent(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &mantissa[mantissa.len()..]),
    };
    let is_written = whole.iter().chain(fraction).all(u8::is_ascii_digit) && !(whole.is_empty() && fraction.is_empty());
    if !is_written {
        return None;
    }
    let is_whole = whole.len() == unsigned.len();
    if is_real && !is_whole {
        return std::str::from_utf8(text).ok()?.parse().ok().map(Number::of_real);
    }
    let digits = whole
        .iter()
        .chain(fraction)
        .try_fold(0_i128, |number, digit| number.checked_mul(10)?.checked_add(i128::from(digit - b'0')));
    match digits {
        Some(digits) => {
            let digits = if is_negative { -digits } else { digits };
            Some(Number::of_decimal(digits, exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?))
        }
        None if is_real => std::str::from_utf8(text).ok()?.parse().ok().map(Number::of_real),
        None => None,
    }
}

fn exponent(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let exponent: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (exponent.abs() <= LARGEST_EXPONENT).then_some(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_any_type_is_an_integer_only_if_it_has_no_fraction() {
        assert_eq!(Number::of_real(7.0).as_integer(), Some(7));
        assert_eq!(Number::of_real(7.5).as_integer(), None);
        assert_eq!(Number::of_real(-9_223_372_036_854_775_808.0).as_integer(), Some(i64::MIN));
        assert_eq!(Number::of_real(9_223_372_036_854_775_808.0).as_integer(), None);
        assert_eq!(Number::of_decimal(150, -1).as_integer(), Some(15));
        assert_eq!(Number::of_decimal(15, -1).as_integer(), None);
        assert_eq!(Number::of_integer(i64::MIN).as_integer(), Some(i64::MIN));
        assert_eq!(Number::of_integer(0).as_integer(), Some(0));
        assert_eq!(Number::of_decimal(1, 5_000).as_integer(), None);
    }

    #[test]
    fn plain_integers_are_equal_only_if_their_texts_are() {
        for number in [0, 7, -7, 10, 12_345_678, 999_999_999_999_999_999, -999_999_999_999_999_999] {
            assert_eq!(plain_integer(number.to_string().as_bytes()), Some(number));
            assert_eq!(of_text(number.to_string().as_bytes(), false), Some(Number::of_integer(number)));
        }
        for text in ["", "-", "-0", "00", "007", "-07", "+7", " 7", "7 ", "7.0", "1e3", "x", "1000000000000000000"] {
            assert_eq!(plain_integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn text_with_a_fraction_is_real_only_beside_real_numbers() {
        assert_eq!(of_text(b"0.1", true), Some(Number::of_real(0.1)));
        assert_eq!(of_text(b"0.1", false), Some(Number::of_decimal(1, -1)));
        assert_ne!(of_text(b"0.1", true), of_text(b"0.1", false));
        // An integer is never rounded to a floating-point number.
        assert_eq!(of_text(b"9007199254740993", true), Some(Number::of_integer(9_007_199_254_740_993)));
        assert_eq!(of_text(b"1e3", true), Some(Number::of_integer(1_000)));
        assert_eq!(of_text(b"-2.50e1", false), Some(Number::of_integer(-25)));
        assert_eq!(of_text(b"NaN", true), Some(Number::Nan));
        assert_eq!(of_text(b"NaN", false), None);
        assert_eq!(of_text(b"1e99999999999999999999", false), None);
    }
}
