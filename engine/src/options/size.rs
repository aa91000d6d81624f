//! Settings that are sizes or parts of a whole.

use std::fmt;
use std::str::FromStr;

use datafusion::error::{DataFusionError, Result};

use super::choice::parsed_field;

/// A number of bytes that something may take, or no limit.
///
/// Written as a number and a unit: `KB`, `MB`, `GB`, `TB` count in thousands, `KiB`, `MiB`, `GiB`,
/// `TiB` and the bare letters in 1024s; or `unlimited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByteLimit(Option<u64>);

impl ByteLimit {
    /// No limit.
    pub const UNLIMITED: Self = Self(None);

    /// A limit of so many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(Some(bytes))
    }

    /// The limit in bytes, if there is one.
    pub fn bytes(self) -> Option<u64> {
        self.0
    }
}

impl FromStr for ByteLimit {
    type Err = DataFusionError;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || {
            DataFusionError::Configuration(format!(
                "'{text}' is no size: write a number of bytes with a unit, as '512MB' or '4GiB', or 'unlimited'"
            ))
        };
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("unlimited") {
            return Ok(Self::UNLIMITED);
        }
        let digits = trimmed
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            _ => return Err(malformed()),
        };
        let number: f64 = number.parse().map_err(|_| malformed())?;
        Ok(Self(Some((number * factor as f64) as u64)))
    }
}

impl fmt::Display for ByteLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(bytes) = self.0 else {
            return f.write_str("unlimited");
        };
        let units = [
            (1u64 << 40, "TiB"),
            (1_000_000_000_000, "TB"),
            (1 << 30, "GiB"),
            (1_000_000_000, "GB"),
            (1 << 20, "MiB"),
            (1_000_000, "MB"),
            (1 << 10, "KiB"),
            (1_000, "KB"),
        ];
        match units
            .iter()
            .find(|(unit, _)| bytes > 0 && bytes % unit == 0)
        {
            Some((unit, name)) => write!(f, "{}{name}", bytes / unit),
            None => write!(f, "{bytes}B"),
        }
    }
}

/// A part of a whole, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fraction(f64);

impl Fraction {
    /// One half.
    pub const HALF: Self = Self(0.5);

    /// This part of a number of bytes.
    pub fn of(self, bytes: usize) -> usize {
        (bytes as f64 * self.0) as usize
    }

    /// The part, from 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Fraction {
    type Err = DataFusionError;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().parse::<f64>() {
            Ok(part) if (0.0..=1.0).contains(&part) => Ok(Self(part)),
            _ => Err(DataFusionError::Configuration(format!(
                "'{text}' is no number from 0 to 1"
            ))),
        }
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

parsed_field!(ByteLimit);
parsed_field!(Fraction);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_they_are_shown() {
        for (text, bytes) in [
            ("unlimited", None),
            ("0B", Some(0)),
            ("999B", Some(999)),
            ("2GB", Some(2_000_000_000)),
            ("512MiB", Some(512 << 20)),
        ] {
            let limit: ByteLimit = text.parse().unwrap();
            assert_eq!(limit.bytes(), bytes, "{text}");
            assert_eq!(limit.to_string(), text);
        }
        assert_eq!("1.5k".parse::<ByteLimit>().unwrap().bytes(), Some(1536));
        for wrong in ["", "4", "GB", "-1GB", "1.2.3GB", "1 parsec"] {
            assert!(wrong.parse::<ByteLimit>().is_err(), "{wrong}");
        }
    }
}
