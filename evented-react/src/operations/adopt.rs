//! Lets a subscriber go on in a database that was copied or restored.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::LogOffset;
use evented_diesel::Error;
use evented_diesel::spi::{
    EventedBackend, Executor, Operation, SqlTypes, Statement, Transaction, anchor_of, optional, sealed,
};

use crate::divide::{free_parts, lock_all, store_division};
use crate::register::just_before;
use crate::store::{self, CursorRow, SubscriberRow, load, number, subject, write};

/// Lets a subscriber go on that has stalled, because the database is a copy or was restored. From then on it runs in this database.
/// Returns whether it is registered.
///
/// It goes on where its cursors are, and handles what it had not handled when the copy was made. [`skip_pending`](Adopt::skip_pending)
/// begins with what is new instead. Events that are [delayed](evented_diesel::Publish::after) are in the copy, too: delete those that
/// it must not publish.
///
/// If the event at which a cursor stood has another place in its log, because the transactions of the log were renumbered, the cursor
/// follows it. If it is gone, the cursor goes to the last event before its place. Deliveries can be repeated in these two cases, and
/// one that is set aside and whose event is gone is dead when it is tried again.
///
/// The subscriber stalls again, with its reason, if a log belongs to a server whose transactions have higher numbers, or if a cursor
/// is ahead of the server and stood at no event, as that of a new subscriber.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # mod example {
/// use diesel::prelude::*;
/// use evented_diesel::Error;
/// use evented_diesel::prelude::*;
/// use evented_react::adopt;
///
/// /// The copy of production that the tests of a release run on sends only mails of its own.
/// fn prepare(conn: &mut SqliteConnection) -> Result<(), Error> {
///     adopt("mails").skip_pending().run(conn)?;
///     Ok(())
/// }
/// # }
/// ```
pub fn adopt(subscriber: impl Into<String>) -> Adopt {
    Adopt { subscriber: subscriber.into(), skips_pending: false }
}

/// Lets a subscriber go on in this database. Returned by [`adopt`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Adopt {
    subscriber: String,
    skips_pending: bool,
}

impl Adopt {
    /// Skips what is not handled, with everything that is set aside. On PostgreSQL it may skip the events of transactions that are
    /// open meanwhile, too.
    pub fn skip_pending(mut self) -> Self {
        self.skips_pending = true;
        self
    }

    async fn in_transaction<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
    ) -> Result<bool, Error> {
        let name = self.subscriber.as_str();
        write(executor, store::lock_subscriber(name)).await?;
        let rows = load::<SubscriberRow, _, _>(executor, store::subscriber_row(name)).await?;
        let Some(row) = rows.into_iter().next() else { return Ok(false) };
        // Workers may have read what is skipped, or what comes again.
        lock_all(executor, name, row.division.parts).await?;
        // The next worker stores where it runs: it may know the file under another path than this process.
        write(executor, store::set_home(name, 0)).await?;
        write(executor, store::set_stalled(name, None)).await?;
        let cursors = load::<CursorRow, _, _>(executor, store::cursors_of(name, None)).await?;
        let mut found: Vec<(&CursorRow, Found)> = Vec::new();
        for cursor in &cursors {
            let is_same = |known: &CursorRow| CursorRow { part: cursor.part, ..known.clone() } == *cursor;
            let known = found.iter().find(|(known, _)| is_same(known)).map(|(_, found)| *found);
            let place = match known {
                Some(known) => known,
                None if self.skips_pending => end(executor, cursor).await?,
                None => place_of(executor, cursor).await?,
            };
            found.push((cursor, place));
        }
        if found.iter().all(|(cursor, found)| cursor.offset == found.offset) && !self.skips_pending {
            free_parts(executor, name).await?;
            return Ok(true);
        }
        // How far earlier divisions had come says nothing about a log whose events have other places.
        store_division(executor, name, &row.division.renewed(row.division.parts)).await?;
        write(executor, store::remove_parts("evented_cursors", name, 0)).await?;
        for (cursor, Found { offset, anchor }) in &found {
            let to = CursorRow { offset: *offset, anchor: *anchor, ..(*cursor).clone() };
            write(executor, store::insert_cursor(name, &to)).await?;
        }
        if self.skips_pending {
            write(executor, store::remove_parts("evented_deferred", name, 0)).await?;
        } else {
            follow(executor, name, &found).await?;
        }
        Ok(true)
    }
}

/// Gives the deliveries that are set aside the places that their events have now.
async fn follow<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &str,
    found: &[(&CursorRow, Found)],
) -> Result<(), Error> {
    if !DB::NUMBERS_TRANSACTIONS {
        return Ok(());
    }
    let mut streams: Vec<&str> = Vec::new();
    for (cursor, _) in found {
        if !streams.contains(&cursor.stream.as_str()) {
            streams.push(&cursor.stream);
            let statement = store::renumber_transactions(name, cursor);
            write(executor, statement).await?;
        }
    }
    Ok(())
}

impl sealed::Operation for Adopt {}

impl<DB: EventedBackend> Operation<DB> for Adopt {
    type Output = bool;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<bool, Error> {
        let name = subject(&self.subscriber);
        let transaction = Transaction::around(executor, &name, true).await?;
        let adopted = self.in_transaction(executor).await;
        transaction.close(executor, &name, adopted).await.map_err(|error| error.about(name))
    }
}

/// A place in a log.
#[derive(Debug, Clone, Copy)]
struct Found {
    offset: LogOffset,
    anchor: i64,
}

impl Found {
    /// The beginning of a log.
    const NOTHING: Self = Self { offset: LogOffset { txid: 0, position: 0 }, anchor: 0 };
}

impl<DB: SqlTypes> QueryableByName<DB> for Found {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let offset = LogOffset { txid: number(row, 0)?, position: number(row, 1)? };
        let id = optional(row, 2, DB::read_uuid)?.ok_or("an event without an id")?;
        Ok(Self { offset, anchor: anchor_of(id).cast_signed() })
    }
}

/// Finds the last event of a log.
async fn end<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    cursor: &CursorRow,
) -> Result<Found, Error> {
    let all = LogOffset { txid: i64::MAX, position: i64::MAX };
    Ok(last_until(executor, cursor, all).await?.unwrap_or(Found::NOTHING))
}

/// Finds the place of the event at which a cursor stood. If it is gone, that of the last event before. A cursor that stood at no event
/// stays where it is.
async fn place_of<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    cursor: &CursorRow,
) -> Result<Found, Error> {
    let unchanged = Found { offset: cursor.offset, anchor: cursor.anchor };
    if cursor.anchor == 0 {
        return Ok(unchanged);
    }
    let mut statement = select_place(cursor);
    statement.sql(" WHERE e.txid = ").value(cursor.offset.txid);
    statement.sql(" AND e.position = ").value(cursor.offset.position);
    let there = load::<Found, _, _>(executor, statement).await?;
    if there.iter().any(|event| event.anchor == cursor.anchor) {
        return Ok(unchanged);
    }
    if DB::NUMBERS_TRANSACTIONS {
        // A log whose transactions were renumbered keeps its positions. They have no index.
        let mut statement = select_place(cursor);
        statement.sql(" WHERE e.position = ").value(cursor.offset.position);
        let at_position = load::<Found, _, _>(executor, statement).await?;
        if let Some(same) = at_position.into_iter().find(|event| event.anchor == cursor.anchor) {
            return Ok(same);
        }
    }
    Ok(last_until(executor, cursor, just_before(cursor.offset)).await?.unwrap_or(Found::NOTHING))
}

async fn last_until<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    cursor: &CursorRow,
    until: LogOffset,
) -> Result<Option<Found>, Error> {
    let mut statement = select_place(cursor);
    statement.sql(" WHERE (e.txid, e.position) <= (").value(until.txid).sql(", ").value(until.position);
    statement.sql(") ORDER BY e.txid DESC, e.position DESC LIMIT 1");
    Ok(load::<Found, _, _>(executor, statement).await?.into_iter().next())
}

fn select_place<DB: SqlTypes>(cursor: &CursorRow) -> Statement<'_, DB> {
    let mut statement = Statement::new("SELECT e.txid, e.position, e.id FROM ");
    cursor.push_log(&mut statement);
    statement.sql(" e");
    statement
}
