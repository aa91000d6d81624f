//! Runs every `sql/tests/slt/**/*.slt` in a session of its own, from the root of the workspace,
//! so that `FROM 'testdata/cities.parquet'` works.
//!
//! ```text
//! cargo test -p geoflow-sql --test sqllogictests                  run all
//! SLT=joins cargo test -p geoflow-sql --test sqllogictests        those whose path has "joins"
//! SLT_COMPLETE=1 cargo test -p geoflow-sql --test sqllogictests   write the answers into the files
//! ```
//!
//! Read the difference before committing what `SLT_COMPLETE` wrote: it believes whatever comes
//! out. Column types are `I` whole numbers, `R` other numbers, `B` booleans, `T` all else. NULL is
//! `NULL`, an empty text `(empty)`, a geometry its WKT, a number as `ST_AsText` writes it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::error::DataFusionError;
use geoflow_engine::geometry::{GeometryArray, GeometryType, wkb_to_wkt, write_number};
use geoflow_sql::Session;
use sqllogictest::{
    AsyncDB, ColumnType, DBOutput, Runner, default_normalizer, default_validator,
    strict_column_validator,
};

#[test]
fn slt() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::env::set_current_dir(root).unwrap();
    let wanted = std::env::var("SLT").unwrap_or_default();
    let mut files = vec![];
    find(&root.join("sql/tests/slt"), &mut files);
    files.retain(|path| path.to_string_lossy().contains(&wanted));
    files.sort();
    assert!(!files.is_empty(), "no .slt file matches {wanted:?}");
    let complete = std::env::var_os("SLT_COMPLETE").is_some();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let failures: Vec<String> = files
        .iter()
        .filter_map(|path| {
            let failure = runtime.block_on(run(path, complete)).err()?;
            Some(format!("{}\n{failure}", path.display()))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|e| e == "slt") {
            files.push(path);
        }
    }
}

async fn run(path: &Path, complete: bool) -> Result<(), String> {
    let mut runner = Runner::new(|| async {
        Ok(Geoflow {
            session: Session::try_new().map_err(|e| SltError(e.to_string()))?,
        })
    });
    runner.with_column_validator(strict_column_validator);
    if !complete {
        return runner
            .run_file_async(path)
            .await
            .map_err(|e| e.display(false).to_string());
    }
    runner
        .update_test_file(
            path,
            " ",
            default_validator,
            default_normalizer,
            strict_column_validator,
        )
        .await
        .map_err(|e| e.to_string())
}

struct Geoflow {
    session: Session,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct SltError(String);

impl From<DataFusionError> for SltError {
    /// What a person would read, on one line.
    fn from(error: DataFusionError) -> Self {
        let text = match error.find_root() {
            DataFusionError::External(inner) => inner.to_string(),
            root => root.strip_backtrace(),
        };
        SltError(text.lines().map(str::trim).collect::<Vec<_>>().join(" "))
    }
}

impl From<arrow::error::ArrowError> for SltError {
    fn from(error: arrow::error::ArrowError) -> Self {
        SltError(error.to_string())
    }
}

impl From<geoflow_engine::Error> for SltError {
    fn from(error: geoflow_engine::Error) -> Self {
        SltError(error.to_string())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Type {
    Integer,
    Real,
    Boolean,
    Text,
}

impl ColumnType for Type {
    fn from_char(value: char) -> Option<Self> {
        match value {
            'I' => Some(Self::Integer),
            'R' => Some(Self::Real),
            'B' => Some(Self::Boolean),
            'T' => Some(Self::Text),
            _ => None,
        }
    }

    fn to_char(&self) -> char {
        match self {
            Self::Integer => 'I',
            Self::Real => 'R',
            Self::Boolean => 'B',
            Self::Text => 'T',
        }
    }
}

fn type_of(data_type: &DataType) -> Type {
    match data_type {
        DataType::Boolean => Type::Boolean,
        t if t.is_integer() => Type::Integer,
        t if t.is_numeric() => Type::Real,
        _ => Type::Text,
    }
}

#[async_trait]
impl AsyncDB for Geoflow {
    type Error = SltError;
    type ColumnType = Type;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Type>, SltError> {
        let frame = self.session.sql(sql).await?;
        let schema = frame.schema().as_arrow().clone();
        let batches = frame.collect().await?;
        if schema.fields().is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let mut rows = vec![];
        for batch in &batches {
            let columns = batch
                .columns()
                .iter()
                .zip(schema.fields())
                .map(|(array, field)| values(array, field))
                .collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                rows.push(columns.iter().map(|column| column[row].clone()).collect());
            }
        }
        Ok(DBOutput::Rows {
            types: schema
                .fields()
                .iter()
                .map(|f| type_of(f.data_type()))
                .collect(),
            rows,
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "geoflow"
    }
}

/// The values of a column as the files write them.
fn values(array: &ArrayRef, field: &Field) -> Result<Vec<String>, SltError> {
    let wkb = match GeometryType::from_field(field)? {
        Some(ty) => Some(GeometryArray::try_new(array, &ty)?.to_wkb()?),
        None => None,
    };
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    (0..array.len())
        .map(|row| {
            let mut text = String::new();
            if array.is_null(row) {
                text.push_str("NULL");
            } else if let Some(wkb) = wkb.as_ref().and_then(|wkb| wkb.wkb(row)) {
                wkb_to_wkt(wkb, &mut text).map_err(|e| SltError(e.to_string()))?;
            } else if field.data_type() == &DataType::Float64 {
                write_number(array.as_primitive::<Float64Type>().value(row), &mut text);
            } else {
                text = formatter.value(row).to_string();
            }
            if text.is_empty() {
                text.push_str("(empty)");
            }
            Ok(text)
        })
        .collect()
}
