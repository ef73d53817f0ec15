//! Runs loops over a connection, on a thread or on a task: how they connect, how they wait, and how often they poll.

mod connector;
mod poll_interval;
#[cfg(feature = "__async")]
mod task;
mod thread;

pub use connector::{BoxError, Connector, LONGEST_PAUSE, Pace, pauses};
pub(crate) use poll_interval::SHORTEST;
pub use poll_interval::{PollInterval, WaitsFor};
#[cfg(feature = "__async")]
pub use task::{Task, TaskConnector};
pub use thread::{Thread, ThreadConnector};
