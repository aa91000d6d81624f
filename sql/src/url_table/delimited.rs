//! CSV and its like, with geometries as WKT or as x and y.
//!
//! DataFusion reads the texts and numbers. The geometry is computed from them by the functions that a
//! statement would call, in a view around the table.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::{TableProvider, default_table_source::provider_as_source};
use datafusion::common::Column;
use datafusion::datasource::ViewTable;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, lit};
use datafusion::prelude::SessionContext;
use geoflow_engine::Error;
use geoflow_engine::crs::Crs;

use super::call::Call;

/// Names of columns that are likely to hold WKT.
const WKT_NAMES: [&str; 8] = [
    "geometry",
    "geom",
    "wkt",
    "the_geom",
    "wkt_geom",
    "geometry_wkt",
    "geom_wkt",
    "_wkt",
];

/// Words that a text of WKT begins with.
const WKT_TAGS: [&str; 7] = [
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
];

/// Rows that a column's texts are looked at in.
const SAMPLED: usize = 100;

const OPTIONS: [&str; 10] = [
    "delim",
    "header",
    "quote",
    "escape",
    "comment",
    "sample_size",
    "wkt",
    "x",
    "y",
    "crs",
];

/// How a file of texts is read.
#[derive(Debug, Clone, Default)]
pub(super) struct DelimitedOptions {
    delimiter: Option<u8>,
    no_header: bool,
    quote: Option<u8>,
    escape: Option<u8>,
    comment: Option<u8>,
    sample_size: Option<usize>,
    wkt: Option<String>,
    x: Option<String>,
    y: Option<String>,
    crs: Option<Crs>,
}

impl DelimitedOptions {
    /// The options of a call of `read_csv`.
    pub(super) fn of(call: &mut Call) -> geoflow_engine::Result<Self> {
        let header = call.take_parsed(&["header"], "true or false")?;
        let mut options = Self {
            delimiter: byte(call, &["delim", "sep", "delimiter"])?,
            no_header: header == Some(false),
            quote: byte(call, &["quote"])?,
            escape: byte(call, &["escape"])?,
            comment: byte(call, &["comment"])?,
            sample_size: call.take_parsed(&["sample_size"], "a number of rows")?,
            wkt: call.take(&["wkt", "geometry"]),
            x: call.take(&["x", "lon", "longitude"]),
            y: call.take(&["y", "lat", "latitude"]),
            crs: None,
        };
        if let Some(crs) = call.take(&["crs"]) {
            options.crs = Some(Crs::from_authority_code(&crs)?);
        }
        call.no_more(&OPTIONS)?;
        if options.x.is_some() != options.y.is_some() {
            return Err(Error::Statement(format!(
                "{}: x and y name the columns of coordinates together: x := 'lon', y := 'lat'",
                call.function
            )));
        }
        if options.wkt.is_some() && options.x.is_some() {
            return Err(Error::Statement(format!(
                "{}: a geometry is read from WKT or from x and y, not from both",
                call.function
            )));
        }
        Ok(options)
    }

    /// DataFusion's format; tabs between the values where the extension says so.
    pub(super) fn format(&self, extension: &str) -> CsvFormat {
        let usual = if extension == "tsv" || extension == "tab" {
            b'\t'
        } else {
            b','
        };
        let mut format = CsvFormat::default()
            .with_has_header(!self.no_header)
            .with_delimiter(self.delimiter.unwrap_or(usual))
            .with_escape(self.escape)
            .with_comment(self.comment)
            .with_newlines_in_values(true);
        if let Some(quote) = self.quote {
            format = format.with_quote(quote);
        }
        match self.sample_size {
            Some(rows) => format.with_schema_infer_max_rec(rows.max(1)),
            None => format,
        }
    }

    /// `table` with a geometry, where there are columns for one; `name` is what it is called.
    pub(super) async fn with_geometry(
        &self,
        state: &SessionState,
        table: Arc<dyn TableProvider>,
        name: &str,
    ) -> Result<Arc<dyn TableProvider>> {
        let schema = table.schema();
        let of = |wanted: &String| find(&schema, wanted, name);
        let call = |function: &str, args: Vec<Expr>| match state.scalar_functions().get(function) {
            Some(function) => Ok(function.call(args)),
            None => Err(DataFusionError::from(Error::Internal(format!(
                "no function {function}"
            )))),
        };
        let labelled = |geometry: Expr| match &self.crs {
            Some(crs) => call("st_setcrs", vec![geometry, lit(crs.name())]),
            None => Ok(geometry),
        };
        let wkt = match (&self.wkt, &self.x) {
            (Some(wanted), _) => Some(of(wanted)?),
            (None, Some(_)) => None,
            (None, None) => wkt_column(state, &table).await?,
        };
        let mut columns: Vec<Expr> = vec![];
        for field in schema.fields() {
            let column = Expr::Column(Column::from_name(field.name()));
            columns.push(match wkt.as_ref() == Some(field.name()) {
                true => labelled(call("st_geomfromtext", vec![column])?)?.alias(field.name()),
                false => column,
            });
        }
        if let (Some(x), Some(y)) = (&self.x, &self.y) {
            let mut ordinates = vec![];
            for wanted in [x, y] {
                let column = of(wanted)?;
                let ty = schema.field_with_name(&column)?.data_type().clone();
                if !ty.is_numeric() && ty != DataType::Null {
                    return Err(Error::Data(format!(
                        "{name}: column \"{column}\" is no number but {ty}, it cannot be a coordinate"
                    ))
                    .into());
                }
                ordinates.push(Expr::Column(Column::from_name(column)));
            }
            let taken = |name: &String| schema.field_with_name(name).is_ok();
            let mut geometry = "geometry".to_owned();
            while taken(&geometry) {
                geometry.push('_');
            }
            columns.push(labelled(call("st_point", ordinates)?)?.alias(geometry));
        } else if wkt.is_none() {
            return match &self.crs {
                None => Ok(table),
                Some(_) => Err(Error::Statement(format!(
                    "{name}: there is no geometry that a CRS could be of. Name its columns: wkt := 'column', or x := 'lon', y := 'lat'"
                ))
                .into()),
            };
        }
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(table), None)?
            .project(columns)?
            .build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

fn byte(call: &mut Call, names: &[&str]) -> geoflow_engine::Result<Option<u8>> {
    let Some(text) = call.take(names) else {
        return Ok(None);
    };
    match text.replace("\\t", "\t").as_bytes() {
        [byte] => Ok(Some(*byte)),
        _ => Err(Error::Statement(format!(
            "{}: {} must be one ASCII letter, not '{text}'",
            call.function,
            names.first().copied().unwrap_or_default()
        ))),
    }
}

/// The column of a name, whatever its case.
fn find(schema: &SchemaRef, wanted: &String, name: &str) -> Result<String> {
    let names = || schema.fields().iter().map(|field| field.name());
    let found = names().find(|n| *n == wanted);
    let found = found.or_else(|| names().find(|n| n.eq_ignore_ascii_case(wanted)));
    match found {
        Some(found) => Ok(found.clone()),
        None => Err(Error::Statement(format!(
            "{name} has no column \"{wanted}\", it has {}",
            names().map(String::as_str).collect::<Vec<_>>().join(", ")
        ))
        .into()),
    }
}

/// The column that by its name, and by all texts of the first rows, holds WKT.
async fn wkt_column(
    state: &SessionState,
    table: &Arc<dyn TableProvider>,
) -> Result<Option<String>> {
    let schema = table.schema();
    let is_text = |ty: &DataType| {
        matches!(
            ty,
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
        )
    };
    let named = WKT_NAMES.iter().find_map(|wanted| {
        let mut fields = schema.fields().iter();
        fields.find(|f| f.name().eq_ignore_ascii_case(wanted) && is_text(f.data_type()))
    });
    let Some(field) = named else { return Ok(None) };
    let frame = SessionContext::new_with_state(state.clone()).read_table(Arc::clone(table))?;
    let column = Expr::Column(Column::from_name(field.name()));
    let texts = frame
        .limit(0, Some(SAMPLED))?
        .select(vec![cast(column, DataType::Utf8)])?
        .collect()
        .await?;
    let mut any = false;
    for batch in &texts {
        let texts = arrow::array::AsArray::as_string::<i32>(batch.column(0));
        for text in texts.iter().flatten() {
            let word: String = text
                .trim_start()
                .chars()
                .take_while(char::is_ascii_alphabetic)
                .collect();
            if !WKT_TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(&word)) {
                return Ok(None);
            }
            any = true;
        }
    }
    Ok(any.then(|| field.name().clone()))
}
