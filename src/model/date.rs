//! Dates and time stamps of the Gregorian calendar, in UTC, as text. This module reads no clock.

/// Returns a date such as `2026-12-31` unchanged if it exists. The texts of dates sort as the dates do.
pub fn parse(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok())?;
    let day = match parts.as_slice() {
        [year, month, day] if (year.len(), month.len(), day.len()) == (4, 2, 2) => {
            number(year).zip(number(month)).zip(number(day))
        }
        _ => None,
    };
    day.filter(|((year, month), day)| (1..=days_of(*year, *month)).contains(day))
        .map(|_| text.to_owned())
        .ok_or_else(|| "expected a day such as 2026-12-31".to_owned())
}

/// Returns the number of days of a month; 0 if there is no such month.
fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap),
        1..=12 => 31,
        _ => 0,
    }
}

/// Returns a time stamp such as `2026-12-31T23:59:59Z` from the seconds since 1970.
pub fn timestamp(seconds: u64) -> String {
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    loop {
        let length: u64 = (1..=12).map(|month| u64::from(days_of(year, month))).sum();
        if days < length || year == 9999 {
            break;
        }
        days -= length;
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days >= u64::from(days_of(year, month)) {
        days -= u64::from(days_of(year, month));
        month += 1;
    }
    let (hours, minutes, seconds) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{:02}T{hours:02}:{minutes:02}:{seconds:02}Z", days + 1)
}

/// Returns a time stamp of [`timestamp`] to the minute, for people: `2026-12-31 23:59 UTC`. Any other text stays as it is.
pub fn for_people(stamp: &str) -> String {
    match (stamp.get(..10), stamp.get(10..11), stamp.get(11..16), stamp.strip_suffix('Z')) {
        (Some(day), Some("T"), Some(minute), Some(_)) => format!("{day} {minute} UTC"),
        _ => stamp.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_outside_the_calendar_is_refused() {
        for day in ["2026-12-31", "2024-02-29", "2000-02-29", "0001-01-01"] {
            assert_eq!(parse(day), Ok(day.to_owned()));
        }
        for text in
            ["", "2026-13-01", "2026-02-29", "1900-02-29", "2026-00-10", "2026-1-1", "2026-01-00", "+026-01-01", "soon"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_become_a_utc_time_stamp() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(timestamp(1_798_761_599), "2026-12-31T23:59:59Z");
        assert_eq!(timestamp(1_798_761_600), "2027-01-01T00:00:00Z");
        assert_eq!(timestamp(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(timestamp(1_735_689_600), "2025-01-01T00:00:00Z");
    }
}
