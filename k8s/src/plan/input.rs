//! What a job reads, as it was when it was planned.

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::PlanError;

/// A table. Its schema is in the plan, so that a task opens no file but those that it reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableInput {
    /// Its name in the statement: a table's, a path or a URL.
    pub name: String,
    /// The same with quotes, so that its parts can be told apart.
    pub reference: String,
    /// The Arrow schema with its columns from folders last, as an IPC stream in Base64.
    pub schema: String,
    /// Names of the columns that stand in the names of folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_columns: Vec<String>,
    /// Bytes of each column before compression, in the order of the schema.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub column_bytes: Vec<u64>,
    /// Its files.
    pub files: Vec<InputFile>,
}

/// A file. A task refuses one that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// As a URL: `s3://bucket/key`, `file:///path`.
    pub url: String,
    /// In bytes.
    pub size: u64,
    /// As the store gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
    /// When it was written, in RFC 3339.
    pub modified: String,
    /// Rows of all row groups.
    pub rows: u64,
    /// How many row groups it has.
    pub row_groups: u32,
    /// The values of the partition columns; `null` for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_values: Vec<Option<String>>,
}

impl TableInput {
    /// A schema as [`TableInput::schema`] holds it.
    ///
    /// # Errors
    /// [`PlanError::Inconsistent`] for types that Arrow's own format has not.
    pub fn encode_schema(schema: &Schema) -> Result<String, PlanError> {
        let mut bytes = vec![];
        StreamWriter::try_new(&mut bytes, schema)
            .and_then(|mut writer| writer.finish())
            .map_err(|e| broken("a table", &e.to_string()))?;
        Ok(BASE64_STANDARD.encode(bytes))
    }

    /// The schema of the table.
    ///
    /// # Errors
    /// [`PlanError::Inconsistent`] when the text is no schema.
    pub fn decode_schema(&self) -> Result<SchemaRef, PlanError> {
        let bytes = BASE64_STANDARD
            .decode(&self.schema)
            .map_err(|e| broken(&self.name, &e.to_string()))?;
        let reader = StreamReader::try_new(bytes.as_slice(), None)
            .map_err(|e| broken(&self.name, &e.to_string()))?;
        Ok(reader.schema())
    }

    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

fn broken(table: &str, reason: &str) -> PlanError {
    PlanError::Inconsistent {
        fragment: "all".into(),
        reason: format!("the schema of {table} cannot be stored or read: {reason}"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn a_schema_keeps_its_labels() {
        let field = Field::new("g", DataType::BinaryView, true)
            .with_metadata([("ARROW:extension:name".into(), "geoarrow.wkb".into())].into());
        let schema = Schema::new(vec![Field::new("id", DataType::Int64, false), field]);
        let mut table = TableInput {
            name: "t".into(),
            reference: "t".into(),
            schema: TableInput::encode_schema(&schema).unwrap(),
            partition_columns: vec![],
            column_bytes: vec![],
            files: vec![],
        };
        assert_eq!(table.decode_schema().unwrap().as_ref(), &schema);
        table.schema = "////".into();
        assert!(table.decode_schema().is_err());
    }
}
