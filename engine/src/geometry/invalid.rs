//! Rows whose geometry is invalid, under the setting `geoflow.on_invalid`.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::nullif;
use datafusion::physical_plan::metrics::Count;

use super::{GeometryArray, GeometryType};
use crate::options::{GeoflowOptions, InvalidCounter, OnInvalid};
use crate::{Error, Result};

/// What is done with invalid geometries: those that cannot be decoded or have coordinates that are
/// not finite. (Polygons that cross themselves are odd but not invalid: every predicate has an answer.)
#[derive(Debug, Clone)]
pub struct InvalidPolicy {
    on_invalid: OnInvalid,
    seen: InvalidCounter,
    metric: Option<Count>,
    counts: bool,
}

impl InvalidPolicy {
    /// The policy that the settings of a session ask for.
    pub fn new(options: &GeoflowOptions) -> Self {
        Self {
            on_invalid: options.on_invalid,
            seen: options.invalid_seen.clone(),
            metric: None,
            counts: true,
        }
    }

    /// The same for rows that come again, and were counted before.
    #[must_use]
    pub fn without_counting(mut self) -> Self {
        self.counts = false;
        self
    }

    /// Counts into a metric as well; `metric` is made if there can be anything to count.
    #[must_use]
    pub fn with_metric(mut self, metric: impl FnOnce() -> Count) -> Self {
        self.metric = self.is_lenient().then(metric);
        self
    }

    /// Whether invalid geometries are anything else than errors.
    pub fn is_lenient(&self) -> bool {
        self.on_invalid != OnInvalid::Error
    }

    /// Whether their rows are left out, where an operator can do that.
    pub fn skips(&self) -> bool {
        self.on_invalid == OnInvalid::Skip
    }

    /// Which rows of `array` are invalid, counted, if any are and they are no errors. `place` says
    /// where the column comes from.
    ///
    /// # Errors
    /// When the storage does not fit the type.
    pub fn find(
        &self,
        array: &ArrayRef,
        ty: &GeometryType,
        place: &str,
    ) -> Result<Option<BooleanArray>> {
        if !self.is_lenient() {
            return Ok(None);
        }
        let view = GeometryArray::try_new(array, ty)?;
        if matches!(view.points(&mut vec![], &mut vec![]), Ok(true)) {
            return Ok(None);
        }
        let mut first = None;
        let invalid: BooleanArray = (0..view.len())
            .map(|row| {
                let error = view.bounds(row).err();
                let invalid = error.is_some();
                first = first.take().or(error);
                Some(invalid)
            })
            .collect();
        let Some(first) = first else {
            return Ok(None);
        };
        if !self.counts {
            return Ok(Some(invalid));
        }
        let count = invalid.true_count();
        self.seen
            .record(count as u64, || first.in_column(place).to_string());
        if let Some(metric) = &self.metric {
            metric.add(count);
        }
        Ok(Some(invalid))
    }

    /// Counts one value that could not even be read, if the policy is to go on without it, and says
    /// whether it is. `example` describes the value.
    pub fn sets_aside(&self, example: impl FnOnce() -> String) -> bool {
        if self.is_lenient() && self.counts {
            self.seen.record(1, example);
            if let Some(metric) = &self.metric {
                metric.add(1);
            }
        }
        self.is_lenient()
    }

    /// The same values, but NULL where they are invalid, if that is what the policy asks for or a
    /// function, which can leave out no row, is asked to skip them.
    ///
    /// # Errors
    /// As [`InvalidPolicy::find`].
    pub fn to_null(&self, array: &ArrayRef, ty: &GeometryType, place: &str) -> Result<ArrayRef> {
        match self.find(array, ty, place)? {
            Some(invalid) => set_null(array, &invalid),
            None => Ok(ArrayRef::clone(array)),
        }
    }
}

/// The same values, NULL where `mask` is set. Shares their memory.
pub(crate) fn set_null(array: &ArrayRef, mask: &BooleanArray) -> Result<ArrayRef> {
    nullif(array, mask).map_err(|e| Error::Internal(e.to_string()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, BinaryArray};

    use super::*;

    fn wkb_point(x: f64, y: f64) -> Vec<u8> {
        let mut bytes = vec![1, 1, 0, 0, 0];
        bytes.extend(x.to_le_bytes());
        bytes.extend(y.to_le_bytes());
        bytes
    }

    #[test]
    fn invalid_rows_are_found_counted_and_nulled() {
        let good = wkb_point(1.0, 2.0);
        let infinite = wkb_point(f64::INFINITY, 2.0);
        let empty = wkb_point(f64::NAN, f64::NAN);
        let values: Vec<Option<&[u8]>> = vec![
            Some(&good),
            None,
            Some(&infinite),
            Some(&[1, 9]),
            Some(&empty),
        ];
        let array: ArrayRef = Arc::new(BinaryArray::from_iter(values));
        let ty = GeometryType::wkb(None);
        let mut options = GeoflowOptions::default();

        let policy = InvalidPolicy::new(&options);
        assert!(policy.find(&array, &ty, "g").unwrap().is_none());

        options.on_invalid = OnInvalid::Null;
        let policy = InvalidPolicy::new(&options);
        let nulled = policy.to_null(&array, &ty, "g").unwrap();
        let nulls: Vec<bool> = (0..5).map(|i| nulled.is_null(i)).collect();
        assert_eq!(nulls, [false, true, true, true, false]);
        let seen = options.invalid_seen.take().unwrap();
        assert_eq!(seen.count, 2);
        assert!(
            seen.example.contains("column \"g\", row 2"),
            "{}",
            seen.example
        );
        assert_eq!(options.invalid_seen.take(), None);
    }
}
