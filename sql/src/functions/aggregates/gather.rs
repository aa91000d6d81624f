//! How DataFusion feeds the state of an aggregate and takes its results.

use std::marker::PhantomData;
use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::builder::{BinaryViewBuilder, LargeBinaryBuilder};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::FieldRef;
use arrow::row::{RowConverter, Rows};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_to_iso;

use super::Finish;
use super::parts::{Grouped, Part, Parts, split_key};
use crate::functions::args::GeometryArg;

/// A state that can be folded is folded once it has grown to this, and again at twice what is left.
const FOLD_BYTES: usize = 32 << 20;

/// Gathers the geometries of all groups.
pub(super) struct Gather<F> {
    finish: PhantomData<fn() -> F>,
    field: FieldRef,
    distinct: bool,
    /// Makes sort keys of the ORDER BY columns, if there are any.
    order: Option<RowConverter>,
    parts: Parts,
    groups: usize,
    fold_at: usize,
}

impl<F: Finish> Gather<F> {
    /// A state for values of `field`.
    pub(super) fn new(field: FieldRef, distinct: bool, order: Option<RowConverter>) -> Self {
        Self {
            finish: PhantomData,
            field,
            distinct,
            order,
            parts: Parts::default(),
            groups: 0,
            fold_at: FOLD_BYTES,
        }
    }

    fn add(
        &self,
        parts: &mut Parts,
        values: &[ArrayRef],
        group: impl Fn(usize) -> usize,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let Some((geometries, keys)) = values.split_first() else {
            return Ok(());
        };
        let arg = GeometryArg::try_new(geometries, &self.field, false)?;
        let keys: Option<Rows> = match &self.order {
            Some(converter) => Some(converter.convert_columns(keys)?),
            None => None,
        };
        let valid = |row: usize| !arg.array().is_null(row) && wanted(row);
        let rows = arg.array().len();
        let (mut x, mut y) = (vec![], vec![]);
        if keys.is_none()
            && arg
                .array()
                .points(&mut x, &mut y)
                .map_err(|e| self.named(arg.placed(e)))?
        {
            for row in (0..rows).filter(|row| valid(*row)) {
                match x[row].is_nan() {
                    true => parts.push_wkb(group(row), arg.wkb(row).map_err(|e| self.named(e))?),
                    false => parts.push_point(group(row), x[row], y[row]),
                }
            }
            return Ok(());
        }
        let mut bytes = vec![];
        for row in (0..rows).filter(|row| valid(*row)) {
            bytes.clear();
            let wkb = arg.wkb(row).map_err(|e| self.named(e))?;
            wkb_to_iso(wkb, &mut bytes).map_err(|e| self.named(arg.invalid(row, e)))?;
            match &keys {
                Some(keys) => parts.push_keyed(group(row), keys.row(row).as_ref(), &bytes),
                None => parts.push_wkb(group(row), &bytes),
            }
        }
        Ok(())
    }

    fn named(&self, error: Error) -> Error {
        match error {
            Error::Data(message) => Error::Data(format!("{}: {message}", F::NAME)),
            other => other,
        }
    }

    fn take(&mut self, emit: EmitTo) -> Grouped {
        let taken = self.parts.take(emit, self.groups);
        self.groups -= taken.groups();
        taken
    }

    /// Makes a large state smaller, if its parts can be replaced by their result.
    fn fold(&mut self) -> Result<()> {
        let foldable = F::FOLDABLE && self.order.is_none();
        if !foldable || self.parts.len_bytes() < self.fold_at {
            return Ok(());
        }
        let groups = self.groups;
        let all = self.parts.take(EmitTo::All, groups);
        let mut bytes = vec![];
        for group in 0..groups {
            bytes.clear();
            if all.group(group).next().is_some() {
                self.finish(&all, group, &mut bytes)?;
                if !bytes.is_empty() {
                    self.parts.push_wkb(group, &bytes);
                }
            }
        }
        self.fold_at = FOLD_BYTES.max(2 * self.parts.len_bytes());
        Ok(())
    }

    /// Writes the result of a group that has geometries.
    fn finish(&self, all: &Grouped, group: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.order.is_none() && !self.distinct {
            return Ok(F::write(&mut all.group(group), out)?);
        }
        let mut parts: Vec<Vec<u8>> = all
            .group(group)
            .map(|part| {
                let mut bytes = vec![];
                part.write(&mut bytes);
                bytes
            })
            .collect();
        if self.order.is_some() {
            parts.sort_by(|a, b| split_key(a).map(|k| k.0).cmp(&split_key(b).map(|k| k.0)));
        }
        let value = |part: &'_ Vec<u8>| -> usize {
            match self.order.is_some() {
                true => split_key(part).map_or(0, |(key, _)| 4 + key.len()),
                false => 0,
            }
        };
        let mut seen = std::collections::HashSet::new();
        let mut values = parts
            .iter()
            .map(|part| &part[value(part)..])
            .filter(|part| !self.distinct || seen.insert(*part))
            .map(Part::Wkb);
        Ok(F::write(&mut values, out)?)
    }

    fn results(&self, all: &Grouped) -> Result<ArrayRef> {
        let mut results =
            BinaryViewBuilder::with_capacity(all.groups()).with_fixed_block_size(1 << 20);
        let mut bytes = vec![];
        for group in 0..all.groups() {
            bytes.clear();
            if all.group(group).next().is_some() {
                self.finish(all, group, &mut bytes)?;
            }
            match bytes.is_empty() {
                true => results.append_null(),
                false => results.try_append_value(&bytes)?,
            }
        }
        Ok(Arc::new(results.finish()))
    }

    fn states(all: &Grouped) -> ArrayRef {
        let mut states = LargeBinaryBuilder::new();
        let mut bytes = vec![];
        for group in 0..all.groups() {
            bytes.clear();
            Parts::pack(all.group(group), &mut bytes);
            states.append_value(&bytes);
        }
        Arc::new(states.finish())
    }
}

impl<F: Finish + 'static> GroupsAccumulator for Gather<F> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups = total_num_groups;
        let wanted =
            |row: usize| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let mut parts = std::mem::take(&mut self.parts);
        let added = self.add(&mut parts, values, |row| group_indices[row], wanted);
        self.parts = parts;
        added?;
        self.fold()
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups = total_num_groups;
        if let Some(states) = values.first() {
            for (state, group) in states.as_binary::<i64>().iter().zip(group_indices) {
                self.parts.unpack(*group, state.unwrap_or_default())?;
            }
        }
        self.fold()
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let all = self.take(emit_to);
        self.results(&all)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let all = self.take(emit_to);
        Ok(vec![Self::states(&all)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |values| values.len());
        let mut parts = Parts::default();
        let wanted =
            |row: usize| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        self.add(&mut parts, values, |row| row, wanted)?;
        Ok(vec![Self::states(&parts.take(EmitTo::All, rows))])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.parts.size()
    }
}

/// The same state for a single group: without GROUP BY, and in windows.
pub(super) struct GatherOne<F>(pub(super) Gather<F>);

impl<F: Finish> std::fmt::Debug for GatherOne<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatherOne")
            .field("aggregate", &F::NAME)
            .finish()
    }
}

impl<F: Finish + 'static> Accumulator for GatherOne<F> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.groups = 1;
        let mut parts = std::mem::take(&mut self.0.parts);
        let added = self.0.add(&mut parts, values, |_| 0, |_| true);
        self.0.parts = parts;
        added?;
        self.0.fold()
    }

    /// Keeps the state, as windows ask again and again.
    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.groups = 1;
        let all = self.0.take(EmitTo::All);
        let results = self.0.results(&all);
        self.0.parts = all.into_parts();
        self.0.groups = 1;
        ScalarValue::try_from_array(&results?, 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.groups = 1;
        let all = self.0.take(EmitTo::All);
        Ok(vec![ScalarValue::try_from_array(
            &Gather::<F>::states(&all),
            0,
        )?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |states| states.len());
        GroupsAccumulator::merge_batch(&mut self.0, states, &vec![0; rows], 1)
    }
}
