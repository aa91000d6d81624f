//! Well-known text to well-known binary, with Z and M, in one pass and without trusting it.
//!
//! ```text
//!  geometry   := TAG [Z|M|ZM] body              POINT Z (1 2 3), POINTZ(1 2 3), POINT(1 2 3)
//!  body       := EMPTY | '(' item {',' item} ')'
//!  item       := coordinate | ring | part | geometry, as the tag says
//! ```
//!
//! Without `Z`, `M` or `ZM` the first coordinate tells how many ordinates there are, as in
//! PostGIS: three are x, y and z. Because headers stand before coordinates, finding more than two
//! starts the text over with that knowledge.

use super::wkb::{MAX_DEPTH, WkbKind};
use super::wkb_writer::{Dimensions, patch_count, write_count, write_header, write_ordinates};

/// Why a text is no WKT.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("at character {position} of {excerpt}: {reason}")]
pub struct WktError {
    /// What is wrong.
    pub reason: String,
    /// Where, in characters from 1.
    pub position: usize,
    /// The text around that place, quoted.
    pub excerpt: String,
}

/// Appends the WKB of a WKT text. What has been appended before an error is unspecified.
///
/// # Errors
/// [`WktError`] with the position: anything malformed, numbers that are not finite (Z and M may
/// be `NaN`), rings that are not closed, lines of one coordinate, dimensions that change within a
/// value, and nesting deeper than [`MAX_DEPTH`].
pub fn wkt_to_wkb(text: &str, out: &mut Vec<u8>) -> Result<(), WktError> {
    let start = out.len();
    let mut known = None;
    loop {
        let mut reader = Reader {
            text,
            at: 0,
            dimensions: known,
            headers: false,
            out,
        };
        let stopped = match reader.geometry(0) {
            Ok(()) => reader.end().err(),
            Err(stop) => Some(stop),
        };
        match stopped {
            None => return Ok(()),
            Some(Stop::StartOver(dimensions)) if known.is_none() => {
                out.truncate(start);
                known = Some(dimensions);
            }
            Some(Stop::StartOver(_)) => {
                return Err(error_at(text, 0, "the dimensions of parts differ".into()));
            }
            Some(Stop::Invalid { at, reason }) => return Err(error_at(text, at, reason)),
        }
    }
}

fn error_at(text: &str, at: usize, reason: String) -> WktError {
    const AROUND: usize = 20;
    let position = text.get(..at).unwrap_or(text).chars().count();
    let first = position.saturating_sub(AROUND);
    let mut excerpt = String::from(if first > 0 { "\"…" } else { "\"" });
    excerpt.extend(text.chars().skip(first).take(2 * AROUND));
    excerpt.push_str(if text.chars().nth(first + 2 * AROUND).is_some() {
        "…\""
    } else {
        "\""
    });
    WktError {
        reason,
        position: position + 1,
        excerpt,
    }
}

enum Stop {
    Invalid {
        at: usize,
        reason: String,
    },
    /// The dimensions are now known, but headers were written before.
    StartOver(Dimensions),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    dimensions: Option<Dimensions>,
    /// Whether a header was written while the dimensions were unknown.
    headers: bool,
    out: &'a mut Vec<u8>,
}

type Step<T = ()> = Result<T, Stop>;

impl Reader<'_> {
    fn geometry(&mut self, depth: usize) -> Step {
        let at = self.blanks();
        if depth > MAX_DEPTH {
            let reason = format!("collections are nested deeper than {MAX_DEPTH}");
            return Err(Stop::Invalid { at, reason });
        }
        let (kind, attached) = self.tag()?;
        let dimensions = match attached {
            Some(dimensions) => Some(dimensions),
            None => self.dimension_word(),
        };
        if let Some(dimensions) = dimensions {
            self.found(dimensions, at)?;
        }
        self.body(kind, depth)
    }

    /// The tag, and the dimensions if they are written on to it, as in `POINTZ`.
    fn tag(&mut self) -> Step<(WkbKind, Option<Dimensions>)> {
        let at = self.at;
        let word = self.word().to_ascii_uppercase();
        if word.is_empty() {
            return match self.rest().is_empty() {
                true => self.fail("the text ends where a geometry such as POINT(1 2) should stand"),
                false => self.fail("expected a geometry such as POINT(1 2)"),
            };
        }
        const KINDS: [WkbKind; 7] = [
            WkbKind::Point,
            WkbKind::LineString,
            WkbKind::Polygon,
            WkbKind::MultiPoint,
            WkbKind::MultiLineString,
            WkbKind::MultiPolygon,
            WkbKind::GeometryCollection,
        ];
        for kind in KINDS {
            if let Some(suffix) = word.strip_prefix(kind.tag()) {
                match suffix {
                    "" => return Ok((kind, None)),
                    "Z" => return Ok((kind, Some(Dimensions::XYZ))),
                    "M" => return Ok((kind, Some(Dimensions::XYM))),
                    "ZM" => return Ok((kind, Some(Dimensions::XYZM))),
                    _ => {}
                }
            }
        }
        let reason = match word.as_str() {
            "SRID" => {
                "an SRID before the geometry is EWKT, not WKT: give the SRID as an argument".into()
            }
            "CIRCULARSTRING" | "COMPOUNDCURVE" | "CURVEPOLYGON" | "MULTICURVE" | "MULTISURFACE"
            | "TRIANGLE" | "TIN" | "POLYHEDRALSURFACE" => format!(
                "{word} is not supported (points, lines, polygons, their multis and collections are)"
            ),
            _ => "unknown geometry type".into(),
        };
        Err(Stop::Invalid { at, reason })
    }

    /// `Z`, `M` or `ZM` as a word of its own.
    fn dimension_word(&mut self) -> Option<Dimensions> {
        self.blanks();
        let before = self.at;
        match self.word().to_ascii_uppercase().as_str() {
            "Z" => Some(Dimensions::XYZ),
            "M" => Some(Dimensions::XYM),
            "ZM" => Some(Dimensions::XYZM),
            _ => {
                self.at = before;
                None
            }
        }
    }

    /// Notes the dimensions of the value.
    fn found(&mut self, dimensions: Dimensions, at: usize) -> Step {
        match self.dimensions {
            None if self.headers && dimensions != Dimensions::XY => {
                Err(Stop::StartOver(dimensions))
            }
            None => {
                self.dimensions = Some(dimensions);
                Ok(())
            }
            Some(known) if known == dimensions => Ok(()),
            Some(_) => Err(Stop::Invalid {
                at,
                reason: "a part has other dimensions than those before it".into(),
            }),
        }
    }

    fn header(&mut self, kind: WkbKind) {
        self.headers |= self.dimensions.is_none();
        write_header(kind, self.dimensions.unwrap_or_default(), self.out);
    }

    fn body(&mut self, kind: WkbKind, depth: usize) -> Step {
        self.header(kind);
        match kind {
            WkbKind::Point => {
                if self.empty() {
                    let n = self.dimensions.unwrap_or_default().ordinates();
                    write_ordinates(&[f64::NAN; 4][..n], self.out);
                    return Ok(());
                }
                self.expect('(')?;
                self.coordinate()?;
                self.expect(')')
            }
            WkbKind::LineString => self.line(),
            WkbKind::Polygon => self.polygon(),
            WkbKind::MultiPoint => self.list(|reader| {
                // MULTIPOINT(1 2,3 4) is as good as MULTIPOINT((1 2),(3 4)).
                reader.blanks();
                let bare = reader
                    .rest()
                    .starts_with(|c: char| !c.is_ascii_alphabetic() && c != '(');
                if bare {
                    reader.header(WkbKind::Point);
                    reader.coordinate().map(|_| ())
                } else {
                    reader.body(WkbKind::Point, depth + 1)
                }
            }),
            WkbKind::MultiLineString => {
                self.list(|reader| reader.body(WkbKind::LineString, depth + 1))
            }
            WkbKind::MultiPolygon => self.list(|reader| reader.body(WkbKind::Polygon, depth + 1)),
            WkbKind::GeometryCollection => self.list(|reader| reader.geometry(depth + 1)),
        }
    }

    fn line(&mut self) -> Step {
        let at = self.blanks();
        let (n, _) = self.coordinates()?;
        match n {
            1 => Err(Stop::Invalid {
                at,
                reason: "a line needs two coordinates or more".into(),
            }),
            _ => Ok(()),
        }
    }

    fn polygon(&mut self) -> Step {
        self.list(|reader| {
            let at = reader.blanks();
            let (n, closed) = reader.coordinates()?;
            let reason = match (n, closed) {
                (0, _) => return Ok(()),
                (_, false) => "the ring is not closed: repeat its first coordinate at its end",
                (1..=3, true) => "a ring needs four coordinates or more",
                _ => return Ok(()),
            };
            Err(Stop::Invalid {
                at,
                reason: reason.into(),
            })
        })
    }

    /// A counted run of coordinates: how many, and whether the last is as the first.
    fn coordinates(&mut self) -> Step<(usize, bool)> {
        let (mut n, mut first, mut last) = (0, None, None);
        self.list(|reader| {
            let xy = reader.coordinate()?;
            first.get_or_insert(xy);
            last = Some(xy);
            n += 1;
            Ok(())
        })?;
        Ok((n, first == last))
    }

    /// A count and its items.
    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Step) -> Step {
        let count = write_count(0, self.out);
        if self.empty() {
            return Ok(());
        }
        self.expect('(')?;
        let mut n = 0;
        loop {
            item(self)?;
            n += 1;
            self.blanks();
            match self.rest().as_bytes().first() {
                Some(b',') => self.at += 1,
                Some(b')') => {
                    self.at += 1;
                    patch_count(count, n, self.out);
                    return Ok(());
                }
                Some(_) => return self.fail("expected ',' or ')'"),
                None => return self.fail("the text ends before its ')'"),
            }
        }
    }

    fn coordinate(&mut self) -> Step<(f64, f64)> {
        let at = self.blanks();
        let mut all = [f64::NAN; 4];
        let mut n = 0;
        while let Some(slot) = all.get_mut(n) {
            match self.number(n)? {
                Some(value) => *slot = value,
                None => break,
            }
            n += 1;
        }
        let found =
            match n {
                0 => return self.fail("expected a number"),
                1 => return self.fail(
                    "expected a second number: a coordinate is x and y, with a blank between them",
                ),
                2 => Dimensions::XY,
                3 if self.dimensions == Some(Dimensions::XYM) => Dimensions::XYM,
                3 => Dimensions::XYZ,
                _ => Dimensions::XYZM,
            };
        if let Some(known) = self.dimensions
            && known != found
        {
            let reason = format!("expected {} numbers, found {n}", known.ordinates());
            return Err(Stop::Invalid { at, reason });
        }
        self.found(found, at)?;
        write_ordinates(&all[..n], self.out);
        Ok((all[0], all[1]))
    }

    /// The next number of a coordinate, `None` where the coordinate ends. x and y must be finite,
    /// Z and M may be NaN.
    fn number(&mut self, ordinate: usize) -> Step<Option<f64>> {
        let at = self.blanks();
        let token: &str = {
            let rest = self.rest();
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
                .unwrap_or(rest.len());
            &rest[..end]
        };
        if token.is_empty() {
            return Ok(None);
        }
        let fine = match token.parse::<f64>() {
            Ok(value) if value.is_finite() || (value.is_nan() && ordinate >= 2) => value,
            Ok(value) => {
                let reason =
                    format!("{value} is no coordinate: coordinates must be finite numbers");
                return Err(Stop::Invalid { at, reason });
            }
            Err(_) => return self.fail("expected a number"),
        };
        self.at += token.len();
        Ok(Some(fine))
    }

    fn empty(&mut self) -> bool {
        self.blanks();
        let before = self.at;
        let empty = self.word().eq_ignore_ascii_case("EMPTY");
        if !empty {
            self.at = before;
        }
        empty
    }

    fn expect(&mut self, wanted: char) -> Step {
        self.blanks();
        match self.rest().chars().next() {
            Some(found) if found == wanted => {
                self.at += 1;
                Ok(())
            }
            Some(_) => self.fail(&format!("expected '{wanted}'")),
            None => self.fail(&format!("the text ends before its '{wanted}'")),
        }
    }

    fn end(&mut self) -> Step {
        self.blanks();
        match self.rest().is_empty() {
            true => Ok(()),
            false => self.fail("the geometry has ended, but more text follows"),
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips blanks and says where it has come to.
    fn blanks(&mut self) -> usize {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.at
    }

    /// Takes the letters that stand next.
    fn word(&mut self) -> &str {
        let start = self.at;
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        self.at += length;
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn fail<T>(&self, reason: &str) -> Step<T> {
        Err(Stop::Invalid {
            at: self.at,
            reason: reason.into(),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::super::wkb_to_wkt;
    use super::*;

    fn round(text: &str) -> String {
        let mut bytes = vec![];
        wkt_to_wkb(text, &mut bytes).unwrap();
        let mut out = String::new();
        wkb_to_wkt(&bytes, &mut out).unwrap();
        out
    }

    #[test]
    fn canonical_text_round_trips() {
        for text in [
            "POINT(1 2)",
            "POINT Z (1 2 3)",
            "POINT M (1 2 3)",
            "POINT ZM (1 2 3 4)",
            "POINT Z (1 2 NaN)",
            "POINT EMPTY",
            "POINT ZM EMPTY",
            "LINESTRING(0 0,1.5 -1e-9)",
            "LINESTRING EMPTY",
            "POLYGON((0 0,1 0,1 1,0 0),(0.1 0.1,0.2 0.1,0.2 0.2,0.1 0.1))",
            "POLYGON EMPTY",
            "MULTIPOINT((1 2),(3 4))",
            "MULTIPOINT Z ((1 2 3),EMPTY)",
            "MULTILINESTRING((0 0,1 1),EMPTY,(2 2,3 3))",
            "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))",
            "GEOMETRYCOLLECTION(POINT(1 2),GEOMETRYCOLLECTION(LINESTRING(0 0,1 1)))",
            "GEOMETRYCOLLECTION Z (POINT Z (1 2 3),POLYGON Z EMPTY)",
            "GEOMETRYCOLLECTION EMPTY",
        ] {
            assert_eq!(round(text), text);
        }
    }

    #[test]
    fn other_spellings() {
        for (text, canonical) in [
            (" point ( 1   2 ) ", "POINT(1 2)"),
            ("PointZ(1 2 3)", "POINT Z (1 2 3)"),
            ("POINTZM(1 2 3 4)", "POINT ZM (1 2 3 4)"),
            ("POINT(1 2 3)", "POINT Z (1 2 3)"),
            ("POINT(1 2 3 4)", "POINT ZM (1 2 3 4)"),
            ("POINT(+1.50 -2E2)", "POINT(1.5 -200)"),
            ("MULTIPOINT(1 2,3 4)", "MULTIPOINT((1 2),(3 4))"),
            (
                "MULTIPOINT(-1 2, EMPTY, (3 4))",
                "MULTIPOINT((-1 2),EMPTY,(3 4))",
            ),
            (
                "GEOMETRYCOLLECTION(POINT EMPTY,POINT Z (1 2 3))",
                "GEOMETRYCOLLECTION Z (POINT Z EMPTY,POINT Z (1 2 3))",
            ),
            (
                "GEOMETRYCOLLECTION(POINT M (1 2 3))",
                "GEOMETRYCOLLECTION M (POINT M (1 2 3))",
            ),
            ("LINESTRING\n(0 0,\t1 1)", "LINESTRING(0 0,1 1)"),
        ] {
            assert_eq!(round(text), canonical, "{text}");
        }
    }

    #[test]
    fn errors_say_where() {
        for (text, position, reason) in [
            ("", 1, "ends where a geometry"),
            ("POINT", 6, "ends before its '('"),
            ("POINT(1)", 8, "second number"),
            ("POINT(1 a)", 9, "expected a number"),
            ("POINT(1 2", 10, "ends before its ')'"),
            ("POINT(1 2) x", 12, "more text follows"),
            ("POINT(1,2)", 8, "second number"),
            ("POINT(1 NaN)", 9, "must be finite"),
            ("POINT(inf 1)", 7, "must be finite"),
            ("POINT(1 1e999)", 9, "must be finite"),
            ("POINT Z (1 2)", 10, "expected 3 numbers, found 2"),
            ("POINT(1 2 3 4 5)", 15, "expected ')'"),
            ("LINESTRING(0 0,1 1 1)", 16, "expected 2 numbers, found 3"),
            ("LINESTRING(0 0)", 11, "two coordinates"),
            ("POLYGON((0 0,1 0,1 1,0 1))", 9, "not closed"),
            ("POLYGON((0 0,1 0,0 0))", 9, "four coordinates"),
            ("POLYGON(0 0,1 0,0 0)", 9, "expected '('"),
            ("SRID=4326;POINT(1 2)", 1, "EWKT"),
            (
                "CIRCULARSTRING(0 0,1 1,2 2)",
                1,
                "CIRCULARSTRING is not supported",
            ),
            ("PUNKT(1 2)", 1, "unknown geometry type"),
            (
                "GEOMETRYCOLLECTION Z (POINT M (1 2 3))",
                23,
                "other dimensions",
            ),
            ("LINESTRING(0 0,,1 1)", 16, "expected a number"),
            ("MULTIPOINT(é 1)", 12, "expected a number"),
        ] {
            let error = wkt_to_wkb(text, &mut vec![]).unwrap_err();
            assert_eq!(error.position, position, "{text}: {error}");
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
        let long = format!("LINESTRING({}x)", "1 2,".repeat(100));
        let error = wkt_to_wkb(&long, &mut vec![]).unwrap_err().to_string();
        assert_eq!(
            error,
            "at character 412 of \"…1 2,1 2,1 2,1 2,1 2,x)\": expected a number"
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "GEOMETRYCOLLECTION(".repeat(200_000);
        let error = wkt_to_wkb(&deep, &mut vec![]).unwrap_err();
        assert!(error.reason.contains("deeper"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(POINT|LINESTRING|POLYGON|MULTIPOINT|GEOMETRYCOLLECTION)?[ (),ZMéEMPTY0-9.eE+-]{0,60}") {
            let mut bytes = vec![];
            if wkt_to_wkb(&text, &mut bytes).is_ok() {
                // What is read can be written.
                wkb_to_wkt(&bytes, &mut String::new()).unwrap();
            }
        }

        #[test]
        fn coordinates_survive(xy in prop::collection::vec((-1e300..1e300f64, prop::num::f64::NORMAL), 2..9)) {
            let mut text = String::from("LINESTRING(");
            for (i, (x, y)) in xy.iter().enumerate() {
                if i > 0 { text.push(','); }
                super::super::write_number(*x, &mut text);
                text.push(' ');
                super::super::write_number(*y, &mut text);
            }
            text.push(')');
            prop_assert_eq!(round(&text), text);
        }
    }
}
