//! Feeds of changes: every committed change reaches every subscriber that may see it, in order, without a gap.
//!
//! A [`Hub`] reads the logs of some models of `evented-diesel`. `Item::changes()` is a [`Channel`]: the changes that a
//! subscriber asks for. [`Hub::subscribe`] subscribes to the channel and returns a [`Feed`], which yields a [`Change`]
//! for each change, with the record before and after it.
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! # use diesel::connection::SimpleConnection;
//! # use diesel::prelude::*;
//! # use evented_diesel::migrations::Migrations;
//! use evented_diesel::prelude::*;
//! use evented_feed::{ChangeKind, Hub};
//!
//! # diesel::table! {
//! #     use diesel::sql_types::*;
//! #     use evented_diesel::sql_types::Uid;
//! #     items (id) { id -> Uid, org_id -> Integer, name -> Text }
//! # }
//! #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
//! #[diesel(table_name = items)]
//! #[evented(scopes(org = org_id))]
//! struct Item {
//!     id: Id<Item>,
//!     org_id: i32,
//!     name: String,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("shop.db").to_string_lossy().into_owned();
//! # let mut conn = SqliteConnection::establish(&path)?;
//! # conn.batch_execute("PRAGMA journal_mode = WAL; CREATE TABLE items (id BLOB PRIMARY KEY, org_id INTEGER NOT NULL, name TEXT NOT NULL)")?;
//! # Migrations::of::<Item>().run(&mut conn)?;
//! let hub = Hub::of::<Item>().start(move || SqliteConnection::establish(&path))?;
//! let mut feed = hub.subscribe(Item::changes().scope(Item::ORG.eq(7)))?;
//!
//! let lamp = Item::insert(NewItem { org_id: 7, name: "Lamp".into() }).by("user:1").run(&mut conn)?;
//! lamp.update(ItemChanges { org_id: Some(8), ..Default::default() }).run(&mut conn)?;
//!
//! let change = feed.recv().unwrap()?;
//! assert_eq!(change.kind(), ChangeKind::Insert);
//! assert_eq!(change.after(), Some(&lamp));
//! assert_eq!(change.actor().as_deref(), Some("user:1"));
//!
//! // The item moves to another organisation: it leaves the scope.
//! let change = feed.recv().unwrap()?;
//! assert_eq!((change.kind(), change.after()), (ChangeKind::Leave, None));
//! # Ok(()) }
//! ```
//!
//! # Guarantees
//!
//! - The hub delivers every committed change once to each subscriber that it concerns, in the order of its record.
//! - A subscriber that is too slow gets an error with the position to resume from ([`Interruption::Lagged`]). The hub
//!   never drops a change silently, and other subscribers are not affected.
//! - On PostgreSQL, a transaction that stays open delays the changes that were committed since it began
//!   ([`HubStatus::delay`]). No change is lost. The hub delivers transactions in the order in which they began to
//!   write, not in which they committed.
//! - Positions detect a database that was restored or copied ([`Interruption::MustRefetch`]).
//! - Polling finds every change. Hints ([`wake`]) only make it faster.
//!
//! # Features
//!
//! No feature is enabled by default.
//!
//! | feature | enables |
//! |---|---|
//! | `sqlite`, `postgres`, `async-sqlite`, `async-postgres` | the features of the same names of `evented-diesel` |
//! | `async-postgres` | also [`Relay`], hints across processes |
//! | `wal` | a hub on PostgreSQL's write-ahead log, `Hub::on_wal`, and the module `wal`. The hub runs on tokio |
//!
//! # Events for `tracing`
//!
//! | name | kind and level | fields | when |
//! |---|---|---|---|
//! | `evented.feed.failed` | event, warn | `error` | a hub could not read; it tries again |
//! | `evented.feed.relay` | event, warn | `error` | a relay lost its connection; it tries again |
//! | `evented.feed.ended` | event, warn | `error` | a hub can no longer read the write-ahead log; it stops |
//! | `evented.feed.delayed` | event, warn | `txid`, `pid`, `blocker` | an open transaction has delayed changes for one second |
//! | `evented.feed.lagged` | event, debug | `schema`, `subscription` | a subscriber fell behind; its subscription ends |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "async-postgres"), allow(rustdoc::broken_intra_doc_links))]

mod feed;
mod hints;
mod hub;
#[cfg(feature = "async-postgres")]
mod relay;
mod router;
mod run;
mod shared;
mod source;
#[doc(hidden)]
pub mod spi;
mod status;
mod sync;
mod tap;
mod telemetry;
#[cfg(feature = "wal")]
pub mod wal;

pub use evented_core::{
    Change, ChangeEvent, ChangeKind, Channel, Denied, IntoScope, Kinds, NotAPosition, Policy, Position,
    Scope, StreamId, Transaction,
};
pub use evented_diesel::stream::{Interruption, ReadPoint, Unreadable};
pub use feed::{Feed, RecvError, TransactionFeed};
pub use hints::wake;
#[cfg(feature = "wal")]
pub use hub::WalHubBuilder;
pub use hub::{Hub, HubBuilder, HubError, StartError, SubscribeBuilder};
#[cfg(feature = "async-postgres")]
pub use relay::Relay;
pub use status::{BlockingTransaction, Delay, HubStatus, SubscriptionInfo};
