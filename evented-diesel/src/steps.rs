//! The steps of each operation: straight lines of "read, decide, write", for every database and both faces.
//!
//! What is decided stands in `evented-core`, what is sent in `statement`, what differs between databases in
//! `backend`.

pub(crate) mod batch;
pub(crate) mod change;
pub(crate) mod command;
pub(crate) mod contended;
pub(crate) mod create;
pub(crate) mod drift;
pub(crate) mod links;
pub(crate) mod load;
pub(crate) mod log_only;
pub(crate) mod prepare;
pub(crate) mod remove;
pub(crate) mod savepoint;
pub(crate) mod transaction;
