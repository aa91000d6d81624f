//! Coordinates as text.

use std::fmt::Write;

/// Appends the shortest digits that read back as the same number, without a trailing `.0`.
///
/// From 1e15 on and below 1e-8 an exponent is written, as PostGIS does: the plain form would be
/// a row of zeros. NaN, which only Z and M can be, is `NaN`.
pub fn write_number(value: f64, out: &mut String) {
    let size = value.abs();
    // Writing to a string does not fail.
    let _ = if size != 0.0 && !(1e-8..1e15).contains(&size) {
        let mut text = String::with_capacity(24);
        let _ = write!(text, "{value:e}");
        match text.split_once('e') {
            Some((digits, power)) if !power.starts_with('-') => write!(out, "{digits}e+{power}"),
            _ => out.write_str(&text),
        }
    } else if value == 0.0 {
        // Minus zero would only puzzle.
        out.write_str("0")
    } else {
        write!(out, "{value}")
    };
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let mut text = String::new();
        write_number(value, &mut text);
        text
    }

    #[test]
    fn digits_read_back() {
        for value in [
            0.0,
            1.0,
            -1.5,
            0.1 + 0.2,
            1e-300,
            f64::MAX,
            f64::MIN_POSITIVE,
            6378137.0,
            1e15,
            24.938378999999998,
        ] {
            let text = text(value);
            assert_eq!(text.parse::<f64>().unwrap(), value);
            assert!(text.len() < 26, "{text}");
        }
    }

    #[test]
    fn as_postgis_writes_them() {
        assert_eq!(text(2.0), "2");
        assert_eq!(text(-0.0), "0");
        assert_eq!(text(1.5e20), "1.5e+20");
        assert_eq!(text(1e-9), "1e-9");
        assert_eq!(text(999_999_999_999_999.0), "999999999999999");
        assert_eq!(text(f64::NAN), "NaN");
    }
}
