//! Lengths of time as people write them: `90s`, `15m`, `2h`, `1d`, or a number of seconds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Seconds, not negative.
    pub seconds: i64,
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("\"{text}\" is no length of time: write 90s, 15m, 2h or 1d");
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor = match unit {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(bad()),
        };
        let number: i64 = number.parse().map_err(|_| bad())?;
        let seconds = number.checked_mul(factor).ok_or_else(bad)?;
        Ok(Span { seconds })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "m")] {
            if self.seconds > 0 && self.seconds % unit == 0 {
                return write!(f, "{}{name}", self.seconds / unit);
            }
        }
        write!(f, "{}s", self.seconds)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Seconds(u32),
            Text(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Seconds(seconds)) => Ok(Span {
                seconds: i64::from(seconds),
            }),
            Ok(Written::Text(text)) => text.parse().map_err(serde::de::Error::custom),
            Err(_) => Err(serde::de::Error::custom(
                "a length of time is written 90s, 15m, 2h or 1d, or as a number of seconds",
            )),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn people_write_time_in_many_ways() {
        for (text, seconds, again) in [
            ("90s", 90, "90s"),
            ("90", 90, "90s"),
            ("120s", 120, "2m"),
            ("2h", 7200, "2h"),
            ("1d", 86_400, "1d"),
            ("0", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.seconds, seconds);
            assert_eq!(span.to_string(), again);
        }
        for text in ["", "h", "-1s", "1.5h", "1w", "99999999999999999d"] {
            text.parse::<Span>().unwrap_err();
        }
    }
}
