//! Fewer vertices, and coarser ones.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::wkb_writer::write_geometry;
use geoflow_engine::geometry::{Body, Ordinates, Tree, wkb_to_iso};
use geoflow_engine::overlay::{Grid, on_grid};
use geoflow_engine::processing::{drop_small_areas, simplify_runs};

use super::call::Call;
use super::definition::{CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Returns, parameter};
use super::trees::tree;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_SimplifyPreserveTopology",
        aliases: &[],
        signatures: &[&[GEOM, parameter("tolerance", Kind::Number)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry with fewer vertices, by the method of Douglas and Peucker, but vertices stay without which a line or ring would come to cross itself or another of the same geometry. Nothing collapses: a ring keeps three corners.",
        empty: "EMPTY stays EMPTY. A negative tolerance is an error.",
        examples: &[(
            "ST_AsText(ST_SimplifyPreserveTopology('LINESTRING(0 0,1 0.1,2 0)', 0.5))",
            "LINESTRING(0 0,2 0)",
        )],
        evaluate: Scalar(preserve_topology),
    },
    Function {
        name: "ST_SimplifyVW",
        aliases: &[],
        signatures: &[&[GEOM, parameter("area", Kind::Number)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry with fewer vertices, by the method of Visvalingam and Whyatt: the vertex that makes the smallest triangle with its neighbours goes first, until none is smaller than `area`, in units of the CRS squared; with Z triangles are in space. The ends of lines and three corners of shells stay; holes may go. The result may be invalid.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_SimplifyVW('LINESTRING(0 0,1 0.1,2 0)', 0.5))",
            "LINESTRING(0 0,2 0)",
        )],
        evaluate: Scalar(effective_area),
    },
    Function {
        name: "ST_ReducePrecision",
        aliases: &[],
        signatures: &[&[GEOM, parameter("size", Kind::Number)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry with x and y on a grid. Polygons stay valid: edges are cut where they come to cross, parts may merge, fall apart or vanish. Lines lose coordinates that repeat. Polygons lose Z and M.",
        empty: "EMPTY stays EMPTY, and what vanishes is EMPTY. A size of 0 leaves the geometry; a negative one is an error.",
        examples: &[(
            "ST_AsText(ST_ReducePrecision('POINT(1.234 5.678)', 0.1))",
            "POINT(1.2 5.7)",
        )],
        evaluate: Scalar(reduce_precision),
    },
];

fn preserve_topology(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, tolerance) = (call.geometry(0)?, call.number(1)?);
    call.binaries(|row, out| {
        let tolerance = tolerance(row);
        if tolerance.is_nan() || tolerance < 0.0 {
            return Err(call.invalid(row, format!("the tolerance {tolerance} is negative")));
        }
        let mut tree = tree(geometry, row)?;
        let mut runs: Vec<Vec<Ordinates>> = vec![];
        tree.each_run_mut(&mut |kind, run| {
            if kind != WkbKind::Point {
                runs.push(std::mem::take(run));
            }
        });
        simplify_runs(&mut runs, tolerance);
        let mut simple = runs.into_iter();
        tree.each_run_mut(&mut |kind, run| {
            if kind != WkbKind::Point {
                *run = simple.next().unwrap_or_default();
            }
        });
        tree.write(out);
        Ok(true)
    })
}

fn effective_area(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, area) = (call.geometry(0)?, call.number(1)?);
    call.binaries(|row, out| {
        let mut tree = tree(geometry, row)?;
        drop_vertices(&mut tree, area(row));
        tree.write(out);
        Ok(true)
    })
}

fn drop_vertices(tree: &mut Tree, area: f64) {
    let z = tree.dimensions.z;
    match &mut tree.body {
        Body::Coords(line) => drop_small_areas(line, area, 2, z),
        Body::Rings(rings) => {
            for (i, ring) in rings.iter_mut().enumerate() {
                drop_small_areas(ring, area, if i == 0 { 4 } else { 0 }, z);
            }
            let mut shell = true;
            rings.retain(|ring| std::mem::take(&mut shell) || ring.len() >= 4);
        }
        Body::Parts(parts) => parts.iter_mut().for_each(|part| drop_vertices(part, area)),
    }
}

fn reduce_precision(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, size) = (call.geometry(0)?, call.number(1)?);
    call.binaries(|row, out| {
        let size = size(row);
        if size == 0.0 {
            wkb_to_iso(geometry.wkb(row)?, out).map_err(|e| geometry.invalid(row, e))?;
            return Ok(true);
        }
        let grid = Grid::new(size)
            .ok_or_else(|| call.invalid(row, format!("{size} is no size of a grid")))?;
        let mut tree = tree(geometry, row)?;
        if tree.is_empty() {
            tree.write(out);
            return Ok(true);
        }
        if holds_polygons(&tree) || tree.kind == WkbKind::GeometryCollection {
            let value = geometry.geometry(row)?;
            let reduced = on_grid(&value, |v| grid.snap(v)).ok_or_else(|| {
                call.invalid(
                    row,
                    format!("the grid of {size} is too coarse for the polygon"),
                )
            })?;
            write_geometry(&reduced, out);
            return Ok(true);
        }
        tree.each_run_mut(&mut |kind, run| {
            for c in run.iter_mut() {
                (c.x, c.y) = (grid.snap(c.x), grid.snap(c.y));
            }
            run.dedup_by(|b, a| (a.x, a.y) == (b.x, b.y));
            if kind == WkbKind::LineString && run.len() < 2 {
                run.clear();
            }
        });
        if let (Body::Parts(parts), WkbKind::MultiLineString) = (&mut tree.body, tree.kind) {
            parts.retain(|line| !line.is_empty());
        }
        tree.write(out);
        Ok(true)
    })
}

fn holds_polygons(tree: &Tree) -> bool {
    matches!(tree.kind, WkbKind::Polygon | WkbKind::MultiPolygon)
}
