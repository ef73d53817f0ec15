//! Waits for the next item of a stream, for blocking code.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use evented_diesel::stream::Interruption;
use futures_core::Stream;
use parking::Parker;

/// Why a feed returned no change.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// No change arrived in time.
    #[error("no change arrived in time")]
    Timeout,
    /// The buffer holds no change now.
    #[error("no change is available")]
    Empty,
    /// The feed has ended: the hub was stopped, or the feed has returned its final error before.
    #[error("the feed has ended")]
    Ended,
    /// An event cannot be read, or the subscription has ended with an error.
    #[error(transparent)]
    Interrupted(Interruption),
}

impl RecvError {
    /// Whether the feed returns no further change.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Timeout | Self::Empty => false,
            Self::Ended => true,
            Self::Interrupted(interruption) => interruption.is_final(),
        }
    }
}

/// Waits for the next item; `None` after the end.
pub(crate) fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    wait(stream, |parker| {
        parker.park();
        true
    })?
}

/// Waits for the next item for a limited time.
pub(crate) fn next_within<S: Stream + Unpin>(stream: &mut S, time: Duration) -> Result<S::Item, RecvError> {
    let until = deadline(time);
    let come = wait(stream, |parker| match until {
        Some(until) => parker.park_deadline(until),
        None => {
            parker.park();
            true
        }
    });
    come.ok_or(RecvError::Timeout)?.ok_or(RecvError::Ended)
}

/// Returns the next item if it is there. Does not wait.
pub(crate) fn next_now<S: Stream + Unpin>(stream: &mut S) -> Result<S::Item, RecvError> {
    match Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(item)) => Ok(item),
        Poll::Ready(None) => Err(RecvError::Ended),
        Poll::Pending => Err(RecvError::Empty),
    }
}

/// The instant at which a duration that begins now ends; `None` if it overflows.
pub(crate) fn deadline(time: Duration) -> Option<Instant> {
    Instant::now().checked_add(time)
}

/// Polls the stream until it yields an item or ends. Returns `None` as soon as `park` returns false: its time is over.
fn wait<S: Stream + Unpin>(stream: &mut S, mut park: impl FnMut(&Parker) -> bool) -> Option<Option<S::Item>> {
    let parker = Parker::new();
    let waker = Waker::from(parker.unparker());
    loop {
        match Pin::new(&mut *stream).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(item) => return Some(item),
            Poll::Pending if !park(&parker) => return None,
            Poll::Pending => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> (async_channel::Sender<i32>, Pin<Box<async_channel::Receiver<i32>>>) {
        let (sender, receiver) = async_channel::unbounded();
        (sender, Box::pin(receiver))
    }

    #[test]
    fn an_item_is_waited_for() {
        let (sender, mut receiver) = channel();
        let thread = std::thread::spawn(move || {
            for number in 0..1_000 {
                sender.send_blocking(number).unwrap();
            }
        });
        assert!((0..500).all(|number| next(&mut receiver) == Some(number)));
        assert!(
            (500..1_000)
                .all(|number| matches!(next_within(&mut receiver, Duration::MAX), Ok(it) if it == number))
        );
        thread.join().unwrap();
        assert_eq!(next(&mut receiver), None);
        assert!(matches!(next_within(&mut receiver, Duration::MAX), Err(RecvError::Ended)));
        assert!(matches!(next_now(&mut receiver), Err(RecvError::Ended)));
    }

    #[test]
    fn nothing_is_waited_for_up_to_a_time() {
        let (sender, mut receiver) = channel();
        assert!(matches!(next_now(&mut receiver), Err(RecvError::Empty)));
        assert!(matches!(next_within(&mut receiver, Duration::ZERO), Err(RecvError::Timeout)));
        sender.try_send(7).unwrap();
        assert!(matches!(next_within(&mut receiver, Duration::ZERO), Ok(7)));
    }
}
