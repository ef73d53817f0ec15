//! Whether today's code makes of every event the state that it made of it then.

use evented_core::{KeyValue, Replay, StoredEvent};

use super::{Checked, Damage, Finding};
use crate::backend::Dialect;
use crate::error::{Error, RecordName};
use crate::log::stable_hash;
use crate::model::Model;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{EventOf, page_of_all};

/// Replays every record through today's code, and compares each state with the one that was recorded:
/// `Item::verify_replay()`.
///
/// It finds an action that uses a clock or a random source, and one whose code was changed without a new version. An
/// event of an older version cannot say its state in today's form and is only replayed.
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
    /// The last event read.
    revision: i64,
    /// `None` once it is known to be broken, or if it is not in the sample.
    replay: Option<Replay<M>>,
}

const PAGE: i64 = 2_000;

impl<M: Model> VerifyReplay<M> {
    /// Of all records.
    #[expect(clippy::new_without_default, reason = "a question, not a value to start from")]
    pub fn new() -> Self {
        Self { size: PAGE, one_in: 1, open: None, done: false }
    }

    /// Of a sample: of one record in so many, always the same ones.
    pub fn sample(mut self, one_in: u32) -> Self {
        self.one_in = u64::from(one_in.max(1));
        self
    }

    /// How many events a page reads: 2,000, unless it is said here. 0 counts as 1.
    pub fn page_size(mut self, events: u16) -> Self {
        self.size = i64::from(events.max(1));
        self
    }

    /// Checks the next events; `None` at the end.
    pub fn page(&mut self) -> ReplayPage<'_, M> {
        ReplayPage(self)
    }

    fn open(&self, record: KeyValue) -> Open<M> {
        let in_sample = stable_hash(record.to_string().as_bytes()).is_multiple_of(self.one_in);
        let key = M::key_from(record.clone()).filter(|_| in_sample);
        Open { record, revision: 0, replay: key.map(Replay::new) }
    }
}

/// The next page of a check. See [`VerifyReplay::page`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct ReplayPage<'v, M: Model>(&'v mut VerifyReplay<M>);

impl<DB: Dialect, M: Model> Operation<DB> for ReplayPage<'_, M> {
    type Output = Option<Checked>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Option<Checked>, Error> {
        let check = self.0;
        if check.done {
            return Ok(None);
        }
        let after = check.open.as_ref().map(|open| (&open.record, open.revision));
        let statement = page_of_all(M::places(), after, check.size);
        let rows = driver.load::<EventOf<M>>(statement).await;
        let rows =
            rows.map_err(|error| Error::database(RecordName { schema: M::SCHEMA, key: None }, error))?;
        check.done = i64::try_from(rows.len()).is_ok_and(|read| read < check.size);
        let mut checked = Checked { seen: rows.len() as u64, findings: Vec::new() };
        for EventOf { record, event, .. } in rows {
            let mut open = match check.open.take() {
                Some(open) if open.record == record => open,
                _ => check.open(record),
            };
            open.revision = event.revision;
            if let Some(replay) = &mut open.replay
                && let Some(damage) = step(replay, &event)
            {
                open.replay = None;
                checked.findings.push(Finding {
                    schema: M::SCHEMA.to_owned(),
                    record: open.record.clone(),
                    revision: Some(event.revision),
                    damage,
                });
            }
            check.open = Some(open);
        }
        Ok(Some(checked))
    }
}

impl<DB: Dialect, M: Model> Operation<DB> for VerifyReplay<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Driver<DB>>(mut self, driver: &mut D) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        while let Some(checked) = self.page().perform(driver).await? {
            findings.extend(checked.findings);
        }
        Ok(findings)
    }
}

/// Replays the next event; says what is wrong with it.
fn step<M: Model>(replay: &mut Replay<M>, event: &StoredEvent) -> Option<Damage> {
    if event.revision != replay.revision().saturating_add(1) {
        return Some(Damage::Gap { after: replay.revision() });
    }
    if let Err(error) = replay.apply(event) {
        return Some(Damage::Replay(error.reason.to_string()));
    }
    match replay.agrees_with(event) {
        Ok(true) => None,
        Ok(false) => Some(Damage::State),
        Err(error) => Some(Damage::Replay(error.to_string())),
    }
}

/// The first event of a history that replay does not make what it was.
pub(crate) fn replays<M: Model>(key: &M::Key, events: &[StoredEvent]) -> Option<(i64, Damage)> {
    let mut replay = Replay::<M>::new(key.clone());
    events.iter().find_map(|event| step(&mut replay, event).map(|damage| (event.revision, damage)))
}
