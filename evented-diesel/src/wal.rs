//! PostgreSQL's write-ahead log as a stream: every change of the tables that are published, whoever made it and however.
//!
//! A [`Tail`] reads it over the replication protocol, and gives [`Message`]s: the begin of a transaction, its changes row
//! by row, its commit. Nothing is held back: a transaction of a million rows takes no more memory than one of two.
//!
//! # What the server needs
//!
//! - `wal_level = logical`, a role with `REPLICATION` (which can read every row of what is published: keep its password
//!   as that of a superuser), a free slot (`max_replication_slots`) and a free sender (`max_wal_senders`).
//! - A **publication**: the tables. [`create_publication`].
//! - A **slot**: the reader's place. [`create_slot`]; after the publication, since a slot looks at the past.
//! - For rows before their change, `ALTER TABLE … REPLICA IDENTITY FULL`; else only their key is known.
//!
//! [`check`] finds what is missing, and names the statement that mends it. [`slot_status`] says how much of its log the
//! server keeps for a slot: an unread slot fills the disk, unless `max_slot_wal_keep_size` is set.
//!
//! # Types
//!
//! [`read`] makes a plain Diesel struct of a row, [`Places`] an evented model; both by Diesel's own conversions from the
//! binary form. For rows that are only shown there is [`Format::Text`] and [`Tuple::show`].
//!
//! # Features
//!
//! `wal`. It brings tokio, rustls and `pgwire-replication`. The set-up runs on any connection to PostgreSQL, with
//! `postgres` or `async-postgres`.

mod config;
mod decode;
mod error;
mod lsn;
mod message;
mod relation;
mod row;
mod session;
mod setup;
mod sql;
mod status;
mod stream;
mod system;
mod tail;
mod transport;
mod tuple;
mod watch;

pub use config::{Config, ConfigError, Format, Slot};
pub use decode::DecodeError;
pub use error::{Gap, ServerError, WalError};
pub use lsn::{Lsn, NotAnLsn};
pub use message::{Message, Seen};
pub use relation::{Column, Identity, Relation};
pub use row::{Places, ReadError, read};
pub use setup::{
    Check, CreatePublication, CreateSlot, Created, DropPublication, DropSlot, Problem, ReadPosition,
    ReadSlotStatus, SlotHealth, SlotStatus, TableName, check, create_publication, create_slot,
    drop_publication, drop_slot, position, slot_status,
};
pub use status::Status;
pub use system::System;
pub use tail::Tail;
pub use tuple::{Cell, Old, Tuple};
