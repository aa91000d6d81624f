//! Leaving out rows while a file is decoded, where that pays.
//!
//! ```text
//!  condition on the geometry ──> few columns decoded ──> rows ──> the other columns, of these rows alone
//!  rectangles ──> boxes of the covering decoded ──> rows ──> geometry and all else, of these rows alone
//! ```
//!
//! It costs that the columns of the condition are decoded on their own, and that their bytes are held
//! while the rest is read; so it is done by file, where its footer says that it spares more than that.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::error::Result;
use datafusion::functions::core::get_field;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::utils::{collect_columns, conjunction, split_conjunction};
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};
use datafusion_datasource::morsel::Morselizer;
use object_store::ObjectStore;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::prune_access::Wanted;
use super::prune_hint::{Hint, Meets};
use super::prune_statistics::BoundsStatistics;
use super::{Covering, GeoMetadata};
use crate::geometry::Bounds;
use crate::predicate::SpatialPredicate;

/// Most rectangles that each row is compared with.
const RECTANGLES: usize = 64;

/// Boxes are decoded first where the geometries weigh so many times as much.
const HEAVY: u64 = 3;

/// Comparisons of numbers and text are made first where the other columns weigh so many times as much.
const FAR_HEAVIER: u64 = 8;

/// The share of an area from which on most rows pass, so that nothing is spared.
const MOST: f64 = 0.4;

/// What a scan may ask of rows, besides what it asks of row groups.
pub(super) struct RowPruning {
    source: ParquetSource,
    store: Arc<dyn ObjectStore>,
    /// That of the scan, without its files.
    config: FileScanConfig,
    partition: usize,
    /// Conditions with a spatial predicate.
    spatial: Vec<PhysicalExprRef>,
    /// Comparisons with constants, by which DataFusion prunes.
    plain: Vec<PhysicalExprRef>,
    /// Whether there are conditions of other kinds, by which DataFusion may prune, too.
    others: bool,
}

impl fmt::Debug for RowPruning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowPruning")
            .field("spatial", &self.spatial)
            .finish_non_exhaustive()
    }
}

/// Whether a condition asks a spatial predicate of a row.
fn is_spatial(expr: &PhysicalExprRef) -> bool {
    let mut found = false;
    let walked = expr.apply(|node| {
        if let Some(call) = node.downcast_ref::<ScalarFunctionExpr>() {
            found |= SpatialPredicate::from_function_name(call.fun().name()).is_some();
        }
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    });
    walked.is_ok() && found
}

/// A comparison that cannot fail.
fn is_plain(expr: &PhysicalExprRef) -> bool {
    fn is_side(expr: &PhysicalExprRef) -> bool {
        expr.is::<Column>() || expr.is::<Literal>()
    }
    expr.downcast_ref::<BinaryExpr>().is_some_and(|comparison| {
        matches!(
            comparison.op(),
            Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
        ) && is_side(comparison.left())
            && is_side(comparison.right())
    })
}

impl RowPruning {
    /// `None` for sources that filter rows already.
    pub(super) fn new(
        source: &ParquetSource,
        store: &Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Option<Self> {
        if source.table_parquet_options().global.pushdown_filters {
            return None;
        }
        let predicate = source.filter();
        let conjuncts = predicate.iter().flat_map(split_conjunction);
        let (mut spatial, mut plain, mut others) = (vec![], vec![], false);
        for conjunct in conjuncts {
            if is_spatial(conjunct) {
                spatial.push(Arc::clone(conjunct));
            } else if is_plain(conjunct) {
                plain.push(Arc::clone(conjunct));
            } else {
                others = true;
            }
        }
        let config = FileScanConfigBuilder::from(config.clone())
            .with_file_groups(vec![FileGroup::default()])
            .build();
        Some(Self {
            source: source.clone(),
            store: Arc::clone(store),
            config,
            partition,
            spatial,
            plain,
            others,
        })
    }

    /// Whether a file is worth a look though nothing is known of rectangles.
    pub(super) fn asks(&self) -> bool {
        !self.spatial.is_empty() || (!self.plain.is_empty() && !self.others)
    }

    /// A reader that leaves out rows of a file; `None` where that does not pay.
    pub(super) fn reader(
        &self,
        footer: &ParquetMetaData,
        plan: &ParquetAccessPlan,
        wanted: &[Wanted],
        columns: &[String],
    ) -> Result<Option<Box<dyn Morselizer>>> {
        let groups: Vec<&RowGroupMetaData> = footer
            .row_groups()
            .iter()
            .enumerate()
            .filter(|(i, _)| plan.should_scan(*i))
            .map(|(_, group)| group)
            .collect();
        let file = File {
            footer,
            geo: GeoMetadata::of_file(footer, "").ok().flatten(),
            groups,
        };
        let conditions = match self.by_covering(&file, wanted)? {
            Some(meets) => vec![meets],
            None => self.by_predicate(&file, wanted, columns),
        };
        if conditions.is_empty() && !self.plain_first(&file, columns) {
            return Ok(None);
        }
        let predicate = conjunction(conditions.into_iter().chain(self.plain.iter().cloned()));
        let reader = self
            .source
            .with_predicate(predicate)
            .with_pushdown_filters(true)
            .create_morselizer(Arc::clone(&self.store), &self.config, self.partition)?;
        Ok(Some(reader))
    }

    /// Boxes first, where geometries are much heavier than their boxes.
    fn by_covering(&self, file: &File<'_>, wanted: &[Wanted]) -> Result<Option<PhysicalExprRef>> {
        let schema = self.source.table_schema().file_schema();
        for wanted in wanted {
            let column = file
                .geo
                .as_ref()
                .and_then(|geo| geo.columns.get(&wanted.column));
            let Some(covering) = column.and_then(|column| column.covering.as_ref()) else {
                continue;
            };
            let Some((root, sides)) = sides(covering) else {
                continue;
            };
            let Ok(index) = schema.index_of(root) else {
                continue;
            };
            let DataType::Struct(fields) = schema.field(index).data_type() else {
                continue;
            };
            let numbers = sides.iter().all(|side| {
                fields.find(side).is_some_and(|(_, field)| {
                    matches!(field.data_type(), DataType::Float64 | DataType::Float32)
                })
            });
            let heavy = file.bytes(&wanted.column) >= HEAVY * file.bytes(root);
            let few = wanted.rectangles.len() <= RECTANGLES;
            // Where the file does not say, boxes are light enough to look.
            if !(numbers && heavy && few && file.share(wanted).is_none_or(|s| s < MOST)) {
                continue;
            }
            let column: PhysicalExprRef = Arc::new(Column::new(root, index));
            let side = |name: &str| -> Result<PhysicalExprRef> {
                let name = ScalarValue::Utf8(Some(name.to_owned()));
                Ok(Arc::new(ScalarFunctionExpr::try_new(
                    get_field(),
                    vec![Arc::clone(&column), Arc::new(Literal::new(name))],
                    schema,
                    Arc::new(ConfigOptions::default()),
                )?))
            };
            let [xmin, ymin, xmax, ymax] = sides;
            return Ok(Some(Arc::new(Meets {
                sides: [side(xmin)?, side(ymin)?, side(xmax)?, side(ymax)?],
                rectangles: Arc::clone(&wanted.rectangles),
            })));
        }
        Ok(None)
    }

    /// The conditions on geometries first, where the other columns are heavier than the geometries.
    fn by_predicate(
        &self,
        file: &File<'_>,
        wanted: &[Wanted],
        columns: &[String],
    ) -> Vec<PhysicalExprRef> {
        if self.spatial.is_empty() {
            return vec![];
        }
        let (cost, others) = file.weights(&self.spatial, columns);
        let most_pass = wanted
            .iter()
            .filter_map(|w| file.share(w))
            .any(|s| s >= MOST);
        if others < cost || most_pass {
            return vec![];
        }
        let hints = self
            .spatial
            .iter()
            .map(|condition| -> PhysicalExprRef { Arc::new(Hint(Arc::clone(condition))) });
        hints.collect()
    }

    /// Whether to compare with constants first: where the other columns, geometries mostly, are far heavier.
    fn plain_first(&self, file: &File<'_>, columns: &[String]) -> bool {
        let (cost, others) = file.weights(&self.plain, columns);
        !self.plain.is_empty() && !self.others && others >= FAR_HEAVIER * cost
    }
}

/// The column of a covering, and its fields from xmin to ymax.
fn sides(covering: &Covering) -> Option<(&str, [&str; 4])> {
    let paths = [
        &covering.xmin,
        &covering.ymin,
        &covering.xmax,
        &covering.ymax,
    ];
    let mut sides = [""; 4];
    let mut root = None;
    for (side, path) in sides.iter_mut().zip(paths) {
        let [column, field] = path.as_slice() else {
            return None;
        };
        if *root.get_or_insert(column.as_str()) != column {
            return None;
        }
        *side = field;
    }
    Some((root?, sides))
}

/// What a footer says of the row groups that are read.
struct File<'a> {
    footer: &'a ParquetMetaData,
    geo: Option<GeoMetadata>,
    groups: Vec<&'a RowGroupMetaData>,
}

impl File<'_> {
    /// Bytes of a column in the file.
    fn bytes(&self, column: &str) -> u64 {
        let leaves = self.groups.iter().flat_map(|group| group.columns());
        let of_column = leaves.filter(|leaf| {
            let root = leaf.column_path().parts().first();
            root.is_some_and(|root| root == column)
        });
        of_column
            .map(|leaf| leaf.compressed_size().max(0) as u64)
            .sum()
    }

    /// Bytes of the columns that `conditions` ask for, and of the others that are read.
    fn weights(&self, conditions: &[PhysicalExprRef], columns: &[String]) -> (u64, u64) {
        let asked = conditions.iter().flat_map(collect_columns);
        let asked: BTreeSet<String> = asked.map(|column| column.name().to_owned()).collect();
        let others: BTreeSet<&String> = columns
            .iter()
            .filter(|name| !asked.contains(*name))
            .collect();
        (
            asked.iter().map(|name| self.bytes(name)).sum(),
            others.into_iter().map(|name| self.bytes(name)).sum(),
        )
    }

    /// The share of the area of the row groups that the rectangles cover at most; `None` if the file
    /// does not say.
    fn share(&self, wanted: &Wanted) -> Option<f64> {
        let column = self.geo.as_ref()?.columns.get(&wanted.column)?;
        let schema = self.footer.file_metadata().schema_descr();
        let statistics = BoundsStatistics::find(schema, &wanted.column, column)?;
        let (mut area, mut covered) = (0.0, 0.0);
        for group in &self.groups {
            let bounds = statistics.row_group(group)?;
            // Boxes that may cross the antimeridian are unbounded, but not larger than the Earth.
            let bounds = match bounds.min_x.is_infinite() && bounds.max_x.is_infinite() {
                true => Bounds::new(-180.0, bounds.min_y, 180.0, bounds.max_y),
                false => bounds,
            };
            // A point has no area, but it is there.
            let measure = |b: &Bounds| {
                (b.max_x - b.min_x).max(f64::MIN_POSITIVE)
                    * (b.max_y - b.min_y).max(f64::MIN_POSITIVE)
            };
            area += measure(&bounds);
            let parts = wanted.rectangles.iter().filter(|r| r.intersects(&bounds));
            let parts = parts.map(|r| {
                measure(&Bounds::new(
                    r.min_x.max(bounds.min_x),
                    r.min_y.max(bounds.min_y),
                    r.max_x.min(bounds.max_x),
                    r.max_y.min(bounds.max_y),
                ))
            });
            covered += parts.sum::<f64>().min(measure(&bounds));
        }
        (area.is_finite() && area > 0.0).then_some(covered / area)
    }
}
