//! Every event of a hashed log against its hash, and against the event before it in its record.

use std::marker::PhantomData;

use evented_core::{Chained, EventHash, KeyValue};

use super::{Checked, Damage, Finding};
use crate::backend::Dialect;
use crate::error::Error;
use crate::log::EventLog;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{ChainEvent, ChainKey, ChainRow, chain_page};

/// Checks the chains of a hashed log: `Events::verify_chain()`.
///
/// Run, it gives a [`Finding`] for each record whose chain is broken: the first event that is not the one that was
/// written. [`page`](Self::page) reads a part at a time, to show progress.
///
/// An event that was cut off at the end of a record leaves no trace in a chain: see
/// [`MakeCheckpoint`](super::MakeCheckpoint).
///
/// # Errors
///
/// Running it: [`Error::NotHashed`] for a log without hashes.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct VerifyChain<L> {
    size: i64,
    shard: usize,
    open: Option<Open>,
    done: bool,
    log: PhantomData<fn() -> L>,
}

/// The record that was read last, not to its end perhaps.
#[derive(Debug)]
struct Open {
    key: ChainKey,
    revision: i64,
    place: (i64, i64),
    hash: Option<EventHash>,
    broken: bool,
}

const PAGE: i64 = 5_000;

impl<L: EventLog> VerifyChain<L> {
    /// Of all records of the log.
    pub(crate) fn new() -> Self {
        Self { size: PAGE, shard: 0, open: None, done: false, log: PhantomData }
    }

    /// How many events a page reads: 5,000, unless it is said here. 0 counts as 1.
    pub fn page_size(mut self, events: u16) -> Self {
        self.size = i64::from(events.max(1));
        self
    }

    /// Checks the next events; `None` at the end.
    pub fn page(&mut self) -> ChainPage<'_, L> {
        ChainPage(self)
    }

    /// Takes the next event; says what is wrong with it, if it is the first of its record of which something is.
    fn take(&mut self, row: ChainRow) -> Option<Finding> {
        let mut open = match self.open.take() {
            Some(open) if open.key == row.key => open,
            _ => Open { key: row.key, revision: 0, place: (0, 0), hash: None, broken: false },
        };
        let damage = if open.broken { None } else { damage(&open, row.revision, &row.event) };
        if let Ok(event) = &row.event {
            open.place = (event.txid, event.position);
            open.hash = EventHash::from_slice(&event.hash);
        }
        open.revision = row.revision;
        open.broken |= damage.is_some();
        let finding = damage.map(|damage| Finding {
            schema: open.key.schema.clone(),
            record: open.key.record.clone(),
            revision: Some(row.revision),
            damage,
        });
        self.open = Some(open);
        finding
    }
}

fn damage(open: &Open, revision: i64, event: &Result<ChainEvent, String>) -> Option<Damage> {
    if revision != open.revision.saturating_add(1) {
        return Some(Damage::Gap { after: open.revision });
    }
    let event = match event {
        Ok(event) => event,
        Err(reason) => return Some(Damage::Unreadable(reason.clone())),
    };
    let hash = event.chained(&open.key.schema, &open.key.record, revision).hash(open.hash.as_ref());
    if hash.as_bytes() != event.hash.as_slice() {
        return Some(Damage::Hash);
    }
    let (txid, position) = open.place;
    let grows = event.txid >= txid && event.position > position;
    (!grows).then_some(Damage::Order)
}

impl ChainEvent {
    fn chained<'a>(&'a self, schema: &'a str, record: &'a KeyValue, revision: i64) -> Chained<'a> {
        Chained {
            id: self.id,
            schema,
            record,
            revision,
            action: &self.action,
            version: self.version,
            at: self.at,
            payload: &self.payload,
            meta: self.meta.as_ref(),
            state: &self.state,
        }
    }
}

/// The next page of a check. See [`VerifyChain::page`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct ChainPage<'v, L>(&'v mut VerifyChain<L>);

impl<DB: Dialect, L: EventLog> Operation<DB> for ChainPage<'_, L> {
    type Output = Option<Checked>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Option<Checked>, Error> {
        let check = self.0;
        let log = L::NAME.table;
        if !L::HASHED {
            return Err(Error::NotHashed { log });
        }
        let Some(table) = L::SHARDS.get(check.shard).filter(|_| !check.done) else { return Ok(None) };
        let after = check.open.as_ref().map(|open| (&open.key, open.revision));
        let statement = chain_page(*table, after, check.size);
        let rows = driver.load::<ChainRow>(statement).await.map_err(|error| Error::of_log(log, error))?;
        let ended = i64::try_from(rows.len()).is_ok_and(|read| read < check.size);
        let mut checked = Checked { seen: rows.len() as u64, findings: Vec::new() };
        for mut row in rows {
            row.key.read_as(L::KEY);
            checked.findings.extend(check.take(row));
        }
        if ended {
            // The next shard begins with its first record.
            check.open = None;
            check.shard += 1;
            check.done = check.shard == L::SHARDS.len();
        }
        Ok(Some(checked))
    }
}

impl<DB: Dialect, L: EventLog> Operation<DB> for VerifyChain<L> {
    type Output = Vec<Finding>;

    async fn perform<D: Driver<DB>>(mut self, driver: &mut D) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        while let Some(checked) = self.page().perform(driver).await? {
            findings.extend(checked.findings);
        }
        Ok(findings)
    }
}
