//! Checks one record: its chain, its replay and its row.

use evented_core::{Chained, EventHash, IntoRecordRef, KeyValue, StoredEvent};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{EventLog, Model, ModelOn, Record};
use crate::read::load;
use crate::statements::{EventHashes, Until, hashes_of};
use crate::verify::verify_replay::replays;
use crate::verify::verify_table::recheck;
use crate::verify::{Finding, Issue};

/// Checks one record: `Item::verify(id)`. It checks that the events are those that were written (in a hashed log), that
/// today's code replays them to the states that they recorded, and that the row equals the result.
///
/// Running it returns the findings; none if the record is correct.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct Verify<M: Model> {
    key: M::Key,
}

impl<M: Model> Verify<M> {
    /// Checks one record.
    pub fn new(target: impl IntoRecordRef<M>) -> Self {
        Self { key: target.into_record_ref().into_key() }
    }

    /// Checks the record with this key, for code that does not name the model.
    #[doc(hidden)]
    pub fn by_key(key: M::Key) -> Self {
        Self { key }
    }
}

impl<M: Model> sealed::Operation for Verify<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for Verify<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<Finding>, Error> {
        let record = Record::<M>::new(self.key);
        let finding = |revision, issue| Finding {
            schema: M::SCHEMA.to_owned(),
            record: record.value.clone(),
            revision,
            issue,
        };
        let mut findings = Vec::new();
        let events = load::events(executor, &record, Until::default(), false).await?;
        if M::Log::HASHED {
            let statement = hashes_of(M::event_table(&record.value), &record.value);
            let hashes = record.load::<EventHashes, _, _>(executor, statement).await?;
            let broken = first_broken(&record.value, &events, &hashes);
            findings.extend(broken.map(|revision| finding(Some(revision), Issue::Hash)));
        }
        let replayed = replays::<M>(&record.key, &events);
        let readable = replayed.is_none();
        findings.extend(replayed.map(|(revision, issue)| finding(Some(revision), issue)));
        if M::HAS_TABLE && readable {
            findings.extend(recheck(executor, &record).await?.map(|issue| finding(None, issue)));
        }
        Ok(findings)
    }
}

/// Returns the first event whose hash does not match its content and the event before it.
fn first_broken(record: &KeyValue, events: &[StoredEvent], hashes: &[EventHashes]) -> Option<i64> {
    let mut previous: Option<EventHash> = None;
    // Both lists are in the order of the revisions. They were read one after the other, so events may have been
    // appended in between.
    let mut hashes = hashes.iter();
    for StoredEvent { data: event, state, .. } in events {
        let Some(stored) = hashes.find(|it| it.revision == event.revision) else {
            return Some(event.revision);
        };
        let chained = Chained {
            id: event.id,
            given_id: stored.given_id,
            schema: &stored.schema,
            record,
            revision: event.revision,
            action: &event.action,
            version: event.version,
            at: event.at,
            payload: &event.payload,
            meta: event.meta.as_ref(),
            state,
        };
        let hash = chained.hash(previous.as_ref());
        if hash.as_bytes() != stored.hash.as_slice() {
            return Some(event.revision);
        }
        previous = Some(hash);
    }
    None
}
