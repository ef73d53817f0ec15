//! A first event for each row that has none.

use std::collections::HashSet;
use std::fmt;

use chrono::{DateTime, Utc};
use evented_core::{Digest, External, Json, KeyValue, Meta, names};

use crate::backend::Dialect;
use crate::command::Options;
use crate::error::{Error, RecordName};
use crate::model::{Model, Rows};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{
    Append, Number, RecordRow, columns_to_write, count_without_events, rows_without_events, set_row,
};
use crate::steps::command::{Body, Head, Record, event};
use crate::steps::drift::digest_of;
use crate::steps::transaction::Transaction;

/// Gives each row that has no event a first one, so that the log knows it: `Item::bring_up()`.
///
/// The event is of action `external`: what somebody wrote before anybody recorded it, with all of the row's fields. The
/// row stays as it is, with its key and its timestamps.
///
/// It works in chunks, each a transaction of its own, beside live writers: a writer that comes upon such a row adopts it
/// all the same. Stopped at any time, it goes on where it was, as a row that has an event is passed over.
///
/// ```text
/// let mut bring_up = Item::bring_up();
/// while let Some(done) = bring_up.page().run(&mut conn)? {
///     …
/// }
/// ```
///
/// Within a transaction of the caller's the chunks are parts of it.
#[must_use = "an operation does nothing until it is run"]
pub struct BringUp<M: Model> {
    size: i64,
    each: Option<Hook<M>>,
    after: Option<KeyValue>,
    done: bool,
}

type Hook<M> = Box<dyn FnMut(&M, &mut FirstEvent) + Send>;

/// What the first event of a row says besides the row. A hook may change it.
#[derive(Debug, Clone)]
pub struct FirstEvent {
    /// When it happened: now, unless the hook knows better.
    pub at: DateTime<Utc>,
    /// Who and why.
    pub meta: Meta,
}

/// What a chunk has done.
#[derive(Debug, Default)]
pub struct BroughtUp {
    /// How many rows have got an event.
    pub records: u64,
    /// Rows that no event can say, and that have none therefore.
    pub skipped: Vec<Skipped>,
    /// The last row it has looked at.
    pub last: Option<KeyValue>,
}

/// A row that no event can say.
#[derive(Debug)]
pub struct Skipped {
    /// The row.
    pub record: KeyValue,
    /// Why.
    pub error: Error,
}

const CHUNK: i64 = 1_000;

impl<M: Model> fmt::Debug for BringUp<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BringUp").field("after", &self.after).finish_non_exhaustive()
    }
}

impl<M: Model> BringUp<M> {
    /// Of the model's table.
    #[expect(clippy::new_without_default, reason = "an order, not a value to start from")]
    pub fn new() -> Self {
        Self { size: CHUNK, each: None, after: None, done: false }
    }

    /// How many rows a chunk has: 1,000, unless it is said here. 0 counts as 1. Rows are locked, and on SQLite writers
    /// wait, for as long as a chunk takes.
    pub fn chunk(mut self, rows: u16) -> Self {
        self.size = i64::from(rows.max(1));
        self
    }

    /// Calls this for each row before its event is written: to say when the row was made, say.
    pub fn each(mut self, hook: impl FnMut(&M, &mut FirstEvent) + Send + 'static) -> Self {
        self.each = Some(Box::new(hook));
        self
    }

    /// The next chunk; `None` at the end.
    pub fn page(&mut self) -> BringUpPage<'_, M> {
        BringUpPage(self)
    }

    /// How many rows have no event yet.
    pub fn remaining(&self) -> Remaining<M> {
        Remaining(std::marker::PhantomData)
    }
}

/// The next chunk. See [`BringUp::page`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct BringUpPage<'b, M: Model>(&'b mut BringUp<M>);

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for BringUpPage<'_, M> {
    type Output = Option<BroughtUp>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Option<BroughtUp>, Error> {
        let bring_up = self.0;
        if bring_up.done {
            return Ok(None);
        }
        let name = RecordName { schema: M::SCHEMA, key: None };
        let transaction = Transaction::open(driver, &name).await?;
        let result = chunk(driver, bring_up).await;
        let (done, ended) = transaction.close(driver, &name, result).await?;
        // Only now: what was rolled back is to be done again.
        bring_up.after = done.last.clone().or(bring_up.after.take());
        bring_up.done = ended;
        Ok(Some(done))
    }
}

/// All chunks. What was skipped is in the result; the progress is not.
impl<DB: Dialect, M: Rows<DB>> Operation<DB> for BringUp<M> {
    type Output = BroughtUp;

    async fn perform<D: Driver<DB>>(mut self, driver: &mut D) -> Result<BroughtUp, Error> {
        let mut all = BroughtUp::default();
        while let Some(done) = self.page().perform(driver).await? {
            all.records += done.records;
            all.skipped.extend(done.skipped);
            all.last = done.last.or(all.last);
        }
        Ok(all)
    }
}

/// How many rows have no event yet. See [`BringUp::remaining`].
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct Remaining<M>(std::marker::PhantomData<fn() -> M>);

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for Remaining<M> {
    type Output = u64;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<u64, Error> {
        let rows = driver.load::<Number>(count_without_events::<DB, M>()).await.map_err(failed::<M>)?;
        let count = rows.into_iter().next().and_then(|number| number.0).unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// A row's first event, with what it points into.
struct First<M> {
    record: KeyValue,
    row: M,
    payload: Json,
    state: Digest,
    meta: Option<Json>,
    at: DateTime<Utc>,
}

async fn chunk<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    bring_up: &mut BringUp<M>,
) -> Result<(BroughtUp, bool), Error> {
    if DB::LOCKS_FIRST {
        DB::lock_number::<M, D>(driver, 0).await.map_err(failed::<M>)?;
    }
    let statement = rows_without_events::<DB, M>(bring_up.after.as_ref(), bring_up.size);
    let rows = driver.load::<RecordRow<M>>(statement).await.map_err(failed::<M>)?;
    let ended = i64::try_from(rows.len()).is_ok_and(|read| read < bring_up.size);
    let mut done = BroughtUp::default();
    let mut firsts = Vec::with_capacity(rows.len());
    for RecordRow(mut row) in rows {
        row.normalize();
        let record = Record::<M>::new(row.key().clone());
        done.last = Some(record.value.clone());
        match first(&record, row, bring_up.each.as_mut()) {
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
            let body = Body { action: names::EXTERNAL, payload: &first.payload, state: &first.state };
            event::<M>(cx, &first.record, Head::NONE, body, first.meta.as_ref())
        })
        .collect();
    events.sort_by_key(|event| event.place.table.table);
    let mut written = HashSet::new();
    for events in events.chunk_by(|one, next| one.place.table == next.place.table) {
        written.extend(DB::append_new::<M, D>(driver, events).await.map_err(failed::<M>)?);
    }
    done.records = written.len() as u64;
    let revision = columns_to_write::<M>(Vec::new());
    if !revision.is_empty() {
        for First { record, row, .. } in &mut firsts {
            if written.contains(record) {
                row.set_revision(1);
                driver.execute(set_row::<DB, M>(record, row, &revision)).await.map_err(failed::<M>)?;
            }
        }
    }
    Ok((done, ended))
}

fn first<M: Model>(record: &Record<M>, row: M, hook: Option<&mut Hook<M>>) -> Result<First<M>, Error> {
    let external = External::between(None, Some(&row)).map_err(|error| Error::field(record.name(), error))?;
    let payload = Json::write(&external)
        .map_err(|source| Error::Form { record: record.name(), source: source.into() })?;
    let state = digest_of(record, &row)?;
    let mut first = FirstEvent { at: Utc::now(), meta: Meta::default() };
    if let Some(hook) = hook {
        hook(&row, &mut first);
    }
    let FirstEvent { at, meta } = first;
    Ok(First { record: record.value.clone(), row, payload, state, meta: meta.to_json(), at })
}

fn failed<M: Model>(error: diesel::result::Error) -> Error {
    Error::database(RecordName { schema: M::SCHEMA, key: None }, error)
}
