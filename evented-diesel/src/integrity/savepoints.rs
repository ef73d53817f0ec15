//! Whether every savepoint is where the events before it lead to, and leads to where they lead.

use evented_core::{Changeset, Replay, StoredEvent, names};

use super::{Damage, Finding};
use crate::backend::Dialect;
use crate::command::IntoTarget;
use crate::error::Error;
use crate::model::Model;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::Until;
use crate::steps::command::Record;
use crate::steps::load;

/// Replays a record from its first event and from each of its savepoints, and looks whether all of them meet at every
/// event on the way: `Item::verify_savepoints(id)`.
///
/// A savepoint that cannot be read any more is a finding. Replay passes it over, so that is no harm yet.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct VerifySavepoints<M: Model> {
    key: M::Key,
}

impl<M: Model> VerifySavepoints<M> {
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

impl<DB: Dialect, M: Model> Operation<DB> for VerifySavepoints<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Vec<Finding>, Error> {
        let record = Record::<M>::new(self.key);
        let events = load::events(driver, &record, Until::default(), false).await?;
        Ok(paths::<M>(&record, &events))
    }
}

fn paths<M: Model>(record: &Record<M>, events: &[StoredEvent]) -> Vec<Finding> {
    let finding = |revision, damage| Finding {
        schema: M::SCHEMA.to_owned(),
        record: record.value.clone(),
        revision: Some(revision),
        damage,
    };
    let mut findings = Vec::new();
    let mut whole = Replay::<M>::new(record.key.clone());
    // The paths from savepoints that have met the whole one so far, by the savepoint's revision.
    let mut paths: Vec<(i64, Replay<M>)> = Vec::new();
    for event in events {
        if let Err(error) = whole.apply(event) {
            findings.push(finding(event.revision, Damage::Replay(error.reason.to_string())));
            return findings;
        }
        if event.action == names::SAVEPOINT {
            paths.push((event.revision, Replay::new(record.key.clone())));
        }
        paths.retain_mut(|(savepoint, path)| match path.apply(event) {
            Ok(()) if meet(path, &whole) => true,
            Ok(()) => {
                let columns = differing(path, &whole);
                findings.push(finding(*savepoint, Damage::Savepoint { columns }));
                false
            }
            Err(error) => {
                findings.push(finding(*savepoint, Damage::Replay(error.reason.to_string())));
                false
            }
        });
    }
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
