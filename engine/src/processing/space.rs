//! Distances in x, y and z.
//!
//! Between points, edges and faces: two lines are as far apart as their nearest edges; a polygon is a face, whose
//! nearest place lies within if the foot of a perpendicular does, and else on a ring. The foot is looked for in the
//! plane of the shell, so that its vertices have to lie in one plane.

use crate::geometry::wkb::WkbKind;
use crate::geometry::{Ordinates, Tree};
use crate::{Error, Result};

/// A place.
type Place = [f64; 3];

/// Two places, and how far they are apart.
#[derive(Debug, Clone, Copy)]
pub struct Apart {
    /// On the first geometry.
    pub from: Place,
    /// On the second.
    pub to: Place,
    /// Between them.
    pub distance: f64,
}

impl Apart {
    fn between(from: Place, to: Place) -> Self {
        let distance = norm(minus(from, to));
        Self { from, to, distance }
    }

    fn turned(self) -> Self {
        Self {
            from: self.to,
            to: self.from,
            ..self
        }
    }
}

/// The nearest places of two geometries; `None` if one is EMPTY.
///
/// # Errors
/// A polygon whose vertices do not lie in one plane.
pub fn nearest_in_space(a: &Tree, b: &Tree) -> Result<Option<Apart>> {
    let (a, b) = (Shape::of(a)?, Shape::of(b)?);
    let mut best: Option<Apart> = None;
    let mut offer = |found: Apart| {
        if best.is_none_or(|best| found.distance < best.distance) {
            best = Some(found);
        }
    };
    for p in &a.edges {
        for q in &b.edges {
            offer(between_edges(*p, *q));
        }
    }
    for face in &b.faces {
        for edge in &a.edges {
            face.nearest(*edge, &mut offer);
        }
    }
    for face in &a.faces {
        for edge in &b.edges {
            face.nearest(*edge, &mut |found| offer(found.turned()));
        }
    }
    Ok(best)
}

/// The two vertices that are farthest apart; `None` if a geometry is EMPTY.
pub fn farthest_in_space(a: &Tree, b: &Tree) -> Option<Apart> {
    let mut best: Option<Apart> = None;
    for from in a.all_coords() {
        for to in b.all_coords() {
            let found = Apart::between(place(&from), place(&to));
            if best.is_none_or(|best| found.distance > best.distance) {
                best = Some(found);
            }
        }
    }
    best
}

fn place(c: &Ordinates) -> Place {
    [c.x, c.y, c.z]
}

fn minus(a: Place, b: Place) -> Place {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// `a` and so many times `b`.
fn along(a: Place, b: Place, t: f64) -> Place {
    [a[0] + t * b[0], a[1] + t * b[1], a[2] + t * b[2]]
}

fn dot(a: Place, b: Place) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Place, b: Place) -> Place {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

fn norm(a: Place) -> f64 {
    a[0].hypot(a[1]).hypot(a[2])
}

/// An edge; a point is one from itself to itself.
type Edge = [Place; 2];

#[derive(Default)]
struct Shape {
    edges: Vec<Edge>,
    faces: Vec<Face>,
}

impl Shape {
    fn of(tree: &Tree) -> Result<Self> {
        let mut shape = Shape::default();
        let mut failed = None;
        tree.each_simple(&mut |part| {
            let runs: Vec<Vec<Place>> = match part.kind {
                WkbKind::Polygon => part.rings().iter().map(|ring| places(ring)).collect(),
                _ => vec![places(part.coords())],
            };
            for run in &runs {
                match run.as_slice() {
                    [only] => shape.edges.push([*only, *only]),
                    run => shape.edges.extend(run.windows(2).map(|w| [w[0], w[1]])),
                }
            }
            if part.kind == WkbKind::Polygon {
                match Face::new(runs) {
                    Ok(face) => shape.faces.extend(face),
                    Err(e) => failed = Some(e),
                }
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(shape),
        }
    }
}

fn places(run: &[Ordinates]) -> Vec<Place> {
    run.iter().map(place).collect()
}

/// How far from the plane of a polygon its vertices may lie, as a part of its extent.
const FLAT: f64 = 1e-9;

/// A polygon in its plane.
struct Face {
    rings: Vec<Vec<Place>>,
    at: Place,
    /// Of length 1.
    normal: Place,
    /// The axes that the plane is looked at along the third of, which is the steepest.
    axes: [usize; 2],
}

impl Face {
    /// `None` for a polygon without area.
    fn new(rings: Vec<Vec<Place>>) -> Result<Option<Self>> {
        let Some(&at) = rings.first().and_then(|shell| shell.first()) else {
            return Ok(None);
        };
        // Twice the area of the shell on each of the planes of two axes.
        let mut normal = [0.0; 3];
        let shell = &rings[0];
        for w in shell.windows(2) {
            normal = along(normal, cross(minus(w[0], at), minus(w[1], at)), 1.0);
        }
        let size = norm(normal);
        let reach = shell
            .iter()
            .map(|p| norm(minus(*p, at)))
            .fold(0.0, f64::max);
        if size <= FLAT * reach * reach {
            return Ok(None);
        }
        let normal = normal.map(|v| v / size);
        let off = |p: &Place| dot(minus(*p, at), normal).abs();
        if rings.iter().flatten().any(|p| off(p) > FLAT * reach) {
            return Err(Error::Data(
                "the vertices of a polygon do not lie in one plane: there is no distance to what they bound".into(),
            ));
        }
        let steepest = (0..3).max_by(|i, j| normal[*i].abs().total_cmp(&normal[*j].abs()));
        let axes = match steepest {
            Some(0) => [1, 2],
            Some(1) => [0, 2],
            _ => [0, 1],
        };
        Ok(Some(Self {
            rings,
            at,
            normal,
            axes,
        }))
    }

    /// Places of an edge that are nearest to the face beyond its rings: where it goes through, and its ends.
    fn nearest(&self, [p, q]: Edge, offer: &mut impl FnMut(Apart)) {
        let height = |p: Place| dot(minus(p, self.at), self.normal);
        let (hp, hq) = (height(p), height(q));
        for (end, height) in [(p, hp), (q, hq)] {
            let foot = along(end, self.normal, -height);
            if self.holds(foot) {
                let mut found = Apart::between(end, foot);
                found.distance = height.abs();
                offer(found);
            }
        }
        if (hp < 0.0 && hq > 0.0) || (hp > 0.0 && hq < 0.0) {
            let through = along(p, minus(q, p), hp / (hp - hq));
            if self.holds(through) {
                offer(Apart::between(through, through));
            }
        }
    }

    /// Whether a place in the plane lies within the shell and no hole.
    fn holds(&self, p: Place) -> bool {
        let [u, v] = self.axes;
        let mut inside = false;
        for w in self.rings.iter().flat_map(|ring| ring.windows(2)) {
            let (a, b) = (w[0], w[1]);
            if (a[v] > p[v]) != (b[v] > p[v]) {
                let at = a[u] + (p[v] - a[v]) / (b[v] - a[v]) * (b[u] - a[u]);
                inside ^= p[u] < at;
            }
        }
        inside
    }
}

/// The nearest places of two edges (Ericson, Real-Time Collision Detection, 5.1.9).
fn between_edges([p1, q1]: Edge, [p2, q2]: Edge) -> Apart {
    let (d1, d2, r) = (minus(q1, p1), minus(q2, p2), minus(p1, p2));
    let (a, e, f) = (dot(d1, d1), dot(d2, d2), dot(d2, r));
    let (s, t) = match (a > 0.0, e > 0.0) {
        (false, false) => (0.0, 0.0),
        (false, true) => (0.0, (f / e).clamp(0.0, 1.0)),
        (true, false) => ((-dot(d1, r) / a).clamp(0.0, 1.0), 0.0),
        (true, true) => {
            let (b, c) = (dot(d1, d2), dot(d1, r));
            let denominator = a * e - b * b;
            // Of parallel edges any place of the first will do.
            let s = match denominator > 1e-14 * a * e {
                true => ((b * f - c * e) / denominator).clamp(0.0, 1.0),
                false => 0.0,
            };
            match (b * s + f) / e {
                t if t < 0.0 => ((-c / a).clamp(0.0, 1.0), 0.0),
                t if t > 1.0 => (((b - c) / a).clamp(0.0, 1.0), 1.0),
                t => (s, t),
            }
        }
    };
    let mut best = Apart::between(along(p1, d1, s), along(p2, d2, t));
    // Ends are exact.
    for found in [
        Apart::between(p1, p2),
        Apart::between(p1, q2),
        Apart::between(q1, p2),
        Apart::between(q1, q2),
    ] {
        if found.distance < best.distance {
            best = found;
        }
    }
    best
}
