//! Projections: derived tables that follow the tables that they are computed from.

use std::fmt;
use std::sync::Arc;

use evented_core::KeyValue;
use evented_diesel::Model;

use crate::derived_table::Table;
use crate::input::IntoInput;
use crate::key::IntoKey;
use crate::source::RouteTo;
use crate::subscriber::{From, Subscriber};

/// A derived table, declared by its key, the changes that concern it, and one `SELECT` for a set of keys.
///
/// Whenever a record changes, a worker recomputes the rows that it concerns: the row of its key before the change, and that
/// of its key after it. So a comment that moves to another post changes the rows of both. Changes that concern the same
/// row are computed once.
///
/// ```
/// # mod example {
/// # use diesel::prelude::*;
/// # use evented_diesel::prelude::*;
/// use evented_react::{Projection, Subscriber};
///
/// # diesel::table! { posts (id) { id -> Integer, title -> Text, } }
/// # diesel::table! { comments (id) { id -> Integer, post_id -> Integer, text -> Text, } }
/// # #[derive(Evented, Clone, Debug)] #[diesel(table_name = posts)]
/// # struct Post { id: i32, title: String }
/// # #[derive(Evented, Clone, Debug)] #[diesel(table_name = comments)]
/// # struct Comment { id: i32, post_id: i32, text: String }
/// fn post_counts() -> Subscriber<SqliteConnection> {
///     Projection::table("post_counts", "post_id")
///         .columns(["title", "comments"])
///         .select(
///             "SELECT p.id AS post_id, p.title, count(c.id) AS comments
///              FROM posts p LEFT JOIN comments c ON c.post_id = p.id
///              WHERE p.id IN ({keys}) GROUP BY p.id, p.title",
///         )
///         .keyed(Post::changes(), |post: &Post| post.id)
///         .keyed(Comment::changes(), |comment: &Comment| comment.post_id)
///         .into()
/// }
/// # }
/// ```
#[must_use = "a projection is computed by a worker that subscribes to it"]
pub struct Projection<C> {
    subscriber: Subscriber<C>,
    table: Table,
}

impl<C: Send + 'static> Projection<C> {
    /// Creates a projection into this table, of which `key` is the primary key. The subscriber has the table's name, and
    /// begins at the first event of each log.
    pub fn table(table: &'static str, key: &'static str) -> Self {
        let subscriber = Subscriber::new(table).from(From::Beginning);
        Self { subscriber, table: Table::new(table, key) }
    }

    /// Sets the other columns that the `SELECT` computes, by the names that it gives them.
    pub fn columns(mut self, columns: impl IntoIterator<Item = &'static str>) -> Self {
        self.table.columns = columns.into_iter().collect();
        self
    }

    /// Sets the `SELECT` that computes the rows of a set of keys. `IN ({keys})` stands for the condition that a column is
    /// one of them, and may occur several times. A key for which it returns no row has no row in the derived table.
    pub fn select(mut self, select: &'static str) -> Self {
        self.table.set_select(select);
        self
    }

    /// Adds the changes of a model. `key` names the row that a record concerns; `None` if it concerns none.
    pub fn keyed<M: Model, K: IntoKey>(
        mut self,
        input: impl IntoInput<M>,
        key: impl Fn(&M) -> K + Send + Sync + 'static,
    ) -> Self {
        let key = move |record: &M| -> Option<KeyValue> { key(record).into_key() };
        self.subscriber.route(input, RouteTo::Refresh(Arc::new(key)));
        self
    }

    /// Declares that writes compute the rows in their own transactions: see [`inline`](crate::inline). A worker then locks
    /// the rows before it computes them. Switch it on before the first write does so, and off after the last one: nothing is
    /// missed, because a worker computes the same rows from the log.
    pub fn inline(mut self) -> Self {
        self.table.inline = true;
        self
    }

    /// Sets where the projection begins when it is registered for the first time. Default: [`From::Beginning`]. For tables
    /// with a long history, begin with [`From::Now`], and compute the rows that are there by [`rebuild`](crate::rebuild).
    pub fn from(mut self, from: From) -> Self {
        self.subscriber = self.subscriber.from(from);
        self
    }

    /// Sets the name of the subscriber. Default: the name of the table.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.subscriber.name = name.into();
        self
    }

    /// Sets the version. Default: 1. A projection with another `SELECT`, other columns or another number of parts must have
    /// a higher version. After that, [`rebuild`](crate::rebuild) computes the rows that no change concerns.
    pub fn version(mut self, version: u16) -> Self {
        self.subscriber = self.subscriber.version(version);
        self
    }

    /// Sets the number of parts. See [`Subscriber::parts`].
    pub fn parts(mut self, parts: u16) -> Self {
        self.subscriber = self.subscriber.parts(parts);
        self
    }
}

impl<C> std::convert::From<Projection<C>> for Subscriber<C> {
    fn from(projection: Projection<C>) -> Self {
        let mut subscriber = projection.subscriber;
        subscriber.table = Some(projection.table);
        subscriber
    }
}

impl<C> fmt::Debug for Projection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection").field("table", &self.table).finish_non_exhaustive()
    }
}
