//! Days and times in texts.

use arrow::array::timezone::Tz;
use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::Date32Type;
use chrono::NaiveDate;

/// What a text says, where it is a day or a time as RFC 3339 writes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    /// Days since 1970.
    Day(i32),
    /// Microseconds since 1970, in UTC.
    Instant(i64),
    /// Microseconds since 1970, in no zone.
    Local(i64),
}

impl Moment {
    /// Reads `2024-02-29`, `2024-02-29T12:30:00.5Z`, `2024-02-29 12:30:00+02:00`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is = |at: usize, wanted: u8| bytes.get(at) == Some(&wanted);
        if !is(4, b'-') || !is(7, b'-') || !bytes.first()?.is_ascii_digit() {
            return None;
        }
        if bytes.len() == 10 {
            return Date32Type::parse(text).map(Self::Day);
        }
        if !(is(10, b'T') || is(10, b' ')) || !is(13, b':') || !is(16, b':') {
            return None;
        }
        let rest = text.get(19..)?;
        let digits = rest.strip_prefix('.').unwrap_or_default();
        let fraction = digits.bytes().take_while(u8::is_ascii_digit).count();
        // Nanoseconds would be lost.
        if fraction > 6 {
            return None;
        }
        let zone = match rest.strip_prefix('.') {
            Some(digits) => digits.get(fraction..)?,
            None => rest,
        };
        let utc: Tz = "UTC".parse().ok()?;
        let micros = string_to_datetime(&utc, text).ok()?.timestamp_micros();
        Some(match zone {
            "" => Self::Local(micros),
            _ => Self::Instant(micros),
        })
    }

    /// Milliseconds since 1970: of a day its beginning, of a time in no zone as if it were in UTC.
    pub(super) fn millis(self) -> i64 {
        match self {
            Self::Day(days) => i64::from(days) * 86_400_000,
            Self::Instant(micros) | Self::Local(micros) => micros.div_euclid(1000),
        }
    }
}

/// Milliseconds since 1970 of `2024-02-29T12:30:00.500Z`, also without zone, which is then taken for UTC, and with
/// fewer digits or none behind the second. `None` for all else, among it what other ways of writing mean.
pub(super) fn plain_millis(text: &str) -> Option<i64> {
    let bytes = text
        .as_bytes()
        .strip_suffix(b"Z")
        .unwrap_or(text.as_bytes());
    let (moment, fraction) = bytes.split_at_checked(19)?;
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        m0,
        m1,
        b'-',
        d0,
        d1,
        b'T' | b' ',
        h0,
        h1,
        b':',
        n0,
        n1,
        b':',
        s0,
        s1,
    ] = moment
    else {
        return None;
    };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let two = |tens: &u8, ones: &u8| Some(digit(tens)? * 10 + digit(ones)?);
    let millis = match fraction {
        [] => 0,
        [b'.', a] => digit(a)? * 100,
        [b'.', a, b] => two(a, b)? * 10,
        [b'.', a, b, c] => two(a, b)? * 10 + digit(c)?,
        _ => return None,
    };
    let year = (two(y0, y1)? * 100 + two(y2, y3)?).cast_signed();
    let day = NaiveDate::from_ymd_opt(year, two(m0, m1)?, two(d0, d1)?)?;
    let moment = day.and_hms_milli_opt(two(h0, h1)?, two(n0, n1)?, two(s0, s1)?, millis)?;
    Some(moment.and_utc().timestamp_millis())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        const DAY: i64 = 86_400_000_000;
        assert_eq!(Moment::parse("1970-01-02"), Some(Moment::Day(1)));
        assert_eq!(
            Moment::parse("1970-01-02T00:00:00Z"),
            Some(Moment::Instant(DAY))
        );
        assert_eq!(
            Moment::parse("1970-01-02T02:00:00.5+02:00"),
            Some(Moment::Instant(DAY + 500_000))
        );
        assert_eq!(
            Moment::parse("1970-01-02 00:00:00.000001"),
            Some(Moment::Local(DAY + 1))
        );
        for text in [
            "",
            "2024",
            "2024-02-30",
            "2024-02-29T",
            "2024-02-29T25:00:00",
            "2024-02-29T12:00:00.1234567Z",
            "2024-02-29T12:00:00 noon",
            "1234-5678-9",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn plain_times_are_those_of_the_parser() {
        let utc: Tz = "UTC".parse().unwrap();
        let mut texts: Vec<String> = vec![];
        for year in [0, 1, 1600, 1899, 1900, 1970, 2000, 2023, 2024, 2100, 9999] {
            for month in 0..=13 {
                for day in [0, 1, 28, 29, 30, 31, 32] {
                    texts.push(format!("{year:04}-{month:02}-{day:02}T23:59:07.25Z"));
                }
            }
        }
        for text in [
            "2024-02-29 00:00:00",
            "2024-02-29T24:00:00Z",
            "2024-02-29T12:60:00Z",
            "1969-12-31T23:59:59.999Z",
            "2024-02-29T12:30:00.5",
        ] {
            texts.push(text.to_owned());
        }
        for text in texts {
            let expected = string_to_datetime(&utc, &text).ok();
            let expected = expected.map(|time| time.timestamp_millis());
            assert_eq!(plain_millis(&text), expected, "{text}");
        }
        for text in [
            "",
            "2024-02-29",
            "2024-02-29T12:30:00+02:00",
            "2024-02-29T12:30:00.1234Z",
        ] {
            assert_eq!(plain_millis(text), None, "{text}");
        }
    }
}
