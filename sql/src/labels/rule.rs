//! The analyzer rule.

use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::analyzer::AnalyzerRule;
use geoflow_engine::options::{CrsMismatch, GeoflowOptions, OnInvalid};

use super::find::label_of;
use super::label::{Label, is_label, label, unlabelled_twice};
use super::notices::Notices;
use super::{align, cast, nodes, values};
use crate::functions;

/// Restores the labels of geometries, settles casts of geometries, and refuses or aligns two CRS
/// in one operation.
///
/// It runs before DataFusion's coercion of types, which has no notion of a geometry, and once
/// more after it, because the casts that it puts in drop labels.
#[derive(Debug, Default, Clone)]
pub struct GeometryRule {
    notices: Notices,
}

impl GeometryRule {
    /// The rule, which tells of what it aligns.
    pub fn new(notices: Notices) -> Self {
        Self { notices }
    }
}

impl AnalyzerRule for GeometryRule {
    fn name(&self) -> &str {
        "geometry"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let options = GeoflowOptions::of(config);
        let on_mismatch = options.crs_mismatch;
        let lenient = options.on_invalid != OnInvalid::Error;
        plan.transform_up_with_subqueries(|plan| self.node(plan, on_mismatch, lenient))
            .data()
    }
}

impl GeometryRule {
    fn node(
        &self,
        plan: LogicalPlan,
        on_mismatch: CrsMismatch,
        lenient: bool,
    ) -> Result<Transformed<LogicalPlan>> {
        // A scan has columns alone, and its filters are those of conditions above it.
        if matches!(plan, LogicalPlan::TableScan(_)) {
            return Ok(Transformed::no(plan));
        }
        let schema = merge_schema(&plan.inputs());
        let context = Context {
            schema: &schema,
            on_mismatch,
            lenient,
            notices: &self.notices,
        };
        let names = NamePreserver::new(&plan);
        let plan = plan
            .map_expressions(|expr| {
                let name = names.save(&expr);
                let rewritten = context.rewrite(expr)?;
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })?
            .map_data(|plan| align::equalities(plan, &context))?
            .map_data(LogicalPlan::recompute_schema)?;
        plan.transform_data(|plan| nodes::restore(plan, &context))
    }
}

/// What the rewriting of expressions of one node needs to know.
pub(super) struct Context<'a> {
    pub(super) schema: &'a DFSchema,
    pub(super) on_mismatch: CrsMismatch,
    /// Whether invalid geometries are anything else than errors.
    lenient: bool,
    pub(super) notices: &'a Notices,
}

impl Context<'_> {
    /// Rewrites an expression from its leaves up.
    pub(super) fn rewrite(&self, expr: Expr) -> Result<Transformed<Expr>> {
        expr.transform_up(|mut expr| {
            if let Some(inner) = values::unwrapped(&mut expr) {
                return Ok(Transformed::yes(inner));
            }
            if let Some(lenient) = self.lenient.then(|| functions::lenient(&expr)).flatten() {
                return Ok(Transformed::yes(lenient));
            }
            let cast = cast::rewrite(expr, self.schema)?;
            let aligned = cast.transform_data(|expr| align::rewrite(expr, self))?;
            aligned.transform_data(|expr| self.restore(expr))
        })
    }

    /// Labels an expression whose field does not say that it is a geometry.
    fn restore(&self, expr: Expr) -> Result<Transformed<Expr>> {
        if let Some(once) = unlabelled_twice(&expr) {
            return Ok(Transformed::yes(once));
        }
        let may_lose_it = match &expr {
            Expr::Case(_) | Expr::Cast(_) | Expr::TryCast(_) => true,
            Expr::ScalarFunction(_) => !is_label(&expr),
            _ => false,
        };
        if !may_lose_it || Label::of_field(&expr.to_field(self.schema)?.1)?.is_some() {
            return Ok(Transformed::no(expr));
        }
        Ok(match label_of(&expr, self.schema)? {
            Some(found) => Transformed::yes(label(expr, found)),
            None => Transformed::no(expr),
        })
    }
}
