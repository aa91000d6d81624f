//! What tasks say.

use futures::io::AsyncBufRead;
use geoflow_engine::{Error, Result};
use kube::api::LogParams;

use super::Cluster;
use crate::manifest::CONTAINER;

/// Which lines of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Waits for more until the task ends.
    pub follow: bool,
    /// Only so many lines from the end.
    pub tail: Option<i64>,
}

impl Cluster {
    /// The log of a task, as it comes.
    ///
    /// # Errors
    /// [`Error::Environment`] when the pod has not started yet, or its node no longer has the log.
    pub async fn log(
        &self,
        pod: &str,
        options: LogOptions,
    ) -> Result<impl AsyncBufRead + Send + use<>> {
        let parameters = LogParams {
            container: Some(CONTAINER.to_string()),
            follow: options.follow,
            tail_lines: options.tail,
            ..LogParams::default()
        };
        match self.pods_api().log_stream(pod, &parameters).await {
            Ok(stream) => Ok(stream),
            // "container "task" in pod "x" is waiting to start: ..."
            Err(kube::Error::Api(status)) if status.code == 400 => Err(Error::Environment {
                message: format!("no log of pod {pod}: {}", status.message),
                retryable: true,
            }),
            Err(error) => self.explain(&format!("read the log of pod {pod}"), Err(error)),
        }
    }
}
