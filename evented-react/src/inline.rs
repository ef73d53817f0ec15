//! Computes the rows of a derived table in the transaction of the write that concerns them.

use evented_core::KeyValue;
use evented_diesel::spi::{EventedBackend, Executor};
use evented_diesel::{Error, Model, Written};

use crate::key::widened;
use crate::refresh::{lock_rows, refresh};
use crate::source::{ModelSource, RouteTo};
use crate::store::{Nothing, load, write};
use crate::subscriber::Subscriber;

/// Computes the rows of a projection that a write concerns, in the transaction of the write: a reader never sees the two
/// apart. The hook `after_write` of the models calls it.
///
/// The projection must be declared with [`Projection::inline`](crate::Projection::inline), so that a worker that serves it
/// beside takes the same locks. Let a worker serve it all the same: it computes what was written before the hook was there,
/// and what `adopt` and `backfill` record.
///
/// ```
/// # mod example {
/// # use evented_diesel::prelude::*;
/// use evented_diesel::{Error, EventedBackend, Executor, Written};
/// use evented_react::{Projection, Subscriber, inline};
///
/// # diesel::table! { comments (id) { id -> Integer, post_id -> Integer, text -> Text, } }
/// #[derive(Evented, Clone, Debug)]
/// #[diesel(table_name = comments)]
/// #[evented(after_write = Comment::count)]
/// struct Comment {
///     id: i32,
///     post_id: i32,
///     text: String,
/// }
///
/// fn comment_counts<C: Send + 'static>() -> Subscriber<C> {
///     Projection::table("comment_counts", "post_id")
///         .columns(["comments"])
///         .select("SELECT post_id, count(*) AS comments FROM comments WHERE post_id IN ({keys}) GROUP BY post_id")
///         .keyed(Comment::changes(), |comment: &Comment| comment.post_id)
///         .inline()
///         .into()
/// }
///
/// impl Comment {
///     async fn count<DB: EventedBackend, D: Executor<DB>>(
///         written: Written<'_, Comment>,
///         conn: &mut D,
///     ) -> Result<(), Error> {
///         inline(&comment_counts::<()>(), written, conn).await
///     }
/// }
/// # }
/// ```
///
/// Two commands in one transaction of yours lock their rows one after the other. Two such transactions can therefore wait for
/// each other, and PostgreSQL ends one of them with a serialization failure: run it again.
///
/// # Errors
///
/// Errors of the database, also that the derived table does not fit the projection. The write is rolled back.
pub async fn inline<M, DB, D>(
    projection: &Subscriber<()>,
    written: Written<'_, M>,
    conn: &mut D,
) -> Result<(), Error>
where
    M: Model,
    DB: EventedBackend,
    D: Executor<DB>,
{
    let Some(table) = &projection.table else { return Ok(()) };
    let keys = keys_of(projection, written);
    if keys.is_empty() {
        return Ok(());
    }
    // Two writes that concern one row wait for each other here. Under READ COMMITTED, statements after the lock see what the
    // other one has committed. At a higher isolation level the statement below fails with a serialization failure.
    for lock in lock_rows::<DB>(table, &keys, true) {
        load::<Nothing, _, _>(conn, lock).await?;
    }
    for statement in refresh::<DB>(table, &keys) {
        write(conn, statement).await?;
    }
    Ok(())
}

/// Returns the keys of the rows that a write concerns, sorted: those before it, and those after it.
fn keys_of<M: Model>(projection: &Subscriber<()>, written: Written<'_, M>) -> Vec<KeyValue> {
    let sources = projection.sources.iter();
    let of_model = sources.filter_map(|source| source.as_any().downcast_ref::<ModelSource<M, ()>>());
    let mut keys = Vec::new();
    for route in of_model.flat_map(|source| &source.routes) {
        if let RouteTo::Refresh(key) = &route.to {
            let sides = [written.before(), written.after()];
            keys.extend(sides.into_iter().flatten().filter_map(|record| key(record)).map(widened));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}
