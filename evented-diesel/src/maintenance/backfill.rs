//! Writes a first event for each row that has none.

use std::collections::HashSet;
use std::fmt;

use chrono::{DateTime, Utc};
use evented_core::{Digest, External, Json, KeyValue, names};

use crate::backend::EventedBackend;
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, Transaction, sealed};
use crate::maintenance::{ExternalEvent, Skipped};
use crate::model::{Model, ModelOn, Record, table_failed};
use crate::statements::{
    Append, Number, RecordRow, columns_to_write, count_without_events, rows_without_events, set_row,
};
use crate::verify::keys_are_exact;
use crate::write::{EventContent, Head, Options, next_event, sort_by_table};

/// Writes a first event for each row that has none, so that the log knows the row: `Item::backfill()`.
///
/// The event has the action `external`, for a change that nobody recorded, and contains all fields of the row. The row
/// does not change; it keeps its key and its timestamps.
///
/// A backfill works in chunks, each in a transaction of its own, while other connections write. A writer that reaches
/// such a row first adopts it as usual. You can stop a backfill at any time and run it again later: it skips rows that
/// have an event.
///
/// ```text
/// let mut backfill = Item::backfill();
/// while let Some(done) = backfill.page().run(&mut conn)? {
///     …
/// }
/// ```
///
/// Within the caller's transaction, the chunks are part of that transaction.
#[must_use = "an operation does nothing until it is run"]
pub struct Backfill<M: Model> {
    size: i64,
    each: Option<Hook<M>>,
    after: Option<KeyValue>,
    done: bool,
}

type Hook<M> = Box<dyn FnMut(&M, &mut ExternalEvent) + Send>;

/// The result of one chunk, or of a whole backfill.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Backfilled {
    /// The number of rows for which an event was written.
    pub records: u64,
    /// Rows that could not be recorded (a value that JSON or the digest cannot represent). They still have no event.
    pub skipped: Vec<Skipped>,
    /// The key of the last row that was read.
    pub last: Option<KeyValue>,
}

const CHUNK: i64 = 1_000;

impl<M: Model> fmt::Debug for Backfill<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backfill").field("after", &self.after).finish_non_exhaustive()
    }
}

impl<M: Model> Backfill<M> {
    /// Backfills the log of the model's table.
    #[expect(clippy::new_without_default, reason = "an operation has no default value")]
    pub fn new() -> Self {
        Self { size: CHUNK, each: None, after: None, done: false }
    }

    /// Sets the number of rows in a chunk. Default: 1,000. 0 counts as 1. A chunk locks its rows until it is committed;
    /// on SQLite it blocks all other writers.
    pub fn chunk(mut self, rows: u16) -> Self {
        self.size = i64::from(rows.max(1));
        self
    }

    /// Sets a hook that is called for each row before its event is written, for example to set the time when the row
    /// was created.
    pub fn each(mut self, hook: impl FnMut(&M, &mut ExternalEvent) + Send + 'static) -> Self {
        self.each = Some(Box::new(hook));
        self
    }

    /// Backfills the next chunk; `None` at the end.
    pub fn page(&mut self) -> BackfillPage<'_, M> {
        BackfillPage(self)
    }

    /// Counts the rows that have no event yet.
    pub fn remaining(&self) -> BackfillRemaining<M> {
        BackfillRemaining(std::marker::PhantomData)
    }
}

/// Backfills the next chunk. See [`Backfill::page`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct BackfillPage<'b, M: Model>(&'b mut Backfill<M>);

impl<M: Model> sealed::Operation for BackfillPage<'_, M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for BackfillPage<'_, M> {
    type Output = Option<Backfilled>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<Backfilled>, Error> {
        let backfill = self.0;
        if backfill.done {
            return Ok(None);
        }
        if backfill.after.is_none() {
            keys_are_exact::<DB, M, D>(executor).await?;
        }
        let name = Subject::Model(M::SCHEMA);
        let transaction = Transaction::open(executor, &name).await?;
        let result = chunk(executor, backfill).await;
        let (done, ended) = transaction.close(executor, &name, result).await?;
        // Update the progress only after the commit, so that a chunk that was rolled back runs again.
        backfill.after = done.last.clone().or(backfill.after.take());
        backfill.done = ended;
        Ok(Some(done))
    }
}

/// Runs all chunks. The result contains the skipped rows of all chunks; it does not report progress.
impl<M: Model> sealed::Operation for Backfill<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for Backfill<M> {
    type Output = Backfilled;

    async fn perform<D: Executor<DB>>(mut self, executor: &mut D) -> Result<Backfilled, Error> {
        let mut all = Backfilled::default();
        while let Some(done) = self.page().perform(executor).await? {
            all.records += done.records;
            all.skipped.extend(done.skipped);
            all.last = done.last.or(all.last);
        }
        Ok(all)
    }
}

/// Counts the rows that have no event yet. See [`Backfill::remaining`].
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct BackfillRemaining<M>(std::marker::PhantomData<fn() -> M>);

impl<M: Model> sealed::Operation for BackfillRemaining<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for BackfillRemaining<M> {
    type Output = u64;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<u64, Error> {
        let rows =
            executor.load::<Number>(count_without_events::<DB, M>()).await.map_err(table_failed::<M>)?;
        let count = rows.into_iter().next().and_then(|number| number.0).unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// A row's first event, with the data that it refers to.
struct First<M> {
    record: KeyValue,
    row: M,
    payload: Json,
    state: Digest,
    meta: Option<Json>,
    at: DateTime<Utc>,
}

async fn chunk<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    backfill: &mut Backfill<M>,
) -> Result<(Backfilled, bool), Error> {
    if DB::LOCKS_FIRST {
        DB::lock_number::<M, D>(executor, 0).await.map_err(table_failed::<M>)?;
    }
    let statement = rows_without_events::<DB, M>(backfill.after.as_ref(), backfill.size, true);
    let rows = executor.load::<RecordRow<M>>(statement).await.map_err(table_failed::<M>)?;
    let ended = i64::try_from(rows.len()).is_ok_and(|read| read < backfill.size);
    let mut done = Backfilled::default();
    let mut firsts = Vec::with_capacity(rows.len());
    for RecordRow(mut row) in rows {
        row.normalize();
        let record = Record::<M>::new(row.key());
        done.last = Some(record.value.clone());
        match first(&record, row, backfill.each.as_mut()) {
            Ok(first) => firsts.push(first),
            Err(error) => done.skipped.push(Skipped { record: record.value, error }),
        }
    }
    let contexts: Vec<_> = firsts
        .iter()
        .map(|first| Options { at: Some(first.at), ..Options::default() }.context::<M>())
        .collect();
    let mut events: Vec<Append<'_>> = firsts
        .iter()
        .zip(&contexts)
        .map(|(first, cx)| {
            let content = EventContent {
                action: names::EXTERNAL,
                payload: &first.payload,
                state: &first.state,
                given_id: false,
            };
            next_event::<M>(cx, &first.record, Head::NONE, content, first.meta.as_ref())
        })
        .collect();
    sort_by_table(&mut events);
    let mut written = HashSet::new();
    for events in events.chunk_by(|one, next| one.table.name == next.table.name) {
        written.extend(DB::append_new::<M, D>(executor, events).await.map_err(table_failed::<M>)?);
    }
    done.records = written.len() as u64;
    let revision = columns_to_write::<M>(Vec::new());
    if !revision.is_empty() {
        for First { record, row, .. } in &mut firsts {
            if written.contains(record) {
                row.set_revision(1);
                executor
                    .execute(set_row::<DB, M>(record, row, &revision))
                    .await
                    .map_err(table_failed::<M>)?;
            }
        }
    }
    Ok((done, ended))
}

fn first<M: Model>(record: &Record<M>, row: M, hook: Option<&mut Hook<M>>) -> Result<First<M>, Error> {
    let external = External::between(None, Some(&row)).map_err(|error| Error::field(record.name(), error))?;
    // First the fields: the error of a field names it.
    let state = record.digest(&row)?;
    let payload = Json::write(&external).map_err(|error| record.not_encoded(error))?;
    let mut first = ExternalEvent::now();
    if let Some(hook) = hook {
        hook(&row, &mut first);
    }
    let ExternalEvent { at, meta } = first;
    let meta = record.meta(&meta)?;
    Ok(First { record: record.value.clone(), row, payload, state, meta, at })
}
