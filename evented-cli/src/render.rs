//! Renders each answer as text.

#[cfg(feature = "react")]
mod derived_rows;
#[cfg(feature = "react")]
mod domain_events;
mod log_status;
mod maintenance;
mod proofs;
mod records;
#[cfg(feature = "react")]
mod schedule_status;
#[cfg(feature = "wal")]
mod slots;
#[cfg(feature = "react")]
mod subscriber_status;
mod verified;
