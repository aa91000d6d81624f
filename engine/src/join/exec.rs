//! The operator.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, JoinSide, JoinType, Statistics, project_schema};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExprRef,
};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter, build_join_schema};
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::projection::{
    EmbeddedProjection, ProjectionExec, try_embed_projection,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use futures::FutureExt;

use super::any_of::AnyOf;
use super::bounds;
use super::build::BuildOptions;
use super::collect::{BuildTask, Built};
use super::execution::{JoinRun, RunSlot};
use super::metrics::{BuildMetrics, ProbeMetrics};
use super::on::{JoinPredicate, SpatialOn};
use super::output::OutputBuilder;
use super::probe::Probing;
use super::residual::Residual;
use super::roles::{Role, Roles};
use super::shared_builds::{SharedBuild, SharedBuilds};
use super::sharing::Sharing;
use super::source::GeometrySource;
use super::spill::ProbeInputs;
use super::statistics;
use super::stream::JoinParts;
use crate::geometry::InvalidPolicy;
use crate::geoparquet::BoundsFilter;
use crate::options::GeoflowOptions;

/// Joins two inputs by a spatial predicate; see the [module](super) for how data move.
///
/// One side, the build side, is collected and indexed; the other streams. The output has as many
/// partitions as the probe side; the order of its rows is not defined.
#[derive(Debug)]
pub struct SpatialJoinExec {
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    on: SpatialOn,
    filter: Option<JoinFilter>,
    join_type: JoinType,
    build_side: JoinSide,
    /// Output columns to keep, in order; all when `None`.
    projection: Option<Vec<usize>>,
    join_schema: SchemaRef,
    columns: Vec<ColumnIndex>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    run: RunSlot,
    /// Tells the scan of the probe side where the build side lies.
    bounds_filter: Option<Arc<BoundsFilter>>,
    /// Why the join is by index, where it could have been by hash.
    reason: Option<Arc<str>>,
    /// The column of distances behind those of the inputs.
    distance: Option<FieldRef>,
    /// The order in which rows of the build side are collected.
    build_order: Option<LexOrdering>,
    /// Where the build side is looked for before it is collected, and kept.
    shared: Option<SharedBuild>,
}

impl SpatialJoinExec {
    /// A join of `left` and `right`. The columns of `filter` are those of the inputs;
    /// `build_side` is collected.
    ///
    /// # Errors
    /// When a projection names a column that does not exist.
    pub fn try_new(
        left: Arc<dyn ExecutionPlan>,
        right: Arc<dyn ExecutionPlan>,
        on: SpatialOn,
        filter: Option<JoinFilter>,
        join_type: JoinType,
        build_side: JoinSide,
        projection: Option<Vec<usize>>,
    ) -> Result<Self> {
        Self::make(
            left, right, on, filter, join_type, build_side, projection, None,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "what a join is made of")]
    fn make(
        left: Arc<dyn ExecutionPlan>,
        right: Arc<dyn ExecutionPlan>,
        on: SpatialOn,
        filter: Option<JoinFilter>,
        join_type: JoinType,
        build_side: JoinSide,
        projection: Option<Vec<usize>>,
        distance: Option<FieldRef>,
    ) -> Result<Self> {
        let (mut join_schema, mut columns) =
            build_join_schema(&left.schema(), &right.schema(), &join_type);
        if let Some(distance) = &distance {
            let fields = join_schema.fields().iter().chain([distance]).cloned();
            join_schema =
                Schema::new_with_metadata(fields.collect::<Vec<_>>(), join_schema.metadata.clone());
            columns.push(ColumnIndex {
                index: 0,
                side: JoinSide::None,
            });
        }
        let join_schema = Arc::new(join_schema);
        let schema = project_schema(&join_schema, projection.as_ref())?;
        let probe = match build_side {
            JoinSide::Left => &right,
            _ => &left,
        };
        let emission = match Roles::new(join_type, build_side).build {
            Role::Paired | Role::Unseen => EmissionType::Incremental,
            Role::Preserved => EmissionType::Both,
            Role::Semi | Role::Anti | Role::Mark => EmissionType::Final,
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(probe.output_partitioning().partition_count()),
            emission,
            Boundedness::Bounded,
        );
        Ok(Self {
            left,
            right,
            on,
            filter,
            join_type,
            build_side,
            projection,
            join_schema,
            columns,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            run: RunSlot::default(),
            bounds_filter: None,
            reason: None,
            distance,
            build_order: None,
            shared: None,
        })
    }

    /// Puts the distances of the pairs out as a last column, a nullable `Float64` as `field` says: NULL
    /// where a row has no partner, else to the last bit what `ST_Distance` of the two geometries is.
    ///
    /// # Errors
    /// For any predicate but [`JoinPredicate::Nearest`], and for joins that put out no pairs.
    pub fn with_distances(mut self, field: FieldRef) -> Result<Self> {
        let nearest = matches!(self.on.predicate, JoinPredicate::Nearest { .. });
        if !nearest || !self.roles().emits_pairs() || self.projection.is_some() {
            return Err(DataFusionError::Internal(
                "only a join of nearest neighbours knows the distances of its pairs".into(),
            ));
        }
        self.distance = Some(field);
        self.remake(Arc::clone(&self.left), Arc::clone(&self.right), None)
    }

    /// Collects the build side in this order, over its columns: of rows at the same distance,
    /// [`JoinPredicate::Nearest`] takes the first.
    #[must_use]
    pub fn with_build_order(mut self, order: LexOrdering) -> Self {
        self.build_order = Some(order);
        self
    }

    /// Says, for those who read the plan, why the index finds the pairs and not a hash table.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Takes the build side from `builds` if it is there under `key`, and else leaves it there once it is
    /// collected and fits into memory. All joins of one key must have the same build side, row by row. A join
    /// that is made of this one with other inputs shares nothing. `rows` is how many rows will be probed by all of them
    /// together, as far as is known: an index that pays for these is made at once.
    ///
    /// # Errors
    /// As [`SpatialJoinExec::try_new`].
    pub fn with_shared_build(
        &self,
        builds: &SharedBuilds,
        key: Arc<str>,
        rows: usize,
    ) -> Result<Self> {
        let (left, right) = (Arc::clone(&self.left), Arc::clone(&self.right));
        let mut join = self.remake(left, right, self.projection.clone())?;
        join.shared = Some(SharedBuild {
            builds: builds.clone(),
            key,
            rows,
        });
        Ok(join)
    }

    /// Lets the scan below the probe side leave out what lies far from the build side, once that is
    /// known. `None` where no row may be left out or no scan is reached; see
    /// [`push_bounds`](super::push_bounds).
    ///
    /// # Errors
    /// As [`prune_scan`](crate::geoparquet::prune_scan).
    pub fn with_pruned_probe(&self) -> Result<Option<Self>> {
        if self.bounds_filter.is_some()
            || !bounds::may_prune(&self.on, self.roles(), self.build_side)
        {
            return Ok(None);
        }
        let probe_side = self.build_side.negate();
        let geometry = self.on.common_geometry(probe_side);
        let Some(column) = geometry.and_then(|g| g.downcast_ref::<Column>()) else {
            return Ok(None);
        };
        let filter = Arc::new(BoundsFilter::pending("the build side"));
        let (_, probe) = self.sides();
        let Some(probe) = bounds::push_bounds(probe, column.index(), &filter)? else {
            return Ok(None);
        };
        let (left, right) = match self.build_side {
            JoinSide::Left => (Arc::clone(&self.left), probe),
            _ => (probe, Arc::clone(&self.right)),
        };
        let mut join = self.remake(left, right, self.projection.clone())?;
        join.bounds_filter = Some(filter);
        Ok(Some(join))
    }

    /// The input (0 left, 1 right), and its column, that a column of the output is taken from, if a
    /// row that is missing in that input is missing in the output and changes nothing else.
    pub(super) fn origin(&self, column: usize) -> Option<(usize, usize)> {
        let column = match &self.projection {
            Some(projection) => *projection.get(column)?,
            None => column,
        };
        // The other side must not show rows for want of a partner, nor may which rows are the
        // nearest depend on the row.
        let nearest = matches!(self.on.predicate, JoinPredicate::Nearest { .. });
        let roles = Roles::new(self.join_type, JoinSide::Left);
        let ColumnIndex { index, side } = *self.columns.get(column)?;
        match side {
            JoinSide::Left if !roles.probe.shows_unmatched() => Some((0, index)),
            JoinSide::Right if !roles.build.shows_unmatched() && !nearest => Some((1, index)),
            _ => None,
        }
    }

    /// The input, and its column, that a column of the output is taken from; `None` for one that the
    /// join computes, and beyond the last.
    pub fn input_column(&self, column: usize) -> Option<(JoinSide, usize)> {
        let column = match &self.projection {
            Some(projection) => *projection.get(column)?,
            None => column,
        };
        let ColumnIndex { index, side } = *self.columns.get(column)?;
        (side != JoinSide::None).then_some((side, index))
    }

    fn roles(&self) -> Roles {
        Roles::new(self.join_type, self.build_side)
    }

    /// The left input.
    pub fn left(&self) -> &Arc<dyn ExecutionPlan> {
        &self.left
    }

    /// The right input.
    pub fn right(&self) -> &Arc<dyn ExecutionPlan> {
        &self.right
    }

    /// The spatial predicate and its arguments.
    pub fn on(&self) -> &SpatialOn {
        &self.on
    }

    /// What pairs must satisfy beside it.
    pub fn filter(&self) -> Option<&JoinFilter> {
        self.filter.as_ref()
    }

    /// The type of the join.
    pub fn join_type(&self) -> JoinType {
        self.join_type
    }

    /// The side that is collected and indexed.
    pub fn build_side(&self) -> JoinSide {
        self.build_side
    }

    fn sides(&self) -> (&Arc<dyn ExecutionPlan>, &Arc<dyn ExecutionPlan>) {
        match self.build_side {
            JoinSide::Left => (&self.left, &self.right),
            _ => (&self.right, &self.left),
        }
    }

    fn remake(
        &self,
        left: Arc<dyn ExecutionPlan>,
        right: Arc<dyn ExecutionPlan>,
        projection: Option<Vec<usize>>,
    ) -> Result<Self> {
        let mut join = Self::make(
            left,
            right,
            self.on.clone(),
            self.filter.clone(),
            self.join_type,
            self.build_side,
            projection,
            self.distance.clone(),
        )?;
        join.bounds_filter = self.bounds_filter.clone();
        join.reason = self.reason.clone();
        join.build_order = self.build_order.clone();
        Ok(join)
    }

    /// How one partition of the probe side is probed.
    fn probing(
        &self,
        partition: usize,
        expected_rows: usize,
        context: &TaskContext,
    ) -> Result<AnyOf> {
        let (_, probe_plan) = self.sides();
        let probe_side = self.build_side.negate();
        let roles = self.roles();
        let metrics = ProbeMetrics::new(&self.metrics, partition);
        let invalid = InvalidPolicy::new(GeoflowOptions::of_task(context))
            .with_metric(|| self.invalid_metric(partition));
        let condition = |(nth, on): (usize, &SpatialOn)| {
            Ok(Probing {
                source: GeometrySource::try_new(on.geometry(probe_side), probe_plan)?,
                invalid: invalid.clone(),
                on: on.clone(),
                nth,
                probe_side,
                roles,
                first_hit_suffices: self.filter.is_none() && roles.probe.wants_existence(),
                expected_rows,
                metrics: metrics.clone(),
            })
        };
        Ok(AnyOf {
            conditions: self
                .on
                .conditions()
                .enumerate()
                .map(condition)
                .collect::<Result<_>>()?,
            roles,
            metrics,
            invalid,
            residual: match &self.filter {
                Some(filter) => Some(Residual::new(filter.clone(), &self.on, self.build_side)?),
                None => None,
            },
        })
    }

    fn invalid_metric(&self, partition: usize) -> Count {
        MetricBuilder::new(&self.metrics).counter("invalid_geometries", partition)
    }

    /// The run that is under way, or a new one.
    fn shared_run(&self, partition: usize, context: &Arc<TaskContext>) -> Result<Arc<JoinRun>> {
        let mut slot = self.run.lock();
        if let Some(run) = slot.as_ref() {
            return Ok(Arc::clone(run));
        }
        let (build_plan, probe_plan) = self.sides();
        let (filter, on) = (self.bounds_filter.clone(), self.on.clone());
        if let Some(filter) = &filter {
            // A plan that runs again, as a recursive query does, has another build side.
            filter.clear();
        }
        let options = GeoflowOptions::of_task(context);
        let invalid = InvalidPolicy::new(options).with_metric(|| self.invalid_metric(partition));
        let settings = options.join.clone();
        let rectangles = settings.dynamic_filter_rectangles;
        let partitions = probe_plan.output_partitioning().partition_count();
        let task = BuildTask {
            plan: Arc::clone(build_plan),
            on: self.on.clone(),
            side: self.build_side,
            options: BuildOptions {
                probe_partitions: partitions,
                roles: self.roles(),
                settings,
                invalid,
            },
            metrics: BuildMetrics::new(&self.metrics, partition),
            context: Arc::clone(context),
        };
        let build = built(task, self.shared.clone()).map(move |built| {
            if let (Some(filter), Ok(built)) = (&filter, &built) {
                bounds::publish(filter, built, &on, rectangles);
            }
            built
        });
        let inputs = ProbeInputs::new(Arc::clone(probe_plan));
        let of_all = self.shared.as_ref().map_or(0, |shared| shared.rows);
        let expected = expected_rows(probe_plan)?.max(of_all);
        let run = Arc::new(JoinRun::new(build.boxed(), inputs, partitions, expected));
        *slot = Some(Arc::clone(&run));
        Ok(run)
    }
}

/// The build side: as another run has left it, or collected.
async fn built(task: BuildTask, shared: Option<SharedBuild>) -> Result<Built> {
    let Some(SharedBuild { builds, key, .. }) = shared else {
        return task.run().await;
    };
    // Of several runs at once one collects. None of them waits for another key meanwhile: what is shared has no
    // join below it that is.
    let turn = builds.turn(&key);
    let _collecting = turn.lock().await;
    if let Some(there) = builds.get(&key) {
        let BuildOptions {
            roles,
            probe_partitions,
            ..
        } = task.options;
        return Ok(Built::Whole(Arc::new(
            there.for_run(roles, probe_partitions),
        )));
    }
    let built = task.run().await?;
    if let Built::Whole(build) = &built {
        builds.put(&key, build);
    }
    Ok(built)
}

/// The rows that a plan is estimated to yield; zero if nobody knows.
fn expected_rows(plan: &Arc<dyn ExecutionPlan>) -> Result<usize> {
    let whole = StatisticsArgs::new();
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &whole)?;
    Ok(statistics.num_rows.get_value().copied().unwrap_or(0))
}

impl DisplayAs for SpatialJoinExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.build_side {
            JoinSide::Left => "left",
            _ => "right",
        };
        if t == DisplayFormatType::TreeRender {
            writeln!(f, "join_type={:?}", self.join_type)?;
            writeln!(f, "build={side}")?;
            if let Some(reason) = &self.reason {
                writeln!(f, "strategy=index ({reason})")?;
            }
            return writeln!(f, "on={}", self.on);
        }
        write!(
            f,
            "SpatialJoinExec: join_type={:?}, build={side}, on={}",
            self.join_type, self.on
        )?;
        if let Some(reason) = &self.reason {
            write!(f, ", strategy=index ({reason})")?;
        }
        if let Some(filter) = &self.filter {
            write!(f, ", filter={filter}")?;
        }
        if let Some(order) = &self.build_order {
            write!(f, ", ties=[{order}]")?;
        }
        if let Some(distance) = &self.distance {
            write!(f, ", distance={}", distance.name())?;
        }
        if let Some(projection) = &self.projection {
            let names: Vec<String> = projection
                .iter()
                .map(|&i| format!("{}@{i}", self.join_schema.field(i).name()))
                .collect();
            write!(f, ", projection=[{}]", names.join(", "))?;
        }
        Ok(())
    }
}

impl ExecutionPlan for SpatialJoinExec {
    fn name(&self) -> &'static str {
        "SpatialJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.left, &self.right]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let of = |side| match &self.build_order {
            Some(_) if side == self.build_side => Distribution::SinglePartition,
            _ => Distribution::UnspecifiedDistribution,
        };
        InputDistributionRequirements::new(vec![of(JoinSide::Left), of(JoinSide::Right)])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let of = |side| {
            let order = self.build_order.clone();
            order
                .filter(|_| side == self.build_side)
                .map(OrderingRequirements::from)
        };
        vec![of(JoinSide::Left), of(JoinSide::Right)]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // Of rows at the same distance the first are taken: they must not be dealt out anew.
        let nearest = matches!(self.on.predicate, JoinPredicate::Nearest { .. });
        vec![true, !nearest]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&PhysicalExprRef) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let residual = self.filter.iter().map(JoinFilter::expression);
        datafusion::physical_plan::apply_expression_roots(self.on.expressions().chain(residual), f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [left, right]: [Arc<dyn ExecutionPlan>; 2] =
            children.try_into().map_err(|children: Vec<_>| {
                DataFusionError::Internal(format!(
                    "SpatialJoinExec has two children, not {}",
                    children.len()
                ))
            })?;
        let mut join = self.remake(left, right, self.projection.clone())?;
        if options.children_properties == ChildrenPropertiesMode::Keep {
            join.properties = Arc::clone(&self.properties);
        }
        Ok(Arc::new(join))
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
        let run = self.shared_run(partition, &context)?;
        run.inputs.open(partition, &context)?;
        let schema = self.schema();
        let options = GeoflowOptions::of_task(&context);
        let columns = match &self.projection {
            None => self.columns.clone(),
            Some(projection) => projection
                .iter()
                .map(|&i| self.columns[i].clone())
                .collect(),
        };
        let parts = JoinParts {
            probing: self.probing(partition, run.expected_rows, &context)?,
            output: OutputBuilder::new(Arc::clone(&schema), columns, self.build_side),
            batch_size: context.session_config().batch_size(),
            schema,
            sharing: Sharing {
                threads: context.session_config().target_partitions(),
                after: Duration::from_millis(options.join.share_batches_after),
            },
        };
        Ok(run.stream(partition, parts, Arc::clone(&self.run)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        // The build side meets every partition of the probe side whole.
        match self.build_side {
            JoinSide::Left => vec![ChildStats::At(None), ChildStats::At(partition)],
            _ => vec![ChildStats::At(partition), ChildStats::At(None)],
        }
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let estimate = match inputs {
            [left, right] => {
                let neighbours = match self.on.predicate {
                    JoinPredicate::Nearest { k } => Some(k),
                    _ => None,
                };
                let mut estimate = statistics::estimate(left, right, self.join_type, neighbours);
                if self.distance.is_some() {
                    let unknown = ColumnStatistics::new_unknown();
                    estimate.column_statistics.push(unknown);
                }
                estimate
            }
            _ => Statistics::new_unknown(&self.join_schema),
        };
        Ok(Arc::new(estimate.project(self.projection.as_ref())))
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExec,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        match self.projection {
            None => try_embed_projection(projection, self),
            Some(_) => Ok(None),
        }
    }
}

impl EmbeddedProjection for SpatialJoinExec {
    fn with_projection(&self, projection: Option<Vec<usize>>) -> Result<Self> {
        self.remake(Arc::clone(&self.left), Arc::clone(&self.right), projection)
    }
}
