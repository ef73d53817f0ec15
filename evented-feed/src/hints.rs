//! Hints that something may have been committed. A hub that receives one polls immediately.

#[cfg(feature = "async-postgres")]
use std::sync::atomic::{AtomicUsize, Ordering};

use event_listener::{Event, EventListener};
use evented_diesel::spi;

/// All hubs of the process wait for this event. An unnecessary hint costs one poll.
static HINTS: Event = Event::new();

/// Signals the commits of this process. Relays wait for this event, and notify other processes.
#[cfg(feature = "async-postgres")]
static COMMITS: Event = Event::new();

/// Signals that something may have been committed in this process. The hubs of this process poll immediately, and a
/// `Relay` wakes the hubs of other processes.
///
/// The library's own commands call this function after they commit. Call it after a transaction of your own if a few
/// milliseconds matter: without a hint, a hub finds the change at its next poll.
pub fn wake() {
    spi::wake();
    // Without a hub, `listen_to_commits` may not have run yet.
    on_commit();
}

/// Makes the commands in this process wake the hubs and relays.
pub fn listen_to_commits() {
    spi::on_commit_hint(on_commit);
}

fn on_commit() {
    #[cfg(feature = "async-postgres")]
    COMMITS.notify(usize::MAX);
    poll_now();
}

/// Makes the hubs of this process poll immediately.
pub fn poll_now() {
    HINTS.notify(usize::MAX);
}

/// Listens for the next hint.
#[must_use]
pub fn hint() -> EventListener {
    HINTS.listen()
}

/// The number of relays in this process that are connected.
#[cfg(feature = "async-postgres")]
static CONNECTED_RELAYS: AtomicUsize = AtomicUsize::new(0);

/// Returns whether a relay receives the hints of other processes. Hubs then poll less often.
pub(crate) fn hints_come_from_other_processes() -> bool {
    #[cfg(feature = "async-postgres")]
    return CONNECTED_RELAYS.load(Ordering::Relaxed) > 0;
    #[cfg(not(feature = "async-postgres"))]
    return false;
}

/// Stands for the connection of a relay, while it works.
#[cfg(feature = "async-postgres")]
pub(crate) struct ConnectedRelay(());

#[cfg(feature = "async-postgres")]
impl ConnectedRelay {
    pub(crate) fn new() -> Self {
        CONNECTED_RELAYS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

#[cfg(feature = "async-postgres")]
impl Drop for ConnectedRelay {
    fn drop(&mut self) {
        CONNECTED_RELAYS.fetch_sub(1, Ordering::Relaxed);
        // A hub that counted on hints may be in a long wait.
        poll_now();
    }
}

/// Listens for the next commit in this process.
#[cfg(feature = "async-postgres")]
pub(crate) fn commit() -> EventListener {
    COMMITS.listen()
}
