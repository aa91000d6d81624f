//! Tables of squares and hexagons.

use std::sync::Arc;

use arrow::array::builder::BinaryViewBuilder;
use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DFSchema, plan_err};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;
use geo::{Coord, Geometry, LineString, Polygon};
use geoflow_engine::Error;
use geoflow_engine::geometry::Bounds;
use geoflow_engine::geometry::wkb_writer::{write_geometry, write_rectangle};

use super::args::GeometryArg;
use super::definition::{CrsRule, Evaluate::Table, Function, Kind, Parameter, Returns, parameter};
use super::planning;

const SIZE: Parameter = parameter("size", Kind::Number);
const BOUNDS: Parameter = parameter("bounds", Kind::Geometry);
const CELLS: Returns = Returns::Table(&[
    ("geom", Returns::Geometry(CrsRule::Arguments)),
    ("i", Returns::Integer),
    ("j", Returns::Integer),
]);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_SquareGrid",
        aliases: &[],
        signatures: &[&[SIZE, BOUNDS]],
        returns: CELLS,
        about: "The squares with sides of `size` that cover the bounding box of `bounds`, with their column `i` and row `j`. The grid starts at the origin of the CRS, so that grids of the same size fit together.",
        empty: "EMPTY bounds have no squares. A size that is not positive is an error.",
        examples: &[(
            "ST_AsText(geom), i, j FROM ST_SquareGrid(2, ST_MakeEnvelope(0.5, 0.5, 3, 1)) ORDER BY i, j",
            "POLYGON((0 0,0 2,2 2,2 0,0 0)), 0, 0\nPOLYGON((2 0,2 2,4 2,4 0,2 0)), 1, 0",
        )],
        evaluate: Table(|| Arc::new(Squares)),
    },
    Function {
        name: "ST_HexagonGrid",
        aliases: &[],
        signatures: &[&[SIZE, BOUNDS]],
        returns: CELLS,
        about: "The hexagons with sides of `size`, a corner to the left and one to the right, that cover the bounding box of `bounds`, with their column `i` and row `j`. The grid has the centre of a hexagon at the origin of the CRS.",
        empty: "EMPTY bounds have no hexagons. A size that is not positive is an error.",
        examples: &[(
            "count(*) FROM ST_HexagonGrid(1, ST_MakeEnvelope(0, 0, 7, 9))",
            "36",
        )],
        evaluate: Table(|| Arc::new(Hexagons)),
    },
];

#[derive(Debug)]
struct Squares;

impl TableFunctionImpl for Squares {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        grid(&FUNCTIONS[0], args.exprs(), |size, bounds| {
            let columns = range(bounds.min_x / size, bounds.max_x / size)?;
            let rows = range(bounds.min_y / size, bounds.max_y / size)?;
            Ok(Cells {
                shape: Shape::Square,
                size,
                columns,
                even: rows,
                odd: rows,
            })
        })
    }
}

/// Half the height of a hexagon with sides of 1.
const HALF: f64 = 0.866_025_403_784_438_6;

#[derive(Debug)]
struct Hexagons;

impl TableFunctionImpl for Hexagons {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        grid(&FUNCTIONS[1], args.exprs(), |size, bounds| {
            let (across, up) = (1.5 * size, 2.0 * HALF * size);
            // Columns overlap: one that begins before the box reaches into it up to its corner.
            let (mut first, _) = range(bounds.min_x / across, bounds.min_x / across)?;
            if bounds.min_x - f64::from(first) * across > size {
                first += 1;
            }
            let last = (bounds.max_x / across).ceil();
            let (mut last, _) = range(last, last)?;
            if f64::from(last) * across - bounds.max_x > size {
                last -= 1;
            }
            let (low, high) = (bounds.min_y / up, bounds.max_y / up);
            Ok(Cells {
                shape: Shape::Hexagon,
                size,
                columns: (first, last),
                even: range(low + 0.5, high + 0.5)?,
                odd: range(low, high)?,
            })
        })
    }
}

/// The whole numbers at and below two places.
fn range(low: f64, high: f64) -> Result<(i32, i32)> {
    let whole = |v: f64| {
        let v = v.floor();
        match v.abs() < f64::from(i32::MAX) {
            true => Ok(v as i32),
            false => {
                plan_err!("the grid is too fine: its columns or rows are beyond the numbers of INT")
            }
        }
    };
    Ok((whole(low)?, whole(high)?))
}

/// Which cells a grid has.
#[derive(Debug, Clone, Copy)]
struct Cells {
    shape: Shape,
    size: f64,
    columns: (i32, i32),
    /// Rows of columns with an even number.
    even: (i32, i32),
    odd: (i32, i32),
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Square,
    Hexagon,
}

impl Cells {
    fn rows(&self, column: i32) -> (i32, i32) {
        match column % 2 {
            0 => self.even,
            _ => self.odd,
        }
    }

    /// All cells, column by column.
    fn all(self) -> impl Iterator<Item = (i32, i32)> {
        (self.columns.0..=self.columns.1).flat_map(move |i| {
            let (first, last) = self.rows(i);
            (first..=last).map(move |j| (i, j))
        })
    }

    fn write(&self, i: i32, j: i32, out: &mut Vec<u8>) {
        let size = self.size;
        match self.shape {
            Shape::Square => {
                let corner = |i: f64, j: f64| Coord {
                    x: size * i,
                    y: size * j,
                };
                let (i, j) = (f64::from(i), f64::from(j));
                write_rectangle(corner(i, j), corner(i + 1.0, j + 1.0), out);
            }
            Shape::Hexagon => {
                const X: [f64; 7] = [-1.0, -0.5, 0.5, 1.0, 0.5, -0.5, -1.0];
                const Y: [f64; 7] = [0.0, -0.5, -0.5, 0.0, 0.5, 0.5, 0.0];
                let height = size * 2.0 * HALF;
                let shift = if i % 2 == 0 { 0.0 } else { 0.5 };
                let corner = |k: usize| Coord {
                    x: size * (1.5 * f64::from(i) + X[k]),
                    y: height * (f64::from(j) + shift + Y[k]),
                };
                let ring = LineString((0..7).map(corner).collect());
                write_geometry(&Geometry::Polygon(Polygon::new(ring, vec![])), out);
            }
        }
    }
}

/// The table of a grid.
fn grid(
    function: &'static Function,
    exprs: &[Expr],
    cells: impl Fn(f64, Bounds) -> Result<Cells>,
) -> Result<Arc<dyn TableProvider>> {
    let empty = DFSchema::empty();
    let fields = exprs
        .iter()
        .map(|expr| Ok(expr.to_field(&empty)?.1))
        .collect::<Result<Vec<FieldRef>>>();
    let Ok(fields) = fields else {
        return plan_err!(
            "the arguments of {} are constants, no columns",
            function.name
        );
    };
    planning::matching_signature(function, &fields)?;
    let (size, bounds) = match exprs {
        [Expr::Literal(size, _), Expr::Literal(bounds, _)] => (size, bounds),
        _ => return plan_err!("the arguments of {} must be constants", function.name),
    };
    if size.is_null() || bounds.is_null() {
        return plan_err!("an argument of {} is NULL", function.name);
    }
    let size = match size.cast_to(&arrow::datatypes::DataType::Float64)? {
        datafusion::common::ScalarValue::Float64(Some(size)) if size > 0.0 && size.is_finite() => {
            size
        }
        other => return plan_err!("{}: {other} is no size of a cell", function.name),
    };
    let bounds = GeometryArg::try_new(&bounds.to_array_of_size(1)?, &fields[1], true)?;
    let field = planning::field("cells", &function.returns, bounds.crs());
    let arrow::datatypes::DataType::Struct(columns) = field.data_type() else {
        return Err(Error::Internal("a grid has no columns".into()).into());
    };
    let schema = Arc::new(Schema::new(columns.clone()));
    let bounds = bounds.bounds(0)?;
    let stream = Grid {
        schema: Arc::clone(&schema),
        cells: match bounds.is_empty() {
            true => None,
            false => Some(cells(size, bounds)?),
        },
    };
    let table = StreamingTable::try_new(schema, vec![Arc::new(stream)])?;
    Ok(Arc::new(table))
}

/// Makes cells batch by batch: a grid may be larger than memory.
#[derive(Debug)]
struct Grid {
    schema: SchemaRef,
    /// `None` without any.
    cells: Option<Cells>,
}

impl PartitionStream for Grid {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = context.session_config().batch_size();
        let (schema, cells) = (Arc::clone(&self.schema), self.cells);
        let mut all = cells.into_iter().flat_map(Cells::all);
        let batches = std::iter::from_fn(move || {
            let some: Vec<(i32, i32)> = all.by_ref().take(rows).collect();
            let cells = cells.filter(|_| !some.is_empty())?;
            Some(batch(&schema, &cells, &some))
        });
        let schema = Arc::clone(&self.schema);
        Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches)))
    }
}

fn batch(schema: &SchemaRef, cells: &Cells, some: &[(i32, i32)]) -> Result<RecordBatch> {
    let mut geometries = BinaryViewBuilder::with_capacity(some.len());
    let mut bytes = vec![];
    for (i, j) in some {
        bytes.clear();
        cells.write(*i, *j, &mut bytes);
        geometries.try_append_value(&bytes)?;
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(geometries.finish()),
        Arc::new(Int32Array::from_iter_values(some.iter().map(|(i, _)| *i))),
        Arc::new(Int32Array::from_iter_values(some.iter().map(|(_, j)| *j))),
    ];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
