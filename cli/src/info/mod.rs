//! `geoflow info`: what GeoParquet files hold, from their footers alone.

mod files;
mod json;
mod text;

use geoflow_engine::geoparquet::{FileInfo, read_info};

use crate::args::{InfoArgs, InfoFormat};
use crate::error::{Result, from_engine};
use crate::printer::Printer;
use crate::session::Session;
use crate::settings::Settings;

/// A file and the name it goes by in the report.
struct Described {
    name: String,
    info: FileInfo,
}

/// Describes each file. In text they appear as they are read, so that the first bad file does not
/// hide the good ones before it.
pub(crate) async fn run(args: InfoArgs, settings: &Settings, printer: &Printer) -> Result<()> {
    let session = Session::new(settings)?;
    let mut described = Vec::new();
    for path in &args.paths {
        for file in files::find(path, &session).await? {
            let info = read_info(file.store, file.meta)
                .await
                .map_err(|e| from_engine(&e))?;
            let one = Described {
                name: file.name.unwrap_or_else(|| info.path.clone()),
                info,
            };
            match args.format {
                InfoFormat::Text => {
                    let gap = if described.is_empty() { "" } else { "\n" };
                    printer.data(&format!("{gap}{}", text::describe(&one)))?;
                }
                InfoFormat::Json => {}
            }
            described.push(one);
        }
    }
    match args.format {
        InfoFormat::Text => Ok(()),
        InfoFormat::Json => printer.data(&json::describe(&described)),
    }
}
