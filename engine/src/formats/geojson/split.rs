//! A file of GeoJSON cut into the texts of its features, without reading them.

use std::io::Read;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// Bytes that one feature may have.
const MOST: usize = 1 << 30;

/// What is wrong with the text, and where.
#[derive(Debug)]
pub(super) enum SplitError {
    /// The file cannot be read.
    Io(std::io::Error),
    /// At a byte of the file.
    Text { at: u64, what: String },
}

impl From<std::io::Error> for SplitError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

type Result<T> = std::result::Result<T, SplitError>;

/// A feature in the file.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// From one.
    pub(super) number: u64,
    /// Its first byte in the file.
    pub(super) at: u64,
    pub(super) text: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Before the first document.
    Start,
    /// In the array of features of a collection; whether one has been read.
    Features { any: bool },
    /// After a document that is no collection: others may follow.
    Sequence,
    /// After a collection: nothing may follow.
    End,
}

/// Finds where each feature begins and ends.
pub(super) struct Splitter<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The first byte of the buffer that is not done with.
    position: usize,
    /// Where in the file the buffer begins.
    base: u64,
    ended: bool,
    state: State,
    number: u64,
    /// The text of the member `crs` of the collection.
    crs: Option<String>,
}

impl<R: Read> Splitter<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![],
            position: 0,
            base: 0,
            ended: false,
            state: State::Start,
            number: 0,
            crs: None,
        }
    }

    /// The text of the member `crs`, if the collection has one before the features that have been given.
    pub(super) fn crs(&self) -> Option<&str> {
        self.crs.as_deref()
    }

    /// The next feature.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>> {
        loop {
            match self.state {
                State::Start => {
                    self.byte_order_mark()?;
                    match self.separator()? {
                        None => return Err(self.wrong("the file holds nothing but white space")),
                        Some(b'{') => {}
                        Some(_) => {
                            return Err(self.wrong("this is no GeoJSON: expected {"));
                        }
                    }
                    let start = self.position;
                    if self.members(start)? {
                        self.state = State::Features { any: false };
                        continue;
                    }
                    self.state = State::Sequence;
                    let end = self.position;
                    return Ok(Some(self.piece(start, end)));
                }
                State::Features { any } => match self.peek()? {
                    Some(b']') => {
                        self.position += 1;
                        self.state = State::End;
                        self.rest_of_collection()?;
                    }
                    Some(b',') if any => {
                        self.position += 1;
                        if self.peek()? != Some(b'{') {
                            return Err(self.expected_feature());
                        }
                        return self.value().map(Some);
                    }
                    Some(b'{') if !any => {
                        self.state = State::Features { any: true };
                        return self.value().map(Some);
                    }
                    None => return Err(self.cut_short()),
                    Some(_) if any => {
                        return Err(self.wrong("expected a comma or the end of the features"));
                    }
                    Some(_) => return Err(self.expected_feature()),
                },
                State::Sequence => match self.separator()? {
                    None => return Ok(None),
                    Some(b'{') => return self.value().map(Some),
                    Some(_) => return Err(self.expected_feature()),
                },
                State::End => match self.peek()? {
                    None => return Ok(None),
                    Some(_) => {
                        return Err(self.wrong("expected nothing more after the collection"));
                    }
                },
            }
        }
    }

    /// Skips what some editors write before UTF-8.
    fn byte_order_mark(&mut self) -> Result<()> {
        while self.buffer.len() < 3 && self.fill()? {}
        if self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.position = 3;
        }
        Ok(())
    }

    /// Reads the members of the first object up to its features; whether it has any. The object stays in
    /// the buffer from `start` on, in case that it is a feature itself.
    fn members(&mut self, start: usize) -> Result<bool> {
        let mut is_feature = false;
        self.position += 1;
        if self.peek_keeping(start)? == Some(b'}') {
            self.position += 1;
            return Ok(false);
        }
        loop {
            let (key, value) = self.member(start)?;
            if value == b'[' && !is_feature && self.text(&key) == b"\"features\"" {
                self.position += 1;
                return Ok(true);
            }
            if self.text(&key) == b"\"features\"" && !is_feature {
                return Err(self.wrong("expected \"features\" to be an array"));
            }
            let from = self.position;
            self.skip_value(start)?;
            let value = from..self.position;
            self.remember(&key, &value);
            is_feature |= self.text(&key) == b"\"type\"" && self.text(&value) == b"\"Feature\"";
            match self.peek_keeping(start)? {
                Some(b',') => self.position += 1,
                Some(b'}') => {
                    self.position += 1;
                    return Ok(false);
                }
                None => return Err(self.cut_short()),
                Some(_) => return Err(self.wrong("expected a comma or }")),
            }
        }
    }

    /// The members after the features.
    fn rest_of_collection(&mut self) -> Result<()> {
        loop {
            match self.peek()? {
                Some(b',') => self.position += 1,
                Some(b'}') => {
                    self.position += 1;
                    return Ok(());
                }
                None => return Err(self.cut_short()),
                Some(_) => return Err(self.wrong("expected a comma or }")),
            }
            self.peek()?;
            self.discard();
            let start = self.position;
            let (key, _) = self.member(start)?;
            let from = self.position;
            self.skip_value(start)?;
            let value = from..self.position;
            self.remember(&key, &value);
        }
    }

    fn remember(&mut self, key: &std::ops::Range<usize>, value: &std::ops::Range<usize>) {
        if self.text(key) == b"\"crs\"" {
            self.crs = Some(String::from_utf8_lossy(self.text(value)).into_owned());
        }
    }

    /// A key and its colon; the first byte of the value.
    fn member(&mut self, keep: usize) -> Result<(std::ops::Range<usize>, u8)> {
        match self.peek_keeping(keep)? {
            Some(b'"') => {}
            None => return Err(self.cut_short()),
            Some(_) => return Err(self.wrong("expected the name of a member in quotes")),
        }
        let from = self.position;
        self.skip_value(keep)?;
        let key = from..self.position;
        match self.peek_keeping(keep)? {
            Some(b':') => self.position += 1,
            None => return Err(self.cut_short()),
            Some(_) => return Err(self.wrong("expected a colon")),
        }
        match self.peek_keeping(keep)? {
            Some(value) => Ok((key, value)),
            None => Err(self.cut_short()),
        }
    }

    fn text(&self, range: &std::ops::Range<usize>) -> &[u8] {
        self.buffer.get(range.clone()).unwrap_or_default()
    }

    /// The object that begins here.
    fn value(&mut self) -> Result<Piece<'_>> {
        self.discard();
        let start = self.position;
        self.skip_value(start)?;
        let end = self.position;
        Ok(self.piece(start, end))
    }

    fn piece(&mut self, start: usize, end: usize) -> Piece<'_> {
        self.number += 1;
        Piece {
            number: self.number,
            at: self.base + start as u64,
            text: self.buffer.get(start..end).unwrap_or_default(),
        }
    }

    /// Moves past one value of JSON, whose nesting alone is looked at.
    fn skip_value(&mut self, keep: usize) -> Result<()> {
        let mut depth = 0_usize;
        let mut in_text = false;
        loop {
            while let Some(byte) = self.buffer.get(self.position) {
                if in_text {
                    match byte {
                        b'\\' => {
                            // What is escaped ends no text. It may not have been read yet.
                            self.position += 1;
                            if self.position == self.buffer.len() && !self.more(keep)? {
                                return Err(self.cut_short());
                            }
                        }
                        b'"' => {
                            in_text = false;
                            if depth == 0 {
                                self.position += 1;
                                return Ok(());
                            }
                        }
                        _ => {}
                    }
                } else {
                    match byte {
                        b'"' => in_text = true,
                        b'{' | b'[' => depth += 1,
                        // A number or a word ends where something else begins.
                        b'}' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => {
                            return Ok(());
                        }
                        b'}' | b']' => {
                            depth -= 1;
                            if depth == 0 {
                                self.position += 1;
                                return Ok(());
                            }
                        }
                        _ => {}
                    }
                }
                self.position += 1;
            }
            if !self.more(keep)? {
                return Err(self.cut_short());
            }
        }
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Result<Option<u8>> {
        let keep = self.position;
        self.peek_keeping(keep)
    }

    fn peek_keeping(&mut self, keep: usize) -> Result<Option<u8>> {
        loop {
            while let Some(byte) = self.buffer.get(self.position) {
                if !byte.is_ascii_whitespace() {
                    return Ok(Some(*byte));
                }
                self.position += 1;
            }
            if !self.more(keep)? {
                return Ok(None);
            }
        }
    }

    /// As [`Splitter::peek`], past the record separators of RFC 8142.
    fn separator(&mut self) -> Result<Option<u8>> {
        while self.peek()? == Some(0x1e) {
            self.position += 1;
        }
        self.peek()
    }

    /// Reads on, while all from `keep` on stays; whether there was more.
    fn more(&mut self, keep: usize) -> Result<bool> {
        if self.buffer.len().saturating_sub(keep) > MOST {
            let at = self.base + keep as u64;
            let what = "a value of more than 1 GiB begins here: this is no feature".to_owned();
            return Err(SplitError::Text { at, what });
        }
        self.fill()
    }

    /// Forgets what is before the position.
    fn discard(&mut self) {
        // Seldom, as the rest is moved to the front.
        if self.position > CHUNK {
            self.buffer.drain(..self.position);
            self.base += self.position as u64;
            self.position = 0;
        }
    }

    fn fill(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let mut chunk = (&mut self.reader).take(CHUNK as u64);
        let read = chunk.read_to_end(&mut self.buffer)?;
        self.ended = read < CHUNK;
        Ok(read > 0)
    }

    fn wrong(&self, what: &str) -> SplitError {
        let rest = self.buffer.get(self.position..).unwrap_or_default();
        let rest = rest.get(..rest.len().min(40)).unwrap_or_default();
        let what = match rest.is_empty() {
            true => what.to_owned(),
            false => format!(
                "{what}, found {}",
                String::from_utf8_lossy(rest).escape_debug()
            ),
        };
        SplitError::Text {
            at: self.base + self.position as u64,
            what,
        }
    }

    fn expected_feature(&self) -> SplitError {
        self.wrong(&format!(
            "expected feature {} to be an object",
            self.number + 1
        ))
    }

    fn cut_short(&self) -> SplitError {
        SplitError::Text {
            at: self.base + self.buffer.len() as u64,
            what: format!(
                "the file ends too early, after {} whole feature{}: it was perhaps not written, or not copied, to its end",
                self.number,
                if self.number == 1 { "" } else { "s" }
            ),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match (self.0.split_first(), buffer.first_mut()) {
                (Some((byte, rest)), Some(slot)) => {
                    *slot = *byte;
                    self.0 = rest;
                    Ok(1)
                }
                _ => Ok(0),
            }
        }
    }

    fn pieces(text: &str) -> std::result::Result<Vec<String>, String> {
        let mut splitter = Splitter::new(Slow(text.as_bytes()));
        let mut all = vec![];
        loop {
            match splitter.next() {
                Ok(Some(piece)) => {
                    let at = usize::try_from(piece.at).unwrap();
                    assert_eq!(&text.as_bytes()[at..at + piece.text.len()], piece.text);
                    all.push(String::from_utf8(piece.text.to_vec()).unwrap());
                }
                Ok(None) => return Ok(all),
                Err(SplitError::Text { at, what }) => return Err(format!("{at}: {what}")),
                Err(SplitError::Io(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn documents_of_every_kind() {
        let three = vec![
            "{}".to_owned(),
            r#"{"a":"}\"]"}"#.into(),
            "{\"b\": [1]}".into(),
        ];
        for text in [
            r#" {"type":"FeatureCollection", "bbox":[1,2],"features" : [{},{"a":"}\"]"} , {"b": [1]}],"x":null} "#,
            "\u{feff}{\"features\":[{},{\"a\":\"}\\\"]\"},{\"b\": [1]}]}",
            "{}\n{\"a\":\"}\\\"]\"}\r\n\n{\"b\": [1]}\n",
            "\u{1e}{}\n\u{1e}{\"a\":\"}\\\"]\"}\n\u{1e}{\"b\": [1]}",
        ] {
            assert_eq!(pieces(text).unwrap(), three, "{text}");
        }
        assert_eq!(pieces(r#"{"features":[]}"#).unwrap(), Vec::<String>::new());
        let one = r#"{"type":"Feature","features":[1]}"#;
        assert_eq!(pieces(one).unwrap(), [one]);
    }

    #[test]
    fn wrong_texts_say_where() {
        for (text, expected) in [
            ("", "0: the file holds nothing"),
            ("<gml/>", "0: this is no GeoJSON: expected {, found <gml/>"),
            (
                r#"{"features":{}}"#,
                "12: expected \"features\" to be an array",
            ),
            (
                r#"{"features":[1]}"#,
                "13: expected feature 1 to be an object, found 1]}",
            ),
            (r#"{"features":[{},]}"#, "16: expected feature 2"),
            (r#"{"features":[{} {}]}"#, "16: expected a comma"),
            (
                r#"{"features":[{},{"a""#,
                "20: the file ends too early, after 1 whole feature:",
            ),
            (r#"{"features":[{}]"#, "16: the file ends too early"),
            (r#"{"features":[{}]} x"#, "18: expected nothing more"),
            ("{}\n[]", "3: expected feature 2 to be an object, found []"),
            (r#"{"a" 1}"#, "5: expected a colon"),
        ] {
            let error = pieces(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_crs_is_kept() {
        for text in [
            r#"{"crs":{"a":1},"features":[]}"#,
            r#"{"features":[],"crs" : {"a":1} }"#,
        ] {
            let mut splitter = Splitter::new(text.as_bytes());
            assert!(splitter.next().unwrap().is_none());
            assert_eq!(splitter.crs(), Some("{\"a\":1}"));
        }
    }
}
