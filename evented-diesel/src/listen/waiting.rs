//! The next item of a stream, for code that blocks.

use std::pin::Pin;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_core::Stream;
use parking::Parker;

/// Waits for it; `None` after the end.
pub(crate) fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    wait(stream, |parker| {
        parker.park();
        true
    })?
}

/// Waits for it so long.
pub(crate) fn next_within<S: Stream + Unpin>(
    stream: &mut S,
    time: Duration,
) -> Result<S::Item, RecvTimeoutError> {
    let until = deadline(time);
    let come = wait(stream, |parker| match until {
        Some(until) => parker.park_deadline(until),
        None => {
            parker.park();
            true
        }
    });
    come.ok_or(RecvTimeoutError::Timeout)?.ok_or(RecvTimeoutError::Disconnected)
}

/// It, if it is there.
pub(crate) fn next_now<S: Stream + Unpin>(stream: &mut S) -> Result<S::Item, TryRecvError> {
    match Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(item)) => Ok(item),
        Poll::Ready(None) => Err(TryRecvError::Disconnected),
        Poll::Pending => Err(TryRecvError::Empty),
    }
}

/// The end of a time that begins now; `None` if that is never.
pub(crate) fn deadline(time: Duration) -> Option<Instant> {
    Instant::now().checked_add(time)
}

/// What the stream gives, or `None` as soon as `park` was not woken.
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
        assert!((500..1_000).all(|number| next_within(&mut receiver, Duration::MAX) == Ok(number)));
        thread.join().unwrap();
        assert_eq!(next(&mut receiver), None);
        assert_eq!(next_within(&mut receiver, Duration::MAX), Err(RecvTimeoutError::Disconnected));
        assert_eq!(next_now(&mut receiver), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn nothing_is_waited_for_up_to_a_time() {
        let (sender, mut receiver) = channel();
        assert_eq!(next_now(&mut receiver), Err(TryRecvError::Empty));
        assert_eq!(next_within(&mut receiver, Duration::ZERO), Err(RecvTimeoutError::Timeout));
        sender.try_send(7).unwrap();
        assert_eq!(next_within(&mut receiver, Duration::ZERO), Ok(7));
    }
}
