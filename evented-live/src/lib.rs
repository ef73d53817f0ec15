//! Live values: the answers of queries in memory, kept equal to the database, up to the browser.
//!
//! `Item::live()` is a query as a value. A [`Store`] opens it: it reads the rows once, takes every change from a
//! [`Hub`](evented_feed::Hub), and changes the value at each cut between transactions at which it differs. Equal queries of
//! any number of viewers are one value.
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! # use std::time::Duration;
//! # use diesel::connection::SimpleConnection;
//! # use diesel::prelude::*;
//! # use evented_diesel::migrations::Migrations;
//! use evented_diesel::prelude::*;
//! use evented_feed::Hub;
//! use evented_live::{self as live, LiveDsl, Step};
//!
//! # diesel::table! {
//! #     use diesel::sql_types::*;
//! #     use evented_diesel::sql_types::Uid;
//! #     items (id) { id -> Uid, org_id -> Integer, rank -> SmallInt, name -> Text }
//! # }
//! #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
//! #[diesel(table_name = items)]
//! #[evented(live)]
//! struct Item {
//!     id: Id<Item>,
//!     org_id: i32,
//!     rank: i16,
//!     name: String,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("shop.db").to_string_lossy().into_owned();
//! # let mut conn = SqliteConnection::establish(&path)?;
//! # conn.batch_execute("PRAGMA journal_mode = WAL; CREATE TABLE items (id BLOB PRIMARY KEY, org_id INTEGER NOT NULL, rank SMALLINT NOT NULL, name TEXT NOT NULL)")?;
//! # Migrations::of::<Item>().run(&mut conn)?;
//! # let second = Duration::from_secs(10);
//! # let connect = move || SqliteConnection::establish(&path);
//! let hub = Hub::of::<Item>().start(connect.clone())?;
//! let store = live::over(&hub).start(connect)?;
//!
//! let top = Item::live().filter(|i| i.org_id.eq(7)).order(|i| i.rank.desc()).limit(10);
//! let mut top = store.open(top).wait(second)?;
//! assert!(top.get().is_empty());
//!
//! let lamp = Item::insert(NewItem { org_id: 7, rank: 1, name: "Lamp".into() }).run(&mut conn)?;
//! let update = top.recv_timeout(second)?;
//! assert_eq!(update.new()[0].name, "Lamp");
//! assert!(matches!(update.steps(), [Step::Insert { index: 0, .. }]));
//!
//! // The item moves to another organisation: it leaves the list.
//! lamp.update(ItemChanges { org_id: Some(8), ..Default::default() }).run(&mut conn)?;
//! assert!(matches!(top.recv_timeout(second)?.steps(), [Step::Remove { index: 0 }]));
//! # Ok(()) }
//! ```
//!
//! # What a value promises
//!
//! A value reports a [`Cut`]: a place between transactions up to which the hub has delivered every change. It equals its query,
//! evaluated over everything that the hub has delivered up to that cut.
//!
//! - On SQLite, and over a hub that reads PostgreSQL's write-ahead log, that is a `SELECT` at the moment after a commit.
//! - Over a hub that reads PostgreSQL's event log, it is the effect of all transactions before the oldest that is still open:
//!   a `SELECT` whenever none is open. The hub may deliver one transaction at two cuts: one that changes a record after another
//!   transaction has changed it, which began later and committed first.
//!
//! A value that cannot keep this says so: see [`Status`].
//!
//! # Limits
//!
//! - Over a hub that reads event logs, changes by plain SQL, cascades and triggers are not heard, as with feeds. The row is read
//!   as it is when its query is read, and corrected by its next event.
//! - Fields that the database generates have no filter and no order. After a change, the row is read again for them.
//! - A model without a table (`#[evented(log(only))]`) has `.one(key)` and `.many(keys)` alone.
//! - A policy that depends on the time of day is asked when a record changes and at no other time. Use
//!   [`Store::reauthorise`].
//! - The connections of a store read the primary server. A replica may be behind what the hub has delivered.
//!
//! # Features
//!
//! No feature is enabled by default.
//!
//! | feature | enables |
//! |---|---|
//! | `sqlite`, `postgres`, `async-sqlite`, `async-postgres` | the features of the same names of `evented-feed` |
//! | `wal` | stores over a hub that reads PostgreSQL's write-ahead log |
//! | `axum` | sets of values as server-sent events, and the script that shows them |
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
pub mod axum;
mod cell;
mod computed;
mod cut;
mod engine;
mod error;
mod fill;
mod json;
mod live;
mod publish;
mod reader;
mod set;
mod shared;
mod snapshot;
mod status;
mod store;
mod trees;
mod values;
mod watch;

pub use computed::Answer;
pub use cut::Cut;
pub use error::LiveError;
pub use evented_core::Policy;
pub use evented_core::live::{
    All, AllowedBy, AnyChange, Branch, Field, FieldValue, Filter, ForeignKey, IntoOrder, Items, Keyed, List,
    LiveModel, LiveQuery, Many, One, Ordered, Outcome, Query, Related, Row, Shape, Single, Step,
    Subscription, SyncItem, Syncable, Synced, Term, Tree, TreeQuery, Value, Watcher, Watchers, steps, sync,
    watchers,
};
/// Implements [`Tree`](trait@Tree) for a struct of a record and its associations.
pub use evented_diesel::Tree;
pub use live::{Live, Opening, Update};
pub use reader::Reader;
pub use set::{Entries, Flow, Label, Set, Sink, Turn};
pub use status::Status;
pub use store::{
    Allowed, BlockingRequery, BlockingSet, BlockingStore, BlockingTurn, Channels, Fillable, Openable,
    Requery, StartError, Store, StoreBuilder, StoreStatus, Watchable, allowed, over,
};
#[cfg(feature = "__async")]
pub use store::{AsyncRequery, AsyncSet, AsyncStore, AsyncTurn, BoxedAnswer};
pub use watch::Watch;

/// Adds `Item::live()` to models with `#[evented(live)]`.
pub trait LiveDsl: LiveModel {
    /// The list of all records, in the order of their keys: the beginning of every live query.
    fn live() -> Query<Self> {
        Query::all()
    }
}
impl<M: LiveModel> LiveDsl for M {}
