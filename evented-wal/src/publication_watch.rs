//! Checks that what a tail reads is still published.
//!
//! The stream contains nothing of a table that was taken out of its publication, or whose name was given to another
//! table. From version 18 on, PostgreSQL also skips the changes of a publication that it does not find, and only writes
//! a warning to its own log.

use std::future::pending;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::error::WalError;
use crate::link::delays;
use crate::session::{Begin, Unopened, publications, tables};
use crate::transport::{Failure, Transport};

/// The interval between checks.
const EVERY: Duration = Duration::from_secs(10);

/// Checks the publications and the required tables repeatedly, over its own connections. The check stops when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Watch(JoinHandle<WalError>);

impl Watch {
    /// Starts to check that the publications and the tables are still those in `begin`.
    pub(crate) fn start<T: Transport>(config: Config, begin: Begin) -> Self {
        Self(tokio::spawn(async move {
            loop {
                sleep(EVERY).await;
                // A failure is only reported: the stream detects a broken connection itself.
                if let Some(Err(gone)) = look::<T>(&config, &begin).await {
                    return gone;
                }
            }
        }))
    }

    /// Waits until something is no longer published, and returns the error.
    pub(crate) async fn gone(watch: Option<&mut Self>) -> WalError {
        match watch {
            Some(Self(looking)) => match looking.await {
                Ok(gone) => gone,
                Err(_) => pending().await,
            },
            None => pending().await,
        }
    }
}

/// Checks once, as soon as there is a connection.
pub(crate) async fn check_now<T: Transport>(config: Config, begin: Begin) -> Result<(), WalError> {
    let mut delays = delays();
    loop {
        if let Some(checked) = look::<T>(&config, &begin).await {
            return checked;
        }
        sleep(delays.next().unwrap_or_default()).await;
    }
}

/// Tries to check. Returns `None` if that was not possible.
async fn look<T: Transport>(config: &Config, begin: &Begin) -> Option<Result<(), WalError>> {
    let looking = async {
        let wire = T::connect(&config.target(begin.start, begin.confirmed)).await;
        // The server has accepted this connection before. A refusal does not end the tail: the check is repeated.
        let mut wire = wire.map_err(Unopened::Later)?;
        check(&mut wire, config, begin).await
    };
    let failure = match timeout(config.idle_timeout, looking).await {
        Ok(Ok(())) => return Some(Ok(())),
        Ok(Err(Unopened::Never(gone))) => return Some(Err(gone)),
        Ok(Err(Unopened::Later(failure))) => failure,
        Err(_) => Failure::Io("the server takes too long".to_owned()),
    };
    let slot = config.slot.name();
    tracing::warn!(name: "evented.wal.unchecked", slot, %failure, "the publication could not be checked");
    None
}

async fn check<T: Transport>(wire: &mut T, config: &Config, begin: &Begin) -> Result<(), Unopened> {
    publications(wire, config, begin).await?;
    let (tables, _) = tables(wire, config).await?;
    Ok(begin.tables.check(&tables)?)
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
