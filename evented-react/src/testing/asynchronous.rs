//! Runs subscribers within a test, on an async connection.

use diesel_async::AsyncConnection;
use evented_diesel::spi::{AsyncExecutor, EventedBackend};

use crate::subscriber::Subscriber;
use crate::testing::{DrainError, Drained, Stop, rolled_back, run};

/// Like [`drain`](super::drain), on an async connection.
///
/// # Errors
///
/// As [`drain`](super::drain).
pub async fn drain_async<C>(subscriber: &Subscriber<C>, conn: &mut C) -> Result<Drained, DrainError>
where
    C: AsyncConnection<Backend: EventedBackend> + Send + 'static,
{
    run(&mut AsyncExecutor(conn), subscriber, Stop::AtFailure).await
}

/// Like [`drain_tolerant`](super::drain_tolerant), on an async connection.
///
/// # Errors
///
/// As [`drain_tolerant`](super::drain_tolerant).
pub async fn drain_tolerant_async<C>(subscriber: &Subscriber<C>, conn: &mut C) -> Result<Drained, DrainError>
where
    C: AsyncConnection<Backend: EventedBackend> + Send + 'static,
{
    run(&mut AsyncExecutor(conn), subscriber, Stop::AtEnd).await
}

/// Like [`try_once`](super::try_once), on an async connection.
///
/// # Errors
///
/// As [`drain`](super::drain).
pub async fn try_once_async<C>(subscriber: &Subscriber<C>, conn: &mut C) -> Result<Drained, DrainError>
where
    C: AsyncConnection<Backend: EventedBackend> + Send + 'static,
{
    rolled_back(&mut AsyncExecutor(conn), subscriber).await
}

/// Like [`step_once`](super::step_once), on an async connection.
///
/// # Errors
///
/// As [`drain`](super::drain).
pub async fn step_once_async<C>(subscriber: &Subscriber<C>, conn: &mut C) -> Result<Drained, DrainError>
where
    C: AsyncConnection<Backend: EventedBackend> + Send + 'static,
{
    run(&mut AsyncExecutor(conn), subscriber, Stop::AfterOne).await
}
