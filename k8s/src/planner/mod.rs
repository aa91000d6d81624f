//! From a statement to the plan of a job, by footers alone.
//!
//! ```text
//!  SQL ──> logical plan, its scans numbered ──> physical plan ──> where it can be cut      (cut)
//!                                                    |                    |
//!                                          joins: what must overlap (rules)
//!                                                                         |
//!  footers ──> row groups, bounds (listing) ──> along a curve, equal cost (fragments, pack)
//! ```

mod cut;
mod fragments;
mod full_join;
mod index;
mod listing;
mod pack;
mod report;
mod rules;
mod scans;
mod split;
mod statement;
mod trace;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::common::tree_node::Transformed;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use geoflow_engine::Error;
use geoflow_engine::geometry::GeometryType;
use geoflow_engine::join::SharedBuilds;
use geoflow_engine::tiling::HilbertCurve;
use geoflow_sql::Session;
use geoflow_sql::object_store::without_queries;

use cut::{Cut, cuts};
pub(crate) use cut::{CutSet, Split, at};
pub use report::{Estimate, StageEstimate, TableEstimate};
pub(crate) use scans::replace;
pub use split::split_statements;
pub(crate) use statement::{Place, plan_written, run_setup};
pub(crate) use trace::{scan_of, scans_of};

use crate::plan::{Fragment, PLAN_VERSION, Plan, ScanSlice, Sink, Stage, StageKind, TableInput};
use crate::session::prepare;
use crate::table::{PartTable, with_rows};
use fragments::{Cutting, whole};
use listing::Groups;

/// Most fragments of a job: the most indices that an Indexed Job may have.
pub const MOST_FRAGMENTS: usize = 100_000;

/// Compressed bytes of a fragment, when nobody says how many there are to be.
const FRAGMENT_BYTES: u64 = 256 << 20;

/// What is to become a job.
#[derive(Debug, Clone)]
pub struct JobRequest {
    /// The id of the job.
    pub job: String,
    /// Statements that come first: `SET`, `CREATE VIEW`, `CREATE EXTERNAL TABLE`.
    pub setup: Vec<String>,
    /// The statement.
    pub statement: String,
    /// Where a query writes to that does not say so itself: a folder.
    pub output: Option<String>,
    /// Into how many fragments it is cut.
    pub fragments: FragmentCount,
}

/// How many fragments there are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FragmentCount {
    /// As many as this, or fewer where there are not so many rows.
    Exactly(usize),
    /// As many as the size of the data asks for, and where there is enough at least `least`: as many as
    /// can run at once.
    Auto {
        /// At least this many, unless the data are small.
        least: usize,
    },
}

/// A plan and what is expected of it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What is expected of it.
    pub estimate: Estimate,
}

/// Plans a job. Nothing is written, and of the inputs nothing but footers is read.
///
/// # Errors
/// [`Error::Statement`] for a statement that does not write, that no plan can be made of, or that
/// cannot be cut when more than one fragment is asked for; [`Error::Data`] and
/// [`Error::Environment`] for inputs that cannot be read.
pub async fn plan(session: &Session, request: &JobRequest) -> Result<Planned> {
    check_count(request.fragments)?;
    if !crate::plan::is_id(&request.job) {
        return Err(Error::Statement(format!(
            "\"{}\" is no id of a job: it has at most 63 lower-case letters, digits, hyphens and dots",
            request.job
        ))
        .into());
    }
    refuse_queries(request)?;
    let context = prepare(session);
    run_setup(&context, &request.setup, &HashMap::new()).await?;
    let written = plan_written(
        &context,
        &request.statement,
        Place::Asked(request.output.as_deref()),
    )
    .await?;
    if written.says_where && request.output.is_some() {
        return Err(Error::Statement(
            "the statement says itself where it writes: leave out -o".into(),
        )
        .into());
    }
    let apart = match request.fragments {
        // As a whole it is read once.
        FragmentCount::Exactly(1) => Transformed::no(written.query),
        _ => full_join::apart(written.query)?,
    };
    let written = statement::Written {
        query: apart.data,
        ..written
    };
    let state = context.state();

    let mut tables: Vec<TableInput> = vec![];
    let mut scans: Vec<Option<usize>> = vec![];
    let mut known: HashMap<TableReference, Option<usize>> = HashMap::new();
    for found in scans::find(&written.query)? {
        let scan = match known.get(&found.name) {
            Some(scan) => *scan,
            None => {
                let table = listing::table_input(&state, &found.name, &found.table).await?;
                let scan = table.map(|table| {
                    tables.push(table);
                    tables.len() - 1
                });
                known.insert(found.name.clone(), scan);
                scan
            }
        };
        scans.push(scan);
    }
    if let Some((name, target)) = &written.target
        && !known.contains_key(name)
        && let Some(mut table) = listing::table_input(&state, name, target).await?
    {
        // Only its columns are needed, by those who plan the INSERT again.
        table.files.clear();
        tables.push(table);
    }
    let sink = Sink {
        output: crate::storage::folder_url(&written.sink.output)?.into(),
        ..written.sink
    };
    let mut plan = Plan {
        version: PLAN_VERSION,
        job: request.job.clone(),
        setup: request.setup.clone(),
        statement: request.statement.clone(),
        full_joins_apart: apart.transformed,
        sink,
        tables,
        scans,
        cut: vec![],
        stages: vec![],
    };
    let parts = providers(part_tables(&plan, &[])?);
    let query = replace(written.query, &parts)?;
    let physical = state.create_physical_plan(&query).await?;
    crate::task::check_output(&state, &physical, &plan.sink).await?;
    let (stages, cut, estimate) = stages(&state, &plan, &physical, request.fragments).await?;
    plan.stages = stages;
    plan.cut = cut.into_iter().collect();
    Ok(Planned { plan, estimate })
}

/// A job keeps its statements and hands them to its tasks, where a signature would be read by others, and expire.
fn refuse_queries(request: &JobRequest) -> Result<()> {
    let statements = request.setup.iter().chain([&request.statement]);
    for statement in statements {
        let shown = without_queries(statement);
        if shown != statement.as_str() {
            let address = shown
                .split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'))
                .find(|word| word.contains("://") && word.contains("..."));
            return Err(Error::Statement(format!(
                "{} cannot be read by a job, which writes its statements down, signatures with them: \
                 read it by geoflow query, or name it by s3://, gs:// or az:// with credentials in variables",
                address.unwrap_or("an address with a query or a password")
            ))
            .into());
        }
    }
    Ok(())
}

fn check_count(count: FragmentCount) -> Result<()> {
    match count {
        FragmentCount::Exactly(0) => Err(Error::Statement(
            "0 fragments do nothing: ask for 1 or more".into(),
        )
        .into()),
        FragmentCount::Exactly(n) if n > MOST_FRAGMENTS => Err(Error::Statement(format!(
            "{n} fragments are more than a job can have ({MOST_FRAGMENTS}). A fragment is worth a process of its own: some hundred MB are a good size"
        ))
        .into()),
        _ => Ok(()),
    }
}

/// The tables of a plan, whole or as far as slices go, by the scans that read them.
pub(crate) fn part_tables(plan: &Plan, slices: &[ScanSlice]) -> Result<Vec<Option<PartTable>>> {
    let part = |(scan, table): (usize, &Option<usize>)| {
        let Some(table) = table.and_then(|table| plan.tables.get(table)) else {
            return Ok(None);
        };
        let slice = slices.iter().find(|slice| slice.scan == scan);
        Ok(Some(PartTable::try_new(table, scan, slice)?))
    };
    plan.scans.iter().enumerate().map(part).collect()
}

fn providers(parts: Vec<Option<PartTable>>) -> Vec<Option<Arc<dyn TableProvider>>> {
    let provider = |part| Arc::new(part) as Arc<dyn TableProvider>;
    parts.into_iter().map(|part| part.map(provider)).collect()
}

async fn stages(
    state: &SessionState,
    plan: &Plan,
    physical: &Arc<dyn ExecutionPlan>,
    count: FragmentCount,
) -> Result<(Vec<Stage>, CutSet, Estimate)> {
    let found = match cuts(physical) {
        Ok(found) => found,
        Err(reason) => match count {
            FragmentCount::Exactly(1) | FragmentCount::Auto { .. } => {
                let groups = vec![None; plan.scans.len()];
                let estimate = Estimate::new(plan, &groups, &CutSet::new(), &[], Some(reason));
                return Ok((
                    vec![parts(vec![whole("0".into())])],
                    CutSet::new(),
                    estimate,
                ));
            }
            FragmentCount::Exactly(n) => {
                return Err(Error::Statement(format!(
                    "the statement cannot be cut into {n} fragments: {reason}. It runs as one: --fragments 1"
                ))
                .into());
            }
        },
    };
    // The greatest tables are those that it pays to deal out.
    let size = |cut: &Cut| -> u64 {
        let tables = cut.set.iter().filter_map(|&scan| {
            let table = plan.scans.get(scan).copied().flatten()?;
            plan.tables.get(table).map(TableInput::bytes)
        });
        tables.sum()
    };
    let Some(cut) = found
        .into_iter()
        .filter(|cut| cut.set.iter().all(|scan| times_read(physical, *scan) == 1))
        .max_by_key(size)
    else {
        return Err(Error::Internal("a scan that is planned twice".into()).into());
    };
    let rules: Vec<rules::PruneRule> = rules::rules(physical, &cut.set)
        .into_iter()
        .filter(|rule| times_read(physical, rule.target.scan) == 1)
        .collect();
    let groups = read_groups(state, plan, physical, &cut, &rules).await?;
    let cutting = Cutting {
        scans: &groups,
        set: &cut.set,
        rules: &rules,
        curve: curve(plan, &cut)?,
    };
    let count = match count {
        FragmentCount::Exactly(n) => n,
        FragmentCount::Auto { least } => {
            let bytes: u64 = cut
                .set
                .iter()
                .filter_map(|&scan| groups.get(scan)?.as_ref())
                .map(Groups::bytes)
                .sum();
            let by_size = bytes.div_ceil(FRAGMENT_BYTES).max(1) as usize;
            // What fits in a MB or two is not worth a second process.
            let enough = (bytes >> 20).max(1) as usize;
            by_size.max(least.min(enough)).min(MOST_FRAGMENTS)
        }
    };
    let stages = match (&cut.split, count) {
        (_, 1) => vec![parts(vec![whole_of(&cutting)])],
        (None, _) => vec![parts(fragments::fragments(&cutting, count))],
        (Some(_), _) => vec![
            Stage {
                kind: StageKind::States,
                fragments: fragments::fragments(&cutting, count),
            },
            Stage {
                kind: StageKind::Final,
                fragments: vec![whole("0".into())],
            },
        ],
    };
    let reason = cut.split.as_ref().and(cut.reason.clone());
    let estimate = Estimate::new(plan, &groups, &cut.set, &stages, reason);
    // What runs as a whole because something above counts all rows cannot be dealt out later either.
    let set = match (&cut.split, count) {
        (Some(_), 1) => CutSet::new(),
        _ => cut.set,
    };
    Ok((stages, set, estimate))
}

fn parts(fragments: Vec<Fragment>) -> Stage {
    Stage {
        kind: StageKind::Parts,
        fragments,
    }
}

/// The only fragment: it reads all there is.
fn whole_of(cutting: &Cutting<'_>) -> Fragment {
    let groups = || cutting.scans.iter().flatten();
    let cut = cutting.set.iter();
    let cut = cut.filter_map(|&scan| cutting.scans.get(scan)?.as_ref());
    Fragment {
        rows: cut.flat_map(|g| &g.all).map(|group| group.rows).sum(),
        bytes: groups().map(Groups::bytes).sum(),
        ..whole("0".into())
    }
}

/// How often a plan reads a scan of the statement: an optimizer may repeat what the statement says once.
fn times_read(plan: &Arc<dyn ExecutionPlan>, scan: usize) -> usize {
    if let Some((found, _)) = scan_of(plan) {
        return usize::from(found == scan);
    }
    let children = plan.children();
    children.iter().map(|child| times_read(child, scan)).sum()
}

/// The footers of all scans, with the columns that the plan reads.
async fn read_groups(
    state: &SessionState,
    plan: &Plan,
    physical: &Arc<dyn ExecutionPlan>,
    cut: &Cut,
    rules: &[rules::PruneRule],
) -> Result<Vec<Option<Groups>>> {
    let mut all = vec![];
    for (scan, table) in plan.scans.iter().enumerate() {
        let Some(table) = table.and_then(|table| plan.tables.get(table)) else {
            all.push(None);
            continue;
        };
        let mut geometry: BTreeSet<String> = rules
            .iter()
            .flat_map(|rule| [&rule.source, &rule.target])
            .filter(|column| column.scan == scan)
            .map(|column| column.column.clone())
            .collect();
        if geometry.is_empty() && cut.set.contains(&scan) {
            geometry.extend(first_geometry(table)?);
        }
        let columns = columns_read(physical, scan);
        let groups = listing::row_groups(state, table, columns.as_deref(), &geometry).await?;
        all.push(Some(groups));
    }
    Ok(all)
}

fn first_geometry(table: &TableInput) -> Result<Option<String>> {
    let schema = schema(table)?;
    for field in schema.fields() {
        if GeometryType::from_field(field)?.is_some() {
            return Ok(Some(field.name().clone()));
        }
    }
    Ok(None)
}

fn schema(table: &TableInput) -> Result<arrow::datatypes::SchemaRef> {
    let schema = table.decode_schema();
    schema.map_err(|e| Error::Internal(e.to_string()).into())
}

/// The curve over the CRS of the first scan that is cut.
fn curve(plan: &Plan, cut: &Cut) -> Result<HilbertCurve> {
    let scan = cut.set.iter().next().and_then(|&scan| plan.scans.get(scan));
    let table = scan
        .copied()
        .flatten()
        .and_then(|table| plan.tables.get(table));
    if let Some(table) = table {
        for field in schema(table)?.fields() {
            if let Some(geometry) = GeometryType::from_field(field)? {
                return Ok(HilbertCurve::over(geometry.crs.as_ref()));
            }
        }
    }
    Ok(HilbertCurve::over(None))
}

/// Names of the columns that the scan reads.
fn columns_read(plan: &Arc<dyn ExecutionPlan>, scan: usize) -> Option<Vec<String>> {
    use datafusion::physical_expr::utils::collect_columns;

    if let Some((found, config)) = scan_of(plan) {
        if found != scan {
            return None;
        }
        let projected = config.file_source().projection()?.as_ref().iter();
        let mut names: Vec<String> = projected
            .flat_map(|projected| collect_columns(&projected.expr))
            .map(|column| column.name().to_owned())
            .collect();
        let filter = config.file_source().filter();
        let filtered = filter.iter().flat_map(collect_columns);
        names.extend(filtered.map(|column| column.name().to_owned()));
        return Some(names);
    }
    let children = plan.children();
    children.iter().find_map(|child| columns_read(child, scan))
}

/// Plans the statement of a plan again, over slices of its tables.
pub(crate) async fn replan(
    context: &SessionContext,
    plan: &Plan,
    slices: &[ScanSlice],
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut known: HashMap<String, (TableReference, Arc<dyn TableProvider>)> = HashMap::new();
    for table in &plan.tables {
        // Stands in for the table while names are resolved; its scans are replaced.
        let stub = PartTable::try_new(
            &TableInput {
                files: vec![],
                ..table.clone()
            },
            0,
            None,
        )?;
        let reference = TableReference::parse_str(&table.reference);
        known.insert(table.name.clone(), (reference, Arc::new(stub)));
    }
    run_setup(context, &plan.setup, &known).await?;
    let written = plan_written(context, &plan.statement, Place::Known(&plan.sink)).await?;
    let query = match plan.full_joins_apart {
        true => full_join::apart(written.query)?.data,
        false => written.query,
    };
    let found = scans::find(&query)?;
    if found.len() != plan.scans.len() {
        return Err(DataFusionError::from(Error::Internal(format!(
            "the statement has {} scans here, {} in the plan",
            found.len(),
            plan.scans.len()
        ))));
    }
    let mut parts = part_tables(plan, slices)?;
    let mut own_rows = BTreeMap::new();
    if let Some(least) = common_side(context, plan, &parts) {
        for &scan in &plan.cut {
            let table = plan.scans.get(scan).copied().flatten();
            let table = table.and_then(|table| plan.tables.get(table));
            let part = parts.get_mut(scan).and_then(Option::take);
            if let (Some(table), Some(part)) = (table, part) {
                own_rows.insert(scan, part.rows());
                parts[scan] = Some(part.with_whole_size(table, least));
            }
        }
    }
    let query = replace(query, &providers(parts))?;
    let physical = context.state().create_physical_plan(&query).await?;
    with_rows(physical, &own_rows)
}

/// Whether joins of a fragment are to be planned as those of the whole statement are, and then build on the tables that
/// fragments have in common: where these are sure to fit into memory, else on what is smaller in each. The bytes that a
/// table which is dealt out counts as, at the least: with joins that leave their build sides to other fragments it is
/// never what they build on.
fn common_side(context: &SessionContext, plan: &Plan, parts: &[Option<PartTable>]) -> Option<u64> {
    let others = (0..)
        .zip(parts)
        .filter(|(scan, _)| !plan.cut.contains(scan));
    let bytes = others.filter_map(|(_, part)| part.as_ref().map(PartTable::bytes));
    let bytes = bytes.fold(0, u64::saturating_add);
    if let MemoryLimit::Finite(limit) = context.runtime_env().memory_pool.memory_limit()
        && bytes > limit as u64 / 2
    {
        return None;
    }
    let shares = context.state().config().get_extension::<SharedBuilds>();
    let several = plan.stages.iter().any(|stage| stage.fragments.len() > 1);
    match shares.is_some() && several {
        true => Some(bytes.saturating_mul(2)),
        false => Some(0),
    }
}

/// The place where a plan is cut by these scans.
pub(crate) fn cut_like(plan: &Arc<dyn ExecutionPlan>, set: &CutSet) -> Option<Split> {
    let found = cuts(plan).ok()?;
    found.into_iter().find(|cut| &cut.set == set)?.split
}
