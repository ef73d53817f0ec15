//! Asserts which domain events were published, on the test's own connection.

use std::fmt::Debug;

use diesel::connection::LoadConnection;
use evented_diesel::spi::{BlockingExecutor, EventedBackend, Executor, Operation, ready};
use evented_diesel::stream::published;
use evented_diesel::{DomainEvent, Error};

/// Asserts that an event was published for which the function returns `true`, and returns the first one. In a transaction of the
/// test's it sees what the transaction has published.
///
/// # Panics
///
/// There is none; the message has those of the type that there are. Also if the bus cannot be read.
#[track_caller]
pub fn assert_published<E, C>(conn: &mut C, matches: impl Fn(&E) -> bool) -> E
where
    E: DomainEvent + Debug,
    C: LoadConnection<Backend: EventedBackend> + Send + 'static,
{
    found(ready(read::<E, _, _>(&mut BlockingExecutor(conn))), matches)
}

/// Asserts that no event was published for which the function returns `true`.
///
/// # Panics
///
/// There is one, or the bus cannot be read.
#[track_caller]
pub fn refute_published<E, C>(conn: &mut C, matches: impl Fn(&E) -> bool)
where
    E: DomainEvent + Debug,
    C: LoadConnection<Backend: EventedBackend> + Send + 'static,
{
    none(ready(read::<E, _, _>(&mut BlockingExecutor(conn))), matches);
}

/// Like [`assert_published`], on an async connection.
///
/// # Panics
///
/// As [`assert_published`].
#[cfg(feature = "__async")]
pub async fn assert_published_async<E, C>(conn: &mut C, matches: impl Fn(&E) -> bool) -> E
where
    E: DomainEvent + Debug,
    C: diesel_async::AsyncConnection<Backend: EventedBackend> + Send + 'static,
{
    found(Some(read::<E, _, _>(&mut evented_diesel::spi::AsyncExecutor(conn)).await), matches)
}

/// Like [`refute_published`], on an async connection.
///
/// # Panics
///
/// As [`refute_published`].
#[cfg(feature = "__async")]
pub async fn refute_published_async<E, C>(conn: &mut C, matches: impl Fn(&E) -> bool)
where
    E: DomainEvent + Debug,
    C: diesel_async::AsyncConnection<Backend: EventedBackend> + Send + 'static,
{
    none(Some(read::<E, _, _>(&mut evented_diesel::spi::AsyncExecutor(conn)).await), matches);
}

async fn read<E: DomainEvent, DB: EventedBackend, D: Executor<DB>>(
    executor: &mut D,
) -> Result<Vec<E>, Error> {
    published::<E>().perform(executor).await
}

#[track_caller]
#[expect(clippy::panic, reason = "an assertion")]
fn events<E: DomainEvent>(read: Option<Result<Vec<E>, Error>>) -> Vec<E> {
    match read {
        Some(Ok(events)) => events,
        Some(Err(error)) => panic!("the events `{}` cannot be read: {error}", E::NAME),
        None => panic!("the connection waits as only async connections do"),
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "an assertion")]
fn found<E: DomainEvent + Debug>(read: Option<Result<Vec<E>, Error>>, matches: impl Fn(&E) -> bool) -> E {
    let mut events = events(read);
    match events.iter().position(matches) {
        Some(index) => events.swap_remove(index),
        None => panic!("no such event `{}` was published, but these: {events:#?}", E::NAME),
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "an assertion")]
fn none<E: DomainEvent + Debug>(read: Option<Result<Vec<E>, Error>>, matches: impl Fn(&E) -> bool) {
    if let Some(event) = events(read).into_iter().find(matches) {
        panic!("an event `{}` was published: {event:#?}", E::NAME);
    }
}
