//! Conditions on rows that a reader may apply while it decodes.
//!
//! They are hints: who asked for the rows filters them again. So they let a row pass rather than fail.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::{PhysicalExpr, PhysicalExprRef};

use crate::Error;
use crate::geometry::Bounds;

/// A condition that is also tested above the scan. Where it fails every row passes, so that the
/// error is told where it can name what it is about.
#[derive(Debug, Eq)]
pub(super) struct Hint(pub PhysicalExprRef);

impl PartialEq for Hint {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref() == other.0.as_ref()
    }
}

impl Hash for Hint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PhysicalExpr for Hint {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.0.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.0.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let all = || ColumnarValue::Scalar(ScalarValue::Boolean(Some(true)));
        Ok(self.0.evaluate(batch).unwrap_or_else(|_| all()))
    }

    fn children(&self) -> Vec<&PhysicalExprRef> {
        vec![&self.0]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<PhysicalExprRef>,
    ) -> Result<PhysicalExprRef> {
        let inner = children.into_iter().next();
        let inner = inner.ok_or_else(|| Error::Internal("a hint has one child".into()))?;
        Ok(Arc::new(Self(inner)))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_sql(f)
    }
}

/// Whether the box of a row, out of the fields of a covering, meets one of some rectangles.
///
/// A row without a box passes, as does one whose box crosses the antimeridian or is NaN.
#[derive(Debug)]
pub(super) struct Meets {
    /// xmin, ymin, xmax, ymax
    pub sides: [PhysicalExprRef; 4],
    pub rectangles: Arc<[Bounds]>,
}

impl PartialEq for Meets {
    fn eq(&self, other: &Self) -> bool {
        self.sides == other.sides && self.rectangles == other.rectangles
    }
}

impl Eq for Meets {}

impl Hash for Meets {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sides.hash(state);
    }
}

impl fmt::Display for Meets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [xmin, ..] = &self.sides;
        write!(
            f,
            "box of {xmin} meets {} rectangles",
            self.rectangles.len()
        )
    }
}

impl PhysicalExpr for Meets {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let mut sides = Vec::with_capacity(4);
        for side in &self.sides {
            let side = side.evaluate(batch)?.into_array(rows)?;
            // Single precision should have been rounded outward, but there are writers that round
            // to the nearest.
            let exact = side.data_type() == &DataType::Float64;
            sides.push((cast(&side, &DataType::Float64)?, exact));
        }
        let [xmin, ymin, xmax, ymax] = sides.as_slice() else {
            return Err(Error::Internal("a box has four sides".into()).into());
        };
        let value = |(side, exact): &(Arc<dyn Array>, bool), row: usize, outward: f64| {
            let value = side.as_primitive::<Float64Type>().value(row);
            match exact {
                true => value,
                false => value + outward * value.abs() * f64::from(f32::EPSILON),
            }
        };
        let has_box = |row| sides.iter().all(|(side, _)| side.is_valid(row));
        let meets = BooleanBuffer::collect_bool(rows, |row| {
            if !has_box(row) {
                return true;
            }
            let (min_x, max_x) = (value(xmin, row, -1.0), value(xmax, row, 1.0));
            let (min_y, max_y) = (value(ymin, row, -1.0), value(ymax, row, 1.0));
            let wraps = min_x > max_x;
            // Written so that NaN passes.
            self.rectangles.iter().any(|r| {
                let beside = !wraps && (min_x > r.max_x || max_x < r.min_x);
                !(beside || min_y > r.max_y || max_y < r.min_y)
            })
        });
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(
            meets, None,
        ))))
    }

    fn children(&self) -> Vec<&PhysicalExprRef> {
        self.sides.iter().collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<PhysicalExprRef>,
    ) -> Result<PhysicalExprRef> {
        let sides = children.try_into();
        let sides = sides.map_err(|_| Error::Internal("a box has four sides".into()))?;
        Ok(Arc::new(Self {
            sides,
            rectangles: Arc::clone(&self.rectangles),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{ArrayRef, Float32Array, Float64Array};
    use datafusion::physical_expr::expressions::{Column, lit};

    use super::*;

    fn column(i: usize) -> PhysicalExprRef {
        Arc::new(Column::new(&i.to_string(), i))
    }

    #[test]
    fn boxes_that_may_meet_pass() {
        let nan = f64::NAN;
        let boxes = [
            // xmin, ymin, xmax, ymax; whether it passes.
            ([0.0, 0.0, 1.0, 1.0], true),
            ([2.0, 0.0, 3.0, 1.0], true),
            ([2.1, 0.0, 3.0, 1.0], false),
            ([0.0, 5.0, 1.0, 6.0], false),
            ([nan, nan, nan, nan], true),
            // Around the antimeridian.
            ([179.0, 0.0, -179.0, 1.0], true),
            ([179.0, 20.0, -179.0, 21.0], false),
            ([10.0, 8.0, 11.0, 9.0], true),
        ];
        let side = |i: usize| -> (String, ArrayRef) {
            let values = boxes.iter().map(|(b, _)| Some(b[i])).chain([None]);
            (i.to_string(), Arc::new(values.collect::<Float64Array>()))
        };
        let batch = RecordBatch::try_from_iter_with_nullable(
            (0..4).map(side).map(|(name, array)| (name, array, true)),
        )
        .unwrap();
        let meets = Meets {
            sides: [column(0), column(1), column(2), column(3)],
            rectangles: [
                Bounds::new(-1.0, -1.0, 2.0, 2.0),
                Bounds::new(10.5, 8.5, 12.0, 12.0),
            ]
            .into(),
        };
        let found = meets.evaluate(&batch).unwrap().into_array(9).unwrap();
        let expected = boxes.iter().map(|(_, passes)| *passes).chain([true]);
        assert_eq!(
            found.as_boolean(),
            &BooleanArray::from_iter(expected.map(Some))
        );
    }

    #[test]
    fn single_precision_counts_as_rounded() {
        let value = 16_777_217.0_f64;
        let side: ArrayRef = Arc::new(Float32Array::from(vec![value as f32]));
        let batch = RecordBatch::try_from_iter((0..4).map(|i| (i.to_string(), Arc::clone(&side))));
        let meets = Meets {
            sides: [column(0), column(1), column(2), column(3)],
            rectangles: [Bounds::new(value, value, value, value)].into(),
        };
        let found = meets
            .evaluate(&batch.unwrap())
            .unwrap()
            .into_array(1)
            .unwrap();
        assert!(found.as_boolean().value(0));
    }

    #[test]
    fn a_hint_that_fails_lets_pass() {
        let batch = RecordBatch::try_from_iter([(
            "0",
            Arc::new(Float64Array::from(vec![1.0])) as ArrayRef,
        )])
        .unwrap();
        let hint = Hint(column(7)).evaluate(&batch).unwrap();
        assert!(hint.into_array(1).unwrap().as_boolean().value(0));
        let hint = Hint(lit(false)).evaluate(&batch).unwrap();
        assert!(!hint.into_array(1).unwrap().as_boolean().value(0));
    }
}
