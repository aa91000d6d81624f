//! `geoflow query`: statements in, rows out.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, UInt64Array};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use futures::StreamExt;
use geoflow_engine::geoparquet::geometry_columns;
use geoflow_engine::options::{GeoflowOptions, InvalidSeen, OnInvalid};
use geoflow_engine::tiling::HilbertSortExec;

use crate::args::{QueryArgs, Sort};
use crate::copy_place::CopyPlace;
use crate::error::{Failure, Result, from_datafusion, from_engine};
use crate::output::{Destination, Format, Options};
use crate::place::in_flags;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::session::Session;
use crate::settings::Settings;
use crate::statement::{self, Statement, Yield};
use crate::timing::Timing;
use crate::{output, program_text, sql_text};

/// Runs the statements in order, in one session. Returns how many rows were written.
pub(crate) async fn run(args: QueryArgs, settings: &Settings, printer: &Printer) -> Result<u64> {
    let place = CopyPlace::of(&args)?;
    let mut run = Run::prepare(&args, printer, place.is_some())?;
    let texts = sql_text::read(&args)?;
    let session = Session::new(settings)?;
    program_text::let_go();

    let started = Instant::now();
    let parser = session
        .context()
        .copied_config()
        .options()
        .sql_parser
        .clone();
    let mut statements = statement::parse(&texts, &parser)?;
    run.timing.parse += started.elapsed();
    run.check(&statements)?;
    if let Some(place) = &place {
        place.take_result(&mut statements)?;
    }

    for statement in statements {
        let text = &texts[statement.text];
        run.statement(&session, statement)
            .await
            .map_err(|failure| match &place {
                Some(_) => in_flags(failure, "--overwrite replaces them"),
                None => failure,
            })
            .map_err(|failure| session.explain_unknown(text.locate(failure)))?;
    }
    if settings.timing {
        printer.report(&run.timing.report());
    }
    Ok(run.rows)
}

/// What all statements of a run share.
struct Run<'a> {
    printer: &'a Printer,
    destination: Destination,
    format: Format,
    options: Options,
    sort: Option<Sort>,
    timing: Timing,
    /// Rows written so far.
    rows: u64,
}

impl<'a> Run<'a> {
    /// Finds every mistake that can be found without looking at the SQL.
    ///
    /// `by_copy`: the result goes where `COPY` writes it.
    fn prepare(args: &QueryArgs, printer: &'a Printer, by_copy: bool) -> Result<Self> {
        let mut destination = Destination::new(args.output.as_deref(), args.overwrite);
        let format = match by_copy {
            true => args.format.unwrap_or(Format::Parquet),
            false => {
                let terminal = printer.stdout_is_terminal();
                Format::choose(args.format, destination.path(), terminal)?
            }
        };
        if !by_copy {
            destination.check()?;
        }
        Ok(Run {
            printer,
            options: Options {
                max_rows: args.max_rows.0,
                // A plan is made to be read, so that it stays text in a pipe; an explicit
                // format or file is obeyed.
                plan_as_text: args.format.is_none_or(|format| format == Format::Table)
                    && destination.path().is_none(),
            },
            destination,
            format,
            sort: args.sort,
            timing: Timing::start(),
            rows: 0,
        })
    }

    /// Refuses what would go wrong only after hours: more than one result for one file.
    fn check(&self, statements: &[Statement]) -> Result<()> {
        let results = statements
            .iter()
            .filter(|statement| statement.yields.is_result())
            .count();
        if let Some(path) = self.destination.path() {
            if results == 0 {
                return Err(Failure::usage(format!(
                    "no statement returns rows to write to \"{}\"",
                    path.display()
                )));
            }
            if results > 1 {
                return Err(Failure::usage(format!(
                    "{results} statements return rows, but -o \"{}\" holds one result",
                    path.display()
                ))
                .with_hint("write each result with a run of its own, or with COPY ... TO"));
            }
        } else if results > 1 && self.format.is_one_document() {
            return Err(Failure::usage(format!(
                "{results} statements return rows, but the format {} holds one result",
                self.format.name()
            ))
            .with_hint(
                "use table, csv, tsv, json, ndjson or geojsonseq, or a run for each result",
            ));
        }
        Ok(())
    }

    async fn statement(&mut self, session: &Session, statement: Statement) -> Result<()> {
        let started = Instant::now();
        let plan = session
            .plan(statement.sql)
            .await
            .map_err(|e| from_datafusion(&e))?;
        self.timing.plan += started.elapsed();
        if statement.yields != Yield::Nothing {
            program_text::let_go();
        }
        tracing::debug!("logical plan:\n{}", plan.display_indent());

        // Statements such as CREATE and SET happen here, CREATE TABLE ... AS with all its work.
        let started = Instant::now();
        let frame = session
            .context()
            .execute_logical_plan(plan)
            .await
            .map_err(|e| from_datafusion(&e))?;
        self.timing.execute += started.elapsed();

        let started = Instant::now();
        let context = Arc::new(frame.task_ctx());
        let mut physical = frame
            .create_physical_plan()
            .await
            .map_err(|e| from_datafusion(&e))?;
        for notice in session.notices() {
            self.printer.note(&notice);
        }
        if statement.yields == Yield::Rows && self.sort == Some(Sort::Hilbert) {
            physical = along_curve(physical)?;
        }
        self.timing.plan += started.elapsed();
        tracing::info!("planned in {:?}", self.timing.plan);
        tracing::debug!(
            "physical plan:\n{}",
            displayable(physical.as_ref()).indent(false)
        );

        if statement.yields != Yield::Nothing {
            program_text::let_go();
        }
        let mut stream =
            execute_stream(Arc::clone(&physical), context).map_err(|e| from_datafusion(&e))?;
        let done = match statement.yields {
            Yield::Rows | Yield::Plan => {
                let as_text = statement.yields == Yield::Plan && self.options.plan_as_text;
                let format = if as_text { Format::Plan } else { self.format };
                self.results(physical, &mut stream, format).await
            }
            Yield::Count => {
                let count = self.drain(&physical, &mut stream).await?;
                self.rows += count;
                self.printer.note(&format!("{count} rows written"));
                Ok(())
            }
            Yield::Nothing => self.drain(&physical, &mut stream).await.map(drop),
        };
        self.warn_of_invalid(session);
        done
    }

    /// Says how many invalid geometries were no errors, as the settings ask for.
    fn warn_of_invalid(&self, session: &Session) {
        let config = session.context().copied_config();
        let options = GeoflowOptions::of(config.options());
        if let Some(InvalidSeen { count, example }) = options.invalid_seen.take() {
            let geometries = match count {
                1 => "1 invalid geometry was".to_owned(),
                _ => format!("{count} invalid geometries were"),
            };
            let fate = match options.on_invalid {
                OnInvalid::Skip => "left out",
                _ => "taken for NULL",
            };
            self.printer.note(&format!(
                "warning: {geometries} {fate} (geoflow.on_invalid = {}); the first: {example}",
                options.on_invalid
            ));
        }
    }

    /// Runs a statement whose rows are not shown; sums the counts it returns.
    async fn drain(
        &mut self,
        physical: &Arc<dyn ExecutionPlan>,
        stream: &mut SendableRecordBatchStream,
    ) -> Result<u64> {
        let _progress = self.progress(physical, Format::Table);
        let started = Instant::now();
        let mut count = 0;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| from_datafusion(&e))?;
            let counts = batch
                .columns()
                .first()
                .and_then(|column| column.as_any().downcast_ref::<UInt64Array>());
            count += counts.map_or(0, |counts| counts.iter().flatten().sum());
        }
        self.timing.execute += started.elapsed();
        Ok(count)
    }

    /// Streams batches to their writer as they come.
    async fn results(
        &mut self,
        physical: Arc<dyn ExecutionPlan>,
        stream: &mut SendableRecordBatchStream,
        format: Format,
    ) -> Result<()> {
        let progress = self.progress(&physical, format);
        let (mut writer, sink) = output::open(
            format,
            stream.schema(),
            &self.destination,
            self.printer,
            self.options,
        )?;
        loop {
            let started = Instant::now();
            let batch = stream
                .next()
                .await
                .transpose()
                .map_err(|e| from_datafusion(&e))?;
            self.timing.execute += started.elapsed();
            let Some(batch) = batch else { break };
            self.rows += batch.num_rows() as u64;
            let started = Instant::now();
            writer.write(&batch)?;
            self.timing.write += started.elapsed();
        }
        drop(progress);
        let started = Instant::now();
        let shown = writer.finish()?;
        sink.commit()?;
        self.timing.write += started.elapsed();
        if let output::Shown::Part { shown, total } = shown {
            self.printer.note(&format!(
                "{shown} of {total} rows shown; --max-rows all shows all, -o FILE writes them"
            ));
        }
        Ok(())
    }

    fn progress(&self, plan: &Arc<dyn ExecutionPlan>, format: Format) -> Option<Progress> {
        // Rows that stream to the same terminal are progress enough.
        let rows_stream_by = self.destination.path().is_none()
            && self.printer.stdout_is_terminal()
            && match format {
                Format::Table => self.options.max_rows.is_none(),
                Format::Plan => false,
                _ => true,
            };
        if rows_stream_by {
            return None;
        }
        let place = self.printer.progress_target()?;
        Some(Progress::watch(Arc::clone(plan), place))
    }
}

/// The same rows in the order of a Hilbert curve.
fn along_curve(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let columns = geometry_columns(&plan.schema()).map_err(|e| from_engine(&e))?;
    let Some(geometry) = columns.first() else {
        return Err(Failure::user(
            "--sort hilbert needs a geometry column, and the result has none",
        ));
    };
    let sort = HilbertSortExec::try_new(plan, *geometry, vec![]).map_err(|e| from_engine(&e))?;
    Ok(Arc::new(sort))
}
