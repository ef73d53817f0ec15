//! Compares suspected records with their logs again, under a lock, and records what differs.

use std::collections::{HashMap, HashSet};

use evented_core::{Context, Digest, External, Json, KeyValue, names};

use crate::backend::EventedBackend;
use crate::error::{Error, Subject};
use crate::exec::{Executor, Transaction};
use crate::maintenance::{ExternalEvent, Skipped, Unrecorded};
use crate::model::{Model, ModelOn, Record, table_failed};
use crate::read::load::{self, Replays};
use crate::statements::{
    Append, HeadRow, LastEventOf, RecordRow, RowLock, columns_to_write, key_portions, last_events_of,
    rows_of, set_row,
};
use crate::write::{ATTEMPTS, EventContent, Head, Options, next_event, sort_by_table};

/// A function that sees each difference before its event is written, and sets the data of the event.
pub(super) type Hook<M> = Box<dyn FnMut(&Unrecorded<'_, M>, &mut ExternalEvent) + Send>;

/// The result of one chunk, or of the whole operation.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Adopted {
    /// The number of records that were compared. A row that the log did not know counts twice: its new event is compared as
    /// well.
    pub examined: u64,
    /// The number of rows that the log did not know, or had as deleted, and that have an event now.
    pub new: u64,
    /// The number of rows that differed, and whose differences have an event now.
    pub changed: u64,
    /// The number of records whose row was gone, which have an event now that ends them.
    pub gone: u64,
    /// Records that could not be recorded: a value that JSON or the digest cannot represent, or a history that cannot be
    /// replayed. They are as they were.
    pub skipped: Vec<Skipped>,
}

impl Adopted {
    /// The number of events that were written.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.new + self.changed + self.gone
    }

    /// Adds the result of another chunk.
    pub(super) fn add(&mut self, other: Self) {
        self.examined += other.examined;
        self.new += other.new;
        self.changed += other.changed;
        self.gone += other.gone;
        self.skipped.extend(other.skipped);
    }
}

/// Records what differs among these records, in a transaction.
pub(super) async fn record_changes<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    mut suspects: Vec<KeyValue>,
    mut hook: Option<&mut Hook<M>>,
) -> Result<Adopted, Error> {
    if suspects.is_empty() {
        return Ok(Adopted::default());
    }
    // Rows are locked in the order of their keys, so that two adoptions cannot deadlock.
    suspects.sort_unstable();
    let name = Subject::Model(M::SCHEMA);
    let is_callers = executor.in_transaction().map_err(|error| Error::database(name.clone(), error))?;
    let mut attempt = 1;
    loop {
        let transaction = Transaction::around(executor, &name, true).await?;
        let result = until_recorded(executor, suspects.clone(), &mut hook).await;
        match transaction.close(executor, &name, result).await {
            // Other SQL locks rows in any order.
            Err(Error::SerializationFailure { .. }) if attempt < ATTEMPTS && !is_callers => attempt += 1,
            result => return result,
        }
    }
}

/// Records the differences. A record that another writer wrote between the reads is read again.
async fn until_recorded<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    mut keys: Vec<KeyValue>,
    hook: &mut Option<&mut Hook<M>>,
) -> Result<Adopted, Error> {
    let mut adopted = Adopted::default();
    for _ in 0..ATTEMPTS {
        let mut seen = See::read(executor, &keys).await?;
        let mut changes = Vec::new();
        let mut again = Vec::new();
        for key in keys {
            match seen.compare(&key, hook.as_deref_mut()) {
                Ok(Compared::Same) => {}
                Ok(Compared::Differs(change)) => changes.push(*change),
                Ok(Compared::Overtaken) => again.push(key),
                Err(error) => adopted.skipped.push(Skipped { record: key, error }),
            }
        }
        let hidden = changes.iter().any(|change| change.row.is_none());
        if hidden && DB::hides_rows::<M, D>(executor).await.map_err(table_failed::<M>)? {
            return Err(Error::RowSecurity { record: Subject::Model(M::SCHEMA) });
        }
        again.extend(write(executor, changes, &mut adopted).await?);
        if again.is_empty() {
            return Ok(adopted);
        }
        keys = again;
    }
    Err(Error::Contended { record: Subject::Model(M::SCHEMA), attempts: ATTEMPTS })
}

/// What the log and the table say about some records.
struct See<M: Model> {
    heads: HashMap<KeyValue, HeadRow>,
    rows: HashMap<KeyValue, M>,
    replays: Replays<M>,
}

/// The result of comparing a record.
enum Compared<M> {
    /// Row and log agree.
    Same,
    /// They differ.
    Differs(Box<Change<M>>),
    /// Another writer wrote between the reads.
    Overtaken,
}

/// A difference, and the event that records it.
struct Change<M> {
    record: KeyValue,
    kind: Kind,
    row: Option<M>,
    head: Head,
    payload: Json,
    state: Digest,
    meta: Option<Json>,
    cx: Context,
}

#[derive(Clone, Copy)]
enum Kind {
    New,
    Changed,
    Gone,
}

impl<M: Model> See<M> {
    /// Locks the rows and reads them, between the last events and the histories: if these two fit together, nobody wrote
    /// in between. A row that does not exist cannot be locked.
    async fn read<DB: EventedBackend, D: Executor<DB>>(
        executor: &mut D,
        keys: &[KeyValue],
    ) -> Result<Self, Error>
    where
        M: ModelOn<DB>,
    {
        if DB::LOCKS_FIRST {
            DB::lock_number::<M, D>(executor, 0).await.map_err(table_failed::<M>)?;
        }
        let (mut heads, mut rows) = (HashMap::new(), HashMap::new());
        for keys in key_portions::<DB, M>(keys) {
            DB::lock_many::<M, D>(executor, keys, RowLock::Change).await.map_err(table_failed::<M>)?;
        }
        for keys in key_portions::<DB, M>(keys) {
            let found = executor.load::<LastEventOf<M>>(last_events_of(M::whole_log(), keys)).await;
            heads.extend(found.map_err(table_failed::<M>)?.into_iter().map(|last| (last.record, last.head)));
        }
        for keys in key_portions::<DB, M>(keys) {
            let found = executor.load::<RecordRow<M>>(rows_of::<DB, M>(keys)).await;
            for RecordRow(mut row) in found.map_err(table_failed::<M>)? {
                row.normalize();
                rows.insert(M::key_value(&row.key()), row);
            }
        }
        Ok(Self { heads, rows, replays: load::replays(executor, keys).await? })
    }

    fn compare(&mut self, key: &KeyValue, hook: Option<&mut Hook<M>>) -> Result<Compared<M>, Error> {
        let record = Record::<M>::of_stored(key.clone())?;
        let head = self.heads.get(key).map_or(Head::NONE, Head::from);
        let replay = self.replays.remove(key).transpose()?;
        if replay.as_ref().map_or(0, |replay| replay.revision()) != head.revision {
            return Ok(Compared::Overtaken);
        }
        let log = replay.and_then(|replay| replay.into_state().live());
        let row = self.rows.remove(key);
        let (kind, state) = match (&log, &row) {
            (None, None) => return Ok(Compared::Same),
            (Some(_), None) => (Kind::Gone, Digest::NOTHING),
            (None, Some(row)) => (Kind::New, record.digest(row)?),
            (Some(log), Some(row)) => {
                let state = record.digest(row)?;
                if record.digest(log)? == state {
                    return Ok(Compared::Same);
                }
                (Kind::Changed, state)
            }
        };
        let external = External::between(log.as_ref(), row.as_ref());
        let external = external.map_err(|error| Error::field(record.name(), error))?.unwrap_or_default();
        let payload = Json::write(&external).map_err(|error| record.not_encoded(error))?;
        let mut event = ExternalEvent::now();
        if let Some(hook) = hook {
            let unrecorded = match (&log, &row) {
                (Some(log), Some(row)) => Some(Unrecorded::Changed { log, row }),
                (None, Some(row)) => Some(Unrecorded::New(row)),
                (Some(log), None) => Some(Unrecorded::Gone(log)),
                (None, None) => None,
            };
            if let Some(unrecorded) = unrecorded {
                hook(&unrecorded, &mut event);
            }
        }
        let meta = record.meta(&event.meta)?;
        let cx = Options { at: Some(event.at), ..Options::default() }.context::<M>();
        let change = Change { record: record.value, kind, row, head, payload, state, meta, cx };
        Ok(Compared::Differs(Box::new(change)))
    }
}

impl<M: Model> Change<M> {
    fn event(&self) -> Append<'_> {
        let content = EventContent {
            action: names::EXTERNAL,
            payload: &self.payload,
            state: &self.state,
            given_id: false,
        };
        next_event::<M>(&self.cx, &self.record, self.head, content, self.meta.as_ref())
    }
}

/// Writes the events. Returns the records for which another writer was first.
async fn write<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    changes: Vec<Change<M>>,
    adopted: &mut Adopted,
) -> Result<Vec<KeyValue>, Error> {
    let mut events: Vec<Append<'_>> = changes.iter().map(Change::event).collect();
    sort_by_table(&mut events);
    let mut written = HashSet::new();
    for events in events.chunk_by(|one, next| one.table.name == next.table.name) {
        written.extend(DB::append_new::<M, D>(executor, events).await.map_err(table_failed::<M>)?);
    }
    let revision = columns_to_write::<M>(Vec::new());
    let mut overtaken = Vec::new();
    for Change { record, kind, row, head, .. } in changes {
        if !written.contains(&record) {
            overtaken.push(record);
            continue;
        }
        match kind {
            Kind::New => adopted.new += 1,
            Kind::Changed => adopted.changed += 1,
            Kind::Gone => adopted.gone += 1,
        }
        if let Some(mut row) = row
            && !revision.is_empty()
        {
            row.set_revision(head.revision.saturating_add(1));
            let statement = set_row::<DB, M>(&record, &row, &revision);
            if executor.execute(statement).await.map_err(table_failed::<M>)? == 0 {
                return Err(Error::NotWritten { record: Record::<M>::of_stored(record)?.name() });
            }
        }
    }
    Ok(overtaken)
}
