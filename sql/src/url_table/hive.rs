//! Columns that stand in the names of folders: `country=FI/year=2024/part-0.parquet`.

use arrow::datatypes::DataType;
use datafusion::datasource::listing::ListingTableUrl;
use geoflow_engine::Error;
use geoflow_engine::geoparquet::HIVE_NULL;
use object_store::ObjectMeta;

use super::with_nulls::is_null;

/// The partition columns of the files below `root`, from the outermost folder inwards. A column is
/// `Int64` when every value is a whole number or missing, else text.
///
/// # Errors
/// [`Error::Data`] when two files stand below different keys, naming both.
pub(super) fn partition_columns(
    root: &ListingTableUrl,
    files: &[ObjectMeta],
) -> Result<Vec<(String, DataType)>, Error> {
    let mut columns: Option<(Vec<(&str, bool)>, &ObjectMeta)> = None;
    for file in files {
        let Some(segments) = root.strip_prefix(&file.location) else {
            continue;
        };
        let segments: Vec<&str> = segments.collect();
        let pairs: Vec<(&str, &str)> = segments
            .iter()
            .take(segments.len().saturating_sub(1))
            .filter_map(|segment| segment.split_once('='))
            .collect();
        let Some((known, first)) = &mut columns else {
            let found = pairs
                .iter()
                .map(|(key, value)| (*key, may_be_integer(value)));
            columns = Some((found.collect(), file));
            continue;
        };
        let same =
            known.len() == pairs.len() && known.iter().zip(&pairs).all(|((a, _), (b, _))| a == b);
        if !same {
            return Err(Error::Data(format!(
                "the folders of {} and {} have different keys: name one of them, or the files with a pattern",
                first.location, file.location
            )));
        }
        for ((_, integer), (_, value)) in known.iter_mut().zip(&pairs) {
            *integer &= may_be_integer(value);
        }
    }
    let columns = columns.map(|(columns, _)| columns).unwrap_or_default();
    Ok(columns
        .into_iter()
        .map(|(name, integer)| {
            let ty = if integer {
                DataType::Int64
            } else {
                DataType::Utf8
            };
            (name.to_owned(), ty)
        })
        .collect())
}

/// A number as it would be printed, or NULL: `007` is a text.
fn may_be_integer(value: &str) -> bool {
    let number = || value.parse::<i64>();
    value == HIVE_NULL || number().is_ok_and(|number| number.to_string() == value)
}

/// Whether a folder on the way from `root` to the file stands for NULL.
pub(super) fn has_null(root: &ListingTableUrl, file: &ObjectMeta) -> bool {
    let Some(mut segments) = root.strip_prefix(&file.location) else {
        return false;
    };
    segments.any(is_null)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn columns(keys: &[&str]) -> Result<Vec<(String, DataType)>, Error> {
        let root = ListingTableUrl::parse("s3://bucket/data/").unwrap();
        let files: Vec<ObjectMeta> = keys
            .iter()
            .map(|key| ObjectMeta {
                location: format!("data/{key}").into(),
                last_modified: Default::default(),
                size: 1,
                e_tag: None,
                version: None,
            })
            .collect();
        partition_columns(&root, &files)
    }

    #[test]
    fn types_come_from_all_values() {
        assert_eq!(columns(&["a.parquet", "b.parquet"]).unwrap(), []);
        let found = columns(&["c=FI/y=2024/a.parquet", "c=SE/y=2023/b.parquet"]).unwrap();
        assert_eq!(
            found,
            [
                ("c".to_owned(), DataType::Utf8),
                ("y".to_owned(), DataType::Int64)
            ]
        );
        let found = columns(&["y=1/a.parquet", "y=007/a.parquet"]).unwrap();
        assert_eq!(found, [("y".to_owned(), DataType::Utf8)]);
    }

    #[test]
    fn mixed_keys_are_refused() {
        for keys in [
            ["a=1/x.parquet", "b=1/y.parquet"],
            ["a=1/x.parquet", "y.parquet"],
        ] {
            let message = columns(&keys).unwrap_err().to_string();
            assert!(
                message.contains("x.parquet") && message.contains("y.parquet"),
                "{message}"
            );
        }
    }
}
