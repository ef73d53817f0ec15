//! One record: its chain, its replay, and its row.

use evented_core::{Chained, EventHash, KeyValue};

use super::table::recheck;
use super::{Damage, Finding, replays};
use crate::backend::Dialect;
use crate::command::IntoTarget;
use crate::error::Error;
use crate::log::EventLog;
use crate::model::{Model, Rows};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{EventHashes, Until, hashes_of};
use crate::steps::command::Record;
use crate::steps::load;

/// Checks one record: whether its events are those that were written (in a hashed log), whether today's code makes of them
/// what they say, and whether its row is what they lead to. `Item::verify(id)`.
///
/// Run, it gives what it found: nothing, if all is well.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct Verify<M: Model> {
    key: M::Key,
}

impl<M: Model> Verify<M> {
    /// Of one record.
    pub fn new(target: impl IntoTarget<M>) -> Self {
        Self { key: target.into_target().key }
    }

    /// Of the record with this key, where the model is not known by name.
    #[cfg(feature = "cli")]
    pub(crate) fn by_key(key: M::Key) -> Self {
        Self { key }
    }
}

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for Verify<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Vec<Finding>, Error> {
        let record = Record::<M>::new(self.key);
        let finding = |revision, damage| Finding {
            schema: M::SCHEMA.to_owned(),
            record: record.value.clone(),
            revision,
            damage,
        };
        let mut findings = Vec::new();
        let events = load::events(driver, &record, Until::default(), false).await?;
        if M::Log::HASHED {
            let statement = hashes_of(M::place(&record.value), &record.value);
            let hashes = driver.load::<EventHashes>(statement).await.map_err(|error| record.failed(error))?;
            let broken = first_broken(&record.value, &events, &hashes);
            findings.extend(broken.map(|revision| finding(Some(revision), Damage::Hash)));
        }
        let replayed = replays::<M>(&record.key, &events);
        let readable = replayed.is_none();
        findings.extend(replayed.map(|(revision, damage)| finding(Some(revision), damage)));
        if M::HAS_TABLE && readable {
            findings.extend(recheck(driver, &record).await?.map(|damage| finding(None, damage)));
        }
        Ok(findings)
    }
}

/// The first event whose hash is not over what it says and over the one before it.
fn first_broken(
    record: &KeyValue,
    events: &[evented_core::StoredEvent],
    hashes: &[EventHashes],
) -> Option<i64> {
    let mut previous: Option<EventHash> = None;
    // Both are in the order of the revisions, read one after the other: events may have been appended in between.
    let mut hashes = hashes.iter();
    for event in events {
        let Some(stored) = hashes.find(|it| it.revision == event.revision) else {
            return Some(event.revision);
        };
        let chained = Chained {
            id: event.id,
            schema: &stored.schema,
            record,
            revision: event.revision,
            action: &event.action,
            version: event.version,
            at: event.at,
            payload: &event.payload,
            meta: event.meta.as_ref(),
            state: &event.state,
        };
        let hash = chained.hash(previous.as_ref());
        if hash.as_bytes() != stored.hash.as_slice() {
            return Some(event.revision);
        }
        previous = Some(hash);
    }
    None
}
