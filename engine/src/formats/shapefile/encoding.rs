//! The encoding of the texts in a `.dbf`.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};

/// How texts are decoded.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextEncoding {
    /// UTF-8 where a text is that, Windows-1252 otherwise: nothing says which.
    Guess,
    Utf8,
    Named(&'static Encoding),
    /// A code page that is not supported: ASCII can be read.
    Unsupported(u32),
}

impl TextEncoding {
    /// By a name, as a `.cpg` file has it: `UTF-8`, `1252`, `ANSI 1252`, `ISO-8859-1`, `88591`, `LDID/87`.
    /// `None` for a name that says nothing.
    pub(super) fn of_label(label: &str) -> Option<Self> {
        let label = label
            .trim()
            .trim_start_matches('\u{feff}')
            .to_ascii_lowercase();
        if matches!(label.as_str(), "utf-8" | "utf8" | "65001" | "20127") {
            return Some(Self::Utf8);
        }
        if let Some(encoding) = Encoding::for_label(label.as_bytes()) {
            return Some(Self::Named(encoding));
        }
        if let Some(id) = label.strip_prefix("ldid/") {
            return id.parse().ok().map(Self::of_driver);
        }
        let digits: String = label.chars().filter(char::is_ascii_digit).collect();
        // 8859 and its part, in one word or two.
        if let Some(part) = digits.strip_prefix("8859") {
            return named(&format!("iso-8859-{part}"));
        }
        digits.parse().ok().map(Self::of_code_page)
    }

    /// By the language driver in the header of a `.dbf`.
    pub(super) fn of_driver(id: u8) -> Self {
        match id {
            // 0x57 is whatever the machine of its writer had.
            0x00 | 0x57 => Self::Guess,
            0x03 | 0x58 | 0x59 => Self::of_code_page(1252),
            0x04 => Self::of_code_page(10_000),
            0x26 | 0x65 => Self::of_code_page(866),
            0x7b | 0x13 => Self::of_code_page(932),
            0x4d | 0x7a => Self::of_code_page(936),
            0x4e | 0x79 => Self::of_code_page(949),
            0x4f | 0x78 => Self::of_code_page(950),
            0x50 | 0x7c => Self::of_code_page(874),
            0xc8 => Self::of_code_page(1250),
            0xc9 => Self::of_code_page(1251),
            0xca => Self::of_code_page(1254),
            0xcb => Self::of_code_page(1253),
            0xcc => Self::of_code_page(1257),
            0x01 => Self::Unsupported(437),
            0x02 => Self::Unsupported(850),
            0x64 => Self::Unsupported(852),
            _ => Self::Guess,
        }
    }

    fn of_code_page(page: u32) -> Self {
        let label = match page {
            65_001 => return Self::Utf8,
            866 => "ibm866",
            874 => "windows-874",
            932 => "shift_jis",
            936 => "gbk",
            949 => "euc-kr",
            950 => "big5",
            10_000 => "macintosh",
            page => return named(&format!("windows-{page}")).unwrap_or(Self::Unsupported(page)),
        };
        named(label).unwrap_or(Self::Unsupported(page))
    }

    /// The text of some bytes.
    ///
    /// # Errors
    /// What does not fit.
    pub(super) fn decode<'a>(&self, bytes: &'a [u8]) -> Result<Cow<'a, str>, String> {
        const REMEDY: &str =
            "give the encoding, as read_shapefile('...', encoding := 'ISO-8859-1')";
        let mut utf8 = std::str::from_utf8(bytes);
        // Fields have a number of bytes, at which writers cut without a look at letters. What has no other
        // letter beyond ASCII is no evidence of that.
        if let Err(e) = utf8
            && e.error_len().is_none()
        {
            let whole = bytes.get(..e.valid_up_to()).unwrap_or_default();
            if matches!(self, Self::Utf8) || !whole.is_ascii() {
                utf8 = std::str::from_utf8(whole);
            }
        }
        let encoding = match (self, utf8) {
            (Self::Utf8 | Self::Guess, Ok(text)) => return Ok(text.into()),
            (Self::Utf8, Err(_)) => return Err(format!("the text is no UTF-8: {REMEDY}")),
            (Self::Unsupported(_), Ok(text)) if text.is_ascii() => return Ok(text.into()),
            (Self::Unsupported(page), _) => {
                return Err(format!(
                    "the text is in code page {page}, which is not supported: {REMEDY}, or convert the file"
                ));
            }
            (Self::Guess, Err(_)) => WINDOWS_1252,
            (Self::Named(encoding), _) => *encoding,
        };
        match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
            Some(text) => Ok(text),
            None => Err(format!("the text is no {}: {REMEDY}", encoding.name())),
        }
    }
}

fn named(label: &str) -> Option<TextEncoding> {
    Encoding::for_label(label.as_bytes()).map(TextEncoding::Named)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn labels_of_every_fashion() {
        let text = |label: &str, bytes: &[u8]| {
            let encoding = TextEncoding::of_label(label).unwrap();
            encoding.decode(bytes).unwrap().into_owned()
        };
        assert_eq!(text("UTF-8\r\n", "Jyväskylä".as_bytes()), "Jyväskylä");
        for label in [
            "1252",
            "ANSI 1252",
            "CP1252",
            "ISO-8859-1",
            "88591",
            "8859-1",
            "LDID/87",
        ] {
            assert_eq!(text(label, b"P\xe4lk\xe4ne"), "Pälkäne", "{label}");
        }
        assert_eq!(text("1251", b"\xcc\xee"), "Мо");
        assert_eq!(text("OEM 866", b"\x8c\xae"), "Мо");
        assert!(TextEncoding::of_label("whatever").is_none());
    }

    #[test]
    fn what_does_not_fit() {
        let cut = &"Äänekoski".as_bytes()[..3];
        assert_eq!(TextEncoding::Utf8.decode(cut).unwrap(), "Ä");
        assert!(
            TextEncoding::Utf8
                .decode(b"\xe4x")
                .unwrap_err()
                .contains("encoding :=")
        );
        let dos = TextEncoding::of_driver(1);
        assert_eq!(dos.decode(b"plain").unwrap(), "plain");
        assert!(dos.decode(b"\x84").unwrap_err().contains("code page 437"));
        assert_eq!(TextEncoding::Guess.decode(b"H\xe4").unwrap(), "Hä");
        assert_eq!(TextEncoding::Guess.decode(b"\xc3\xa4\xc3").unwrap(), "ä");
    }
}
