//! Days and times in texts.

use arrow::array::timezone::Tz;
use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::Date32Type;

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

#[cfg(test)]
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
}
