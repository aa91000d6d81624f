//! `geoflow job`.

mod bar;
mod kubernetes;
mod logs;
mod place;
mod plan;
mod progress;
mod show;
mod submit;
mod wait;

use crate::args::JobCommand;
use crate::error::Result;
use crate::printer::Printer;
use crate::settings::Settings;

/// Runs a command on jobs.
pub(crate) async fn run(command: JobCommand, settings: &Settings, printer: &Printer) -> Result<()> {
    place::set_stores(&settings.stores);
    match command {
        JobCommand::Plan(args) => plan::run(&args, settings, printer).await,
        JobCommand::Submit(args) => submit::submit(&args, settings, printer).await,
        JobCommand::Resume(args) => submit::resume(&args, settings, printer).await,
        JobCommand::List(args) => show::list(&args, printer).await,
        JobCommand::Get(args) => show::get(&args, printer).await,
        JobCommand::Wait(args) => wait::run(&args, settings, printer).await,
        JobCommand::Cancel(args) => submit::cancel(&args, printer).await,
        JobCommand::Logs(args) => logs::run(&args, printer).await,
        JobCommand::Diagnose(args) => kubernetes::diagnose(&args, printer).await,
    }
}
