//! Rows that hold on to no more memory than they need.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, make_array};
use arrow::datatypes::DataType;
use datafusion::error::Result;

/// Copies the values of views, nested ones too: views taken or sliced from a batch hold all of its
/// buffers, and a file would hold all of them again in each of its batches.
pub(super) fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    if !batch.columns().iter().any(|c| has_views(c.data_type())) {
        return Ok(batch.clone());
    }
    let columns = batch.columns().iter().map(compact_array);
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        batch.schema(),
        columns,
        &options,
    )?)
}

fn has_views(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => has_views(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|f| has_views(f.data_type())),
        DataType::Union(fields, _) => fields.iter().any(|(_, f)| has_views(f.data_type())),
        DataType::Dictionary(_, values) => has_views(values),
        DataType::RunEndEncoded(_, values) => has_views(values.data_type()),
        _ => false,
    }
}

fn compact_array(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        other if has_views(other) => {
            let data = array.to_data();
            let children = data.child_data().iter();
            let children = children
                .map(|child| Ok(compact_array(&make_array(child.clone()))?.to_data()))
                .collect::<Result<Vec<_>>>()?;
            make_array(data.into_builder().child_data(children).build()?)
        }
        _ => Arc::clone(array),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{BinaryViewArray, Int32Array, StringViewArray, StructArray};
    use arrow::datatypes::Field;
    use datafusion::common::utils::memory::get_record_batch_memory_size;

    use super::*;

    #[test]
    fn a_row_lets_go_of_the_values_of_all_others() {
        let long = |i: i32| format!("a value too long to be inlined in its view, number {i}");
        let strings: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..1000).map(long)));
        let binary: ArrayRef = Arc::new(BinaryViewArray::from_iter_values((0..1000).map(long)));
        let nested: ArrayRef = Arc::new(StructArray::from(vec![(
            Arc::new(Field::new("s", DataType::Utf8View, false)),
            Arc::clone(&strings),
        )]));
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..1000));
        let whole = RecordBatch::try_from_iter([
            ("strings", strings),
            ("binary", binary),
            ("nested", nested),
            ("numbers", numbers),
        ])
        .unwrap();
        let row = whole.slice(500, 1);
        let small = compact(&row).unwrap();
        assert_eq!(small, row);
        let views = small.project(&[0, 1, 2]).unwrap();
        assert!(
            get_record_batch_memory_size(&views) < 2000,
            "{} of {}",
            get_record_batch_memory_size(&views),
            get_record_batch_memory_size(&whole)
        );
    }
}
