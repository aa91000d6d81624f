//! Where two geometries in longitude and latitude are closest on a sphere, their edges being arcs of great circles.
//!
//! Polygons hold what lies within their rings on the half of the sphere around their middle. Arcs are found by
//! boxes around runs of them in space, halved until one arc of each geometry is left: straight distances through
//! the sphere grow with those along it.

use geo_types::{Coord, Geometry, LineString, Polygon};

/// Two closest places, of the first geometry and of the second, in degrees, and the angle between them in radians.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closest {
    /// Of the first geometry.
    pub a: Coord<f64>,
    /// Of the second geometry.
    pub b: Coord<f64>,
    /// Radians between them; 0 for geometries that share a point.
    pub angle: f64,
}

/// Where two geometries are closest; `None` for EMPTY. Latitudes must not lie beyond the poles.
///
/// # Errors
/// For a polygon that half of the sphere does not hold: which side is inside cannot be told.
pub fn closest_on_sphere(
    a: &Geometry<f64>,
    b: &Geometry<f64>,
) -> Result<Option<Closest>, &'static str> {
    let (a, b) = (Shape::new(a)?, Shape::new(b)?);
    if a.arcs.is_empty() || b.arcs.is_empty() {
        return Ok(None);
    }
    let inside = b.first_within(&a).or_else(|| a.first_within(&b));
    let [from, to] = inside.map_or_else(|| a.closest(&b), |place| [place; 2]);
    Ok(Some(Closest {
        a: from.degrees(),
        b: to.degrees(),
        angle: from.angle(to),
    }))
}

/// A place on the unit sphere, or a vector.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Vector([f64; 3]);

impl Vector {
    fn new(place: Coord<f64>) -> Self {
        let (sin_x, cos_x) = place.x.to_radians().sin_cos();
        let (sin_y, cos_y) = place.y.to_radians().sin_cos();
        Vector([cos_y * cos_x, cos_y * sin_x, sin_y])
    }

    fn degrees(self) -> Coord<f64> {
        let [x, y, z] = self.0;
        Coord {
            x: y.atan2(x).to_degrees(),
            y: z.atan2(x.hypot(y)).to_degrees(),
        }
    }

    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let ([a, b, c], [d, e, g]) = (self.0, other.0);
        Vector([f(a, d), f(b, e), f(c, g)])
    }

    fn plus(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    fn times(self, factor: f64) -> Self {
        Vector(self.0.map(|v| v * factor))
    }

    fn dot(self, other: Self) -> f64 {
        self.0.iter().zip(other.0).map(|(a, b)| a * b).sum()
    }

    fn cross(self, other: Self) -> Self {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Vector([b * f - c * e, c * d - a * f, a * e - b * d])
    }

    fn length(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// On the unit sphere.
    fn place(self) -> Self {
        self.times(1.0 / self.length())
    }

    /// Exact for small angles and for large ones.
    fn angle(self, other: Self) -> f64 {
        2.0 * self.minus(other).length().atan2(self.plus(other).length())
    }

    /// The square of the straight distance.
    fn gap(self, other: Self) -> f64 {
        let way = self.minus(other);
        way.dot(way)
    }
}

/// The shorter way between two places; a place by itself.
#[derive(Debug, Clone, Copy)]
struct Arc {
    start: Vector,
    end: Vector,
    /// Twice the cross product of start and end, from a difference that is exact where they are close.
    normal: Vector,
}

impl Arc {
    fn new(start: Vector, end: Vector) -> Self {
        let normal = start.plus(end).cross(end.minus(start));
        Self { start, end, normal }
    }

    /// The place that is closest to `p`.
    fn closest(&self, p: Vector) -> Vector {
        let square = self.normal.dot(self.normal);
        let between =
            self.normal.cross(self.start).dot(p) > 0.0 && self.end.cross(self.normal).dot(p) > 0.0;
        if square > 0.0 && between {
            // The start is at right angles to the normal: the difference is more exact than `p`.
            let height = p.minus(self.start).dot(self.normal) / square;
            let foot = p.minus(self.normal.times(height));
            if foot.length() > 1e-9 {
                return foot.place();
            }
        }
        match p.gap(self.start) <= p.gap(self.end) {
            true => self.start,
            false => self.end,
        }
    }

    /// Where two arcs cross inside both.
    fn crossing(&self, other: &Arc) -> Option<Vector> {
        let (a, b) = (-self.normal.dot(other.start), self.normal.dot(other.end));
        let (c, d) = (-other.normal.dot(self.end), other.normal.dot(self.start));
        if !(a * b > 0.0 && a * c > 0.0 && a * d > 0.0) {
            return None;
        }
        let line = self.normal.cross(other.normal);
        let length = line.length();
        let place = line.times(length.recip());
        let side = if place.dot(self.start.plus(self.end)) < 0.0 {
            -1.0
        } else {
            1.0
        };
        (length > 0.0).then(|| place.times(side))
    }
}

/// A box in space.
#[derive(Debug, Clone, Copy)]
struct Frame {
    low: Vector,
    high: Vector,
}

impl Frame {
    const NONE: Self = Self {
        low: Vector([f64::INFINITY; 3]),
        high: Vector([f64::NEG_INFINITY; 3]),
    };

    fn of(arc: &Arc) -> Self {
        // No arc rises farther above its chord.
        let rise = arc.start.gap(arc.end) / 4.0 + 1e-15;
        let rise = Vector([rise; 3]);
        Self {
            low: arc.start.zip(arc.end, f64::min).minus(rise),
            high: arc.start.zip(arc.end, f64::max).plus(rise),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            low: self.low.zip(other.low, f64::min),
            high: self.high.zip(other.high, f64::max),
        }
    }

    fn gap(&self, other: &Self) -> f64 {
        let below = other.low.minus(self.high);
        let above = self.low.minus(other.high);
        let apart = below.zip(above, |b, a| b.max(a).max(0.0));
        apart.dot(apart)
    }

    fn size(&self) -> f64 {
        let side = self.high.minus(self.low);
        side.dot(side)
    }
}

/// Arcs of one frame at the lowest level.
const RUN: usize = 4;

/// A geometry on the sphere.
struct Shape {
    arcs: Vec<Arc>,
    /// The first place of each point, line and ring.
    firsts: Vec<Vector>,
    polygons: Vec<Area>,
    /// Frames of runs of arcs, then of pairs of the level before, up to one of all.
    levels: Vec<Vec<Frame>>,
}

/// The rings of a polygon, closed.
struct Area {
    rings: Vec<Vec<Vector>>,
    middle: Vector,
}

impl Area {
    fn new(polygon: &Polygon<f64>) -> Result<Self, &'static str> {
        let ring = |line: &LineString<f64>| line.0.iter().map(|c| Vector::new(*c)).collect();
        let shell: Vec<Vector> = ring(polygon.exterior());
        let sum = shell.iter().skip(1).copied().reduce(Vector::plus);
        let middle = sum.unwrap_or(Vector([0.0; 3]));
        if shell.iter().any(|v| v.dot(middle) <= 1e-9) {
            return Err("the polygon does not fit on half of the Earth");
        }
        let holes = polygon.interiors().iter().map(ring);
        let rings = std::iter::once(shell).chain(holes).collect();
        Ok(Self { rings, middle })
    }

    fn contains(&self, p: Vector) -> bool {
        self.middle.dot(p) > 0.0 && self.rings.iter().filter(|ring| winds(ring, p)).count() == 1
    }
}

/// Whether a ring goes around a place, seen from above it, an odd number of times.
fn winds(ring: &[Vector], p: Vector) -> bool {
    let [x, y, z] = p.0.map(f64::abs);
    let axis = match x <= y && x <= z {
        true => Vector([1.0, 0.0, 0.0]),
        false if y <= z => Vector([0.0, 1.0, 0.0]),
        false => Vector([0.0, 0.0, 1.0]),
    };
    let right = axis.cross(p);
    let up = p.cross(right);
    let mut turns = 0;
    for edge in ring.windows(2) {
        let (from, to) = (edge[0].dot(up) > 0.0, edge[1].dot(up) > 0.0);
        if from == to {
            continue;
        }
        // To which side the edge passes the place, on its way up or down.
        let side = Arc::new(edge[0], edge[1]).normal.dot(p);
        match to {
            true if side > 0.0 => turns += 1,
            false if side < 0.0 => turns -= 1,
            _ => {}
        }
    }
    turns % 2 != 0
}

impl Shape {
    fn new(geometry: &Geometry<f64>) -> Result<Self, &'static str> {
        let mut shape = Self {
            arcs: vec![],
            firsts: vec![],
            polygons: vec![],
            levels: vec![],
        };
        shape.add(geometry)?;
        let frames = shape.arcs.chunks(RUN);
        let frames = frames.map(|arcs| arcs.iter().map(Frame::of).fold(Frame::NONE, Frame::and));
        let mut level: Vec<Frame> = frames.collect();
        while level.len() > 1 {
            let pairs = level.chunks(2);
            let next = pairs.map(|pair| pair.iter().copied().fold(Frame::NONE, Frame::and));
            let next = next.collect();
            shape.levels.push(std::mem::replace(&mut level, next));
        }
        shape.levels.push(level);
        Ok(shape)
    }

    fn add(&mut self, geometry: &Geometry<f64>) -> Result<(), &'static str> {
        match geometry {
            Geometry::Point(p) => self.run(&[p.0]),
            Geometry::MultiPoint(points) => points.iter().for_each(|p| self.run(&[p.0])),
            Geometry::Line(line) => self.run(&[line.start, line.end]),
            Geometry::LineString(line) => self.run(&line.0),
            Geometry::MultiLineString(lines) => lines.iter().for_each(|line| self.run(&line.0)),
            Geometry::Polygon(polygon) => self.polygon(polygon)?,
            Geometry::MultiPolygon(all) => all.iter().try_for_each(|one| self.polygon(one))?,
            Geometry::GeometryCollection(parts) => {
                parts.iter().try_for_each(|part| self.add(part))?
            }
            Geometry::Rect(rect) => self.polygon(&rect.to_polygon())?,
            Geometry::Triangle(triangle) => self.polygon(&triangle.to_polygon())?,
        }
        Ok(())
    }

    fn polygon(&mut self, polygon: &Polygon<f64>) -> Result<(), &'static str> {
        if polygon.exterior().0.is_empty() {
            return Ok(());
        }
        self.polygons.push(Area::new(polygon)?);
        self.run(&polygon.exterior().0);
        polygon
            .interiors()
            .iter()
            .for_each(|hole| self.run(&hole.0));
        Ok(())
    }

    fn run(&mut self, coords: &[Coord<f64>]) {
        let places: Vec<Vector> = coords.iter().map(|c| Vector::new(*c)).collect();
        self.firsts.extend(places.first());
        if let [only] = places.as_slice() {
            self.arcs.push(Arc::new(*only, *only));
        }
        let arcs = places.windows(2).map(|ends| Arc::new(ends[0], ends[1]));
        self.arcs.extend(arcs);
    }

    /// A place of this shape in the inside of a polygon of the other one.
    fn first_within(&self, other: &Shape) -> Option<Vector> {
        let within = |place: &&Vector| other.polygons.iter().any(|area| area.contains(**place));
        self.firsts.iter().find(within).copied()
    }

    /// The closest places of the arcs of both.
    fn closest(&self, other: &Shape) -> [Vector; 2] {
        let mut best = (f64::INFINITY, [self.firsts[0], other.firsts[0]]);
        let top = |shape: &Shape| (shape.levels.len() - 1, 0);
        let mut open = vec![(0.0, top(self), top(other))];
        while let Some((gap, a, b)) = open.pop() {
            if gap >= best.0 {
                continue;
            }
            if a.0 == 0 && b.0 == 0 {
                self.compare(a.1, other, b.1, &mut best);
                continue;
            }
            let split_first = b.0 == 0 || a.0 > 0 && self.frame(a).size() >= other.frame(b).size();
            let mut pairs: Vec<_> = match split_first {
                true => self.halves(a).map(|a| (a, b)).collect(),
                false => other.halves(b).map(|b| (a, b)).collect(),
            };
            let gap = |(a, b): &(Node, Node)| self.frame(*a).gap(other.frame(*b));
            // The closer pair on top.
            pairs.sort_by(|p, q| gap(q).total_cmp(&gap(p)));
            open.extend(pairs.into_iter().map(|pair| (gap(&pair), pair.0, pair.1)));
        }
        best.1
    }

    fn frame(&self, (level, at): Node) -> &Frame {
        &self.levels[level][at]
    }

    fn halves(&self, (level, at): Node) -> impl Iterator<Item = Node> {
        let end = (2 * at + 2).min(self.levels[level - 1].len());
        (2 * at..end).map(move |at| (level - 1, at))
    }

    fn compare(&self, run: usize, other: &Shape, other_run: usize, best: &mut (f64, [Vector; 2])) {
        let arcs = |shape: &Shape, run: usize| {
            let end = ((run + 1) * RUN).min(shape.arcs.len());
            run * RUN..end
        };
        let mut consider = |a: Vector, b: Vector| {
            if a.gap(b) < best.0 {
                *best = (a.gap(b), [a, b]);
            }
        };
        for a in &self.arcs[arcs(self, run)] {
            for b in &other.arcs[arcs(other, other_run)] {
                if let Some(place) = a.crossing(b) {
                    consider(place, place);
                }
                consider(a.start, b.closest(a.start));
                consider(a.end, b.closest(a.end));
                consider(a.closest(b.start), b.start);
                consider(a.closest(b.end), b.end);
            }
        }
    }
}

/// A frame by its level and its place there.
type Node = (usize, usize);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::geometry::{wkb, wkt_to_wkb};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn geometry(text: &str) -> Geometry<f64> {
        let mut bytes = vec![];
        wkt_to_wkb(text, &mut bytes).unwrap();
        wkb::decode(&bytes).unwrap()
    }

    fn angle(a: &str, b: &str) -> f64 {
        let closest = closest_on_sphere(&geometry(a), &geometry(b))
            .unwrap()
            .unwrap();
        closest.angle.to_degrees()
    }

    #[test]
    fn of_plain_shapes() {
        for (a, b, degrees) in [
            ("POINT(0 0)", "POINT(0 90)", 90.0),
            ("POINT(179 0)", "POINT(-179 0)", 2.0),
            ("LINESTRING(0 0,10 0)", "POINT(5 3)", 3.0),
            ("LINESTRING(0 0,10 0)", "LINESTRING(5 -1,5 1)", 0.0),
            ("LINESTRING(170 0,-170 0)", "LINESTRING(180 4,180 5)", 4.0),
            ("POLYGON((0 0,9 0,9 9,0 9,0 0))", "POINT(1 1)", 0.0),
            (
                "POLYGON((0 -9,9 -9,9 9,0 9,0 -9),(2 -2,6 -2,6 2,2 2,2 -2))",
                "POINT(3 0)",
                1.0,
            ),
            (
                "POLYGON((0 -9,9 -9,9 9,0 9,0 -9))",
                "LINESTRING(10 0,12 0)",
                1.0,
            ),
            // Around the pole.
            ("POLYGON((0 80,120 80,-120 80,0 80))", "POINT(33 90)", 0.0),
            ("MULTIPOINT((0 0),(0 10))", "MULTIPOINT((0 7),(0 -5))", 3.0),
        ] {
            assert!(
                (angle(a, b) - degrees).abs() < 1e-9,
                "{a} {b}: {}",
                angle(a, b)
            );
            assert!((angle(b, a) - degrees).abs() < 1e-9, "{b} {a}");
        }
        let empty = geometry("LINESTRING EMPTY");
        assert_eq!(closest_on_sphere(&empty, &geometry("POINT(0 0)")), Ok(None));
        let world = geometry("POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))");
        assert!(closest_on_sphere(&world, &geometry("POINT(0 0)")).is_err());
    }

    #[test]
    fn as_every_pair_of_arcs() {
        let mut rng = StdRng::seed_from_u64(3);
        for spread in [0.001, 1.0, 60.0] {
            for _ in 0..30 {
                let mut line = || {
                    let (x, y) = (
                        rng.random_range(-170.0..170.0),
                        rng.random_range(-60.0..60.0),
                    );
                    let mut at = Coord { x, y: y / 2.0 };
                    let mut coords = vec![];
                    for _ in 0..rng.random_range(2..50) {
                        at.x += rng.random_range(-0.1..0.1) * spread;
                        let step: f64 = rng.random_range(-0.1..0.1);
                        at.y = (at.y + step * spread).clamp(-89.0, 89.0);
                        coords.push(at);
                    }
                    Geometry::LineString(LineString(coords))
                };
                let (a, b) = (line(), line());
                let found = closest_on_sphere(&a, &b).unwrap().unwrap();
                let (a, b) = (Shape::new(&a).unwrap(), Shape::new(&b).unwrap());
                let mut best = (f64::INFINITY, [a.firsts[0], b.firsts[0]]);
                for i in 0..a.levels[0].len() {
                    for j in 0..b.levels[0].len() {
                        a.compare(i, &b, j, &mut best);
                    }
                }
                assert!((found.angle - best.1[0].angle(best.1[1])).abs() < 1e-14);
            }
        }
    }
}
