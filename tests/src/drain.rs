//! Empties the buffer of a feed.

use evented_diesel::Evented;
use evented_feed::{Change, Feed, Interruption, RecvError};

/// Takes all items from the buffer of a feed, errors included.
pub fn drain<M: Evented>(feed: &mut Feed<M>) -> Vec<Result<Change<M>, Interruption>> {
    let mut all = Vec::new();
    loop {
        match feed.try_recv() {
            Ok(change) => all.push(Ok(change)),
            Err(RecvError::Interrupted(why)) => all.push(Err(why)),
            Err(_) => return all,
        }
    }
}
