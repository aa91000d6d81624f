//! The moment when a plan has yielded its last row, and nothing but writing is left.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use datafusion::error::Result;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan, SendableRecordBatchStream};
use futures::StreamExt;
use geoflow_engine::through::{Through, ThroughExec};
use tokio::sync::Notify;

/// Tells when there are no more batches in the one partition below.
#[derive(Debug)]
pub(super) struct LastRow(Arc<Notify>);

impl LastRow {
    /// Puts it below a plan that writes. Notifies whoever waits for `told`, now or later.
    pub(super) fn below(
        writer: Arc<dyn ExecutionPlan>,
        told: &Arc<Notify>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = writer.children().first().copied().cloned() else {
            return Ok(writer);
        };
        let watched = Arc::new(ThroughExec::new(input, Self(Arc::clone(told))));
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        writer.replace_children(vec![watched], options)
    }
}

impl Through for LastRow {
    fn name(&self) -> &'static str {
        "LastRow"
    }

    fn describe(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastRow")
    }

    fn follow(&self, mut batches: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let told = Arc::clone(&self.0);
        let schema = batches.schema();
        let watched = futures::stream::poll_fn(move |cx| {
            let polled = batches.poll_next_unpin(cx);
            if matches!(polled, Poll::Ready(None)) {
                told.notify_one();
            }
            polled
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, watched))
    }
}
