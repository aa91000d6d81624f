//! Tasks one after the other, as a driver on this machine asks for them.
//!
//! ```text
//!  standard input   {"plan": ..., "sha256": ..., "stage": 0, "index": 3}     one line a task
//!  standard output  progress ... done      then the next line is read
//!                   progress ... failed    and the process ends with the code of the failure
//!  end of input: the driver is done, or gone: the process ends, whatever it does
//! ```

use std::io::BufRead;

use geoflow_k8s::TaskExit;
use geoflow_k8s::runner::Order;
use geoflow_k8s::task::{TaskFailure, TaskRequest};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Worker, tell};
use crate::exit::ExitStatus;
use crate::spilled;

/// Runs tasks until one fails, or nobody asks for more.
pub(super) fn run(worker: &Worker) -> ExitStatus {
    let mut orders = orders();
    loop {
        let order = worker.runtime.block_on(async {
            tokio::select! {
                order = orders.recv() => order,
                () = worker.interrupt.clone().wait() => None,
            }
        });
        let order = match order {
            Some(Ok(order)) => order,
            Some(Err(failure)) => return tell(Err(failure)),
            None => return ExitStatus::Task(TaskExit::TryAgain),
        };
        let ended = tell(worker.execute(TaskRequest {
            plan: order.plan,
            sha256: Some(order.sha256),
            stage: order.stage,
            index: order.index,
            threads: worker.threads,
            memory_limit: worker.memory,
        }));
        if ended != ExitStatus::Success {
            return ended;
        }
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
