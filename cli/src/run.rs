//! One run of the binary, from the words typed to the exit status.

use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use geoflow_engine::{remove_unfinished, unfinished};

use crate::args::{Cli, Command};
use crate::error::{Failure, Result};
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::printer::{LogWriter, Printer};
use crate::settings::{Settings, Speech};
use crate::{
    convert, functions, info, job, panic, progress, query, sjoin, spilled, task, validate,
};

/// How long work that has been told to end may take to let go of its files.
const LETTING_GO: Duration = Duration::from_millis(300);

/// Runs geoflow.
pub(crate) fn run(argv: Vec<OsString>) -> ExitStatus {
    panic::install_hook();
    let cli = match Cli::try_parse_from(&argv) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, Printer::new(Speech::guess(&argv))),
    };
    let settings = Settings::resolve(cli.global);
    let printer = Printer::new(settings.speech);
    let command = match cli.command {
        // It says in its own way how it ends.
        Command::Task(args) => {
            log_to_stderr(&settings);
            return task::run(args, &settings);
        }
        command => command,
    };
    let outcome =
        std::panic::catch_unwind(AssertUnwindSafe(|| execute(command, &settings, &printer)))
            .unwrap_or_else(|_| Err(panic::to_failure()));
    progress::hide();
    match outcome {
        Ok(()) => ExitStatus::Success,
        Err(failure) => {
            printer.failure(&failure);
            failure.kind.status()
        }
    }
}

fn execute(command: Command, settings: &Settings, printer: &Printer) -> Result<()> {
    log_to_stderr(settings);
    let cannot_start = |error| crate::error::from_io("cannot start", &error);
    let interrupt = Interrupt::listen().map_err(cannot_start)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.threads)
        .thread_name("worker")
        // Generated SQL with thousands of conditions nests as deep as it is long, and planning
        // recurses with it. Only what is used of this becomes memory.
        .thread_stack_size(64 << 20)
        .enable_all()
        .build()
        .map_err(cannot_start)?;
    // On a worker, because a kernel may keep its thread busy for long and this one must hear of
    // the interruption at once.
    let (settings, printer) = (settings.clone(), *printer);
    let mut work = runtime.spawn(async move {
        match command {
            Command::Query(args) => query::run(args, &settings, &printer).await.map(drop),
            Command::Convert(args) => convert::run(*args, &settings, &printer).await,
            Command::Sjoin(args) => sjoin::run(*args, &settings, &printer).await,
            Command::Info(args) => info::run(args, &settings, &printer).await,
            Command::Validate(args) => validate::run(args, &settings, &printer).await,
            Command::Functions(args) => functions::run(&args, &printer),
            Command::Job(command) => job::run(command, &settings, &printer).await,
            Command::Task(_) => Ok(()),
        }
    });
    let mut interrupted = false;
    let result = runtime.block_on(async {
        tokio::select! {
            // The end of the work wins over a signal that comes with it.
            biased;
            result = &mut work => result.unwrap_or_else(|_| Err(panic::to_failure())),
            () = interrupt.wait() => {
                interrupted = true;
                let begun = unfinished();
                work.abort();
                // What lets go at once cleans up by itself.
                drop(tokio::time::timeout(LETTING_GO, &mut work).await);
                remove_unfinished();
                Err(Failure::interrupted(&begun))
            }
        }
    });
    // Tasks still in a kernel are not waited for: the process is about to end.
    match interrupted {
        false => runtime.shutdown_background(),
        true => {
            runtime.shutdown_timeout(LETTING_GO);
            remove_unfinished();
        }
    }
    spilled::remove();
    result
}

/// Help and version are answers; everything else is a mistake in the command line.
fn not_parsed(error: &clap::Error, printer: Printer) -> ExitStatus {
    let result = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            printer.data(&error.render().to_string())
        }
        _ => Err(usage_failure(error)),
    };
    match result {
        Ok(()) => ExitStatus::Success,
        Err(failure) => {
            printer.failure(&failure);
            failure.kind.status()
        }
    }
}

/// clap's report in the form of all our errors.
fn usage_failure(error: &clap::Error) -> Box<Failure> {
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ").trim_end();
    match error.kind() {
        // Nothing was asked: the whole help is the best answer.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Failure::usage(format!("no command given\n\n{text}"))
        }
        _ => Failure::usage(text),
    }
}

fn log_to_stderr(settings: &Settings) {
    let filter = match settings.verbose {
        0 => return,
        1 => "warn,geoflow=info,geoflow_engine=info,geoflow_sql=info,geoflow_k8s=info",
        2 => "info,geoflow=debug,geoflow_engine=debug,geoflow_sql=debug,geoflow_k8s=debug",
        _ => "debug,geoflow=trace,geoflow_engine=trace,geoflow_sql=trace,geoflow_k8s=trace",
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(|| LogWriter)
        .with_ansi(settings.speech.color)
        .init();
}
