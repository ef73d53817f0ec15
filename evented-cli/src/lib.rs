//! The admin command of `evented-diesel`. You build it into a binary of your own, which knows your models.
//!
//! The admin command reads logs, shows records as they were, checks tables and logs, makes checkpoints, and brings
//! tables and logs up to date. [`Admin`] takes the models and a function that connects:
//!
#![cfg_attr(feature = "postgres", doc = "```no_run")]
#![cfg_attr(not(feature = "postgres"), doc = "```ignore")]
//! # use diesel::prelude::*;
//! # use evented_diesel::{Evented, Id, EventLog};
//! # mod schema { diesel::table! { use evented_diesel::sql_types::Uid; use diesel::sql_types::*; items (id) { id -> Uid, name -> Text } } }
//! # use schema::items;
//! # #[derive(Evented, Queryable, Selectable, Clone, Debug)]
//! # #[diesel(table_name = items)]
//! # struct Item { id: Id<Item>, name: String }
//! // src/bin/evented.rs
//! use diesel::{Connection, PgConnection};
//! use evented_cli::Admin;
//!
//! fn main() -> std::process::ExitCode {
//!     Admin::<PgConnection>::new().model::<Item>().run(PgConnection::establish)
//! }
//! ```
//!
//! On an async connection the command needs no libpq, and runs on the runtime of your program:
//!
#![cfg_attr(feature = "async-postgres", doc = "```no_run")]
#![cfg_attr(not(feature = "async-postgres"), doc = "```ignore")]
//! # use diesel::prelude::*;
//! # use evented_diesel::{Evented, Id, EventLog};
//! # mod schema { diesel::table! { use evented_diesel::sql_types::Uid; use diesel::sql_types::*; items (id) { id -> Uid, name -> Text } } }
//! # use schema::items;
//! # #[derive(Evented, Queryable, Selectable, Clone, Debug)]
//! # #[diesel(table_name = items)]
//! # struct Item { id: Id<Item>, name: String }
//! use diesel_async::{AsyncConnection, AsyncPgConnection};
//! use evented_cli::Admin;
//!
//! // with `#[tokio::main]`
//! async fn main_async() -> std::process::ExitCode {
//!     let admin = Admin::<AsyncPgConnection>::new().model::<Item>();
//!     admin.run_async(|url| async move { AsyncPgConnection::establish(&url).await }).await
//! }
//! # let _ = main_async();
//! ```
//!
//! ```text
//! evented log items 0197…                    what happened to a record
//! evented show items 0197… --as-of 2026-01-31
//! evented diff items 0197… 3 7
//! evented verify                             every row against its log, every hashed log against its hashes
//! evented checkpoint ledger --key-file key
//! evented rebuild items --dry-run
//! evented backfill items
//! evented adopt items --by import
//! evented migrations status
//! evented wal create-publication shop        the models' tables and logs, for a reader of PostgreSQL's WAL
//! evented wal create-slot shop
//! evented wal slot-status shop
//! evented subscribers                        the durable subscribers, their workers, and what they have set aside
//! evented subscriber lag post_counts
//! evented subscriber retry post_counts --all
//! evented projection verify post_counts      every row of the derived table against its SELECT
//! evented projection rebuild post_counts
//! evented bus prune domain_events --older-than 30d
//! evented publish order_placed '{"order":7}' --by ops --unique order:7
//! evented schedules                          the schedules that workers have registered
//! evented schedule remove nightly
//! ```
//!
//! `--database-url` names the database. Default: the environment variable `DATABASE_URL`. With `--json` the command
//! writes one JSON document to standard output, and nothing else. It shows its progress on standard error, if that is a
//! terminal.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | all is well |
//! | 1 | a check found something, or work remains to be done: `verify`, `verify-checkpoints`, `rebuild --dry-run`, `backfill` and `adopt` that skipped rows, `log` of a record that cannot be replayed, `migrations check` and `status`, `wal check`, `wal slot-status` of a slot that is missing, lost, or about to be lost, `subscribers` if one is stalled or has dead deliveries, `projection verify` if rows differ, `bus prune` if a subscriber has not handled all older events |
//! | 2 | the arguments are invalid, or the command failed: it writes the reason to standard error, with `--json` as `{"error": …}` |
//!
//! # Features
//!
//! No feature is enabled by default. Enable the features for the connection that the command works on.
//!
//! | feature | enables |
//! |---|---|
//! | `sqlite`, `postgres` | blocking connections, with [`Admin::run`] |
//! | `async-sqlite`, `async-postgres` | async connections, with `Admin::run_async` |
//! | `wal` | the `wal` commands: publications and slots of PostgreSQL's write-ahead log |
//! | `react` | the commands `subscribers`, `subscriber` and `projection`: durable subscribers and derived tables; the commands `bus`, `publish`, `schedules` and `schedule`: domain events |

mod admin;
mod answer;
mod arguments;
mod commands;
mod connection;
mod dispatch;
mod erased;
mod failure;
mod input;
mod progress;
mod render;
mod screen;

pub use admin::{Admin, database_url};
pub use connection::Connection;
