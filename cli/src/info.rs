//! `geoflow info`: what a GeoParquet file holds, from its footer alone.

use crate::args::InfoArgs;
use crate::error::{Failure, Result};
use crate::printer::Printer;
use crate::settings::Settings;

/// Describes each file.
pub(crate) async fn run(_args: InfoArgs, _settings: &Settings, _printer: &Printer) -> Result<()> {
    Err(Failure::user("not supported yet"))
}
