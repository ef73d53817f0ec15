//! Live values without a database: queries as data, and the rows that a query has at a moment, kept up change by change.
//!
//! A [`Filter`] is data: it gives the condition in SQL, the test of a record in memory, the key by which a change finds the
//! query, and the identity by which equal queries share one value. [`Queries`] keeps the rows of all queries of a model
//! equal to the database: it takes changes, cuts and what was read, and says what must be read. It uses no database, no
//! clock and no runtime.

mod any_change;
mod field;
mod filter;
mod index;
mod interests;
mod list;
mod model;
mod order;
mod plan;
mod queries;
mod query;
mod recent;
mod routes;
mod row;
mod steps;
mod sync;
mod trees;
mod value;
mod watchers;
mod window;

pub use any_change::AnyChange;
pub use field::{Field, FieldRef, Operand};
pub use filter::{Condition, Filter, Op, Test};
pub use interests::{Interests, Subscription};
pub use list::List;
pub use model::LiveModel;
pub use order::{After, IntoOrder, Term};
pub use plan::{Parent, Plan, Target};
pub use queries::{Differs, Queries, QueryId, Wanted};
pub use query::{ItemOf, LiveQuery, Many, One, Parts, Query, Shape};
pub use routes::{Route, RoutedChannel, Routes};
pub use row::Row;
pub use steps::{Step, steps};
pub use sync::{Found, Items, Outcome, SyncItem, Syncable, Synced, sync, sync_record, watch_record};
pub use trees::{
    All, AllowedBy, At, Branch, Branches, Change as AnyRawChange, ForeignKey, Grown, Keyed, MOST_LEVELS,
    Policies, Related, Single, TooDeep, Tree, TreeParts, TreeQuery, TreeState, Valued,
};
pub use value::{FieldValue, Ordered, Value};
pub use watchers::{Relations, Watcher, Watchers, watchers};
#[doc(hidden)]
pub use window::SPARE;
pub use window::{Fill, Held};
