//! Well-known text from well-known binary, with Z and M.
//!
//! The form is PostGIS': `POINT(1 2)`, `LINESTRING Z (0 0 1,1 1 1)`, `POINT EMPTY`; points of a
//! MULTIPOINT have parentheses of their own, as ISO 19125 asks.

use super::number::write_number;
use super::wkb::{CoordRun, MAX_DEPTH, WkbCursor, WkbError, WkbHeader, WkbKind};

/// Appends the WKT of a value. What has been appended before an error is unspecified.
///
/// # Errors
/// Anything malformed, and x or y that is not finite. A Z or M that is no number is written as
/// `NaN`.
pub fn wkb_to_wkt(bytes: &[u8], out: &mut String) -> Result<(), WkbError> {
    write(bytes, out, usize::MAX)
}

/// Appends WKT of at most `limit` characters, the last being `…` if there is more. A geometry of
/// a million vertices costs no more than its first few, so the rest of it goes unchecked.
///
/// # Errors
/// As [`wkb_to_wkt`], for what is read.
pub fn wkb_to_shortened_wkt(bytes: &[u8], out: &mut String, limit: usize) -> Result<(), WkbError> {
    let start = out.len();
    let stop = start.saturating_add(limit);
    write(bytes, out, stop)?;
    if out.len() > stop {
        // WKT is ASCII: bytes are characters.
        out.truncate(start + limit.saturating_sub(1));
        out.push('…');
    }
    Ok(())
}

fn write(bytes: &[u8], out: &mut String, stop: usize) -> Result<(), WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    match (Writer { out, stop }).geometry(&mut cursor, &header, 0) {
        Ok(()) => cursor.end(),
        Err(Stop::Full) => Ok(()),
        Err(Stop::Invalid(error)) => Err(error),
    }
}

enum Stop {
    /// Enough has been written.
    Full,
    Invalid(WkbError),
}

impl From<WkbError> for Stop {
    fn from(error: WkbError) -> Self {
        Stop::Invalid(error)
    }
}

struct Writer<'a> {
    out: &'a mut String,
    /// Length of `out` beyond which nothing more is needed.
    stop: usize,
}

impl Writer<'_> {
    /// The tag and the body.
    fn geometry(
        &mut self,
        cursor: &mut WkbCursor<'_>,
        header: &WkbHeader,
        depth: usize,
    ) -> Result<(), Stop> {
        self.out.push_str(header.kind.tag());
        self.out.push_str(match (header.has_z, header.has_m) {
            (false, false) => "",
            (true, false) => " Z ",
            (false, true) => " M ",
            (true, true) => " ZM ",
        });
        self.body(cursor, header, depth)
    }

    fn body(
        &mut self,
        cursor: &mut WkbCursor<'_>,
        header: &WkbHeader,
        depth: usize,
    ) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(WkbError::Depth.into());
        }
        match header.kind {
            WkbKind::Point => {
                let at = cursor.position();
                let point = cursor.coord(header)?;
                // POINT EMPTY has no other form in WKB.
                if point.iter().all(|(x, y)| x.is_nan() && y.is_nan()) {
                    self.empty();
                    return Ok(());
                }
                self.run(point, header, at)
            }
            WkbKind::LineString => self.line(cursor, header),
            WkbKind::Polygon => {
                let rings = cursor.count(header, 4)?;
                self.list(rings, |writer| writer.line(cursor, header))
            }
            kind => {
                let parts = cursor.count(header, 9)?;
                self.list(parts, |writer| {
                    let part = cursor.part_header(header)?;
                    match kind {
                        WkbKind::GeometryCollection => writer.geometry(cursor, &part, depth + 1),
                        _ => writer.body(cursor, &part, depth + 1),
                    }
                })
            }
        }
    }

    fn line(&mut self, cursor: &mut WkbCursor<'_>, header: &WkbHeader) -> Result<(), Stop> {
        // The coordinates follow their count.
        let at = cursor.position() + 4;
        let run = cursor.coords(header)?;
        self.run(run, header, at)
    }

    /// `EMPTY`, with a blank before it where a tag stands.
    fn empty(&mut self) {
        if self.out.ends_with(|c: char| c.is_ascii_alphabetic()) {
            self.out.push(' ');
        }
        self.out.push_str("EMPTY");
    }

    fn list(
        &mut self,
        n: usize,
        mut item: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if n == 0 {
            self.empty();
            return Ok(());
        }
        for i in 0..n {
            self.out.push(if i == 0 { '(' } else { ',' });
            item(self)?;
            if self.out.len() > self.stop {
                return Err(Stop::Full);
            }
        }
        self.out.push(')');
        Ok(())
    }

    fn run(&mut self, run: CoordRun<'_>, header: &WkbHeader, at: usize) -> Result<(), Stop> {
        let mut coordinates = run.ordinates().enumerate();
        self.list(run.len(), |writer| {
            let Some((i, coordinate)) = coordinates.next() else {
                return Ok(());
            };
            let [x, y, ..] = coordinate;
            if !(x.is_finite() && y.is_finite()) {
                let at = at + i * header.ordinates() * 8;
                return Err(WkbError::NotFinite { at, x, y }.into());
            }
            for (i, value) in coordinate.iter().take(header.ordinates()).enumerate() {
                if i > 0 {
                    writer.out.push(' ');
                }
                write_number(*value, writer.out);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn doubles(head: &[u8], values: &[f64]) -> Vec<u8> {
        let mut wkb = head.to_vec();
        wkb.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        wkb
    }

    fn wkt(wkb: &[u8]) -> String {
        let mut out = String::new();
        wkb_to_wkt(wkb, &mut out).unwrap();
        out
    }

    #[test]
    fn points_with_all_ordinates() {
        let nan = f64::NAN;
        for (head, values, expected) in [
            ([1, 1, 0, 0, 0], &[1.5, 2.0][..], "POINT(1.5 2)"),
            ([1, 0xe9, 3, 0, 0], &[1.0, 2.0, 3.0], "POINT Z (1 2 3)"),
            ([1, 1, 0, 0, 0x80], &[1.0, 2.0, nan], "POINT Z (1 2 NaN)"),
            ([1, 0xd1, 7, 0, 0], &[1.0, 2.0, 3.0], "POINT M (1 2 3)"),
            (
                [1, 0xb9, 11, 0, 0],
                &[1.0, 2.0, 3.0, 4.0],
                "POINT ZM (1 2 3 4)",
            ),
            ([1, 1, 0, 0, 0], &[nan, nan], "POINT EMPTY"),
            ([1, 0xe9, 3, 0, 0], &[nan, nan, nan], "POINT Z EMPTY"),
        ] {
            assert_eq!(wkt(&doubles(&head, values)), expected);
        }
    }

    #[test]
    fn parts() {
        let mut polygon = vec![1, 3, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0];
        polygon = doubles(&polygon, &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(wkt(&polygon), "POLYGON((0 0,1 0,0 1,0 0))");
        let mut multi = vec![1, 4, 0, 0, 0, 2, 0, 0, 0];
        multi.extend(doubles(&[1, 1, 0, 0, 0], &[1.0, 2.0]));
        multi.extend(doubles(&[1, 1, 0, 0, 0], &[f64::NAN, f64::NAN]));
        assert_eq!(wkt(&multi), "MULTIPOINT((1 2),EMPTY)");
        let mut collection = vec![1, 7, 0, 0, 0, 2, 0, 0, 0];
        collection.extend(doubles(&[1, 1, 0, 0, 0], &[1.0, 2.0]));
        collection.extend([1, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            wkt(&collection),
            "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING EMPTY)"
        );
    }

    #[test]
    fn shortened() {
        let short = |wkb: &[u8], limit| {
            let mut out = String::from("| ");
            wkb_to_shortened_wkt(wkb, &mut out, limit).unwrap();
            out
        };
        let line = doubles(&[1, 2, 0, 0, 0, 2, 0, 0, 0], &[0.0, 0.0, 1.0, 1.0]);
        assert_eq!(short(&line, 16), "| LINESTRING(0 0,…");
        assert_eq!(short(&line, 19), "| LINESTRING(0 0,1 1)");
        assert_eq!(short(&line, 0), "| …");
    }

    #[test]
    fn broken_values_are_refused() {
        let mut out = String::new();
        let absurd = [1, 3, 0, 0, 0, 255, 255, 255, 255];
        assert!(matches!(
            wkb_to_wkt(&absurd, &mut out),
            Err(WkbError::Truncated { .. })
        ));
        let half = doubles(&[1, 1, 0, 0, 0], &[f64::NAN, 1.0]);
        assert!(matches!(
            wkb_to_wkt(&half, &mut out),
            Err(WkbError::NotFinite { at: 5, .. })
        ));
        assert!(wkb_to_wkt(&[], &mut out).is_err());
    }
}
