//! Dates and times in ISO form, as text files spell them and reports show them.

const DAY: i128 = 86_400;
const NANOSECONDS: i128 = 1_000_000_000;

/// Returns the days since 1970 of a date such as `2026-01-31`.
pub(super) fn date(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (rest, day) = text.rsplit_once('-')?;
    let (year, month) = rest.rsplit_once('-')?;
    let is_written = year.trim_start_matches('-').len() >= 4 && month.len() == 2 && day.len() == 2;
    let (year, month, day): (i64, i64, i64) = (whole(year, true)?, whole(month, false)?, whole(day, false)?);
    if !is_written || year.abs() > 9_999_999 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_of(year, month, day);
    // A day that its month does not have is none.
    (civil_of(days) == (year, month, day)).then_some(days)
}

/// Returns the nanoseconds since midnight of a time such as `23:59:59.5`.
pub(super) fn time(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    let is_written = (2..=3).contains(&parts.len()) && parts.iter().all(|part| part.len() == 2);
    if !is_written || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let parts: Vec<i64> = parts.into_iter().map(|part| whole(part, false)).collect::<Option<_>>()?;
    let second = parts.get(2).copied().unwrap_or(0);
    if parts[0] > 23 || parts[1] > 59 || second > 59 {
        return None;
    }
    let fraction = whole(&format!("{fraction:0<9}"), false)?;
    Some((parts[0] * 3_600 + parts[1] * 60 + second) * 1_000_000_000 + fraction)
}

/// Returns the nanoseconds since 1970 of a time such as `2026-01-31T23:59:59Z` or `2026-01-31 23:59`. An offset such as
/// `+01:00` is only for times in UTC.
pub(super) fn timestamp(text: &[u8], is_utc: bool) -> Option<i128> {
    let at = text.iter().position(|byte| matches!(byte, b'T' | b' '));
    let (day, rest) = match at {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b"00:00"[..]),
    };
    let (clock, offset) = match rest.iter().position(|byte| matches!(byte, b'Z' | b'+' | b'-')) {
        Some(at) => (&rest[..at], Some(&rest[at..])),
        None => (rest, None),
    };
    let offset = match offset {
        None => 0,
        Some(_) if !is_utc => return None,
        Some(b"Z") => 0,
        Some(offset) => {
            let distance = i128::from(time(&offset[1..])?);
            if offset[0] == b'-' { -distance } else { distance }
        }
    };
    Some(i128::from(date(day)?) * DAY * NANOSECONDS + i128::from(time(clock)?) - offset)
}

/// Returns a number of digits only.
fn whole(text: &str, can_be_negative: bool) -> Option<i64> {
    let digits = if can_be_negative { text.strip_prefix('-').unwrap_or(text) } else { text };
    let is_written = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_written.then(|| text.parse().ok()).flatten()
}

pub(super) fn shown_date(days: i64) -> String {
    let (year, month, day) = civil_of(days);
    format!("{year:04}-{month:02}-{day:02}")
}

pub(super) fn shown_time(units: i128, digits: u32) -> String {
    let second = 10_i128.pow(digits);
    let (seconds, fraction) = (units.div_euclid(second), units.rem_euclid(second));
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 {
        return clock;
    }
    let fraction = format!("{fraction:0width$}", width = digits as usize);
    format!("{clock}.{}", fraction.trim_end_matches('0'))
}

pub(super) fn shown_timestamp(units: i128, digits: u32, is_utc: bool) -> String {
    let day = DAY * 10_i128.pow(digits);
    let (days, rest) = (units.div_euclid(day), units.rem_euclid(day));
    let days = i64::try_from(days).unwrap_or(i64::MAX / 1_000_000);
    format!("{}T{}{}", shown_date(days), shown_time(rest, digits), if is_utc { "Z" } else { "" })
}

/// Returns the days since 1970 of a day of the Gregorian calendar.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last day of a year.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Returns the year, the month and the day: `(2026, 1, 31)`.
fn civil_of(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_read_as_it_is_shown() {
        for days in (-719_162..800_000).step_by(97).chain([0, -1, 11_016, 20_454]) {
            assert_eq!(date(shown_date(days).as_bytes()), Some(days));
        }
        assert_eq!(shown_date(0), "1970-01-01");
        for text in ["2026-02-29", "2026-13-01", "2026-1-1", "2026-01-01 ", "+2026-01-01", ""] {
            assert_eq!(date(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn offset_is_for_times_in_utc_only() {
        let noon = timestamp(b"2026-01-31 12:00", false);
        assert!(noon.is_some());
        assert_eq!(timestamp(b"2026-01-31T12:00:00Z", true), noon);
        assert_eq!(timestamp(b"2026-01-31T13:00:00+01:00", true), noon);
        assert_eq!(timestamp(b"2026-01-31T12:00:00Z", false), None);
        assert_eq!(shown_timestamp(noon.unwrap(), 9, true), "2026-01-31T12:00:00Z");
        assert_eq!(shown_time(1_500, 3), "00:00:01.5");
        for text in ["24:00", "12:60", "1:00", "12:00:00.", "12:00:00.0000000001"] {
            assert_eq!(time(text.as_bytes()), None, "{text:?}");
        }
    }
}
