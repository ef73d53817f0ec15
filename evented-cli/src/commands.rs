//! The subcommands of the admin command. Each file has one subcommand, written once over an
//! [`Executor`](evented_diesel::spi::Executor), and the type of its result.

pub(super) mod adopt;
pub(super) mod backfill;
pub(super) mod checkpoint;
pub(super) mod diff;
pub(super) mod log;
pub(super) mod migrations;
#[cfg(feature = "react")]
pub(super) mod projections;
pub(super) mod prove;
#[cfg(feature = "react")]
pub(super) mod prune;
#[cfg(feature = "react")]
pub(super) mod publish;
pub(super) mod rebuild;
#[cfg(feature = "react")]
pub(super) mod schedules;
pub(super) mod show;
#[cfg(feature = "react")]
pub(super) mod subscribers;
pub(super) mod verify;
#[cfg(feature = "wal")]
#[cfg_attr(not(any(feature = "postgres", feature = "async-postgres")), allow(dead_code))]
pub(super) mod wal;
