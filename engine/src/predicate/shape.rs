//! A decoded geometry in flat storage, the form in which all predicates are decided.
//!
//! ```text
//!  coords  a b c d a | e f g e          rings (or lines) one after the other, rings closed
//!  starts  0           5         9      edge i runs from coords[i] to coords[i + 1];
//!                                       the last vertex of a chain starts none
//! ```

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering as Memory};
use std::sync::{Arc, OnceLock};

use geo_types::Coord;

use super::ledger::Ledger;
use super::matrix::Location;
use super::options::Build;
use super::orient::{compare, on_segment, orient};
use super::raster::{self, Raster};
use super::stripes::Stripes;
use crate::geometry::Bounds;

/// The dimension of a geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// One or more points.
    Point,
    /// One or more lines.
    Line,
    /// One or more polygons whose interiors share nothing.
    Area,
}

/// Points, lines or polygons: one kind, never empty.
///
/// - points: sorted by x and y, each once; no chains
/// - lines: no edge has length zero
/// - polygons: no edge has length zero, and the interior lies left of every edge (exterior rings
///   run counterclockwise, holes clockwise), if the polygon is valid
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) bounds: Bounds,
    pub(crate) coords: Vec<Coord<f64>>,
    /// Where chains start, and the end of the last.
    pub(crate) starts: Vec<u32>,
    /// Boundary points of lines, sorted: those that end an odd number of them.
    pub(crate) ends: Vec<Coord<f64>>,
    stripes: OnceLock<Stripes>,
    raster: OnceLock<Option<Raster>>,
    /// Times that all edges were looked at for want of an index, and points that asked. Threads
    /// may lose counts to one another: they only decide when an index is built.
    scans: AtomicU32,
    probes: AtomicU32,
    may_index: bool,
    ledger: Option<Arc<Ledger>>,
}

/// Looks at all edges that cost about as much as an index does.
const SCANS_PER_INDEX: u32 = 8;
/// Edges up to which looking at all is as good as an index.
pub(crate) const FEW_EDGES: usize = 24;

impl Shape {
    /// Takes points, at least one.
    pub(crate) fn points(mut coords: Vec<Coord<f64>>) -> Self {
        coords.sort_unstable_by(|a, b| compare(*a, *b));
        coords.dedup();
        Self::new(Kind::Point, coords, vec![])
    }

    /// Takes chains of at least two vertices each: lines, or closed rings in the right direction.
    pub(crate) fn chains(kind: Kind, coords: Vec<Coord<f64>>, starts: Vec<u32>) -> Self {
        let mut shape = Self::new(kind, coords, starts);
        if kind == Kind::Line {
            shape.ends = odd_ends(&shape);
        }
        shape
    }

    fn new(kind: Kind, coords: Vec<Coord<f64>>, starts: Vec<u32>) -> Self {
        Self {
            kind,
            bounds: bounds_of(&coords),
            coords,
            starts,
            ends: vec![],
            stripes: OnceLock::new(),
            raster: OnceLock::new(),
            scans: AtomicU32::new(0),
            probes: AtomicU32::new(0),
            may_index: true,
            ledger: None,
        }
    }

    /// Counts this shape's memory, now and as indexes are added, in `ledger`.
    pub(crate) fn count_in(&mut self, ledger: &Arc<Ledger>) {
        ledger.add(
            size_of::<Self>()
                + (self.coords.capacity() + self.ends.capacity()) * size_of::<Coord<f64>>()
                + self.starts.capacity() * size_of::<u32>(),
        );
        self.ledger = Some(Arc::clone(ledger));
    }

    /// Has the edge index built at once, as soon as it pays (which is what happens unasked), or
    /// never.
    pub(crate) fn index_edges(&mut self, when: Build) {
        self.may_index = when != Build::Never;
        if when == Build::Always {
            self.stripes();
        }
    }

    fn count(&self, bytes: usize) {
        if let Some(ledger) = &self.ledger {
            ledger.add(bytes);
        }
    }

    fn memory_is_full(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.is_full())
    }

    /// Number of chains.
    pub(crate) fn chain_count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The vertices of a chain, as a range of `coords`.
    pub(crate) fn chain(&self, chain: usize) -> std::ops::Range<usize> {
        self.starts[chain] as usize..self.starts[chain + 1] as usize
    }

    /// The chain of a vertex.
    pub(crate) fn chain_of(&self, vertex: usize) -> usize {
        self.starts.partition_point(|&s| s as usize <= vertex) - 1
    }

    /// Number of edges.
    pub(crate) fn edge_count(&self) -> usize {
        self.coords.len().saturating_sub(self.chain_count())
    }

    /// The two ends of an edge.
    #[inline]
    pub(crate) fn edge(&self, edge: usize) -> (Coord<f64>, Coord<f64>) {
        (self.coords[edge], self.coords[edge + 1])
    }

    /// All edges.
    pub(crate) fn edges(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.chain_count()).flat_map(|chain| {
            let range = self.chain(chain);
            range.start..range.end - 1
        })
    }

    /// The two ends of all edges, in the order of [`Shape::edges`].
    pub(crate) fn segments(&self) -> impl Iterator<Item = (Coord<f64>, Coord<f64>)> + '_ {
        (0..self.chain_count()).flat_map(|chain| {
            self.coords[self.chain(chain)]
                .windows(2)
                .map(|w| (w[0], w[1]))
        })
    }

    /// The edge index, built now if need be.
    pub(crate) fn stripes(&self) -> &Stripes {
        self.stripes.get_or_init(|| {
            let stripes = Stripes::new(self);
            self.count(stripes.bytes());
            stripes
        })
    }

    /// The raster, built now if need be; `None` where the shape is no area or too flat for one.
    pub(crate) fn raster(&self) -> Option<&Raster> {
        self.raster
            .get_or_init(|| {
                let raster = Raster::new(self)?;
                self.count(raster.bytes());
                Some(raster)
            })
            .as_ref()
    }

    /// The raster if it is there.
    #[inline]
    pub(crate) fn built_raster(&self) -> Option<&Raster> {
        self.raster.get().and_then(Option::as_ref)
    }

    /// Whether looking at all edges is as good as an index, and there is none.
    #[inline]
    pub(crate) fn is_small(&self) -> bool {
        self.edge_count() <= FEW_EDGES && self.stripes.get().is_none()
    }

    /// The edge index, if it is there, or if so many more looks at all edges make it pay.
    pub(crate) fn index_for(&self, scans: usize) -> Option<&Stripes> {
        let there = self.stripes.get();
        if there.is_some() || !self.may_index || self.edge_count() <= FEW_EDGES {
            return there;
        }
        let scans = add(&self.scans, scans);
        (scans > SCANS_PER_INDEX && !self.memory_is_full()).then(|| self.stripes())
    }

    /// Counts points that ask where they lie; builds the raster when it is time.
    #[inline]
    pub(crate) fn ask(&self, probes: usize, raster: Build) {
        if self.kind == Kind::Area && self.raster.get().is_none() {
            let probes = add(&self.probes, probes) as usize;
            if raster.is_due(|| self.raster_pays(probes)) && !self.memory_is_full() {
                self.raster();
            }
        }
    }

    fn raster_pays(&self, probes: usize) -> bool {
        let edges = self.edge_count();
        let side = raster::side_for(edges);
        edges > 4 && probes > 32 + edges / 2 + side * side / 32
    }

    /// Where `p` lies, exactly: interior, boundary (mod-2 rule for lines) or exterior.
    pub(crate) fn locate(&self, p: Coord<f64>) -> Location {
        if !self.bounds.contains(&Bounds::point(p.x, p.y)) {
            return Location::Exterior;
        }
        match self.kind {
            Kind::Point => match find(&self.coords, p) {
                true => Location::Interior,
                false => Location::Exterior,
            },
            Kind::Line if self.is_end(p) => Location::Boundary,
            Kind::Line => match self.any_edge_at(p.y, |a, b| on_segment(a, b, p)) {
                true => Location::Interior,
                false => Location::Exterior,
            },
            Kind::Area => {
                let mut inside = false;
                let on_edge = self.any_edge_at(p.y, |a, b| passes(a, b, p, &mut inside));
                located(on_edge, inside)
            }
        }
    }

    /// Whether `p` is a boundary point of these lines.
    pub(crate) fn is_end(&self, p: Coord<f64>) -> bool {
        find(&self.ends, p)
    }

    /// Whether `test` holds for an edge; all edges at height `y` are asked, maybe others too.
    #[inline]
    fn any_edge_at(&self, y: f64, mut test: impl FnMut(Coord<f64>, Coord<f64>) -> bool) -> bool {
        if let Some(stripes) = self.index_for(1) {
            let found = stripes.visit_at(y, |edge| {
                let (a, b) = self.edge(edge);
                match test(a, b) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            return found.is_break();
        }
        (0..self.chain_count()).any(|chain| {
            self.coords[self.chain(chain)]
                .windows(2)
                .any(|w| test(w[0], w[1]))
        })
    }

    /// Visits edges that may come within `reach` of the heights `low..=high`, nearest stripes
    /// first, maybe some twice. The visitor sets a smaller reach as it goes, or breaks.
    pub(crate) fn edges_near(
        &self,
        low: f64,
        high: f64,
        mut reach: f64,
        mut visit: impl FnMut(usize, f64) -> ControlFlow<(), f64>,
    ) {
        let Some(stripes) = self.index_for(1) else {
            for edge in self.edges() {
                match visit(edge, reach) {
                    ControlFlow::Break(()) => return,
                    ControlFlow::Continue(smaller) => reach = smaller,
                }
            }
            return;
        };
        let mut visit_stripe = |stripe: usize, reach: &mut f64| {
            let visited = stripes.visit(stripe, |edge| {
                *reach = visit(edge, *reach)?;
                ControlFlow::Continue(())
            });
            visited.is_continue()
        };
        let (first, last) = (stripes.index(low), stripes.index(high));
        if !(first..=last).all(|stripe| visit_stripe(stripe, &mut reach)) {
            return;
        }
        for step in 1..stripes.len() {
            let mut near = false;
            if step <= first && stripes.gap_below(first - step, low) <= reach {
                near = true;
                if !visit_stripe(first - step, &mut reach) {
                    return;
                }
            }
            if last + step < stripes.len() && stripes.gap_above(last + step, high) <= reach {
                near = true;
                if !visit_stripe(last + step, &mut reach) {
                    return;
                }
            }
            if !near {
                return;
            }
        }
    }

    /// The edges that pass through `p`: maybe twice, in no order.
    pub(crate) fn edges_through(&self, p: Coord<f64>, mut visit: impl FnMut(usize)) {
        let mut check = |edge: usize| {
            let (a, b) = self.edge(edge);
            if on_segment(a, b, p) {
                visit(edge);
            }
        };
        match self.index_for(1) {
            Some(stripes) => {
                let _ = stripes.visit_at(p.y, |edge| {
                    check(edge);
                    ControlFlow::Continue(())
                });
            }
            None => self.edges().for_each(check),
        }
    }
}

/// As [`Bounds::add`], without its care for NaN: none comes here, and this runs twice as fast.
fn bounds_of(coords: &[Coord<f64>]) -> Bounds {
    let mut all = Bounds::EMPTY;
    for c in coords {
        all.min_x = if c.x < all.min_x { c.x } else { all.min_x };
        all.min_y = if c.y < all.min_y { c.y } else { all.min_y };
        all.max_x = if c.x > all.max_x { c.x } else { all.max_x };
        all.max_y = if c.y > all.max_y { c.y } else { all.max_y };
    }
    all
}

/// Adds to a count; the sum.
fn add(count: &AtomicU32, more: usize) -> u32 {
    let more = u32::try_from(more).unwrap_or(u32::MAX);
    let sum = count.load(Memory::Relaxed).saturating_add(more);
    count.store(sum, Memory::Relaxed);
    sum
}

fn find(sorted: &[Coord<f64>], p: Coord<f64>) -> bool {
    sorted.binary_search_by(|c| compare(*c, p)).is_ok()
}

fn located(on_edge: bool, inside: bool) -> Location {
    match on_edge {
        true => Location::Boundary,
        false if inside => Location::Interior,
        false => Location::Exterior,
    }
}

/// Where `p` lies in the area of one ring, exactly.
#[inline]
pub(super) fn locate_in_ring(p: Coord<f64>, ring: &[Coord<f64>]) -> Location {
    let mut inside = false;
    let mut edges = ring.windows(2);
    let on_edge = edges.any(|edge| passes(edge[0], edge[1], p, &mut inside));
    located(on_edge, inside)
}

/// One step of ray crossing, the ray running from `p` towards greater x. Flips `inside` where the
/// ray crosses the edge; true if `p` lies on the edge, its end `b` excepted (another edge starts
/// there).
#[inline]
fn passes(a: Coord<f64>, b: Coord<f64>, p: Coord<f64>, inside: &mut bool) -> bool {
    if (a.y > p.y) == (b.y > p.y) {
        return a == p || (a.y == p.y && b.y == p.y && p.x >= a.x.min(b.x) && p.x <= a.x.max(b.x));
    }
    if p.x > a.x.max(b.x) {
        return false;
    }
    if p.x < a.x.min(b.x) {
        *inside = !*inside;
        return false;
    }
    match orient(a, b, p).partial_cmp(&0.0) {
        Some(Ordering::Equal) => return true,
        Some(Ordering::Greater) if b.y > a.y => *inside = !*inside,
        Some(Ordering::Less) if b.y < a.y => *inside = !*inside,
        _ => {}
    }
    false
}

/// The points that end an odd number of lines, sorted.
fn odd_ends(shape: &Shape) -> Vec<Coord<f64>> {
    let mut all = Vec::with_capacity(shape.chain_count() * 2);
    for chain in 0..shape.chain_count() {
        let range = shape.chain(chain);
        all.push(shape.coords[range.start]);
        all.push(shape.coords[range.end - 1]);
    }
    all.sort_unstable_by(|a, b| compare(*a, *b));
    all.chunk_by(|a, b| a == b)
        .filter(|run| run.len() % 2 == 1)
        .map(|run| run[0])
        .collect()
}
