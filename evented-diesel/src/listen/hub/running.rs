//! A source that is being read, until that ends in whatever way.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::super::log::source::LogSource;
#[cfg(feature = "wal")]
use super::super::tail::source::TailSource;
use super::shared::Shared;

/// What a hub reads.
pub(super) trait Source {
    /// Ends every feed, and takes no more.
    fn close(&mut self);
}

impl Source for LogSource {
    fn close(&mut self) {
        LogSource::close(self);
    }
}

#[cfg(feature = "wal")]
impl Source for TailSource {
    fn close(&mut self) {
        TailSource::close(self);
    }
}

/// A source that is being read. Dropped, it ends the hub and its feeds: nobody waits for ever for a hub whose runtime was
/// shut down, say.
pub(super) struct Running<S: Source> {
    source: S,
    shared: Arc<Shared>,
}

impl<S: Source> Running<S> {
    pub(super) fn new(source: S, shared: Arc<Shared>) -> Self {
        Self { source, shared }
    }
}

impl<S: Source> Drop for Running<S> {
    fn drop(&mut self) {
        self.source.close();
        self.shared.stop();
    }
}

impl<S: Source> Deref for Running<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.source
    }
}

impl<S: Source> DerefMut for Running<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.source
    }
}
