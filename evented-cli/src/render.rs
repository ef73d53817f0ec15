//! Renders each answer as text.

#[cfg(feature = "react")]
mod derived_rows;
mod log_status;
mod maintenance;
mod proofs;
mod records;
#[cfg(feature = "wal")]
mod slots;
#[cfg(feature = "react")]
mod subscriber_status;
mod verified;
