//! Tasks as a driver on this machine asks for them, at once or one after the other.
//!
//! ```text
//!  standard input   {"task": 7, "plan": ..., "sha256": ..., "stage": 0, "index": 3}     one line a task
//!  standard output  progress ... all_read ... done     of task 7, between the lines of others
//!                   progress ... failed                where memory ran out, the process ends with it
//!  end of input: the driver is done, or gone: the process ends, whatever it does
//! ```

use std::collections::BTreeMap;
use std::io::BufRead;

use futures::stream::{FuturesUnordered, StreamExt};
use geoflow_k8s::TaskExit;
use geoflow_k8s::runner::Order;
use geoflow_k8s::task::{TaskFailure, TaskManifest, TaskRequest, TaskState};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Log, Worker, report};
use crate::exit::ExitStatus;
use crate::spilled;

/// Runs tasks until memory runs out, or nobody asks for more.
pub(super) async fn run(worker: &Worker) -> ExitStatus {
    let mut orders = orders();
    let mut running = FuturesUnordered::new();
    let mut states: BTreeMap<u64, TaskState> = BTreeMap::new();
    let mut stopped = std::pin::pin!(worker.stopped());
    let failure = loop {
        tokio::select! {
            biased;
            failure = &mut stopped => break failure,
            Some((task, result)) = running.next() => {
                states.remove(&task);
                let result: Result<TaskManifest, TaskFailure> = result;
                let failure = result.as_ref().err().cloned();
                Log { task: Some(task) }.tell(result);
                // Others may have taken it. What is held goes with the process alone.
                if let Some(failure) = failure.filter(|f| f.exit == TaskExit::OutOfMemory) {
                    break failure;
                }
            }
            order = orders.recv() => {
                let order = match order {
                    Some(Ok(order)) => order,
                    Some(Err(failure)) => return Log::default().tell(Err(failure)),
                    None => return ExitStatus::Task(TaskExit::TryAgain),
                };
                let (task, state) = (order.task, TaskState::default());
                states.insert(task, state.clone());
                let log = Log { task: Some(task) };
                let request = request(order, worker);
                running.push(async move { (task, worker.work(request, log, state).await) });
            }
        }
    };
    for (task, state) in states {
        report(&state, &failure).await;
        Log { task: Some(task) }.tell(Err(failure.clone()));
    }
    ExitStatus::Task(failure.exit)
}

fn request(order: Order, worker: &Worker) -> TaskRequest {
    TaskRequest {
        plan: order.plan,
        sha256: Some(order.sha256),
        stage: order.stage,
        index: order.index,
        threads: order.threads.clamp(1, worker.threads),
        memory_limit: worker.memory,
    }
}

/// The lines of standard input, as a thread reads them. With their end the process ends: what a task has not recorded
/// does not count.
fn orders() -> UnboundedReceiver<Result<Order, TaskFailure>> {
    let (send, orders) = unbounded_channel();
    let read = move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            let order = serde_json::from_str(&line).map_err(|e| {
                let message = format!("{line} on standard input asks for no task: {e}");
                TaskFailure::new(TaskExit::BadPlan, message)
            });
            if send.send(order).is_err() {
                break;
            }
        }
        spilled::remove();
        std::process::exit(i32::from(TaskExit::TryAgain.code()));
    };
    // Without a thread to spare there are no orders, and the process ends.
    drop(std::thread::Builder::new().name("stdin".into()).spawn(read));
    orders
}
