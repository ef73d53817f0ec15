//! Exports internals to `evented-react`. It is exempt from semantic versioning: that crate pins this version with `=`.

pub use crate::hints::{hint, listen_to_commits, poll_now};
pub use crate::hub::{attach, is_on_wal, reads};
pub use crate::router::seen_by;
pub use crate::run::{
    BoxError, Connector, LONGEST_PAUSE, Pace, PollInterval, Thread, ThreadConnector, WaitsFor, pauses,
};
#[cfg(feature = "__async")]
pub use crate::run::{Task, TaskConnector};
pub use crate::tap::{Notice, Tap};
#[cfg(feature = "wal")]
pub use crate::wal::{mark_of, wal_stream};
