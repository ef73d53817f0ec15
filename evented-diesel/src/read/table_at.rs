//! Reads a whole table as it was in the past, page by page.

use evented_core::{KeyValue, Replay};

use crate::backend::EventedBackend;
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, sealed};
use crate::model::{Model, table_failed};
use crate::statements::{LastPositionRow, ReplayedEventOf, last_position, page};

/// Reads every record of a model as it was when the log had reached a position: `Item::table_at(position)`.
///
/// It reads pages of bounded size, record by record, whatever the length of the log. It reads all events up to the
/// position.
///
/// On PostgreSQL an event gets its position when it is written, and becomes visible when its transaction commits. While
/// other connections write, an event at or below [`LastPosition`] can still appear. If the result must stay the same,
/// use a position older than the oldest open transaction.
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
    /// The record whose events have been read so far. Some of its events may not have been read yet.
    open: Option<(KeyValue, Replay<M>)>,
    done: bool,
}

/// The default number of events that a page reads.
const PAGE: i64 = 2_000;

impl<M: Model> TableAt<M> {
    /// Reads the table at a position.
    #[must_use]
    pub fn new(position: i64) -> Self {
        Self { position, size: PAGE, open: None, done: false }
    }

    /// Sets the maximum number of events that a page reads. Default: 2,000. 0 counts as 1.
    #[must_use]
    pub fn page_size(mut self, events: u16) -> Self {
        self.size = i64::from(events.max(1));
        self
    }

    /// Reads the next page of records; `None` at the end. A page before the end can be empty if a record has a long
    /// history.
    pub fn page(&mut self) -> Page<'_, M> {
        Page(self)
    }
}

/// Reads the next page of a table. See [`TableAt::page`].
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct Page<'t, M: Model>(&'t mut TableAt<M>);

impl<M: Model> sealed::Operation for Page<'_, M> {}

impl<DB: EventedBackend, M: Model> Operation<DB> for Page<'_, M> {
    type Output = Option<Vec<M>>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<Vec<M>>, Error> {
        let table = self.0;
        if table.done {
            return Ok(None);
        }
        let name = |key| Subject::Record { schema: M::SCHEMA, key };
        let after = table.open.as_ref().map(|(key, replay)| (key, replay.revision()));
        let statement = page(M::whole_log(), table.position, after, table.size);
        let rows = executor.load::<ReplayedEventOf<M>>(statement).await.map_err(table_failed::<M>)?;
        table.done = i64::try_from(rows.len()).is_ok_and(|read| read < table.size);
        let mut records = Vec::new();
        for ReplayedEventOf { record, event, .. } in rows {
            let continues = table.open.as_ref().is_some_and(|(open, _)| *open == record);
            if !continues {
                records.extend(table.open.take().and_then(|(_, replay)| replay.into_state().live()));
                let key = M::key_from(record.clone()).ok_or_else(|| Error::Encode {
                    record: name(record.clone()),
                    error: "the log's key is of another kind".into(),
                })?;
                table.open = Some((record.clone(), Replay::new(key)));
            }
            if let Some((_, replay)) = &mut table.open {
                replay.apply(&event.data).map_err(|source| Error::replay(name(record), source))?;
            }
        }
        if table.done {
            records.extend(table.open.take().and_then(|(_, replay)| replay.into_state().live()));
        }
        Ok(Some(records))
    }
}

/// Reads the last position of a model's log; 0 if the log is empty: `Item::last_position()`.
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct LastPosition<M>(std::marker::PhantomData<fn() -> M>);

impl<M: Model> LastPosition<M> {
    /// Reads the last position of the log of `M`.
    #[expect(clippy::new_without_default, reason = "an operation has no default value")]
    pub fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<M: Model> sealed::Operation for LastPosition<M> {}

impl<DB: EventedBackend, M: Model> Operation<DB> for LastPosition<M> {
    type Output = i64;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<i64, Error> {
        let statement = last_position(M::whole_log());
        let rows: Vec<LastPositionRow> = executor.load(statement).await.map_err(table_failed::<M>)?;
        Ok(rows.into_iter().next().and_then(|row| row.0).unwrap_or(0))
    }
}
