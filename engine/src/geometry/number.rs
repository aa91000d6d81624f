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

/// The number with no more than so many decimals: the shortest digits that read back as `value`, rounded half to even
/// as PostGIS rounds them. From 1e15 on and below 1e-8 they are the decimals of the form with an exponent.
pub fn rounded(value: f64, decimals: usize) -> f64 {
    let size = value.abs();
    let text = format!("{size:e}");
    let parts = text.split_once('e').and_then(|(digits, power)| {
        let power: i64 = power.parse().ok()?;
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_digit).collect();
        Some((digits, power))
    });
    let Some((mut digits, power)) = parts else {
        // No number.
        return value;
    };
    let before_point = match (1e-8..1e15).contains(&size) {
        true => power + 1,
        false => 1,
    };
    let keep = before_point.saturating_add_unsigned(decimals as u64);
    let Ok(keep) = usize::try_from(keep) else {
        return 0.0_f64.copysign(value);
    };
    if keep >= digits.len() {
        return value;
    }
    let rest = digits.split_off(keep);
    let half = [b"5".as_slice(), &vec![b'0'; rest.len() - 1]].concat();
    let odd = digits.last().is_some_and(|last| last % 2 == 1);
    let up = rest > half || (rest == half && odd);
    let kept = String::from_utf8_lossy(&digits);
    // Seventeen digits at most.
    let whole = kept.parse::<u64>().unwrap_or(0) + u64::from(up);
    let text = format!("{whole}e{}", power + 1 - keep as i64);
    text.parse().map_or(value, |size: f64| size.copysign(value))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_rounded_half_to_even() {
        for (value, decimals, expected) in [
            (1.23456, 2, 1.23),
            (1.235, 2, 1.24),
            (1.225, 2, 1.22),
            (-0.5, 0, -0.0),
            (1.5, 0, 2.0),
            (0.06, 1, 0.1),
            (0.04, 1, 0.0),
            (0.0004, 1, 0.0),
            (99.96, 1, 100.0),
            (12345.0, 2, 12345.0),
            (1.2345e20, 2, 1.23e20),
            (1.23456e-9, 3, 1.235e-9),
            (0.0, 3, 0.0),
        ] {
            assert_eq!(rounded(value, decimals), expected, "{value}");
        }
        assert!(rounded(f64::NAN, 1).is_nan());
    }

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
