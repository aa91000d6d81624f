//! The logical node.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Column, DFSchema, DFSchemaRef, JoinType, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Expr, LogicalPlan, SortExpr, UserDefinedLogicalNodeCore, build_join_schema,
};

/// `left JOIN right ON ST_KNN(left_geometry, right_geometry, k) AND residual`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct NearestJoinNode {
    pub left: Arc<LogicalPlan>,
    pub right: Arc<LogicalPlan>,
    pub left_geometry: Expr,
    pub right_geometry: Expr,
    pub k: usize,
    /// What must hold of a row and one of its nearest, beside.
    pub residual: Option<Expr>,
    /// Which of the right rows at one distance come first; those that this does not tell apart come in their own order.
    pub ties: Vec<SortExpr>,
    /// Inner or left.
    pub join_type: JoinType,
    /// The column of distances behind those of the inputs, if one is put out.
    pub distance: Option<Column>,
    pub schema: DFSchemaRef,
}

impl NearestJoinNode {
    /// The same join with the distances of its pairs as a last column.
    pub(super) fn with_distance(self, distance: Column) -> Result<Self> {
        let distance = Some(distance);
        let schema = schema(&self.left, &self.right, self.join_type, distance.as_ref())?;
        Ok(Self {
            distance,
            schema,
            ..self
        })
    }

    /// The field of the column of distances.
    pub(super) fn distance_field(&self) -> Option<FieldRef> {
        self.distance.as_ref().map(field)
    }

    /// How many columns the left input has.
    fn left_width(&self) -> usize {
        self.left.schema().fields().len()
    }
}

fn field(distance: &Column) -> FieldRef {
    Arc::new(Field::new(&distance.name, DataType::Float64, true))
}

fn schema(
    left: &LogicalPlan,
    right: &LogicalPlan,
    join_type: JoinType,
    distance: Option<&Column>,
) -> Result<DFSchemaRef> {
    let joined = build_join_schema(left.schema(), right.schema(), &join_type)?;
    let Some(distance) = distance else {
        return Ok(Arc::new(joined));
    };
    let fields = joined
        .iter()
        .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
        .chain([(distance.relation.clone(), field(distance))]);
    let schema = DFSchema::new_with_metadata(fields.collect(), joined.metadata().clone())?;
    Ok(Arc::new(schema))
}

impl PartialOrd for NearestJoinNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (
            &self.left,
            &self.right,
            &self.left_geometry,
            &self.right_geometry,
            self.k,
        )
            .partial_cmp(&(
                &other.left,
                &other.right,
                &other.left_geometry,
                &other.right_geometry,
                other.k,
            ))
    }
}

impl UserDefinedLogicalNodeCore for NearestJoinNode {
    fn name(&self) -> &str {
        "NearestJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        [self.left_geometry.clone(), self.right_geometry.clone()]
            .into_iter()
            .chain(self.ties.iter().map(|tie| tie.expr.clone()))
            .chain(self.residual.clone())
            .collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = (&self.left_geometry, &self.right_geometry);
        write!(
            f,
            "NearestJoin: {} on ST_KNN({left}, {right}, {})",
            self.join_type, self.k
        )?;
        if !self.ties.is_empty() {
            let ties: Vec<String> = self.ties.iter().map(SortExpr::to_string).collect();
            write!(f, ", ties=[{}]", ties.join(", "))?;
        }
        if let Some(residual) = &self.residual {
            write!(f, ", filter={residual}")?;
        }
        match &self.distance {
            Some(distance) => write!(f, ", distance={distance}"),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (mut exprs, mut inputs) = (exprs.into_iter(), inputs.into_iter());
        let (Some(left_geometry), Some(right_geometry), Some(left), Some(right)) =
            (exprs.next(), exprs.next(), inputs.next(), inputs.next())
        else {
            return plan_err!("NearestJoin has two inputs and two geometries");
        };
        let schema = schema(&left, &right, self.join_type, self.distance.as_ref())?;
        let ties = exprs.by_ref().zip(&self.ties);
        let ties = ties.map(|(expr, tie)| tie.with_expr(expr)).collect();
        Ok(Self {
            ties,
            left: Arc::new(left),
            right: Arc::new(right),
            left_geometry,
            right_geometry,
            k: self.k,
            residual: exprs.next(),
            join_type: self.join_type,
            distance: self.distance.clone(),
            schema,
        })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.left_width();
        let expressions = self.expressions();
        let used: Vec<&Column> = expressions.iter().flat_map(Expr::column_refs).collect();
        let wanted = |plan: &LogicalPlan, outputs: Vec<usize>| {
            let own = used
                .iter()
                .filter_map(|column| plan.schema().maybe_index_of_column(column));
            let mut all: Vec<usize> = outputs.into_iter().chain(own).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let both = width + self.right.schema().fields().len();
        let (left, right): (Vec<usize>, Vec<usize>) = output_columns
            .iter()
            .filter(|&&i| i < both)
            .partition(|&&i| i < width);
        Some(vec![
            wanted(&self.left, left),
            wanted(&self.right, right.into_iter().map(|i| i - width).collect()),
        ])
    }
}
