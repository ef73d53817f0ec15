//! Renders each answer as text.

mod log_status;
mod maintenance;
mod proofs;
mod records;
#[cfg(feature = "wal")]
mod slots;
mod verified;
