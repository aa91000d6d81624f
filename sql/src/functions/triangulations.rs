//! Triangulations, what is closest to which point, and pieces of few vertices.

use arrow::array::ArrayRef;
use arrow::array::builder::BinaryViewBuilder;
use datafusion::error::Result;
use geo::{Geometry, LineString, MultiLineString, Polygon};
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_writer::write_geometry;
use geoflow_engine::processing::{Triangulation, Voronoi, subdivide, voronoi};

use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, parameter,
};
use super::hulls::in_row;

const TOLERANCE: Parameter = parameter("tolerance", Kind::Number);
const EXTEND_TO: Parameter = parameter("extend_to", Kind::Geometry);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_DelaunayTriangles",
        aliases: &[],
        signatures: &[
            &[GEOM],
            &[GEOM, TOLERANCE],
            &[GEOM, TOLERANCE, parameter("flags", Kind::Integer)],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The Delaunay triangulation of all vertices: triangles such that no circle through the corners of one holds another vertex. A collection of polygons, or with `flags` 1 a MULTILINESTRING of their sides. Four vertices on a circle have two triangulations, of which one is returned. `tolerance` must be 0: ST_ReducePrecision first merges vertices that are close. Z and M are dropped.",
        empty: "EMPTY, and vertices on one line, have no triangles; the sides are those between neighbours then.",
        examples: &[(
            "ST_NumGeometries(ST_DelaunayTriangles('MULTIPOINT((0 0),(4 0),(0 3),(5 5))'))",
            "2",
        )],
        evaluate: Scalar(triangles),
    },
    Function {
        name: "ST_VoronoiPolygons",
        aliases: &["ST_VoronoiDiagram"],
        signatures: &[&[GEOM], &[GEOM, TOLERANCE], &[GEOM, TOLERANCE, EXTEND_TO]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "For every vertex the polygon of all places that are closest to it, as a collection; in the bounding box, grown by its longer side in every direction and by the box of `extend_to`. `tolerance` must be 0: ST_ReducePrecision first merges vertices that are close. Z and M are dropped.",
        empty: "Fewer than two places give GEOMETRYCOLLECTION EMPTY.",
        examples: &[(
            "ST_AsText(ST_GeometryN(ST_VoronoiPolygons('MULTIPOINT((0 0),(4 0))'), 1))",
            "POLYGON((-4 -4,-4 4,2 4,2 -4,-4 -4))",
        )],
        evaluate: Scalar(voronoi_polygons),
    },
    Function {
        name: "ST_VoronoiLines",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, TOLERANCE], &[GEOM, TOLERANCE, EXTEND_TO]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The lines that separate the polygons of ST_VoronoiPolygons, as a MULTILINESTRING.",
        empty: "Fewer than two places give GEOMETRYCOLLECTION EMPTY.",
        examples: &[(
            "ST_AsText(ST_VoronoiLines('MULTIPOINT((0 0),(4 0))'))",
            "MULTILINESTRING((2 -4,2 4))",
        )],
        evaluate: Scalar(voronoi_lines),
    },
    Function {
        name: "ST_Subdivide",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, parameter("max_vertices", Kind::Integer)]],
        returns: Returns::List(&Returns::Geometry(CrsRule::Arguments)),
        about: "The geometry in pieces of no more than `max_vertices` vertices (256 without it, 5 at least), as a list: bounding boxes are cut near their middle until that is so. One row for each: `SELECT unnest(ST_Subdivide(geom, 100))`. Z and M are dropped.",
        empty: "EMPTY has no pieces.",
        examples: &[(
            "cardinality(ST_Subdivide(ST_Buffer('POINT(0 0)', 1), 12))",
            "5",
        )],
        evaluate: Scalar(pieces),
    },
];

/// A tolerance is there for the sake of PostGIS' signatures, and 0.
fn no_tolerance(call: &Call<'_>) -> Result<impl Fn(usize) -> Result<(), Error>> {
    let tolerance = match call.arity() {
        0 | 1 => None,
        _ => Some(call.number(1)?),
    };
    Ok(
        move |row| {
            match tolerance.as_ref().map_or(0.0, |t| t(row)) {
        0.0 => Ok(()),
        other => Err(call.invalid(
            row,
            format!("the tolerance {other} is not 0: ST_ReducePrecision merges vertices that are close"),
        )),
    }
        },
    )
}

fn triangles(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, check) = (call.geometry(0)?, no_tolerance(call)?);
    let flags = match call.arity() {
        3 => Some(call.integer(2)?),
        _ => None,
    };
    call.binaries(|row, out| {
        check(row)?;
        let made = Triangulation::new(geometry.geometry(row)?.as_ref());
        let made = made.map_err(|e| in_row(call, row, e))?;
        let result = match flags.as_ref().map_or(0, |flags| flags(row)) {
            0 => {
                let polygon = |[a, b, c]: [geo::Coord<f64>; 3]| {
                    Geometry::Polygon(Polygon::new(LineString(vec![a, c, b, a]), vec![]))
                };
                let all: Vec<Geometry<f64>> = made.triangles().map(polygon).collect();
                Geometry::GeometryCollection(all.into())
            }
            1 => lines(made.edges().into_iter()),
            other => {
                return Err(call.invalid(
                    row,
                    format!("flags is {other}: 0 makes polygons, 1 makes lines"),
                ));
            }
        };
        write_geometry(&result, out);
        Ok(true)
    })
}

fn lines(all: impl Iterator<Item = [geo::Coord<f64>; 2]>) -> Geometry<f64> {
    let lines = all.map(|ends| LineString(ends.to_vec())).collect();
    Geometry::MultiLineString(MultiLineString(lines))
}

fn voronoi_polygons(call: &Call<'_>) -> Result<ArrayRef> {
    diagram(call, |made| {
        let cells: Vec<Geometry<f64>> = made.cells.into_iter().map(Geometry::Polygon).collect();
        Geometry::GeometryCollection(cells.into())
    })
}

fn voronoi_lines(call: &Call<'_>) -> Result<ArrayRef> {
    diagram(call, |made| match made.cells.is_empty() {
        true => Geometry::GeometryCollection(Default::default()),
        false => lines(made.borders.into_iter()),
    })
}

fn diagram(call: &Call<'_>, result: impl Fn(Voronoi) -> Geometry<f64>) -> Result<ArrayRef> {
    let (geometry, check) = (call.geometry(0)?, no_tolerance(call)?);
    let extend = match call.arity() {
        3 => Some(call.geometry(2)?),
        _ => None,
    };
    call.binaries(|row, out| {
        check(row)?;
        let extend = extend.map(|extend| extend.bounds(row)).transpose()?;
        let made = voronoi(geometry.geometry(row)?.as_ref(), extend);
        let made = made.map_err(|e| in_row(call, row, e))?;
        write_geometry(&result(made), out);
        Ok(true)
    })
}

fn pieces(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let most = match call.arity() {
        2 => Some(call.integer(1)?),
        _ => None,
    };
    let mut bytes = vec![];
    call.lists(BinaryViewBuilder::new(), |row, out| {
        let most = most.as_ref().map_or(256, |most| most(row));
        let most = usize::try_from(most).unwrap_or(0);
        if most < 5 {
            return Err(call.invalid(row, format!("max_vertices is {most}: it is 5 at least")));
        }
        for piece in subdivide(geometry.geometry(row)?.as_ref(), most) {
            bytes.clear();
            write_geometry(&piece, &mut bytes);
            out.try_append_value(&bytes)
                .map_err(|e| Error::Data(e.to_string()))?;
        }
        Ok(())
    })
}
