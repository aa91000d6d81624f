//! `bbox.xmin` of a row whose `bbox` is NULL.
//!
//! DataFusion's `get_field` returns the member's array as it is, without the NULLs of the struct around it. A file
//! whose members are NOT NULL in a struct that may be (GDAL writes such a `bbox`) has anything at all in these rows.
//! The rule puts a function of the same name in its place there; elsewhere DataFusion's own stays, which scans
//! of Parquet know how to read without the other members.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{is_null, nullif};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

/// Puts [`StructField`] where `get_field` may show what lies under NULL.
#[derive(Debug, Default)]
pub(crate) struct StructFields {}

impl AnalyzerRule for StructFields {
    fn name(&self) -> &str {
        "struct_fields"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            if matches!(plan, LogicalPlan::TableScan(_)) {
                return Ok(Transformed::no(plan));
            }
            let schema = merge_schema(&plan.inputs());
            plan.map_expressions(|expr| expr.transform_up(|expr| masked(expr, &schema)))?
                .map_data(LogicalPlan::recompute_schema)
        })
        .data()
    }
}

fn masked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = &expr else {
        return Ok(Transformed::no(expr));
    };
    if !call.func.inner().is::<GetFieldFunc>() || !hides_nulls(call, schema)? {
        return Ok(Transformed::no(expr));
    }
    let func = Arc::new(ScalarUDF::new_from_impl(StructField::default()));
    let call = ScalarFunction::new_udf(func, call.args.clone());
    Ok(Transformed::yes(Expr::ScalarFunction(call)))
}

/// Whether a member may hold something where its struct is NULL: one that cannot be NULL itself, and any of a
/// struct that is computed.
fn hides_nulls(call: &ScalarFunction, schema: &DFSchema) -> Result<bool> {
    let [base, names @ ..] = call.args.as_slice() else {
        return Ok(false);
    };
    let field = base.to_field(schema)?.1;
    let mut nullable = field.is_nullable();
    let mut data_type = field.data_type();
    if !matches!(data_type, DataType::Struct(_)) {
        return Ok(false);
    }
    match base {
        Expr::Column(_) => {}
        // What is built on the spot is not NULL.
        Expr::ScalarFunction(call) if ["named_struct", "struct"].contains(&call.func.name()) => {
            nullable = false;
        }
        _ if nullable => return Ok(true),
        _ => {}
    }
    for name in names {
        let (DataType::Struct(members), Expr::Literal(name, _)) = (data_type, name) else {
            return Ok(false);
        };
        let Some((_, member)) = name.try_as_str().flatten().and_then(|n| members.find(n)) else {
            return Ok(false);
        };
        if nullable && !member.is_nullable() {
            return Ok(true);
        }
        nullable |= member.is_nullable();
        data_type = member.data_type();
    }
    Ok(false)
}

/// `get_field` of structs, NULL where the struct is.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct StructField {
    inner: GetFieldFunc,
}

impl ScalarUDFImpl for StructField {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = self.inner.return_field_from_args(args)?;
        Ok(Arc::new(Field::clone(&field).with_nullable(true)))
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let names = args.args.split_off(1);
        let (mut array, constant) = match args.args.pop() {
            Some(ColumnarValue::Array(array)) => (array, false),
            Some(ColumnarValue::Scalar(value)) => (value.to_array()?, true),
            None => return internal_err!("get_field has no arguments"),
        };
        for name in names {
            match name {
                ColumnarValue::Scalar(name) => array = member(&array, &name)?,
                ColumnarValue::Array(_) => {
                    return internal_err!("the name of a member is no constant");
                }
            }
        }
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
            false => ColumnarValue::Array(array),
        })
    }
}

fn member(array: &ArrayRef, name: &ScalarValue) -> Result<ArrayRef> {
    let all = array.as_struct_opt();
    let name = name.try_as_str().flatten();
    let Some(member) = all
        .zip(name)
        .and_then(|(all, name)| all.column_by_name(name))
    else {
        return internal_err!("{} has no member {name:?}", array.data_type());
    };
    match array.null_count() {
        0 => Ok(Arc::clone(member)),
        _ => Ok(nullif(member, &is_null(array)?)?),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{Float64Array, Int64Array, RecordBatch, StructArray};
    use arrow::buffer::NullBuffer;
    use arrow::datatypes::{Fields, Float64Type, Int64Type, Schema};

    use super::*;
    use crate::Session;

    /// A table of three boxes, the second of which is NULL and has 7 in its members.
    fn session() -> Session {
        let session = Session::try_new().unwrap();
        let x = Arc::new(Field::new("xmin", DataType::Float64, false));
        let within = Arc::new(Field::new(
            "d",
            DataType::Struct(vec![x.clone()].into()),
            false,
        ));
        let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 7.0, 3.0]));
        let deep = StructArray::new(vec![x.clone()].into(), vec![Arc::clone(&values)], None);
        let nulls = NullBuffer::from(vec![true, false, true]);
        let members: Fields = vec![x, within].into();
        let boxes = StructArray::new(members, vec![values, Arc::new(deep)], Some(nulls));
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("bbox", boxes.data_type().clone(), true),
        ]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![ids, Arc::new(boxes)]).unwrap();
        session.context().register_batch("t", batch).unwrap();
        session
    }

    #[tokio::test]
    async fn members_of_null_are_null() {
        let session = session();
        for (sql, expected) in [
            ("SELECT sum(bbox.xmin) FROM t", 4.0),
            ("SELECT sum(bbox['d']['xmin']) FROM t", 4.0),
            ("SELECT sum((bbox).xmin) FROM t", 4.0),
            (
                "SELECT sum((nullif(s, s)).a + 1) FROM (SELECT named_struct('a', 1.5) AS s, id FROM t)",
                f64::NAN,
            ),
            (
                "SELECT sum(x) FROM (SELECT bbox.xmin AS x FROM t ORDER BY bbox.xmin)",
                4.0,
            ),
            (
                "SELECT count(*)::double FROM t WHERE bbox.xmin IS NULL",
                1.0,
            ),
            ("SELECT count(*)::double FROM t WHERE bbox.xmin > 5", 0.0),
            (
                "SELECT max(n)::double FROM (SELECT bbox.xmin, count(*) AS n FROM t GROUP BY bbox.xmin)",
                1.0,
            ),
        ] {
            let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
            let value = batches[0].column(0).as_primitive::<Float64Type>();
            match expected.is_nan() {
                true => assert!(value.is_null(0), "{sql}"),
                false => assert_eq!(
                    (value.is_null(0), value.value(0)),
                    (false, expected),
                    "{sql}"
                ),
            }
        }
        let frame = session
            .sql("SELECT id, bbox.xmin FROM t WHERE id = 2")
            .await
            .unwrap();
        assert_eq!(frame.schema().field(1).name(), "t.bbox[xmin]");
        let batches = frame.collect().await.unwrap();
        assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 2);
        assert!(batches[0].column(1).is_null(0));
    }
}
