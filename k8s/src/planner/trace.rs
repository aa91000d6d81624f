//! Where a column of an operator comes from.

use std::sync::Arc;

use datafusion::common::{JoinSide, JoinType};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::utils::{ColumnIndex, build_join_schema};
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use geoflow_engine::join::{JoinPredicate, SpatialJoinExec};

use crate::table::ScanTag;

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScanColumn {
    pub(crate) scan: usize,
    pub(crate) column: String,
}

/// A join of any kind.
pub(crate) struct JoinView<'a> {
    pub(crate) left: &'a Arc<dyn ExecutionPlan>,
    pub(crate) right: &'a Arc<dyn ExecutionPlan>,
    pub(crate) join_type: JoinType,
    /// The right rows that a left row meets depend on all of them.
    pub(crate) nearest: bool,
    /// `NOT IN`, where one NULL decides for all rows.
    pub(crate) null_aware: bool,
}

impl<'a> JoinView<'a> {
    pub(crate) fn of(plan: &'a Arc<dyn ExecutionPlan>) -> Option<Self> {
        let (left, right, join_type) = if let Some(join) = plan.downcast_ref::<SpatialJoinExec>() {
            return Some(Self {
                left: join.left(),
                right: join.right(),
                join_type: join.join_type(),
                nearest: matches!(join.on().predicate, JoinPredicate::Nearest { .. }),
                null_aware: false,
            });
        } else if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            return Some(Self {
                left: join.left(),
                right: join.right(),
                join_type: *join.join_type(),
                nearest: false,
                null_aware: join.null_aware,
            });
        } else if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
            (join.left(), join.right(), *join.join_type())
        } else if let Some(join) = plan.downcast_ref::<SortMergeJoinExec>() {
            (join.left(), join.right(), join.join_type())
        } else if let Some(join) = plan.downcast_ref::<CrossJoinExec>() {
            (join.left(), join.right(), JoinType::Inner)
        } else {
            return None;
        };
        Some(Self {
            left,
            right,
            join_type,
            nearest: false,
            null_aware: false,
        })
    }

    pub(crate) fn input(&self, side: JoinSide) -> &'a Arc<dyn ExecutionPlan> {
        match side {
            JoinSide::Left => self.left,
            _ => self.right,
        }
    }

    /// Whether each row of that side yields its output rows by itself, whatever the other rows of
    /// that side: then the side may be dealt out to fragments.
    pub(crate) fn distributes(&self, side: JoinSide) -> bool {
        if self.null_aware && side == JoinSide::Right {
            return false;
        }
        match side {
            JoinSide::Left => matches!(
                self.join_type,
                JoinType::Inner
                    | JoinType::Left
                    | JoinType::LeftSemi
                    | JoinType::LeftAnti
                    | JoinType::LeftMark
            ),
            _ => {
                !self.nearest
                    && matches!(
                        self.join_type,
                        JoinType::Inner
                            | JoinType::Right
                            | JoinType::RightSemi
                            | JoinType::RightAnti
                            | JoinType::RightMark
                    )
            }
        }
    }

    /// Whether a row of that side that meets no row of the other leaves no trace in the output.
    pub(crate) fn forgets(&self, side: JoinSide) -> bool {
        if self.null_aware {
            return false;
        }
        match side {
            JoinSide::Left => matches!(
                self.join_type,
                JoinType::Inner
                    | JoinType::Right
                    | JoinType::LeftSemi
                    | JoinType::RightSemi
                    | JoinType::RightAnti
                    | JoinType::RightMark
            ),
            _ => {
                !self.nearest
                    && matches!(
                        self.join_type,
                        JoinType::Inner
                            | JoinType::Left
                            | JoinType::LeftSemi
                            | JoinType::RightSemi
                            | JoinType::LeftAnti
                            | JoinType::LeftMark
                    )
            }
        }
    }

    /// The input column that a column of the output of `plan` is taken from.
    fn input_column(plan: &'a Arc<dyn ExecutionPlan>, column: usize) -> Option<(JoinSide, usize)> {
        if let Some(join) = plan.downcast_ref::<SpatialJoinExec>() {
            return join.input_column(column);
        }
        let view = Self::of(plan)?;
        let projection: Option<&[usize]> = if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            join.projection.as_deref()
        } else if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
            join.projection().as_deref()
        } else {
            None
        };
        let column = match projection {
            Some(projection) => *projection.get(column)?,
            None => column,
        };
        let (left, right) = (view.left.schema(), view.right.schema());
        let (_, columns) = build_join_schema(&left, &right, &view.join_type);
        let ColumnIndex { index, side } = *columns.get(column)?;
        (side != JoinSide::None).then_some((side, index))
    }
}

/// The scan of files that an operator is, with its number in the statement.
pub(crate) fn scan_of(plan: &Arc<dyn ExecutionPlan>) -> Option<(usize, &FileScanConfig)> {
    let exec = plan.downcast_ref::<DataSourceExec>()?;
    let config = exec.data_source().downcast_ref::<FileScanConfig>()?;
    let mut files = config.file_groups.iter().flat_map(|group| group.iter());
    let tag = files.next()?.extension::<ScanTag>()?;
    Some((tag.0, config))
}

/// Operators that pass rows on, each by itself and unchanged.
pub(crate) fn passes_rows(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<RepartitionExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<SortExec>()
        || plan.is::<SortPreservingMergeExec>()
}

/// The column of a table whose values a column of an operator's output holds (or NULL), if it is passed
/// on unchanged. Some of its rows may be missing, some may be there more than once.
pub(crate) fn value_origin(plan: &Arc<dyn ExecutionPlan>, column: usize) -> Option<ScanColumn> {
    if let Some(found) = scan_column(plan, column) {
        return Some(found);
    }
    let (child, column) = child_column(plan, column)?;
    value_origin(child, column)
}

/// As [`value_origin`], where moreover a row that is missing in the table is missing in the output
/// and changes nothing else.
pub(crate) fn row_origin(plan: &Arc<dyn ExecutionPlan>, column: usize) -> Option<ScanColumn> {
    if let Some((_, config)) = scan_of(plan) {
        return match config.limit {
            None => scan_column(plan, column),
            Some(_) => None,
        };
    }
    if plan.fetch().is_some() {
        return None;
    }
    if let Some(join) = JoinView::of(plan) {
        let (side, index) = JoinView::input_column(plan, column)?;
        // The other side shows no row for want of a partner.
        if !join.distributes(side) {
            return None;
        }
        return row_origin(join.input(side), index);
    }
    let (child, column) = child_column(plan, column)?;
    row_origin(child, column)
}

fn scan_column(plan: &Arc<dyn ExecutionPlan>, column: usize) -> Option<ScanColumn> {
    let (scan, config) = scan_of(plan)?;
    let source = config.file_source();
    let column = match source.projection() {
        None => column,
        Some(projection) => {
            let projected = projection.as_ref().get(column)?;
            projected.expr.downcast_ref::<Column>()?.index()
        }
    };
    let schema = source.table_schema().file_schema();
    let field = schema.fields().get(column)?;
    Some(ScanColumn {
        scan,
        column: field.name().clone(),
    })
}

fn child_column(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
) -> Option<(&Arc<dyn ExecutionPlan>, usize)> {
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let column = match filter.projection() {
            Some(projection) => *projection.get(column)?,
            None => column,
        };
        return Some((filter.input(), column));
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let expr = &projection.expr().get(column)?.expr;
        return Some((projection.input(), expr.downcast_ref::<Column>()?.index()));
    }
    if let Some(join) = JoinView::of(plan) {
        let (side, index) = JoinView::input_column(plan, column)?;
        return Some((join.input(side), index));
    }
    if passes_rows(plan) {
        return Some((plan.children().first().copied()?, column));
    }
    None
}

/// The scans of the statement that a plan reads.
pub(crate) fn scans_of(plan: &Arc<dyn ExecutionPlan>) -> Vec<usize> {
    if let Some((scan, _)) = scan_of(plan) {
        return vec![scan];
    }
    let children = plan.children();
    children.into_iter().flat_map(scans_of).collect()
}
