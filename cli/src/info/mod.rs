//! `geoflow info`: what files hold, GeoParquet from its footers alone.

mod features;
pub(crate) mod files;
mod json;
mod text;

use geoflow_engine::geoparquet::{FileInfo, read_info};

use crate::args::{InfoArgs, InfoFormat, MaxRows, QueryArgs};
use crate::error::{Result, from_engine};
use crate::output::Format;
use crate::printer::Printer;
use crate::query;
use crate::session::Session;
use crate::settings::Settings;

/// A file and the name it goes by in the report.
enum Described {
    Parquet { name: String, info: Box<FileInfo> },
    Other(features::OtherFile),
}

impl Described {
    fn text(&self, all_row_groups: bool) -> Result<String> {
        match self {
            Self::Parquet { name, info } => Ok(text::describe(name, info, all_row_groups)),
            Self::Other(file) => file.text(),
        }
    }
}

/// Describes each file. In text they appear as they are read, so that the first bad file does not
/// hide the good ones before it.
pub(crate) async fn run(args: InfoArgs, settings: &Settings, printer: &Printer) -> Result<()> {
    let session = Session::new(settings)?;
    let mut described = Vec::new();
    for path in &args.paths {
        for one in describe(path, &session).await? {
            if args.format == InfoFormat::Text {
                let gap = if described.is_empty() { "" } else { "\n" };
                let text = one.text(args.row_groups)?;
                printer.data(&format!("{gap}{text}"))?;
            }
            described.push(one);
        }
        if let Some(rows) = args.head {
            printer.data("\n")?;
            head(path, rows, settings, printer).await?;
        }
    }
    match args.format {
        InfoFormat::Text => Ok(()),
        InfoFormat::Json => printer.data(&json::describe(&described)?),
    }
}

/// The files behind one argument.
async fn describe(path: &str, session: &Session) -> Result<Vec<Described>> {
    if let Some(others) = features::describe(path, session).await? {
        return Ok(others.into_iter().map(Described::Other).collect());
    }
    let mut described = vec![];
    for file in files::find(path, session).await? {
        let info = read_info(file.store, file.meta)
            .await
            .map_err(|e| from_engine(&e))?;
        described.push(Described::Parquet {
            name: file.name.unwrap_or_else(|| info.path.clone()),
            info: Box::new(info),
        });
    }
    Ok(described)
}

/// The first rows of a path, as a table.
async fn head(path: &str, rows: usize, settings: &Settings, printer: &Printer) -> Result<()> {
    let sql = format!("SELECT * FROM '{}' LIMIT {rows}", path.replace('\'', "''"));
    let query = QueryArgs {
        sql: Some(sql),
        command: vec![],
        file: None,
        output: None,
        format: Some(Format::Table),
        overwrite: false,
        sort: None,
        max_rows: MaxRows(None),
    };
    query::run(query, settings, printer).await.map(drop)
}
