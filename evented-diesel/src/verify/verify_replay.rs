//! Checks that today's code replays every event to the state that was recorded.

use evented_core::{KeyValue, Replay, StoredEvent};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{Model, stable_hash, table_failed};
use crate::statements::{EventOf, page_of_all};
use crate::verify::{CheckPage, Finding, Issue};

/// Replays every record with today's code, and compares each state with the recorded one: `Item::verify_replay()`.
///
/// It finds an action that uses a clock or a random source, and an action whose code changed without a new schema
/// version. An event of an older version has no digest in today's format, so the check only replays it.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct VerifyReplay<M: Model> {
    size: i64,
    one_in: u64,
    open: Option<Open<M>>,
    done: bool,
}

#[derive(Debug)]
struct Open<M: Model> {
    record: KeyValue,
    /// The revision of the last event that was read.
    revision: i64,
    /// `None` once the record is known to be faulty, or if it is not in the sample.
    replay: Option<Replay<M>>,
}

const PAGE: i64 = 2_000;

impl<M: Model> VerifyReplay<M> {
    /// Checks all records.
    #[expect(clippy::new_without_default, reason = "an operation has no default value")]
    pub fn new() -> Self {
        Self { size: PAGE, one_in: 1, open: None, done: false }
    }

    /// Checks a sample of the records: one in `one_in`, always the same ones.
    pub fn sample(mut self, one_in: u32) -> Self {
        self.one_in = u64::from(one_in.max(1));
        self
    }

    /// Sets the maximum number of events that a page reads. Default: 2,000. 0 counts as 1.
    pub fn page_size(mut self, events: u16) -> Self {
        self.size = i64::from(events.max(1));
        self
    }

    /// Checks the next page of events; `None` at the end.
    pub fn page(&mut self) -> ReplayPage<'_, M> {
        ReplayPage(self)
    }

    fn open(&self, record: KeyValue) -> Open<M> {
        let in_sample = stable_hash(record.to_string().as_bytes()).is_multiple_of(self.one_in);
        let key = M::key_from(record.clone()).filter(|_| in_sample);
        Open { record, revision: 0, replay: key.map(Replay::new) }
    }
}

/// Checks the next page of events. See [`VerifyReplay::page`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct ReplayPage<'v, M: Model>(&'v mut VerifyReplay<M>);

impl<M: Model> sealed::Operation for ReplayPage<'_, M> {}

impl<DB: EventedBackend, M: Model> Operation<DB> for ReplayPage<'_, M> {
    type Output = Option<CheckPage>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<CheckPage>, Error> {
        let check = self.0;
        if check.done {
            return Ok(None);
        }
        let after = check.open.as_ref().map(|open| (&open.record, open.revision));
        let statement = page_of_all(M::whole_log(), after, check.size);
        let rows = executor.load::<EventOf<M>>(statement).await.map_err(table_failed::<M>)?;
        check.done = i64::try_from(rows.len()).is_ok_and(|read| read < check.size);
        let mut checked = CheckPage { examined: rows.len() as u64, findings: Vec::new() };
        for EventOf { record, event, .. } in rows {
            let mut open = match check.open.take() {
                Some(open) if open.record == record => open,
                _ => check.open(record),
            };
            open.revision = event.data.revision;
            if let Some(replay) = &mut open.replay
                && let Some(issue) = step(replay, &event)
            {
                open.replay = None;
                checked.findings.push(Finding {
                    schema: M::SCHEMA.to_owned(),
                    record: open.record.clone(),
                    revision: Some(event.data.revision),
                    issue,
                });
            }
            check.open = Some(open);
        }
        Ok(Some(checked))
    }
}

impl<M: Model> sealed::Operation for VerifyReplay<M> {}

impl<DB: EventedBackend, M: Model> Operation<DB> for VerifyReplay<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Executor<DB>>(mut self, executor: &mut D) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        while let Some(checked) = self.page().perform(executor).await? {
            findings.extend(checked.findings);
        }
        Ok(findings)
    }
}

/// Replays the next event; returns its fault, if any.
fn step<M: Model>(replay: &mut Replay<M>, stored: &StoredEvent) -> Option<Issue> {
    let event = &stored.data;
    if event.revision != replay.revision().saturating_add(1) {
        return Some(Issue::Gap { after: replay.revision() });
    }
    if let Err(error) = replay.apply(event) {
        return Some(Issue::Replay(error.reason.to_string()));
    }
    match replay.agrees_with(event.version, &stored.state) {
        Ok(true) => None,
        Ok(false) => Some(Issue::State),
        Err(error) => Some(Issue::Replay(error.to_string())),
    }
}

/// Returns the first event of a history that does not replay to its recorded state.
pub(crate) fn replays<M: Model>(key: &M::Key, events: &[StoredEvent]) -> Option<(i64, Issue)> {
    let mut replay = Replay::<M>::new(key.clone());
    events.iter().find_map(|event| step(&mut replay, event).map(|issue| (event.data.revision, issue)))
}
