//! Records every change of a Diesel model as a typed action in an append-only log, together with the row it changes.
//!
//! [`#[derive(Evented)]`](derive@Evented) on a model creates commands for its changes. A command writes the row and
//! appends an event; either both take effect or neither. PostgreSQL does this in one statement, SQLite in one
//! transaction. The events show who changed what, when and why, and the state of a record at any revision or time. The
//! same commands run on blocking connections of Diesel and on async connections of diesel-async.
//!
//! # A first program
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! use diesel::connection::SimpleConnection;
//! use diesel::prelude::*;
//! use evented_diesel::migrations::{Database, Migrations};
//! use evented_diesel::Event;
//! use evented_diesel::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! diesel::table! {
//!     use diesel::sql_types::*;
//!     use evented_diesel::sql_types::Uid;
//!     items (id) {
//!         id -> Uid,
//!         name -> Text,
//!         price -> Integer,
//!         archived -> Bool,
//!     }
//! }
//!
//! #[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
//! #[diesel(table_name = items)]
//! #[evented(actions(Archive), check = Item::valid)]
//! struct Item {
//!     id: Id<Item>,
//!     name: String,
//!     price: i32,
//!     #[evented(skip_insert)]
//!     archived: bool,
//! }
//!
//! impl Item {
//!     /// Checks each new state before it is written.
//!     fn valid(&self) -> Result<(), ValidationErrors> {
//!         if self.price < 0 { Err(ValidationErrors::field("price", "is negative")) } else { Ok(()) }
//!     }
//! }
//!
//! /// Archives the item. The log stores its serde form.
//! #[derive(Serialize, Deserialize, Clone, Debug)]
//! struct Archive {
//!     reason: String,
//! }
//!
//! impl Action<Item> for Archive {
//!     // Runs only for new input.
//!     fn check(&self, item: &Item, _: &Context) -> Result<(), ValidationErrors> {
//!         if item.archived { Err(ValidationErrors::field("archived", "is set already")) } else { Ok(()) }
//!     }
//!     // Runs for new input and for replay; cannot fail.
//!     fn apply(&self, item: &mut Item, _: &Context) {
//!         item.archived = true;
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut conn = SqliteConnection::establish(":memory:")?;
//! conn.batch_execute(
//!     "CREATE TABLE items (
//!         id BLOB PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL, archived BOOLEAN NOT NULL
//!     )",
//! )?;
//! conn.batch_execute(&Migrations::new().log::<Item>().up_sql(Database::Sqlite))?;
//!
//! // Commands are values. They do nothing until you run them.
//! let item = Item::insert(NewItem { name: "Lamp".into(), price: 30 }).run(&mut conn)?;
//! let item = item.update(ItemChanges { price: Some(25), ..Default::default() }).by("user:7").run(&mut conn)?;
//! let item = item.archive(Archive { reason: "sold".into() }).by("user:7").run(&mut conn)?;
//!
//! // The action's check refuses this one, and nothing is written.
//! let again = item.archive(Archive { reason: "again".into() }).run(&mut conn);
//! assert_eq!(again.unwrap_err().validation_errors().unwrap().to_string(), "archived is set already");
//!
//! // The row is an ordinary row of an ordinary table.
//! assert_eq!(items::table.find(item.id).first::<Item>(&mut conn)?, item);
//!
//! // Read the record from its log, as it was at revision 1.
//! let first = Item::replay(item.id).at_revision(1).run(&mut conn)?;
//! assert_eq!(first.map(|item| item.price), Some(30));
//!
//! // Read the history of the record.
//! let history = Item::history(item.id).run(&mut conn)?;
//! let lines: Vec<_> = history.iter().map(|it| format!("{}: {}", it.event.action(), it.changeset)).collect();
//! assert_eq!(lines[1..], ["update: price: 30 → 25", "archive: archived: false → true"]);
//!
//! // The log is an ordinary table as well.
//! let archived: Vec<Event<Item>> = items_events::table
//!     .filter(items_events::action.eq("archive"))
//!     .select(Event::<Item>::as_select())
//!     .load(&mut conn)?;
//! assert_eq!(archived[0].actor().as_deref(), Some("user:7"));
//!
//! // Run several commands in one transaction.
//! conn.transaction::<_, evented_diesel::Error, _>(|conn| {
//!     item.delete().run(conn)?;
//!     Item::insert(NewItem { name: "Desk".into(), price: 90 }).run(conn)
//! })?;
//! # Ok(()) }
//! ```
//!
//! The book in the repository continues from here: keys, versions, drift, batches, async, errors, shared logs, links,
//! hashes, checks.
//!
//! # Where to find things
//!
//! | to | see |
//! |---|---|
//! | make a model evented; its attributes | [`Evented`](derive@Evented) |
//! | write an action | [`Action`]; [`Create`] for an insert type of your own; [`Context`], [`ValidationErrors`] |
//! | set actor, cause, time and expected revision | [`Command`] |
//! | run many commands as one | [`batch`] |
//! | run on a blocking connection, or on an async one | [`prelude`], `async_prelude` |
//! | read a record as it was | [`read::Replay`] |
//! | read the history of a record | [`read::History`], [`Entry`], [`Changeset`] |
//! | read a whole table as it was | [`read::TableAt`] |
//! | query the log with Diesel | [`Event`] |
//! | write a missing row from the log | [`Materialize`] |
//! | rebuild a whole table from its log | [`maintenance::Rebuild`] |
//! | write a first event for rows that existed before | [`maintenance::Backfill`] |
//! | record what plain SQL, cascades and triggers did | [`maintenance::Adopt`] |
//! | read payloads of older versions | [`RawPayload`], [`Retired`] |
//! | let several models share a log; shards; hashes | [`EventLog`](derive@EventLog) |
//! | link an event to an earlier one | [`Link`], [`Command::link`], [`Event::linked`] |
//! | inspect the history or the database before a write | [`PendingEvent`] |
//! | write something else in the transaction of each write | [`Written`] |
//! | check rows, events, savepoints and code | [`verify`] |
//! | show that events of a log were changed or removed | [`verify::VerifyChain`], [`checkpoints`] |
//! | handle errors | [`Error`] |
//! | create the log's tables, and upgrade them | [`migrations`] |
//! | read a log in commit order, page by page | [`stream`] |
//! | observe the library with `tracing` | [`telemetry`] |
//! | use one model on PostgreSQL and on SQLite | [`Id`], [`sql_types`] |
//!
//! Other crates of the project build on this one:
//!
//! | to | use the crate |
//! |---|---|
//! | deliver each change to subscribers, with a hub and feeds | `evented-feed` |
//! | deliver changes by any program, from PostgreSQL's write-ahead log | `evented-feed` with its feature `wal` |
//! | read PostgreSQL's write-ahead log as a stream of messages | `evented-wal` |
//! | add an admin command to a binary of your own: queries, checks, maintenance, migrations | `evented-cli` |
//!
//! # Features
//!
//! No feature is enabled by default. Features are additive. A feature that is not in this table is not public.
//!
//! | feature | enables |
//! |---|---|
//! | `sqlite` | SQLite, blocking: `diesel::SqliteConnection` |
//! | `postgres` | PostgreSQL, blocking, through libpq: `diesel::PgConnection` |
//! | `async-sqlite` | SQLite, async: diesel-async's `SyncConnectionWrapper<SqliteConnection>`. Includes `sqlite` |
//! | `async-postgres` | PostgreSQL, async, pure Rust, without libpq: diesel-async's `AsyncPgConnection` |
//! | `bigdecimal` | columns of type `BigDecimal` |
//! | `rust_decimal` | fields of type `rust_decimal::Decimal`, whose trailing zeros then make no difference |
//!
//! # Reading compile errors
//!
//! The derive reports all errors in `#[evented(…)]` at once, each at its own span, and each ends with the correct form.
//! Errors that only the compiler can detect come from traits whose messages name what is missing. Read the first error:
//! the later ones usually follow from it. The most frequent ones:
//!
//! | the compiler says | it means |
//! |---|---|
//! | `X` is not an action of `Item` | `X` is in `actions(…)` and has no `impl Action<Item> for X` |
//! | `X` is not in the list of actions of `Item` | the opposite: add it to `actions(…)` |
//! | `Item` is not an evented model | the derive is missing |
//! | `X` does not name a `Item` | pass the record by reference, or its key by value |
//! | `X` is not a database that evented knows | a feature is missing, or it is MySQL |
//! | `Command<Item>` cannot be run on a blocking connection | import the other prelude; or a column has a type of another database: see [`sql_types`] |
//! | no method `run` found | import [`prelude`] or `async_prelude` |
//! | multiple applicable items in scope, `run` | both are imported: import only one |
//! | duplicate definitions with name `insert` | the model has a method of that name already: rename it |
//!
//! The reference of the [derive](derive@Evented) has the whole list.
//!
//! # Limitations
//!
//! - The library detects a change by other SQL when it next writes the record, not before ([`Drift`]).
//! - Triggers keep a log append-only to prevent mistakes; the owner of the tables can drop them. Also revoke `UPDATE`
//!   and `DELETE` from the program's role. A hashed log shows what was changed nevertheless.
//! - A model has no generic parameters.
//! - MySQL is not supported.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[path = "private.rs"]
#[doc(hidden)]
pub mod __private;
#[cfg(feature = "__async")]
pub mod async_prelude;
// Each database uses only some items. With one database enabled, the others are unused.
#[cfg_attr(not(all(feature = "__pg", feature = "sqlite")), allow(dead_code, unused_imports, unused_macros))]
mod backend;
pub mod checkpoints;
#[cfg_attr(not(all(feature = "__pg", feature = "sqlite")), allow(dead_code, unused_imports))]
mod domain;
mod dsl;
mod error;
mod exec;
pub mod maintenance;
pub mod migrations;
mod model;
pub mod prelude;
pub mod read;
#[doc(hidden)]
pub mod spi;
#[cfg_attr(not(all(feature = "__pg", feature = "sqlite")), allow(dead_code, unused_imports, unused_macros))]
mod sql;
pub mod sql_types;
#[cfg_attr(not(all(feature = "__pg", feature = "sqlite")), allow(dead_code, unused_imports, unused_macros))]
#[expect(unreachable_pub, reason = "hidden methods of `EventedBackend` name these types; users cannot")]
mod statements;
pub mod stream;
pub mod telemetry;
pub mod verify;
mod write;

pub use backend::EventedBackend;
pub use domain::{Bus, DomainEvent, DomainEvents, IntoKey, PublishFor, Publishing};
pub use dsl::{EventedDsl, EventedTableDsl};
pub use error::{ConstraintKind, Error, FieldNames, Subject};
/// The description of a model's fields, actions and versions: the trait, and the derive that implements it.
pub use evented_core::Evented;
pub use evented_core::{
    Action, ActionOf, Changeset, Channel, Context, Create, Denied, Digest, Drift, External, FieldChange,
    Fields, IntoRecordRef, IntoScope, Json, KeyKind, KeyPart, KeyPartKind, KeySource, KeyValue, Kinds, Meta,
    Nested, NestedUpdate, Never, Policy, RawPayload, RecordRef, Retired, Scope, State, ValidationError,
    ValidationErrors, VersionSet,
};
#[doc(hidden)]
pub use evented_derive::Tree;
pub use evented_derive::{Bus, DomainEvent, EventLog, Evented};
#[cfg(feature = "__async")]
pub use exec::RunAsync;
pub use exec::{Executor, Operation, Run};
pub use model::{
    Columns, Event, EventLog, HoldsModel, Id, ItemOn, Link, LinkShape, Linked, LiveOn, Model, ModelOn,
    NoFields, PendingEvent, TreeOn, Written,
};
pub use model::{RowFilter, Savable, WithTable};
pub use read::{Entry, LinkedEvents};
pub use sql::{EventTable, LogName};
pub use write::{
    Batch, CancelEvent, Command, ConflictTarget, Delayed, IndependentBatch, ManyChunk, ManyChunks,
    ManyRecords, ManyRows, Materialize, Outcome, Publish, PublishAll, PublishDue, PublishLater, Published,
    Recorded, Recording, Save, Upsert, UpsertCommand, batch, cancel_event, publish, publish_all, publish_due,
    request_id,
};
