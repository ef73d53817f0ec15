//! A whole table as it was, page by page.

use evented_core::{KeyValue, Replay};

use crate::backend::Dialect;
use crate::error::{Error, RecordName};
use crate::model::Model;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{self, ReplayedEvent, last_position, page};

/// Every record of a model as it was when the log had reached a position: `Item::table_at(position)`.
///
/// It is read in pages of bounded size, record by record, whatever the length of the log. All events up to the position
/// are read.
///
/// On PostgreSQL an event gets its position when it is written, and is seen when its transaction commits. While others
/// write, an event below [`LastPosition`] may still come; take a position older than the oldest open transaction if the
/// answer must stay the same.
///
/// ```text
/// let mut table = Item::table_at(position);
/// while let Some(items) = table.page().run(&mut conn)? {
///     …
/// }
/// ```
#[derive(Debug)]
pub struct TableAt<M: Model> {
    position: i64,
    size: i64,
    /// The record whose events have been read so far, not all of them perhaps.
    open: Option<(KeyValue, Replay<M>)>,
    done: bool,
}

/// How many events a page reads, unless [`TableAt::page_size`] says otherwise.
const PAGE: i64 = 2_000;

impl<M: Model> TableAt<M> {
    /// The table at a position.
    #[must_use]
    pub fn new(position: i64) -> Self {
        Self { position, size: PAGE, open: None, done: false }
    }

    /// How many events a page reads: 2,000, unless it is said here. 0 counts as 1.
    #[must_use]
    pub fn page_size(mut self, events: u16) -> Self {
        self.size = i64::from(events.max(1));
        self
    }

    /// The next records; `None` at the end. A page may be empty before the end, where a record has a long history.
    pub fn page(&mut self) -> Page<'_, M> {
        Page(self)
    }
}

/// The next page of a table. See [`TableAt::page`].
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct Page<'t, M: Model>(&'t mut TableAt<M>);

impl<DB: Dialect, M: Model> Operation<DB> for Page<'_, M> {
    type Output = Option<Vec<M>>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Option<Vec<M>>, Error> {
        let table = self.0;
        if table.done {
            return Ok(None);
        }
        let name = |key: Option<KeyValue>| RecordName { schema: M::SCHEMA, key };
        let after = table.open.as_ref().map(|(key, replay)| (key, replay.revision()));
        let statement = page(M::places(), table.position, after, table.size);
        let rows = driver.load::<ReplayedEvent<M>>(statement).await;
        let rows = rows.map_err(|error| Error::database(name(None), error))?;
        table.done = i64::try_from(rows.len()).is_ok_and(|read| read < table.size);
        let mut records = Vec::new();
        for ReplayedEvent { record, event, .. } in rows {
            let continues = table.open.as_ref().is_some_and(|(open, _)| *open == record);
            if !continues {
                records.extend(table.open.take().and_then(|(_, replay)| replay.into_state().live()));
                let key = M::key_from(record.clone()).ok_or_else(|| Error::Form {
                    record: name(Some(record.clone())),
                    source: "the log's key is of another kind".into(),
                })?;
                table.open = Some((record.clone(), Replay::new(key)));
            }
            if let Some((_, replay)) = &mut table.open {
                replay.apply(&event).map_err(|source| Error::replay(name(Some(record)), source))?;
            }
        }
        if table.done {
            records.extend(table.open.take().and_then(|(_, replay)| replay.into_state().live()));
        }
        Ok(Some(records))
    }
}

/// The last position of a model's log, 0 if it is empty: `Item::last_position()`.
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct LastPosition<M>(std::marker::PhantomData<fn() -> M>);

impl<M: Model> LastPosition<M> {
    /// Of the log of `M`.
    #[expect(clippy::new_without_default, reason = "a question, not a value to start from")]
    pub fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<DB: Dialect, M: Model> Operation<DB> for LastPosition<M> {
    type Output = i64;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<i64, Error> {
        let rows = driver.load::<statement::LastPosition>(last_position(M::places())).await;
        let rows =
            rows.map_err(|error| Error::database(RecordName { schema: M::SCHEMA, key: None }, error))?;
        Ok(rows.into_iter().next().and_then(|row| row.0).unwrap_or(0))
    }
}
