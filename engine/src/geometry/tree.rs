//! A geometry with all its ordinates as a tree: for what takes geometries apart and puts them together.

use super::Ordinates;
use super::wkb::{CoordRun, MAX_DEPTH, WkbCursor, WkbError, WkbHeader, WkbKind};
use super::wkb_writer::{Dimensions, write_count, write_header, write_ordinates};

/// A geometry with Z and M.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Its type.
    pub kind: WkbKind,
    /// Which ordinates its coordinates have.
    pub dimensions: Dimensions,
    /// What it is made of.
    pub body: Body,
}

/// What a geometry is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A line, or a point: none for POINT EMPTY, else one.
    Coords(Vec<Ordinates>),
    /// The rings of a polygon, the shell first.
    Rings(Vec<Vec<Ordinates>>),
    /// The parts of a multi geometry or collection.
    Parts(Vec<Tree>),
}

/// What stands for z and m where there is none.
const ABSENT: Ordinates = Ordinates {
    x: 0.0,
    y: 0.0,
    z: 0.0,
    m: 0.0,
};

impl Tree {
    /// Reads a value.
    ///
    /// # Errors
    /// Anything malformed, and x or y that is not finite.
    pub fn read(bytes: &[u8]) -> Result<Self, WkbError> {
        let mut cursor = WkbCursor::new(bytes);
        let header = cursor.header()?;
        let tree = read(&mut cursor, &header, 0)?;
        cursor.end()?;
        Ok(tree)
    }

    /// Appends the value as ISO WKB.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_header(self.kind, self.dimensions, out);
        let coords = |coords: &[Ordinates], out: &mut Vec<u8>| {
            coords.iter().for_each(|c| c.write(self.dimensions, out));
        };
        match &self.body {
            Body::Coords(point) if self.kind == WkbKind::Point => match point.first() {
                Some(c) => c.write(self.dimensions, out),
                None => write_ordinates(&[f64::NAN; 4][..self.dimensions.ordinates()], out),
            },
            Body::Coords(line) => {
                write_count(line.len(), out);
                coords(line, out);
            }
            Body::Rings(rings) => {
                write_count(rings.len(), out);
                for ring in rings {
                    write_count(ring.len(), out);
                    coords(ring, out);
                }
            }
            Body::Parts(parts) => {
                write_count(parts.len(), out);
                parts.iter().for_each(|part| part.write(out));
            }
        }
    }

    /// A point.
    pub fn point(at: Ordinates, dimensions: Dimensions) -> Self {
        Self::new(WkbKind::Point, dimensions, Body::Coords(vec![at]))
    }

    /// A line.
    pub fn line(coords: Vec<Ordinates>, dimensions: Dimensions) -> Self {
        Self::new(WkbKind::LineString, dimensions, Body::Coords(coords))
    }

    /// A polygon of closed rings, the shell first.
    pub fn polygon(rings: Vec<Vec<Ordinates>>, dimensions: Dimensions) -> Self {
        Self::new(WkbKind::Polygon, dimensions, Body::Rings(rings))
    }

    /// A multi geometry or collection.
    pub fn parts_of(kind: WkbKind, parts: Vec<Tree>, dimensions: Dimensions) -> Self {
        Self::new(kind, dimensions, Body::Parts(parts))
    }

    /// EMPTY of a type.
    pub fn empty(kind: WkbKind, dimensions: Dimensions) -> Self {
        let body = match kind {
            WkbKind::Point | WkbKind::LineString => Body::Coords(vec![]),
            WkbKind::Polygon => Body::Rings(vec![]),
            _ => Body::Parts(vec![]),
        };
        Self::new(kind, dimensions, body)
    }

    fn new(kind: WkbKind, dimensions: Dimensions, body: Body) -> Self {
        Self {
            kind,
            dimensions,
            body,
        }
    }

    /// Whether there are no coordinates.
    pub fn is_empty(&self) -> bool {
        match &self.body {
            Body::Coords(coords) => coords.is_empty(),
            Body::Rings(rings) => rings.iter().all(Vec::is_empty),
            Body::Parts(parts) => parts.iter().all(Tree::is_empty),
        }
    }

    /// The parts of a multi geometry or collection; none for the other types.
    pub fn parts(&self) -> &[Tree] {
        match &self.body {
            Body::Parts(parts) => parts,
            _ => &[],
        }
    }

    /// The rings of a polygon; none for the other types.
    pub fn rings(&self) -> &[Vec<Ordinates>] {
        match &self.body {
            Body::Rings(rings) => rings,
            _ => &[],
        }
    }

    /// The coordinates of a point or line; none for the other types.
    pub fn coords(&self) -> &[Ordinates] {
        match &self.body {
            Body::Coords(coords) => coords,
            _ => &[],
        }
    }

    /// Visits every run of coordinates: a point, a line, a ring; with the type that it belongs to.
    pub fn each_run<'a>(&'a self, visit: &mut impl FnMut(WkbKind, &'a [Ordinates])) {
        match &self.body {
            Body::Coords(coords) => visit(self.kind, coords),
            Body::Rings(rings) => rings.iter().for_each(|ring| visit(self.kind, ring)),
            Body::Parts(parts) => parts.iter().for_each(|part| part.each_run(visit)),
        }
    }

    /// Changes every run of coordinates in place: a point, a line, a ring; with the type that it
    /// belongs to.
    pub fn each_run_mut(&mut self, change: &mut impl FnMut(WkbKind, &mut Vec<Ordinates>)) {
        match &mut self.body {
            Body::Coords(coords) => change(self.kind, coords),
            Body::Rings(rings) => rings.iter_mut().for_each(|ring| change(self.kind, ring)),
            Body::Parts(parts) => parts.iter_mut().for_each(|part| part.each_run_mut(change)),
        }
    }

    /// Visits the geometries that are no multi geometry or collection, in order.
    pub fn each_simple<'a>(&'a self, visit: &mut impl FnMut(&'a Tree)) {
        match &self.body {
            Body::Parts(parts) => parts.iter().for_each(|part| part.each_simple(visit)),
            _ => visit(self),
        }
    }

    /// All coordinates in order.
    pub fn all_coords(&self) -> Vec<Ordinates> {
        let mut all = vec![];
        self.each_run(&mut |_, run| all.extend_from_slice(run));
        all
    }
}

fn read(cursor: &mut WkbCursor<'_>, header: &WkbHeader, depth: usize) -> Result<Tree, WkbError> {
    if depth > MAX_DEPTH {
        return Err(WkbError::Depth);
    }
    let body = match header.kind {
        WkbKind::Point => {
            let run = cursor.coord(header)?;
            match run.iter().all(|(x, y)| x.is_nan() && y.is_nan()) {
                true => Body::Coords(vec![]),
                false => Body::Coords(coords(&run, header)?),
            }
        }
        WkbKind::LineString => Body::Coords(coords(&cursor.coords(header)?, header)?),
        WkbKind::Polygon => {
            let n = cursor.count(header, 4)?;
            let mut rings = Vec::with_capacity(n.min(64));
            for _ in 0..n {
                rings.push(coords(&cursor.coords(header)?, header)?);
            }
            Body::Rings(rings)
        }
        _ => {
            let n = cursor.count(header, 9)?;
            let mut parts = Vec::with_capacity(n.min(64));
            for _ in 0..n {
                let part = cursor.part_header(header)?;
                parts.push(read(cursor, &part, depth + 1)?);
            }
            Body::Parts(parts)
        }
    };
    Ok(Tree {
        kind: header.kind,
        dimensions: Dimensions {
            z: header.has_z,
            m: header.has_m,
        },
        body,
    })
}

fn coords(run: &CoordRun<'_>, header: &WkbHeader) -> Result<Vec<Ordinates>, WkbError> {
    // Says where a coordinate is not finite.
    let _ = run.finite()?;
    Ok(run
        .ordinates()
        .map(|raw| Ordinates::read(raw, header, ABSENT))
        .collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{wkb_to_wkt, wkt_to_wkb};
    use super::*;

    #[test]
    fn what_is_read_is_written() {
        for text in [
            "POINT EMPTY",
            "POINT ZM (1 2 3 4)",
            "LINESTRING M (1 2 3,4 5 6)",
            "GEOMETRYCOLLECTION Z (POLYGON Z ((0 0 1,1 0 1,1 1 1,0 0 1)),MULTIPOINT Z EMPTY)",
        ] {
            let (mut bytes, mut out, mut back) = (vec![], vec![], String::new());
            wkt_to_wkb(text, &mut bytes).unwrap();
            let tree = Tree::read(&bytes).unwrap();
            assert_eq!(tree.is_empty(), text.starts_with("POINT EMPTY"));
            tree.write(&mut out);
            wkb_to_wkt(&out, &mut back).unwrap();
            assert_eq!(back, text);
        }
    }
}
