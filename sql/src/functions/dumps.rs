//! The parts of a geometry as a list, each with its path: how far one has to count, part by part.

use std::sync::Arc;

use arrow::array::builder::{BinaryViewBuilder, Int32Builder, ListBuilder};
use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::{Body, Ordinates, Tree};

use super::call::{Call, Items};
use super::definition::{CrsRule, Evaluate::Scalar, Function, GEOM, Returns};
use super::trees::tree;

/// What each item is.
const PART: Returns = Returns::Struct(&[
    ("path", Returns::List(&Returns::Integer)),
    ("geom", Returns::Geometry(CrsRule::Arguments)),
]);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Dump",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::List(&PART),
        about: "The parts of a multi geometry or collection, and the parts of these, as a list of structs of `path` (the number of the part, counted from 1, at each level) and `geom`. One row for each: `SELECT unnest(ST_Dump(geom))['geom']`. A point, line or polygon is its only part, with an empty path.",
        empty: "EMPTY has no parts; an EMPTY part is one.",
        examples: &[
            (
                "ST_AsText(ST_Dump('MULTIPOINT((1 2),(3 4))')[2]['geom'])",
                "POINT(3 4)",
            ),
            (
                "d['path'], ST_AsText(d['geom']) FROM (SELECT unnest(ST_Dump('MULTIPOINT((1 2),(3 4))')) AS d)",
                "[1], POINT(1 2)\n[2], POINT(3 4)",
            ),
        ],
        evaluate: Scalar(|call| dump(call, parts)),
    },
    Function {
        name: "ST_DumpPoints",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::List(&PART),
        about: "The coordinates of a geometry as points, a list of structs of `path` (part, ring and point, counted from 1, as far as there are any) and `geom`.",
        empty: "EMPTY has none.",
        examples: &[(
            "ST_AsText(ST_DumpPoints('LINESTRING(0 0,1 2)')[2]['geom'])",
            "POINT(1 2)",
        )],
        evaluate: Scalar(|call| dump(call, points)),
    },
    Function {
        name: "ST_DumpRings",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::List(&PART),
        about: "The rings of a POLYGON as polygons without holes, a list of structs of `path` (0 for the shell) and `geom`; no items for any other type.",
        empty: "EMPTY has none.",
        examples: &[(
            "ST_AsText(ST_DumpRings('POLYGON((0 0,9 0,9 9,0 0),(5 1,6 1,6 2,5 1))')[2]['geom'])",
            "POLYGON((5 1,6 1,6 2,5 1))",
        )],
        evaluate: Scalar(|call| dump(call, rings)),
    },
    Function {
        name: "ST_DumpSegments",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::List(&PART),
        about: "The edges of lines and rings as lines of two vertices, a list of structs of `path` (part, ring and edge, counted from 1, as far as there are any) and `geom`; no items for points.",
        empty: "EMPTY has none.",
        examples: &[(
            "ST_AsText(ST_DumpSegments('LINESTRING(0 0,1 2,3 4)')[2]['geom'])",
            "LINESTRING(1 2,3 4)",
        )],
        evaluate: Scalar(|call| dump(call, segments)),
    },
];

/// Geometries with their paths.
struct Parts {
    paths: ListBuilder<Int32Builder>,
    geometries: BinaryViewBuilder,
    buffer: Vec<u8>,
    count: usize,
}

impl Parts {
    fn push(&mut self, path: &[i32], part: &Tree) -> Result<(), Error> {
        self.buffer.clear();
        part.write(&mut self.buffer);
        self.paths.values().append_slice(path);
        self.paths.append(true);
        self.geometries
            .try_append_value(&self.buffer)
            .map_err(|e| Error::Data(e.to_string()))?;
        self.count += 1;
        Ok(())
    }
}

impl Items for Parts {
    fn count(&self) -> usize {
        self.count
    }

    fn into_array(mut self) -> Result<ArrayRef> {
        let paths = self.paths.finish();
        let field =
            |name: &str, data_type: &DataType| Arc::new(Field::new(name, data_type.clone(), true));
        let fields = vec![
            field("path", arrow::array::Array::data_type(&paths)),
            field("geom", &DataType::BinaryView),
        ];
        let columns: Vec<ArrayRef> = vec![Arc::new(paths), Arc::new(self.geometries.finish())];
        Ok(Arc::new(StructArray::try_new(
            fields.into(),
            columns,
            None,
        )?))
    }
}

type Walk = fn(&Tree, &mut Vec<i32>, &mut Parts) -> Result<(), Error>;

fn dump(call: &Call<'_>, walk: Walk) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let parts = Parts {
        paths: ListBuilder::new(Int32Builder::new()),
        geometries: BinaryViewBuilder::new(),
        buffer: vec![],
        count: 0,
    };
    call.lists(parts, |row, parts| {
        let tree = tree(geometry, row)?;
        match tree.is_empty() {
            true => Ok(()),
            false => walk(&tree, &mut vec![], parts),
        }
    })
}

/// Visits `all` with the number of each at the end of the path.
fn numbered<T>(
    all: &[T],
    path: &mut Vec<i32>,
    mut visit: impl FnMut(&T, &mut Vec<i32>) -> Result<(), Error>,
) -> Result<(), Error> {
    for (number, one) in (1..).zip(all) {
        path.push(number);
        visit(one, path)?;
        path.pop();
    }
    Ok(())
}

fn parts(tree: &Tree, path: &mut Vec<i32>, out: &mut Parts) -> Result<(), Error> {
    match &tree.body {
        Body::Parts(all) => numbered(all, path, |part, path| parts(part, path, out)),
        _ => out.push(path, tree),
    }
}

fn points(tree: &Tree, path: &mut Vec<i32>, out: &mut Parts) -> Result<(), Error> {
    let dimensions = tree.dimensions;
    match &tree.body {
        Body::Parts(all) => numbered(all, path, |part, path| points(part, path, out)),
        Body::Rings(rings) => numbered(rings, path, |ring, path| {
            numbered(ring, path, |c, path| {
                out.push(path, &Tree::point(*c, dimensions))
            })
        }),
        Body::Coords(coords) => numbered(coords, path, |c, path| {
            out.push(path, &Tree::point(*c, dimensions))
        }),
    }
}

fn segments(tree: &Tree, path: &mut Vec<i32>, out: &mut Parts) -> Result<(), Error> {
    let dimensions = tree.dimensions;
    let edges = |run: &[Ordinates], path: &mut Vec<i32>, out: &mut Parts| {
        let edges: Vec<&[Ordinates]> = run.windows(2).collect();
        numbered(&edges, path, |edge, path| {
            out.push(path, &Tree::line(edge.to_vec(), dimensions))
        })
    };
    match &tree.body {
        Body::Parts(all) => numbered(all, path, |part, path| segments(part, path, out)),
        Body::Rings(rings) => numbered(rings, path, |ring, path| edges(ring, path, out)),
        Body::Coords(coords) => edges(coords, path, out),
    }
}

fn rings(tree: &Tree, _: &mut Vec<i32>, out: &mut Parts) -> Result<(), Error> {
    for (number, ring) in (0..).zip(tree.rings()) {
        let ring = Tree::polygon(vec![ring.clone()], tree.dimensions);
        out.push(&[number], &ring)?;
    }
    Ok(())
}
