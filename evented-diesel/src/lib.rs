//! Every change of a Diesel model is a typed action, recorded in an append-only log together with the row it changes.
//!
//! [`#[derive(Evented)]`](derive@Evented) on a model makes commands of its changes. A command writes the row and
//! appends an event, both or neither: in one statement on PostgreSQL, in one transaction on SQLite. From the events one
//! reads who changed what, when and why, and what a record was at any revision or time. Blocking connections of Diesel
//! and async ones of diesel-async run the same commands.
//!
//! # A first program
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! use diesel::connection::SimpleConnection;
//! use diesel::prelude::*;
//! use evented_diesel::migrations::{Flavour, Migrations};
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
//!     /// Asked of each new state.
//!     fn valid(&self) -> Result<(), Invalid> {
//!         if self.price < 0 { Err(Invalid::field("price", "is negative")) } else { Ok(()) }
//!     }
//! }
//!
//! /// Puts the item away. Its serde form is what the log keeps.
//! #[derive(Serialize, Deserialize, Clone, Debug)]
//! struct Archive {
//!     reason: String,
//! }
//!
//! impl Action<Item> for Archive {
//!     // New input only.
//!     fn check(&self, item: &Item, _: &Context) -> Result<(), Invalid> {
//!         if item.archived { Err(Invalid::field("archived", "is set already")) } else { Ok(()) }
//!     }
//!     // New input and replay; cannot fail.
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
//! conn.batch_execute(&Migrations::new().log::<Item>().up_sql(Flavour::Sqlite))?;
//!
//! // Commands are values. They do nothing until they are run.
//! let item = Item::insert(NewItem { name: "Lamp".into(), price: 30 }).run(&mut conn)?;
//! let item = item.update(ItemChanges { price: Some(25), ..Default::default() }).by("user:7").run(&mut conn)?;
//! let item = item.archive(Archive { reason: "sold".into() }).by("user:7").run(&mut conn)?;
//!
//! // A rule refuses, and nothing is written.
//! let again = item.archive(Archive { reason: "again".into() }).run(&mut conn);
//! assert_eq!(again.unwrap_err().faults().unwrap().to_string(), "archived is set already");
//!
//! // The row is an ordinary row.
//! assert_eq!(items::table.find(item.id).first::<Item>(&mut conn)?, item);
//!
//! // The record as it was, from its log.
//! let first = Item::replay(item.id).at_revision(1).run(&mut conn)?;
//! assert_eq!(first.map(|item| item.price), Some(30));
//!
//! // What happened to it.
//! let history = Item::history(item.id).run(&mut conn)?;
//! let lines: Vec<_> = history.iter().map(|it| format!("{}: {}", it.event.action(), it.changes)).collect();
//! assert_eq!(lines[1..], ["update: price: 30 → 25", "archive: archived: false → true"]);
//!
//! // The log is a table like any other.
//! let archived: Vec<Event<Item>> = items_events::table
//!     .filter(items_events::action.eq("archive"))
//!     .select(Event::<Item>::as_select())
//!     .load(&mut conn)?;
//! assert_eq!(archived[0].actor().as_deref(), Some("user:7"));
//!
//! // Several commands as one.
//! conn.transaction::<_, evented_diesel::Error, _>(|conn| {
//!     item.delete().run(conn)?;
//!     Item::insert(NewItem { name: "Desk".into(), price: 90 }).run(conn)
//! })?;
//! # Ok(()) }
//! ```
//!
//! The book in the repository goes on from here: keys, versions, drift, batches, async, errors, shared logs, links,
//! hashes, checks.
//!
//! # Where to find things
//!
//! | to | see |
//! |---|---|
//! | make a model evented; its attributes | [`Evented`](derive@Evented) |
//! | write an action | [`Action`]; [`Create`] for an insert type of your own; [`Context`], [`Invalid`] |
//! | say who, why, when, and at which revision | [`Command`] |
//! | run many commands as one | [`batch`] |
//! | run on a blocking connection, or on an async one | [`prelude`], `async_prelude` |
//! | read a record as it was | [`read::Replay`] |
//! | read what happened to it | [`read::History`], [`Entry`], [`Changeset`] |
//! | read a whole table as it was | [`read::TableAt`] |
//! | query the log with Diesel | [`Event`] |
//! | write a missing row from the log | [`read::Materialize`] |
//! | write a whole table anew from its log | [`upkeep::Rebuild`] |
//! | give rows from before evented a first event | [`upkeep::BringUp`] |
//! | read payloads of older versions | [`Attrs`], [`Retired`] |
//! | let several models share a log; shards; hashes | [`EventLog`](derive@EventLog) |
//! | link an event to an earlier one | [`Link`], [`Command::link`], [`Event::linked`] |
//! | look at history or database before a write | [`Draft`] |
//! | check rows, events, savepoints and code | [`integrity`] |
//! | show that a log was changed, or cut | [`integrity::VerifyChain`], [`integrity::Checkpoint`] |
//! | know what can go wrong | [`Error`] |
//! | make the log's tables, and bring them up to date | [`migrations`] |
//! | hear of changes as they happen | [`listen`] |
//! | hear of changes by anyone, from PostgreSQL's write-ahead log | a module `wal`, with that feature |
//! | see what the library does, by `tracing` | [`observe`] |
//! | use one model on PostgreSQL and on SQLite | [`Id`], [`sql_types`] |
//!
//! # Features
//!
//! None is on by default, and they add to each other. A feature that is not in this list is not public.
//!
//! | feature | switches on |
//! |---|---|
//! | `sqlite` | SQLite, blocking: `diesel::SqliteConnection` |
//! | `postgres` | PostgreSQL, blocking, through libpq: `diesel::PgConnection` |
//! | `async-sqlite` | SQLite, async: diesel-async's `SyncConnectionWrapper<SqliteConnection>`. Includes `sqlite` |
//! | `async-postgres` | PostgreSQL, async, pure Rust, without libpq: diesel-async's `AsyncPgConnection` |
//! | `wal` | a module `wal`: PostgreSQL's write-ahead log as a stream of changes, on tokio; beside one of the two above |
//! | `bigdecimal` | columns of type `BigDecimal` |
//! | `cli` | a module `cli`: a command for operators, in a binary of your own: readings, checks, upkeep, migrations |
//!
//! # Reading our compile errors
//!
//! Faults in `#[evented(…)]` are reported all at once, each at its place, and each ends with the form to write. What
//! only the compiler can know comes from traits whose messages name what is missing. Read the first error: those after
//! it mostly follow. The most frequent ones:
//!
//! | the compiler says | it means |
//! |---|---|
//! | `X` is not an action of `Item` | `X` is in `actions(…)` and has no `impl Action<Item> for X` |
//! | `X` is not in the list of actions of `Item` | the other way round: add it to `actions(…)` |
//! | `Item` is not an evented model | the derive is missing |
//! | `X` does not name a `Item` | pass the record by reference, or its key by value |
//! | `X` is not a database that evented knows | a feature is missing, or it is MySQL |
//! | `Command<Item>` cannot be run on a blocking connection | import the other prelude; or a column's type is of another database: see [`sql_types`] |
//! | no method `run` found | import [`prelude`] or `async_prelude` |
//! | multiple applicable items in scope, `run` | both are imported: take one |
//! | duplicate definitions with name `insert` | the model has a method of that name already: rename it |
//!
//! The reference of the [derive](derive@Evented) has the whole list.
//!
//! # What it does not do
//!
//! - It sees a change by plain SQL when the record is next written through it, not before ([`Drift`]).
//! - Its triggers keep a log append-only against mistakes, not against the owner of its tables. Take `UPDATE` and `DELETE`
//!   from the program's role as well; a hashed log shows what was changed all the same.
//! - It has no handlers and no derived tables yet.
//! - A model has one key, of one column, and no generic parameters.
//! - MySQL is not supported.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[path = "private.rs"]
#[doc(hidden)]
pub mod __private;
#[cfg(feature = "__async")]
pub mod async_prelude;
// Each database uses its own part: with one of them alone, some of it rests.
#[cfg_attr(not(all(feature = "__pg", feature = "sqlite")), allow(dead_code, unused_imports, unused_macros))]
mod backend;
mod batch;
#[cfg(feature = "cli")]
pub mod cli;
mod command;
mod error;
mod event;
mod id;
pub mod integrity;
mod link;
pub mod listen;
mod log;
pub mod migrations;
mod model;
pub mod observe;
mod operation;
pub mod prelude;
mod prepare;
pub mod read;
mod run;
pub mod sql_types;
#[cfg_attr(not(all(feature = "__pg", feature = "sqlite")), allow(dead_code, unused_imports, unused_macros))]
#[expect(unreachable_pub, reason = "the hidden methods of `Dialect` name these types; users cannot")]
mod statement;
mod steps;
pub mod upkeep;
#[cfg(feature = "wal")]
pub mod wal;

pub use backend::Dialect;
pub use batch::{Batch, batch};
pub use command::{Command, IntoTarget, Recorded, Recording, Target};
pub use error::{ConstraintKind, Error, RecordName};
pub use event::{Columns, Entry, Event};
/// What a model must say about itself; and the derive that says it.
pub use evented_core::Evented;
pub use evented_core::{
    Action, Attrs, Changeset, Context, Create, Digest, Drift, External, Fault, FieldChange, Fields, Invalid,
    Json, KeyKind, KeyValue, Meta, Replay as ReplayFold, Retired, State, Versions, micros, names,
};
pub use evented_derive::{EventLog, Evented};
pub use id::Id;
pub use link::{Link, Linked, LinkedEvents, NoFields};
pub use log::{EventLog, Holds, LinkShape, LogName, Place};
pub use model::{Model, Rows};
pub use operation::Operation;
pub use prepare::Draft;
#[cfg(feature = "__async")]
pub use run::asynchronous::RunAsync;
pub use run::blocking::Run;
pub use run::driver::Driver;
