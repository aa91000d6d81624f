//! Rows with the KD cell that they belong to.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::execution::spill_file::SpillFile;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExprRef};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    PlanProperties, ReplaceChildrenOptions, SpillManager, apply_expression_roots,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{KdCells, KdOptions, KdSample};
use crate::Error;
use crate::geometry::{GeometryArray, GeometryType};

/// Rows whose places decide the cut.
const SAMPLE: usize = 1 << 16;

/// Appends the column `kd`: the number of the cell, of so many that hold about as many rows each. It is text of
/// equally many digits, NULL for NULL and EMPTY.
///
/// ```text
///  input ──> held in memory, then on disk ──────────────> + cell ──> one stream
///       └──> a sample of the places ──at the end──> cut ──┘
/// ```
///
/// A quarter of the memory is for the rows that are held.
#[derive(Debug)]
pub struct KdCellExec {
    input: Arc<dyn ExecutionPlan>,
    geometry: usize,
    ty: GeometryType,
    cells: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl KdCellExec {
    /// The column that is appended.
    pub const COLUMN: &str = "kd";

    /// Cuts the rows of `input` into `cells` by its column `geometry`, which has the type `ty`.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        (geometry, ty): (usize, GeometryType),
        cells: usize,
    ) -> Self {
        let mut fields = input.schema().fields().to_vec();
        fields.push(Arc::new(Field::new(Self::COLUMN, DataType::Utf8, true)));
        let schema = Schema::new_with_metadata(fields, input.schema().metadata().clone());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            input,
            geometry,
            ty,
            cells,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for KdCellExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.input.schema();
        let name = schema.fields().get(self.geometry).map(|field| field.name());
        let name = name.map_or("?", String::as_str);
        write!(f, "KdCellExec: by=[{name}], cells={}", self.cells)
    }
}

impl ExecutionPlan for KdCellExec {
    fn name(&self) -> &'static str {
        "KdCellExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
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
        let input = children.into_iter().next();
        let input = input.ok_or_else(|| Error::Internal("KdCellExec has one child".into()))?;
        let geometry = (self.geometry, self.ty.clone());
        Ok(Arc::new(Self::new(input, geometry, self.cells)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut input = Arc::clone(&self.input);
        if input.output_partitioning().partition_count() > 1 {
            input = Arc::new(CoalescePartitionsExec::new(input));
        }
        let mut input = input.execute(0, Arc::clone(&context))?;
        let mut held = Held::new(&context, self.input.schema(), &self.metrics, partition);
        let mut sample = Sample::default();
        let (geometry, ty, cells) = (self.geometry, self.ty.clone(), self.cells);
        let schema = self.schema();
        let output = Arc::clone(&schema);
        let rows = async move {
            while let Some(batch) = input.next().await.transpose()? {
                sample.add(&GeometryArray::try_new(batch.column(geometry), &ty)?)?;
                held.push(batch)?;
            }
            let options = KdOptions {
                most_cells: cells,
                enough: 0.0,
                by_size: false,
            };
            let cut = KdCells::cut(&mut sample.kept, &options);
            let numbered = move |batch: Result<RecordBatch>| {
                let batch = batch?;
                let geometry = GeometryArray::try_new(batch.column(geometry), &ty)?;
                let mut columns = batch.columns().to_vec();
                columns.push(numbers(&cut, &geometry)?);
                Ok::<_, DataFusionError>(RecordBatch::try_new(Arc::clone(&schema), columns)?)
            };
            Ok::<_, DataFusionError>(held.take()?.map(numbered))
        };
        let rows = stream::once(rows).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(output, rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The cells of rows.
fn numbers(cut: &KdCells, geometry: &GeometryArray) -> crate::Result<ArrayRef> {
    let digits = (cut.len() - 1).to_string().len();
    let mut numbers = StringBuilder::new();
    for row in 0..geometry.len() {
        let bounds = geometry.bounds(row)?;
        let cell = (!bounds.is_empty()).then(|| cut.cell_of(&bounds));
        numbers.append_option(cell.map(|cell| format!("{cell:0digits$}")));
    }
    Ok(Arc::new(numbers.finish()))
}

/// Rows out of all, each as likely as the others: algorithm R (Vitter, 1985). The same rows in the same order
/// make the same sample.
#[derive(Default)]
struct Sample {
    kept: Vec<KdSample>,
    seen: u64,
    random: u64,
}

impl Sample {
    fn add(&mut self, geometry: &GeometryArray) -> crate::Result<()> {
        for row in 0..geometry.len() {
            let bounds = geometry.bounds(row)?;
            if bounds.is_empty() {
                continue;
            }
            self.seen += 1;
            let sample = KdSample {
                bounds,
                weight: 1.0,
            };
            if self.kept.len() < SAMPLE {
                self.kept.push(sample);
                continue;
            }
            let place = self.below(self.seen) as usize;
            if let Some(kept) = self.kept.get_mut(place) {
                *kept = sample;
            }
        }
        Ok(())
    }

    /// A number below another: the next of SplitMix64 (Steele, Lea and Flood, 2014).
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * u128::from(end)) >> 64) as u64
    }
}

/// Rows that wait: in memory, and where that is full all of them on disk.
struct Held {
    batches: Vec<RecordBatch>,
    reservation: MemoryReservation,
    most: usize,
    spills: SpillManager,
    /// Before those in memory.
    files: Vec<Arc<dyn SpillFile>>,
}

impl Held {
    fn new(
        context: &TaskContext,
        schema: SchemaRef,
        metrics: &ExecutionPlanMetricsSet,
        partition: usize,
    ) -> Self {
        let pool = context.memory_pool();
        let most = match pool.memory_limit() {
            MemoryLimit::Finite(limit) => limit / 4,
            _ => usize::MAX,
        };
        let metrics = SpillMetrics::new(metrics, partition);
        Self {
            batches: vec![],
            reservation: MemoryConsumer::new("KdCellExec").register(pool),
            most,
            spills: SpillManager::new(context.runtime_env(), metrics, schema),
            files: vec![],
        }
    }

    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        if !self.reserve(&batch) {
            self.spill()?;
            if !self.reserve(&batch) {
                self.batches.push(batch);
                return self.spill();
            }
        }
        self.batches.push(batch);
        Ok(())
    }

    fn reserve(&mut self, batch: &RecordBatch) -> bool {
        let bytes = get_record_batch_memory_size(batch);
        let fits = self.reservation.size().saturating_add(bytes) <= self.most;
        fits && self.reservation.try_grow(bytes).is_ok()
    }

    fn spill(&mut self) -> Result<()> {
        let what = "cutting rows into cells";
        let file = self
            .spills
            .spill_record_batch_and_finish(&self.batches, what)?;
        self.files.extend(file);
        self.batches.clear();
        self.reservation.free();
        Ok(())
    }

    /// All rows; memory is given back on the way.
    fn take(self) -> Result<stream::BoxStream<'static, Result<RecordBatch>>> {
        let files = self.files.into_iter();
        let spilled = files.map(|file| self.spills.read_spill_as_stream(file, None));
        let spilled = stream::iter(spilled.collect::<Result<Vec<_>>>()?).flatten();
        let waiting = (self.batches.into_iter(), self.reservation);
        let in_memory = stream::unfold(waiting, |(mut batches, reservation)| async {
            let batch = batches.next()?;
            let bytes = get_record_batch_memory_size(&batch);
            reservation.shrink(bytes.min(reservation.size()));
            Some((Ok(batch), (batches, reservation)))
        });
        Ok(spilled.chain(in_memory).boxed())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::{AsArray, BinaryArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use datafusion::catalog::memory::MemorySourceConfig;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    const ROWS: i64 = 40_000;

    /// A crowd around the origin, and rows everywhere; here and there NULL.
    fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            GeometryType::wkb(None).to_field("geom", true),
        ]);
        let point = |i: i64| {
            let scale = if i % 3 == 0 { 1.0 } else { 100.0 };
            let (x, y) = (
                (i * 7919 % 1999) as f64 / scale,
                (i * 104_729 % 1777) as f64 / scale,
            );
            let wkb = [&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &y.to_le_bytes()].concat();
            (i % 100 != 0).then_some(wkb)
        };
        let points: BinaryArray = rows.clone().map(point).collect();
        let ids = Int64Array::from_iter_values(rows);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(points)]).unwrap()
    }

    /// Rows by cell, and how many batches went to disk.
    async fn cells(
        count: usize,
        memory: Option<usize>,
    ) -> (BTreeMap<Option<String>, usize>, usize) {
        let batches = (0..40).map(|i| batch(i * ROWS / 40..(i + 1) * ROWS / 40));
        let partitions = vec![
            batches.clone().take(20).collect(),
            batches.skip(20).collect::<Vec<_>>(),
        ];
        let schema = partitions[0][0].schema();
        let input = MemorySourceConfig::try_new_exec(&partitions, schema, None).unwrap();
        let geometry = (1, GeometryType::wkb(None));
        let cut = Arc::new(KdCellExec::new(input, geometry, count));
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(bytes) = memory {
            runtime = runtime.with_memory_limit(bytes, 1.0);
        }
        let context =
            SessionContext::new_with_config_rt(SessionConfig::new(), runtime.build_arc().unwrap());
        let plan: Arc<dyn ExecutionPlan> = Arc::<KdCellExec>::clone(&cut);
        let found = datafusion::physical_plan::collect(plan, context.task_ctx())
            .await
            .unwrap();
        let (mut rows, mut ids) = (BTreeMap::new(), Vec::<i64>::new());
        for batch in &found {
            ids.extend(batch.column(0).as_primitive::<Int64Type>().values());
            for cell in batch.column(2).as_string::<i32>() {
                *rows.entry(cell.map(str::to_owned)).or_default() += 1;
            }
        }
        ids.sort_unstable();
        assert!(ids.iter().copied().eq(0..ROWS));
        (
            rows,
            cut.metrics().and_then(|m| m.spilled_rows()).unwrap_or(0),
        )
    }

    #[tokio::test]
    async fn cells_have_as_many_rows() {
        let (rows, _) = cells(16, None).await;
        assert_eq!(rows.len(), 17);
        assert_eq!(rows[&None], 400);
        assert!(rows.contains_key(&Some("00".into())) && rows.contains_key(&Some("15".into())));
        for (cell, rows) in rows.into_iter().filter(|(cell, _)| cell.is_some()) {
            assert!((2_300..2_700).contains(&rows), "{cell:?}: {rows}");
        }
    }

    #[tokio::test]
    async fn what_memory_cannot_hold_is_spilled() {
        let (all, none) = cells(8, None).await;
        let (spilled, some) = cells(8, Some(1_000_000)).await;
        assert_eq!(none, 0);
        assert!(some > 10_000 && some < ROWS as usize, "{some}");
        assert_eq!(all.len(), spilled.len());
    }
}
