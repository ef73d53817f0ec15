//! Reads PostgreSQL's write-ahead log as a stream: every change of the published tables, whoever made it.
//!
//! A [`Tail`] reads the log over the replication protocol and returns [`Message`]s: the begin of a transaction, its
//! changes row by row, its commit. It passes on each change as it arrives: a transaction of a million rows takes no
//! more memory than one of two.
//!
//! This crate does not depend on evented models. With `evented-feed` and its feature `wal`, a hub reads evented
//! models from the log, and operations create and drop publications and slots.
//!
//! # What the server needs
//!
//! - `wal_level = logical`, a role with `REPLICATION`, a free slot (`max_replication_slots`) and a free sender
//!   (`max_wal_senders`). A role with `REPLICATION` can read every row of the published tables: protect its password
//!   like a superuser's.
//! - A **publication** of the tables: `CREATE PUBLICATION`.
//! - A **slot**, which holds the reader's position on the server: `pg_create_logical_replication_slot(…,
//!   'pgoutput')`. Create it after the publication, because a slot decodes each change with the publications that
//!   existed when the change was made.
//! - `ALTER TABLE … REPLICA IDENTITY FULL`, to get whole rows before their change. Without it only their key is
//!   known.
//!
//! # Types
//!
//! [`read`] converts a row to a Diesel struct, with Diesel's own conversions from the binary format. For rows that
//! are only displayed, use [`Format::Text`] and [`Tuple::show`].
//!
//! # Events for `tracing`
//!
//! | name | kind and level | fields | when |
//! |---|---|---|---|
//! | `evented.wal.waiting` | event, debug | `slot`, `failure` | a tail cannot be opened yet, and will try again |
//! | `evented.wal.disconnected` | event, warn | `slot`, `failure` | the connection of a tail broke |
//! | `evented.wal.unreachable` | event, warn | `slot`, `failure` | an attempt to reconnect failed |
//! | `evented.wal.reconnected` | event, info | `slot` | the tail has reconnected |
//! | `evented.wal.unchecked` | event, warn | `slot`, `failure` | the publication could not be checked, and will be checked again |
//! | `evented.wal.ended` | event, error | `slot`, `error` | a tail has ended |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
mod decode;
mod error;
mod found_table;
mod link;
mod lsn;
mod mark;
mod message;
mod publication_watch;
mod published_in_part;
mod quoting;
mod read_row;
mod relation;
mod required_table;
mod session;
mod status;
mod stream;
mod system;
mod table_name;
mod table_setup;
mod tail;
mod transport;
mod tuple;

pub use config::{Config, ConfigError, Format, Slot};
pub use decode::DecodeError;
pub use error::{Gap, ServerError, WalError};
pub use found_table::FoundTable;
pub use lsn::{Lsn, NotAnLsn};
#[doc(hidden)]
pub use mark::{MARK_PREFIX, PUBLISHED_STATE};
pub use message::{Message, Seen};
pub use published_in_part::PublishedInPart;
#[doc(hidden)]
pub use quoting::quoted;
pub use read_row::{ColumnMap, ReadError, TupleField, TupleRow, read};
pub use relation::{Column, Identity, Relation};
pub use required_table::RequiredTable;
pub use status::TailStatus;
pub use system::SystemId;
pub use table_name::TableName;
#[doc(hidden)]
pub use table_setup::TableSetup;
pub use tail::Tail;
pub use tuple::{Cell, Old, Tuple};
