//! Checks that every savepoint has the state that the events before it lead to, and leads to the same states after it.

use evented_core::{Changeset, IntoRecordRef, Replay, StoredEvent, names};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{Model, Record};
use crate::read::load;
use crate::statements::Until;
use crate::verify::{Finding, Issue};

/// Replays a record from its first event and from each of its savepoints, and checks that all replays have the same
/// state after every event: `Item::verify_savepoints(id)`.
///
/// A savepoint that can no longer be read is a finding. Replay skips such a savepoint, so reads are still correct.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct VerifySavepoints<M: Model> {
    key: M::Key,
}

impl<M: Model> VerifySavepoints<M> {
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

impl<M: Model> sealed::Operation for VerifySavepoints<M> {}

impl<DB: EventedBackend, M: Model> Operation<DB> for VerifySavepoints<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<Finding>, Error> {
        let record = Record::<M>::new(self.key);
        let events = load::events(executor, &record, Until::default(), false).await?;
        Ok(paths::<M>(&record, &events))
    }
}

fn paths<M: Model>(record: &Record<M>, events: &[StoredEvent]) -> Vec<Finding> {
    let finding = |revision, issue| Finding {
        schema: M::SCHEMA.to_owned(),
        record: record.value.clone(),
        revision: Some(revision),
        issue,
    };
    let mut findings = Vec::new();
    let mut whole = Replay::<M>::new(record.key.clone());
    // The replays from savepoints that have agreed with the whole replay so far, by the savepoint's revision.
    let mut paths: Vec<(i64, Replay<M>)> = Vec::new();
    for StoredEvent { data: event, .. } in events {
        if let Err(error) = whole.apply(event) {
            findings.push(finding(event.revision, Issue::Replay(error.reason.to_string())));
            return findings;
        }
        if event.action == names::SAVEPOINT {
            paths.push((event.revision, Replay::new(record.key.clone())));
        }
        paths.retain_mut(|(savepoint, path)| match path.apply(event) {
            Ok(()) if meet(path, &whole) => true,
            Ok(()) => {
                let columns = differing(path, &whole);
                findings.push(finding(*savepoint, Issue::Savepoint { columns }));
                false
            }
            Err(error) => {
                findings.push(finding(*savepoint, Issue::Replay(error.reason.to_string())));
                false
            }
        });
    }
    sorted(findings)
}

/// In the order of revisions. Not generic: a sort is much code to compile for each model.
fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| finding.revision);
    findings
}

fn meet<M: Model>(path: &Replay<M>, whole: &Replay<M>) -> bool {
    let digest = |replay: &Replay<M>| replay.state().as_live().map(M::state_digest).transpose().ok();
    digest(path) == digest(whole)
}

fn differing<M: Model>(path: &Replay<M>, whole: &Replay<M>) -> Vec<String> {
    let (Some(path), Some(whole)) = (path.state().as_live(), whole.state().as_live()) else {
        return Vec::new();
    };
    let changes = Changeset::between(Some(whole), Some(path)).unwrap_or_default();
    changes.iter().map(|change| change.field.to_owned()).collect()
}
