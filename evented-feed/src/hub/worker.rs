//! The worker of a hub, which drives a source until the hub stops.

use std::sync::Arc;

use crate::shared::Shared;
use crate::source::Source;

/// Drives a source, on its own thread or task.
pub(crate) struct Worker<S> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) source: S,
}

impl<S: Source> Worker<S> {
    /// Runs until the hub stops, or the source has ended.
    pub(crate) async fn run(mut self) {
        while !self.shared.is_stopping() {
            if self.source.step(&self.shared).await.is_err() {
                break;
            }
        }
    }
}

/// Stops the hub however the worker ends, also when its runtime is shut down, so that no caller waits forever for the
/// hub. The feeds end when the source is dropped.
impl<S> Drop for Worker<S> {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
