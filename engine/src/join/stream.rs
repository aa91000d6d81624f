//! The stream of one probe partition.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{FutureExt, StreamExt, stream};

use super::any_of::{AnyOf, ProbeRows};
use super::build::BuildSide;
use super::memory::Footprint;
use super::output::{OutputBuilder, Rows};
use super::pieces::Pieces;
use super::probe::{Pairs, Scratch};
use super::roles::Role;
use super::sharing::{Rest, Sharing};
use super::spill::Settle;

/// Rows that are probed together take no more than this before the last batch of them.
const MORSEL_BYTES: usize = 64 << 20;

/// Resolves to the build side that all partitions share.
pub(super) type BuildFuture = Pin<Box<dyn Future<Output = Result<Arc<BuildSide>>> + Send>>;

/// How rows of the two sides are joined and put out.
#[derive(Clone)]
pub(super) struct JoinParts {
    pub probing: AnyOf,
    pub output: OutputBuilder,
    pub batch_size: usize,
    /// Of the output.
    pub schema: SchemaRef,
    pub sharing: Sharing,
}

/// Joins one partition of the probe side with the build side.
pub(super) struct JoinStream {
    parts: JoinParts,
    build: BuildFuture,
    input: SendableRecordBatchStream,
    /// Decides on rows that are seen elsewhere as well; `None` if they are not.
    settle: Option<Settle>,
    /// It joins rows of a batch that another stream shares out, and ends with them.
    is_helper: bool,
}

impl JoinStream {
    pub(super) fn new(
        parts: JoinParts,
        build: BuildFuture,
        input: SendableRecordBatchStream,
        settle: Option<Settle>,
    ) -> Self {
        Self {
            parts,
            build,
            input,
            settle,
            is_helper: false,
        }
    }

    /// Joins slices of a batch for another stream.
    pub(super) fn helper(
        parts: JoinParts,
        build: Arc<BuildSide>,
        input: SendableRecordBatchStream,
    ) -> Self {
        let build = futures::future::ready(Ok(build)).boxed();
        Self {
            is_helper: true,
            ..Self::new(parts, build, input, None)
        }
    }

    /// Starts when first polled.
    pub(super) fn into_stream(self) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.parts.schema);
        // What helpers put out is counted when it is passed on.
        let baseline = (!self.is_helper).then(|| self.parts.probing.metrics.baseline.clone());
        let machine = Machine {
            scratch: Scratch::new(&self.parts.sharing),
            pieces: Pieces::new(self.parts.output.clone(), self.parts.batch_size),
            stream: self,
            state: State::Waiting,
            exhausted: false,
            began: Instant::now(),
            rest: None,
        };
        let batches = stream::unfold(Some(machine), move |machine| {
            let baseline = baseline.clone();
            async move {
                let mut machine = machine?;
                match machine.next().await {
                    Ok(Some(batch)) => {
                        if let Some(baseline) = baseline {
                            baseline.record_output(batch.num_rows());
                        }
                        Some((Ok(batch), Some(machine)))
                    }
                    Ok(None) => None,
                    Err(error) => Some((Err(error), None)),
                }
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}

/// ```text
/// Waiting ── build side ready ──> Fetching ── batch ──> Probing
///                                    |  ^───────────────┘ used up
///                                    |  ^── shared out <── takes long
///                                    └── no more ──> Leftover ──> Done
/// ```
enum State {
    Waiting,
    Fetching(Arc<BuildSide>),
    Probing(Arc<BuildSide>, Box<ProbeRows>, Pairs, usize),
    /// Helpers join the rest of a batch.
    Sharing(Arc<BuildSide>, SendableRecordBatchStream),
    /// Build rows from here on, by the last partition.
    Leftover(Arc<BuildSide>, u32),
    Done,
}

struct Machine {
    stream: JoinStream,
    pieces: Pieces,
    state: State,
    scratch: Scratch,
    /// The input has ended and must not be polled again.
    exhausted: bool,
    /// When the batch was taken in.
    began: Instant,
    /// The rows of the batch that are left to helpers.
    rest: Option<Rest>,
}

impl Machine {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.pieces.pop()? {
                return Ok(Some(batch));
            }
            self.state = match std::mem::replace(&mut self.state, State::Done) {
                State::Waiting => {
                    let build = (&mut self.stream.build).await?;
                    self.pieces.set_build(&build.batch);
                    let roles = self.stream.parts.probing.roles;
                    let hopeless = build.is_hopeless() && self.stream.settle.is_none();
                    if hopeless && roles.needs_build_rows() {
                        self.after_probe(build)
                    } else {
                        State::Fetching(build)
                    }
                }
                State::Fetching(build) => match self.fetch().await? {
                    Some(batch) => self.start(build, batch)?,
                    None => self.after_probe(build),
                },
                State::Probing(build, rows, pairs, from) => self.probe(build, rows, pairs, from)?,
                State::Sharing(build, mut helped) => match helped.next().await {
                    Some(batch) => {
                        self.state = State::Sharing(build, helped);
                        return batch.map(Some);
                    }
                    None => State::Fetching(build),
                },
                State::Leftover(build, from) => self.leftover(build, from)?,
                State::Done => {
                    if !self.pieces.flush()? {
                        return Ok(None);
                    }
                    State::Done
                }
            };
        }
    }

    /// The next batch, or as many as make a morsel.
    async fn fetch(&mut self) -> Result<Option<RecordBatch>> {
        let morsel = self.stream.parts.probing.morsel();
        let mut batches = vec![];
        let (mut rows, mut bytes) = (0, 0);
        let mut footprint = Footprint::default();
        while rows < morsel && bytes < MORSEL_BYTES && !self.exhausted {
            match self.stream.input.next().await {
                Some(batch) => {
                    let batch = batch?;
                    rows += batch.num_rows();
                    if morsel > 1 {
                        bytes += footprint.add(&batch);
                    }
                    batches.push(batch);
                }
                None => self.exhausted = true,
            }
        }
        Ok(match batches.len() {
            0 => None,
            1 => batches.pop(),
            _ => Some(concat_batches(&batches[0].schema(), &batches)?),
        })
    }

    fn start(&mut self, build: Arc<BuildSide>, batch: RecordBatch) -> Result<State> {
        self.began = Instant::now();
        let probing = &self.stream.parts.probing;
        let _timer = probing.metrics.baseline.elapsed_compute().timer();
        if !self.stream.is_helper {
            probing.metrics.input_batches.add(1);
            probing.metrics.input_rows.add(batch.num_rows());
        }
        let rows = probing.start(batch, &build)?;
        Ok(State::Probing(build, Box::new(rows), Pairs::default(), 0))
    }

    /// Puts out the next pairs of the batch, or finds more, or puts out what the batch leaves.
    fn probe(
        &mut self,
        build: Arc<BuildSide>,
        mut rows: Box<ProbeRows>,
        mut pairs: Pairs,
        from: usize,
    ) -> Result<State> {
        let elapsed = self
            .stream
            .parts
            .probing
            .metrics
            .baseline
            .elapsed_compute()
            .clone();
        let _timer = elapsed.timer();
        let roles = self.stream.parts.probing.roles;
        if from < pairs.len() {
            let to = self
                .pieces
                .push_pairs(&pairs, from, &build.batch, &rows.batch)?;
            return Ok(State::Probing(build, rows, pairs, to));
        }
        let probing = &self.stream.parts.probing;
        let began = Instant::now();
        if !probing.advance(&mut rows, &build, &mut self.scratch, &mut pairs)? {
            self.finish_batch(&mut rows)?;
            return Ok(match self.rest.take() {
                Some(rest) => {
                    self.stream.parts.probing.metrics.shared_batches.add(1);
                    let helped = rest.share_out(&self.stream.parts, &build);
                    State::Sharing(build, helped)
                }
                None => State::Fetching(build),
            });
        }
        let sharing = &self.stream.parts.sharing;
        self.scratch.pace(began.elapsed(), sharing);
        if self.stream.settle.is_none() && sharing.is_due(self.began.elapsed()) {
            self.rest = Rest::of(&mut rows, self.began.elapsed())?;
        }
        if roles.build.needs_matches() {
            pairs.build.iter().for_each(|&row| build.visit(row));
        }
        if roles.probe.needs_matches() {
            pairs
                .probe
                .iter()
                .for_each(|&row| rows.matched[row as usize] = true);
        }
        if !roles.emits_pairs() || !matches!(roles.build, Role::Paired | Role::Preserved) {
            pairs.clear();
        }
        Ok(State::Probing(build, rows, pairs, 0))
    }

    /// Rows of the probe side that are put out once: preserved, semi, anti, mark.
    fn finish_batch(&mut self, rows: &mut ProbeRows) -> Result<()> {
        let role = self.stream.parts.probing.roles.probe;
        let settle = self.stream.settle.as_mut();
        let decided = settle.and_then(|s| s.settle(&rows.batch, &mut rows.matched));
        let Some(mut selected) = select(role, 0, rows.matched.len(), |row| rows.matched[row])
        else {
            return Ok(());
        };
        if decided.is_some() || rows.is_shared() {
            let mine = selected.values().iter().filter(|row| {
                let row = **row as usize;
                decided.as_ref().is_none_or(|decided| decided[row]) && !rows.is_left(row)
            });
            selected = UInt32Array::from_iter_values(mine.copied());
        }
        let mark = (role == Role::Mark).then(|| {
            let rows = selected
                .values()
                .iter()
                .map(|row| rows.matched[*row as usize]);
            Arc::new(rows.map(Some).collect::<BooleanArray>()) as ArrayRef
        });
        let alone = Rows::Take(&rows.batch, &selected);
        self.pieces.push(selected.len(), Rows::Null, alone, mark)
    }

    /// The probe side of this partition is used up.
    fn after_probe(&self, build: Arc<BuildSide>) -> State {
        if self.stream.is_helper {
            return State::Done;
        }
        let role = self.stream.parts.probing.roles.build;
        // The count is kept for every role: it tells the last partition from the others.
        if build.finish_probe() && role.needs_matches() {
            State::Leftover(build, 0)
        } else {
            State::Done
        }
    }

    /// The next rows of the build side that are put out once.
    fn leftover(&mut self, build: Arc<BuildSide>, from: u32) -> Result<State> {
        let role = self.stream.parts.probing.roles.build;
        let rows = build.batch.num_rows();
        if from as usize >= rows {
            return Ok(State::Done);
        }
        let to = (from as usize + self.stream.parts.batch_size).min(rows);
        if let Some(selected) = select(role, from as usize, to, |row| build.is_visited(row as u32))
        {
            let mark = (role == Role::Mark).then(|| {
                let rows = selected.values().iter();
                let marks = rows.map(|&row| Some(build.is_visited(row)));
                Arc::new(marks.collect::<BooleanArray>()) as ArrayRef
            });
            let alone = Rows::Take(&build.batch, &selected);
            self.pieces.push(selected.len(), alone, Rows::Null, mark)?;
        }
        Ok(State::Leftover(build, to as u32))
    }
}

/// The rows of `from..to` that a role puts out on their own; `None` for no rows.
pub(super) fn select(
    role: Role,
    from: usize,
    to: usize,
    matched: impl Fn(usize) -> bool,
) -> Option<UInt32Array> {
    let wanted = |row: &usize| match role {
        Role::Semi => matched(*row),
        Role::Anti | Role::Preserved => !matched(*row),
        Role::Mark => true,
        Role::Paired | Role::Unseen => false,
    };
    let rows: Vec<u32> = (from..to).filter(wanted).map(|row| row as u32).collect();
    (!rows.is_empty()).then(|| UInt32Array::from(rows))
}
