//! Rows along a Hilbert curve.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, Partitioning, PhysicalExprRef, PhysicalSortExpr,
    ScalarFunctionExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions, apply_expression_roots,
};
use parking_lot::Mutex;

use super::HilbertCurve;
use crate::geometry::{GeometryArray, GeometryType};
use crate::sort::ParallelSortExec;
use crate::{Error, Result as EngineResult};

/// Orders rows by the place of their geometry (the centre of its bounds) on a Hilbert curve. NULL and
/// EMPTY come last.
///
/// ```text
///  input, each partition ──> + place ──┐
///                     ...    + place ──┴─> sort, spilling ──> - place ──> one stream
/// ```
///
/// `before` are columns that go before the place: those that a result is partitioned by.
/// The memory is that of [`ParallelSortExec`].
#[derive(Debug)]
pub struct HilbertSortExec {
    input: Arc<dyn ExecutionPlan>,
    geometry: usize,
    before: Vec<usize>,
    properties: Arc<PlanProperties>,
    /// The plan at work, for its metrics.
    running: Mutex<Option<Arc<dyn ExecutionPlan>>>,
}

impl HilbertSortExec {
    /// Orders `input` by `before` and then by its column `geometry`.
    ///
    /// # Errors
    /// [`Error::Statement`] when the column is no geometry.
    pub fn try_new(
        input: Arc<dyn ExecutionPlan>,
        geometry: usize,
        before: Vec<usize>,
    ) -> EngineResult<Self> {
        let schema = input.schema();
        let field = schema.fields().get(geometry);
        let is_geometry = match field {
            Some(field) => GeometryType::from_field(field)?.is_some(),
            None => false,
        };
        if !is_geometry {
            return Err(Error::Statement(format!(
                "rows cannot be sorted along a Hilbert curve by the column {}: it is no geometry",
                field.map_or_else(|| geometry.to_string(), |f| format!("\"{}\"", f.name()))
            )));
        }
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Ok(Self {
            input,
            geometry,
            before,
            properties: Arc::new(properties),
            running: Mutex::new(None),
        })
    }

    /// The plan that does the work.
    fn plan(&self, context: &TaskContext) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.input.schema();
        let column =
            |i: usize| -> PhysicalExprRef { Arc::new(Column::new(schema.field(i).name(), i)) };
        let ty = GeometryType::from_field(schema.field(self.geometry))?
            .ok_or_else(|| Error::Internal("the geometry of a sort has lost its type".into()))?;
        let place = Place {
            curve: HilbertCurve::over(ty.crs.as_ref()),
            signature: Signature::any(1, Volatility::Immutable),
            ty,
        };
        let place: PhysicalExprRef = Arc::new(ScalarFunctionExpr::try_new(
            Arc::new(ScalarUDF::new_from_impl(place)),
            vec![column(self.geometry)],
            &schema,
            context.session_config().options().clone(),
        )?);
        let width = schema.fields().len();
        let with_place = (0..width)
            .map(|i| (column(i), schema.field(i).name().clone()))
            .chain([(place, PLACE.to_owned())]);
        let placed = ProjectionExec::try_new(with_place, Arc::clone(&self.input))?;
        let by_place: PhysicalExprRef = Arc::new(Column::new(PLACE, width));
        let order = self.before.iter().map(|i| column(*i)).chain([by_place]);
        let order = LexOrdering::new(order.map(PhysicalSortExpr::new_default))
            .ok_or_else(|| Error::Internal("a sort without an order".into()))?;
        let sorted = Arc::new(ParallelSortExec::try_new(Arc::new(placed), order)?);
        let columns = (0..width).map(|i| (column(i), schema.field(i).name().clone()));
        Ok(Arc::new(ProjectionExec::try_new(columns, sorted)?))
    }
}

/// Name of the column that rows are sorted by.
const PLACE: &str = "__geoflow_place";

impl DisplayAs for HilbertSortExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.input.schema();
        let name = |i: &usize| schema.fields().get(*i).map_or("?", |f| f.name().as_str());
        let before: Vec<&str> = self.before.iter().map(name).collect();
        write!(f, "HilbertSortExec: by=[{}", name(&self.geometry))?;
        if !before.is_empty() {
            write!(f, " within {}", before.join(", "))?;
        }
        write!(f, "]")
    }
}

impl ExecutionPlan for HilbertSortExec {
    fn name(&self) -> &'static str {
        "HilbertSortExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&PhysicalExprRef) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let none: [&PhysicalExprRef; 0] = [];
        apply_expression_roots(none, f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children
            .into_iter()
            .next()
            .ok_or_else(|| Error::Internal("HilbertSortExec has one child".into()))?;
        let sort = Self::try_new(input, self.geometry, self.before.clone())?;
        Ok(Arc::new(sort))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let plan = self.plan(&context)?;
        *self.running.lock() = Some(Arc::clone(&plan));
        plan.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut node = self.running.lock().clone()?;
        // Those of the sort itself, below the projection.
        while node.downcast_ref::<ParallelSortExec>().is_none() {
            node = Arc::clone(node.children().first()?);
        }
        node.metrics()
    }
}

/// The place of a geometry on a curve as a function of one argument.
#[derive(Debug)]
struct Place {
    ty: GeometryType,
    curve: HilbertCurve,
    signature: Signature,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.ty == other.ty
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for Place {
    fn name(&self) -> &str {
        PLACE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(PLACE, DataType::UInt64, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.iter().map(|value| value.to_array(rows));
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let [geometry] = arrays.as_slice() else {
            return Err(Error::Internal("a place is that of one geometry".into()).into());
        };
        let places = places(geometry, &self.ty, &self.curve)?;
        Ok(ColumnarValue::Array(Arc::new(places)))
    }
}

/// Where the centres of geometries lie; NULL and EMPTY after everything else.
fn places(array: &ArrayRef, ty: &GeometryType, curve: &HilbertCurve) -> EngineResult<UInt64Array> {
    let geometry = GeometryArray::try_new(array, ty)?;
    let place = |bounds: crate::geometry::Bounds| match bounds.is_empty() {
        true => u64::MAX,
        false => curve.place(bounds.centre().x, bounds.centre().y),
    };
    (0..geometry.len())
        .map(|row| geometry.bounds(row).map(place))
        .collect::<EngineResult<Vec<u64>>>()
        .map(UInt64Array::from)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{BinaryArray, Int64Array, RecordBatch};
    use arrow::datatypes::Schema;
    use datafusion::catalog::memory::MemorySourceConfig;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;
    use crate::crs::Crs;

    fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
        let ty = GeometryType::wkb(Some(Crs::lon_lat()));
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            ty.to_field("geom", true),
        ]);
        let point = |i: i64| match i % 100 {
            0 => None,
            _ => {
                let (x, y) = (
                    (i * 7919 % 3599) as f64 / 10.0 - 180.0,
                    (i * 104_729 % 1799) as f64 / 10.0 - 90.0,
                );
                let bytes = [&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &y.to_le_bytes()].concat();
                Some(bytes)
            }
        };
        let points: BinaryArray = rows.clone().map(point).collect();
        let ids = Int64Array::from_iter_values(rows);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(points)]).unwrap()
    }

    /// The sum of the distances between neighbouring rows.
    async fn way(before: Vec<usize>, memory: Option<usize>) -> (f64, usize, usize) {
        let partitions = vec![
            (0..10).map(|i| batch(i * 1000..(i + 1) * 1000)).collect(),
            (10..20)
                .map(|i| batch(i * 1000..(i + 1) * 1000))
                .collect::<Vec<_>>(),
        ];
        let schema = partitions[0][0].schema();
        let input = MemorySourceConfig::try_new_exec(&partitions, schema, None).unwrap();
        let sort = Arc::new(HilbertSortExec::try_new(input, 1, before).unwrap());
        let mut runtime = datafusion::execution::runtime_env::RuntimeEnvBuilder::new();
        if let Some(bytes) = memory {
            runtime = runtime.with_memory_limit(bytes, 1.0);
        }
        let context = SessionContext::new_with_config_rt(
            SessionConfig::new()
                .with_batch_size(256)
                .with_sort_spill_reservation_bytes(50_000),
            runtime.build_arc().unwrap(),
        );
        let plan: Arc<dyn ExecutionPlan> = Arc::<HilbertSortExec>::clone(&sort);
        let sorted = datafusion::physical_plan::collect(plan, context.task_ctx())
            .await
            .unwrap();
        let (mut way, mut last, mut rows, mut nulls_before) = (0.0, None, 0, 0);
        for batch in &sorted {
            let geometry =
                GeometryArray::try_new(batch.column(1), &GeometryType::wkb(None)).unwrap();
            for row in 0..batch.num_rows() {
                rows += 1;
                let Some(point) = geometry.point(row) else {
                    last = None;
                    continue;
                };
                if last.is_none() && rows > 1 {
                    nulls_before += 1;
                }
                if let Some((x, y)) = last {
                    way += f64::hypot(point.x - x, point.y - y);
                }
                last = Some((point.x, point.y));
            }
        }
        assert_eq!(rows, 20_000);
        let spills = sort.metrics().and_then(|m| m.spill_count()).unwrap_or(0);
        (way, nulls_before, spills)
    }

    #[tokio::test]
    async fn neighbours_in_space_become_neighbours_in_the_file() {
        let (way, nulls_before, _) = way(vec![], None).await;
        // Each point has 3.2 square degrees; in no order the mean step is over a hundred degrees.
        assert!(way / 20_000.0 < 3.0, "{}", way / 20_000.0);
        assert_eq!(nulls_before, 0, "NULL comes last");
    }

    #[tokio::test]
    async fn what_memory_cannot_hold_is_spilled() {
        let (in_memory, ..) = way(vec![], None).await;
        let (spilled, _, spills) = way(vec![], Some(700_000)).await;
        assert!(spills > 0);
        assert!((in_memory - spilled).abs() < 1e-6 * in_memory);
    }

    #[tokio::test]
    async fn columns_before_the_place_come_first() {
        // Each identifier is one group, so that the curve decides nothing.
        let (way, ..) = way(vec![0], None).await;
        assert!(way / 20_000.0 > 50.0);
    }

    #[test]
    fn only_geometry_has_a_place() {
        let input =
            MemorySourceConfig::try_new_exec(&[vec![]], batch(0..1).schema(), None).unwrap();
        let message = HilbertSortExec::try_new(input, 0, vec![])
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("\"id\"") && message.contains("no geometry"),
            "{message}"
        );
    }
}
