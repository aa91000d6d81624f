//! Properties as values of columns.

use super::nested::Scalar;
use crate::formats::columns::Column;
use crate::formats::moment::Moment;

impl Column {
    /// Appends the value of a property.
    ///
    /// # Errors
    /// When it does not fit the type of the column.
    pub(super) fn append_scalar(&mut self, value: &Scalar<'_>) -> Result<(), String> {
        let moment = |text: &str| Moment::parse(text);
        match (&mut *self, value) {
            (column, Scalar::Null) => column.append_null(),
            (Column::Boolean(b), Scalar::Boolean(v)) => b.append_value(*v),
            (Column::Int64(b), Scalar::Integer(v)) => b.append_value(*v),
            (Column::Float64(b), Scalar::Integer(v)) => b.append_value(*v as f64),
            (Column::Float64(b), Scalar::Float(v)) => b.append_value(*v),
            (Column::Date(b), Scalar::Text(text)) => match moment(text) {
                Some(Moment::Day(v)) => b.append_value(v),
                _ => return Err(unexpected("a date", value)),
            },
            (Column::Micros(b), Scalar::Text(text)) => match moment(text) {
                Some(Moment::Instant(v) | Moment::Local(v)) => b.append_value(v),
                _ => return Err(unexpected("a time", value)),
            },
            (Column::Text(b), value) => b.append_option(value.text()),
            (Column::Boolean(_), value) => return Err(unexpected("a truth value", value)),
            (Column::Int64(_), value) => return Err(unexpected("an integer", value)),
            (Column::Float64(_), value) => return Err(unexpected("a number", value)),
            (_, value) => return Err(unexpected("another value", value)),
        }
        Ok(())
    }
}

fn unexpected(wanted: &str, value: &Scalar<'_>) -> String {
    let found: String = value.text().unwrap_or_default().chars().take(40).collect();
    format!(
        "expected {wanted}, as in the features that the types were taken from, found {found:?}. A larger sample_size, or none, lets more features be looked at"
    )
}
