//! The encoding of the texts in a `.dbf`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use encoding_rs::{Encoding, WINDOWS_1252};

/// The letters of DOS, which the web's encodings do not have: number, blank, 128 letters.
static CODE_PAGES: LazyLock<HashMap<u32, Vec<char>>> = LazyLock::new(|| {
    let lines = include_str!("code_pages.txt").lines();
    let pages = lines.filter_map(|line| {
        let (page, letters) = line.split_once(' ')?;
        Some((page.parse().ok()?, letters.chars().collect()))
    });
    pages.collect()
});

/// How texts are decoded.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextEncoding {
    /// UTF-8 where a text is that, Windows-1252 otherwise: nothing says which.
    Guess,
    Utf8,
    Named(&'static Encoding),
    /// One of DOS, with the letters of its upper half.
    Dos(u32, &'static [char]),
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
        let page = match id {
            0x03 | 0x58 | 0x59 => 1252,
            0x04 => 10_000,
            0x01 | 0x09 | 0x0b | 0x0d | 0x0f | 0x11 | 0x15 | 0x18 | 0x19 | 0x1b => 437,
            0x02 | 0x0a | 0x0e | 0x10 | 0x12 | 0x14 | 0x16 | 0x1a | 0x1d | 0x25 | 0x37 => 850,
            0x1f | 0x22 | 0x23 | 0x40 | 0x64 | 0x87 => 852,
            0x08 | 0x17 | 0x66 => 865,
            0x1c | 0x6c => 863,
            0x24 => 860,
            0x26 | 0x65 => 866,
            0x67 => 861,
            0x68 => 895,
            0x69 => 620,
            0x6a | 0x86 => 737,
            0x6b | 0x88 => 857,
            0x7b | 0x13 => 932,
            0x4d | 0x7a => 936,
            0x4e | 0x79 => 949,
            0x4f | 0x78 => 950,
            0x50 | 0x7c => 874,
            0x7d => 1255,
            0x7e => 1256,
            0xc8 => 1250,
            0xc9 => 1251,
            0xca => 1254,
            0xcb => 1253,
            0xcc => 1257,
            // 0x57 is whatever the machine of its writer had.
            _ => return Self::Guess,
        };
        Self::of_code_page(page)
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
            page => {
                return match CODE_PAGES.get(&page) {
                    Some(letters) => Self::Dos(page, letters),
                    None => named(&format!("windows-{page}")).unwrap_or(Self::Unsupported(page)),
                };
            }
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
            (Self::Dos(page, letters), _) => {
                return of_dos(letters, bytes)
                    .ok_or_else(|| format!("the text is not in code page {page}: {REMEDY}"));
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

/// `None` where a byte is no letter.
fn of_dos<'a>(letters: &[char], bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    if bytes.is_ascii() {
        return std::str::from_utf8(bytes).ok().map(Cow::from);
    }
    let letter = |byte: &u8| match byte.checked_sub(128) {
        None => Some(char::from(*byte)),
        Some(upper) => letters
            .get(usize::from(upper))
            .copied()
            .filter(|letter| *letter != char::REPLACEMENT_CHARACTER),
    };
    bytes
        .iter()
        .map(letter)
        .collect::<Option<String>>()
        .map(Cow::from)
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
        for label in ["437", "CP437", "OEM 850", "IBM850", "LDID/1", "LDID/2"] {
            assert_eq!(text(label, b"J\x84rvi"), "Järvi", "{label}");
        }
        assert_eq!(text("852", b"\x9d\xa2d\xab"), "Łódź");
        assert_eq!(text("865", b"R\x9bros"), "Røros");
        assert_eq!(CODE_PAGES.len(), 15);
        assert!(CODE_PAGES.values().all(|letters| letters.len() == 128));
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
        let mazovia = TextEncoding::of_driver(0x69);
        assert_eq!(mazovia.decode(b"plain").unwrap(), "plain");
        let refused = mazovia.decode(b"\x84").unwrap_err();
        assert!(refused.contains("code page 620, which is not"), "{refused}");
        let turkish = TextEncoding::of_driver(0x6b);
        assert!(
            turkish
                .decode(b"\xd5")
                .unwrap_err()
                .contains("code page 857")
        );
        assert_eq!(TextEncoding::Guess.decode(b"H\xe4").unwrap(), "Hä");
        assert_eq!(TextEncoding::Guess.decode(b"\xc3\xa4\xc3").unwrap(), "ä");
    }
}
