//! The session: DataFusion, told about geometry.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::plan_err;
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::analyzer::Analyzer;
use datafusion::optimizer::{AnalyzerRule, Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use geoflow_engine::formats::write::register_writers;
use geoflow_engine::geoparquet::GeoParquetFormatFactory;
use geoflow_engine::join::SharedBuilds;
use geoflow_engine::options::GeoflowOptions;

use crate::dialect::dialect;
use crate::join::{
    ClusteredAggregateRule, JoinStrategyRule, LateralRows, NearestDistanceRule, NearestJoinRule,
    SpatialJoinRule, SpatialPruningRule, SpatialQueryPlanner, nearest_function,
};
use crate::labels::{GeometryRule, GeometryTypes, Notices, bare_function, hide_labels};
use crate::list_aggregates::ListAggregates;
use crate::object_store::{LazyObjectStoreRegistry, StoreOptions};
use crate::operators::SpatialOperators;
use crate::show;
use crate::sort::ParallelSortRule;
use crate::split::SplitRule;
use crate::struct_fields::StructFields;
use crate::url_table::{ParquetTableFactory, enable_url_tables, hide_queries, name_calls};
use crate::{functions, headings, idioms, insert::statement_to_plan, stars};

/// How many of the greatest memory users an out-of-memory message names.
const NAMED_CONSUMERS: usize = 5;

/// Bytes of footers that a session keeps at most.
const FOOTERS: usize = 512 << 20;

/// Builds a [`Session`]. Everything is optional.
#[derive(Debug, Default, Clone)]
pub struct SessionBuilder {
    threads: Option<usize>,
    memory_limit: Option<usize>,
    temp_dir: Option<PathBuf>,
    batch_size: Option<usize>,
    stores: StoreOptions,
    runtime: Option<Arc<RuntimeEnv>>,
    builds: Option<SharedBuilds>,
}

impl SessionBuilder {
    /// A builder with the defaults: all cores, no memory limit, the system's temporary folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Into how many partitions plans are cut. At least one.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Bytes that operators may reserve together.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Where operators spill to.
    #[must_use]
    pub fn temp_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.temp_dir = Some(path.into());
        self
    }

    /// Rows of a record batch.
    #[must_use]
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch_size = Some(rows.max(1));
        self
    }

    /// How object stores are reached, where not as the environment says.
    #[must_use]
    pub fn object_stores(mut self, stores: StoreOptions) -> Self {
        self.stores = stores;
        self
    }

    /// Lets the spatial joins of plans that say so leave their build sides for each other. They are let go of
    /// where anybody needs their memory.
    #[must_use]
    pub fn shared_builds(mut self, builds: SharedBuilds) -> Self {
        self.builds = Some(builds);
        self
    }

    /// Takes memory, temporary files, object stores and footers from those of other sessions, whatever
    /// else this builder was told of them.
    #[must_use]
    pub fn runtime(mut self, runtime: Arc<RuntimeEnv>) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// What sessions can have in common, to be handed to [`runtime`](Self::runtime).
    ///
    /// # Errors
    /// When the temporary folder cannot be used.
    pub fn build_runtime(&self) -> Result<Arc<RuntimeEnv>> {
        let mut runtime = RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(
            LazyObjectStoreRegistry::from_env_and(&self.stores),
        ));
        // Footers that do not fit are read again by each query: those of ten thousand files do.
        let footers = self
            .memory_limit
            .map_or(FOOTERS, |limit| FOOTERS.min(limit / 8));
        runtime = runtime.with_metadata_cache_limit(footers);
        if let Some(bytes) = self.memory_limit {
            let named =
                std::num::NonZeroUsize::new(NAMED_CONSUMERS).unwrap_or(std::num::NonZeroUsize::MIN);
            let pool: Arc<dyn MemoryPool> =
                Arc::new(TrackConsumersPool::new(FairSpillPool::new(bytes), named));
            runtime = runtime.with_memory_pool(match &self.builds {
                Some(builds) => builds.guard(pool),
                None => pool,
            });
        }
        if let Some(path) = &self.temp_dir {
            let paths = vec![path.clone()];
            runtime = runtime.with_disk_manager_builder(
                DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(paths)),
            );
        }
        Ok(Arc::new(runtime.build()?))
    }

    /// Builds the session.
    ///
    /// # Errors
    /// When the temporary folder cannot be used.
    pub fn build(self) -> Result<Session> {
        let runtime = match &self.runtime {
            Some(runtime) => Arc::clone(runtime),
            None => self.build_runtime()?,
        };
        let mut config = SessionConfig::new()
            .with_information_schema(true)
            .with_option_extension(GeoflowOptions::default());
        // DataFusion's own default is level 3; see `WriteOptions`.
        config.options_mut().execution.parquet.compression = Some("zstd(1)".to_owned());
        if let Some(threads) = self.threads {
            config = config.with_target_partitions(threads);
        }
        if let Some(rows) = self.batch_size {
            config = config.with_batch_size(rows);
        }
        if let Some(builds) = self.builds {
            config = config.with_extension(Arc::new(builds));
        }

        let notices = Notices::default();
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_table_factory(
                "PARQUET".to_owned(),
                Arc::new(ParquetTableFactory::default()),
            )
            .with_type_planner(Arc::new(GeometryTypes::default()))
            .with_analyzer_rules(analyzer_rules(&notices))
            .with_optimizer_rules(logical_rules())
            .with_query_planner(Arc::new(SpatialQueryPlanner::default()))
            .with_physical_optimizer_rules(physical_rules(footers))
            .build();
        state.register_expr_planner(Arc::new(SpatialOperators::default()))?;
        state.register_expr_planner(Arc::new(ListAggregates::default()))?;
        state.register_file_format(Arc::new(GeoParquetFormatFactory::new()), true)?;
        register_writers(&mut state)?;
        let context = enable_url_tables(SessionContext::new_with_state(state));
        functions::register(&context)?;
        // What DuckDB calls it.
        let list = array_agg_udaf().as_ref().clone().with_aliases(["list"]);
        context.register_udaf(list);
        context.register_udf(nearest_function());
        context.register_udf(bare_function());
        Ok(Session { context, notices })
    }
}

/// Takes the quotes from `PARTITIONED BY ("the column")`, which DataFusion takes for parts of the name.
fn unquote_partitions(statement: &mut Statement) {
    let Statement::CopyTo(copy) = statement else {
        return;
    };
    for name in &mut copy.partitioned_by {
        let inner = name
            .strip_prefix('"')
            .and_then(|name| name.strip_suffix('"'));
        if let Some(inner) = inner {
            *name = inner.replace("\"\"", "\"");
        }
    }
}

/// DataFusion's analyzer rules, between those that look after geometries.
fn analyzer_rules(notices: &Notices) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let rule = Arc::new(GeometryRule::new(notices.clone()));
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::clone(&rule) as _);
    rules.push(rule);
    rules.push(Arc::new(StructFields::default()));
    rules
}

/// DataFusion's logical rules, after those that plan what it cannot: functions over columns in FROM, and joins by
/// nearest neighbours.
fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    rules.insert(0, Arc::new(LateralRows::default()));
    rules.insert(1, Arc::new(NearestJoinRule::new()));
    rules.insert(2, Arc::new(NearestDistanceRule::default()));
    rules
}

/// DataFusion's physical rules, between the one that makes spatial joins and the one that connects
/// them with scans, and the one that says why hash joins with a spatial condition stay.
fn physical_rules(
    footers: Arc<FileMetadataCache>,
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    rules.insert(0, Arc::new(SpatialJoinRule::new()));
    rules.push(Arc::new(SplitRule { footers }));
    rules.push(Arc::new(SpatialPruningRule::new()));
    rules.push(Arc::new(ClusteredAggregateRule));
    rules.push(Arc::new(JoinStrategyRule::new()));
    rules.push(Arc::new(ParallelSortRule));
    rules
}

/// Parses one statement of a session, in its dialect, as [`Session::sql`] does.
///
/// # Errors
/// When it is no statement, or several.
pub fn parse(state: &SessionState, text: &str) -> Result<Statement> {
    let options = &state.config().options().sql_parser;
    let Some(dialect) = dialect(options) else {
        return plan_err!("there is no SQL dialect {}", options.dialect);
    };
    let text = stars::expand(dialect.as_ref(), text);
    let mut statements = DFParserBuilder::new(text.as_ref())
        .with_dialect(dialect.as_ref())
        .with_recursion_limit(options.recursion_limit.get())
        .build()?
        .parse_statements()?;
    let mut statement = match (statements.pop_front(), statements.is_empty()) {
        (Some(only), true) => only,
        (None, _) => return plan_err!("there is no statement in the SQL"),
        (Some(_), false) => {
            return plan_err!("one statement at a time: there are several in the SQL");
        }
    };
    prepare(&mut statement)?;
    Ok(statement)
}

/// What is done to every statement before it is planned.
fn prepare(statement: &mut Statement) -> Result<()> {
    idioms::rewrite(statement);
    hide_labels(statement);
    hide_queries(statement);
    name_calls(statement);
    unquote_partitions(statement);
    headings::shorten(statement);
    show::rewrite(statement)
}

/// A session over SQL with geometry. Cheap to clone; clones share tables and settings.
#[derive(Clone)]
pub struct Session {
    context: SessionContext,
    notices: Notices,
}

impl Session {
    /// A session with the defaults of [`SessionBuilder`].
    ///
    /// # Errors
    /// As [`SessionBuilder::build`].
    pub fn try_new() -> Result<Self> {
        SessionBuilder::new().build()
    }

    /// Plans one statement. Statements such as `CREATE` and `SET` take effect at once; a query
    /// runs when the returned frame is collected or streamed.
    ///
    /// # Errors
    /// When the statement does not parse or cannot be planned.
    pub async fn sql(&self, statement: &str) -> Result<DataFrame> {
        let plan = self
            .plan_parsed(parse(&self.context.state(), statement)?)
            .await?;
        self.context.execute_logical_plan(plan).await
    }

    /// Plans one statement, so that the schema of the plan is final: geometries know their CRS.
    /// Nothing runs.
    ///
    /// # Errors
    /// When the statement cannot be planned.
    pub async fn plan(&self, mut statement: Statement) -> Result<LogicalPlan> {
        prepare(&mut statement)?;
        self.plan_parsed(statement).await
    }

    async fn plan_parsed(&self, statement: Statement) -> Result<LogicalPlan> {
        let state = self.context.state();
        let plan = statement_to_plan(&state, statement).await?;
        match plan {
            LogicalPlan::DescribeTable(table) => show::describe(table.schema.fields()),
            // The plan within is analyzed when it is explained, and shown as it was before.
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => Ok(plan),
            plan => {
                let options = state.config().options();
                state.analyzer().execute_and_check(plan, options, |_, _| {})
            }
        }
    }

    /// What the planner did since the last time that its user should know.
    pub fn take_notices(&self) -> Vec<String> {
        self.notices.take()
    }

    /// The DataFusion context behind this session.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }
}
