//! The two faces of every operation: blocking, on Diesel's connections, and async, on diesel-async's.
//!
//! The steps of an operation are written once, as async code over a [`Driver`](driver::Driver). On a blocking
//! connection a driver never waits, so its futures are ready at the first poll and cost nothing.

pub(crate) mod driver;

#[cfg(feature = "__async")]
pub(crate) mod asynchronous;
pub(crate) mod blocking;
