//! Whether the publications are still there, on a server that does not say so itself.
//!
//! Since version 18 PostgreSQL passes over the changes of a publication that it does not find, with no more than a warning
//! in its own log.

use std::future::pending;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::WalError;
use super::config::Config;
use super::session::{Begin, Unopened, publications};
use super::transport::Transport;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10);

/// Looks again and again, over connections of its own. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Watch(JoinHandle<WalError>);

impl Watch {
    /// Looks whether the publications are still those that `begin` knows.
    pub(super) fn start<T: Transport>(config: Config, begin: Begin) -> Self {
        Self(tokio::spawn(async move {
            loop {
                sleep(EVERY).await;
                // What fails is looked at the next time: a connection that breaks is noticed by the stream itself.
                let Ok(mut wire) = T::connect(&config.target(begin.start, begin.confirmed)).await else {
                    continue;
                };
                if let Err(Unopened::Never(gone)) = publications(&mut wire, &config, &begin).await {
                    return gone;
                }
            }
        }))
    }

    /// Waits until one of them is gone.
    pub(super) async fn gone(watch: Option<&mut Self>) -> WalError {
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
