//! The plan that brings rows into the order of their files.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::{DataType, Schema};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::physical_plan::FileSinkConfig;
use datafusion::datasource::sink::DataSinkExec;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    LexRequirement, PhysicalExprRef, PhysicalSortRequirement, ScalarFunctionExpr,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;

use super::OutputOptions;
use super::geometry_columns;
use super::sink::{GeoParquetSink, partition_columns};
use crate::Error;
use crate::geometry::{GeometryArray, GeometryType};
use crate::tiling::{CellGrid, Cells, HilbertSortExec, KdCellExec};

/// The plan that writes `input`.
///
/// ```text
///  input ──> + cell ──> sort by partition, cell, place ──> sink
///           (cells)    (as far as they are asked for)
/// ```
///
/// # Errors
/// What cannot be written is refused before anything runs.
pub(super) fn write_plan(
    mut input: Arc<dyn ExecutionPlan>,
    config: &FileSinkConfig,
    parquet: &TableParquetOptions,
    output: &OutputOptions,
    order: Option<LexRequirement>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let labelled = labelled_schema(&input.schema(), config);
    let mut partition = partition_columns(config, &labelled)?;
    let geometry = geometry_columns(&labelled)?.first().copied();
    let needed = |what: &str| {
        geometry.ok_or_else(|| {
            Error::Statement(format!(
                "{what} needs a geometry column, and the rows have none: make one with ST_GeomFromWKB or ST_Point"
            ))
        })
    };
    if let Some(cells) = output.cells {
        let geometry = needed("cells")?;
        partition.push(labelled.fields().len());
        input = with_cells(input, &labelled, geometry, cells)?;
    }
    let mut order = order;
    if output.hilbert {
        let geometry = needed("sort_by 'hilbert'")?;
        input = Arc::new(HilbertSortExec::try_new(
            input,
            geometry,
            partition.clone(),
        )?);
        order = None;
    } else if !partition.is_empty() {
        let schema = input.schema();
        let by = partition.iter().map(|i| {
            let column: PhysicalExprRef = Arc::new(Column::new(schema.field(*i).name(), *i));
            PhysicalSortRequirement::new(column, None)
        });
        let then = order.into_iter().flatten();
        order = LexRequirement::new(by.chain(then));
    }
    let mut schema = labelled;
    if output.cells.is_some() {
        let mut fields = schema.fields().to_vec();
        fields.extend(input.schema().fields().last().cloned());
        schema = Schema::new(fields);
    }
    let mut config = config.clone();
    config.output_schema = Arc::new(schema);
    let sink = GeoParquetSink::try_new(config, partition, parquet, output)?;
    Ok(Arc::new(DataSinkExec::new(input, Arc::new(sink), order)))
}

/// The columns of the input by the names of the output; labels may stand only on the fields of the input.
pub(crate) fn labelled_schema(input: &Schema, config: &FileSinkConfig) -> Schema {
    let fields = config.output_schema().fields().iter().enumerate();
    let fields: Vec<_> = fields
        .map(|(i, field)| {
            let labels = input.fields().get(i).map(|f| f.metadata().clone());
            let mut field = field.as_ref().clone();
            for (key, value) in labels.unwrap_or_default() {
                field.metadata_mut().entry(key).or_insert(value);
            }
            field
        })
        .collect();
    Schema::new(fields)
}

/// Appends the column of cells.
fn with_cells(
    input: Arc<dyn ExecutionPlan>,
    labelled: &Schema,
    geometry: usize,
    cells: Cells,
) -> Result<Arc<dyn ExecutionPlan>> {
    let field = labelled.field(geometry);
    let ty = GeometryType::from_field(field)?
        .ok_or_else(|| Error::Internal("a geometry has lost its type".into()))?;
    let name = match cells {
        Cells::Grid(grid) => grid.column(),
        Cells::Kd(_) => KdCellExec::COLUMN,
    };
    if labelled.fields().iter().any(|f| f.name() == name) {
        return Err(Error::Statement(format!(
            "the rows have a column \"{name}\" already, which the cells need for themselves: write PARTITIONED BY ({name}), or give it another name"
        ))
        .into());
    }
    let grid = match cells {
        Cells::Grid(grid) => grid,
        Cells::Kd(count) => return Ok(Arc::new(KdCellExec::new(input, (geometry, ty), count))),
    };
    if ty.crs.as_ref().is_some_and(|crs| !crs.is_geographic()) {
        return Err(Error::Crs(format!(
            "cells '{grid}' are cells of longitude and latitude, but the column \"{}\" is in {}: \
             write ST_Transform({}, 'EPSG:4326')",
            field.name(),
            ty.crs.map(|crs| crs.name()).unwrap_or_default(),
            field.name(),
        ))
        .into());
    }
    let schema = input.schema();
    let column = |i: usize| -> PhysicalExprRef { Arc::new(Column::new(schema.field(i).name(), i)) };
    let cell = Cell {
        ty,
        grid,
        signature: Signature::any(1, Volatility::Immutable),
    };
    let cell: PhysicalExprRef = Arc::new(ScalarFunctionExpr::new(
        grid.column(),
        Arc::new(ScalarUDF::new_from_impl(cell)),
        vec![column(geometry)],
        Arc::new(arrow::datatypes::Field::new(
            grid.column(),
            DataType::Utf8,
            true,
        )),
        Arc::default(),
    ));
    let columns = (0..schema.fields().len())
        .map(|i| (column(i), schema.field(i).name().clone()))
        .chain([(cell, grid.column().to_owned())]);
    Ok(Arc::new(ProjectionExec::try_new(columns, input)?))
}

/// The cell of the centre of a geometry's bounds as a function of one argument.
#[derive(Debug)]
struct Cell {
    ty: GeometryType,
    grid: CellGrid,
    signature: Signature,
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.ty == other.ty && self.grid == other.grid
    }
}

impl Eq for Cell {}

impl std::hash::Hash for Cell {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for Cell {
    fn name(&self) -> &str {
        "__geoflow_cell"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(geometry) = args.args.first() else {
            return Err(Error::Internal("a cell is that of a geometry".into()).into());
        };
        let array = geometry.to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(self.cells(&array)?))
    }
}

impl Cell {
    fn cells(&self, array: &ArrayRef) -> crate::Result<ArrayRef> {
        let geometry = GeometryArray::try_new(array, &self.ty)?;
        let mut cells = StringBuilder::new();
        for row in 0..geometry.len() {
            let bounds = geometry.bounds(row)?;
            let centre = (!bounds.is_empty()).then(|| bounds.centre());
            cells.append_option(centre.and_then(|at| self.grid.cell(at.x, at.y)));
        }
        Ok(Arc::new(cells.finish()))
    }
}
