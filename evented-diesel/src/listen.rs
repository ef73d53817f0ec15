//! Listening: every change reaches whoever may see it, in order, without a gap.
//!
//! A [`Hub`] reads the logs of some models and tells subscribers. `Item::changes()` is a [`Channel`]; [`Hub::subscribe`]
//! makes a [`Feed`] of it, which gives a [`Change`] for each change, with the record before and after. A [`LogReader`]
//! reads the same changes page by page, without a hub.
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! # use diesel::connection::SimpleConnection;
//! # use diesel::prelude::*;
//! # use evented_diesel::migrations::{Flavour, Migrations};
//! use evented_diesel::listen::{ChangeKind, Hub};
//! use evented_diesel::prelude::*;
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
//! # conn.batch_execute(&Migrations::new().log::<Item>().up_sql(Flavour::Sqlite))?;
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
//! // It is another organisation's now.
//! let change = feed.recv().unwrap()?;
//! assert_eq!((change.kind(), change.after()), (ChangeKind::Leave, None));
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! - Every committed change is told once to each subscriber whom it concerns, in the order of its record.
//! - A subscriber that is too slow is told so, and from where to resume ([`Interruption::Lagged`]); nothing is passed over
//!   in silence. Others do not notice.
//! - A transaction that stays open on PostgreSQL delays what was committed since it began ([`Status::delay`]), and loses
//!   nothing. Transactions are told in the order in which they began to write, not in which they committed.
//! - A database that was restored or copied is noticed by the positions ([`Interruption::MustRefetch`]).
//! - Looking is all that is needed; hints ([`wake`]) only make it faster.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evented_core::Unstorable;

use crate::backend::Dialect;
use crate::run::driver::Driver;

mod channel;
mod feed;
mod hub;
mod lane;
pub(crate) mod log;
#[cfg(feature = "async-postgres")]
mod relay;
mod router;
mod snapshot;
mod states;
#[cfg(feature = "wal")]
mod tail;
mod told;
mod waiting;
mod whole;

pub use channel::{Channel, Kinds, Policy};
pub use evented_core::{
    Change, ChangeEvent, ChangeKind, IntoScope, NotAPosition, Position, Scope, StreamId, Transaction,
};
pub use feed::Feed;
#[cfg(feature = "wal")]
pub use hub::TailingBuilder;
pub use hub::{Delay, Holder, Hub, HubBuilder, HubError, StartError, Status, Subscribing, wake};
pub use log::reader::{Changes, LogReader, NextChanges};
#[cfg(feature = "async-postgres")]
pub use relay::Relay;
pub use snapshot::{Snapshot, TakeSnapshot};
#[cfg(feature = "wal")]
pub use tail::{Mark, mark, published};
pub use told::{Interruption, Unreadable};
pub use whole::WholeFeed;

/// Of how many records a reading remembers the state, unless it is said otherwise.
const RECORDS: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// A subscription that is not allowed, or cannot be.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The channel's policy says no.
    #[error("the policy does not allow to subscribe to {channel}")]
    Policy {
        /// The channel.
        channel: String,
    },
    /// A channel of two places: which of them was meant, or whether both, it does not say.
    #[error(
        "a channel of `{schema}` listens at one place: subscribe to each, use `Feed::add`, or declare the combination \
             in `scopes(…)` and pass a tuple"
    )]
    TwoPlaces {
        /// The model's name in the log.
        schema: &'static str,
    },
    /// A value of the scope is one that no record can have.
    #[error("no record is in this scope: {0}")]
    Scope(Arc<Unstorable>),
}

/// A subscription, as the hub sees it. See [`Hub::subscriptions`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// Its number: [`Feed::id`].
    pub id: u64,
    /// Its channels.
    pub channels: Vec<String>,
    /// How many changes wait in its buffer.
    pub waiting: usize,
    /// For how many there is room in all: with more, it has fallen behind.
    pub room: usize,
    /// Whether it is still being told what was before it subscribed.
    pub catching_up: bool,
}

/// Says that there is something to be told, if it is committed.
pub(crate) fn hint<DB: Dialect, D: Driver<DB>>(driver: &mut D) {
    if matches!(driver.in_transaction(), Ok(false)) {
        wake();
    }
}

/// What a lock guards is never left half done: a thread that panicked with it changes nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
