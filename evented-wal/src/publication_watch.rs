//! Checks that the publications still exist, on a server that does not report a missing one.
//!
//! From version 18 on, PostgreSQL skips the changes of a publication that it does not find, and only writes a warning
//! to its own log.

use std::future::pending;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::config::Config;
use crate::error::WalError;
use crate::session::{Begin, Unopened, publications};
use crate::transport::Transport;

/// The interval between checks.
const EVERY: Duration = Duration::from_secs(10);

/// Checks the publications repeatedly, over its own connections. The check stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Watch(JoinHandle<WalError>);

impl Watch {
    /// Starts to check that the publications are still those in `begin`.
    pub(crate) fn start<T: Transport>(config: Config, begin: Begin) -> Self {
        Self(tokio::spawn(async move {
            loop {
                sleep(EVERY).await;
                // A failure is ignored until the next check: the stream detects a broken connection itself.
                let Ok(mut wire) = T::connect(&config.target(begin.start, begin.confirmed)).await else {
                    continue;
                };
                if let Err(Unopened::Never(gone)) = publications(&mut wire, &config, &begin).await {
                    return gone;
                }
            }
        }))
    }

    /// Waits until a publication is gone, and returns the error.
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

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
