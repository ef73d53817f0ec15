//! Checks every event of a hashed log against its hash and against the event before it in its record.

use std::marker::PhantomData;

use evented_core::{Chained, EventHash, KeyValue};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::EventLog;
use crate::statements::{ChainEvent, ChainKey, ChainRow, chain_page};
use crate::verify::{CheckPage, Finding, Issue};

/// Checks the chains of a hashed log: `Events::verify_chain()`.
///
/// Running it returns a [`Finding`] for each record whose chain is broken, with the first event that is not the one
/// that was written. [`page`](Self::page) checks one page at a time, to show progress.
///
/// A chain cannot show that events were removed at the end of a record: see [`MakeCheckpoint`](crate::checkpoints::MakeCheckpoint).
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

/// The record that was read last. Some of its events may not have been read yet.
#[derive(Debug)]
struct Open {
    key: ChainKey,
    revision: i64,
    offset: (i64, i64),
    hash: Option<EventHash>,
    broken: bool,
}

const PAGE: i64 = 5_000;

impl<L: EventLog> VerifyChain<L> {
    /// Checks all records of the log.
    pub(crate) fn new() -> Self {
        Self { size: PAGE, shard: 0, open: None, done: false, log: PhantomData }
    }

    /// Sets the maximum number of events that a page reads. Default: 5,000. 0 counts as 1.
    pub fn page_size(mut self, events: u16) -> Self {
        self.size = i64::from(events.max(1));
        self
    }

    /// Checks the next page of events; `None` at the end.
    pub fn page(&mut self) -> ChainPage<'_, L> {
        ChainPage(self)
    }

    /// Checks the next event. Returns a finding only for the first faulty event of a record.
    fn take(&mut self, row: ChainRow) -> Option<Finding> {
        let mut open = match self.open.take() {
            Some(open) if open.key == row.key => open,
            _ => Open { key: row.key, revision: 0, offset: (0, 0), hash: None, broken: false },
        };
        let issue = if open.broken { None } else { issue(&open, row.revision, &row.event) };
        if let Ok(event) = &row.event {
            open.offset = (event.txid, event.position);
            open.hash = EventHash::from_slice(&event.hash);
        }
        open.revision = row.revision;
        open.broken |= issue.is_some();
        let finding = issue.map(|issue| Finding {
            schema: open.key.schema.clone(),
            record: open.key.record.clone(),
            revision: Some(row.revision),
            issue,
        });
        self.open = Some(open);
        finding
    }
}

fn issue(open: &Open, revision: i64, event: &Result<ChainEvent, String>) -> Option<Issue> {
    if revision != open.revision.saturating_add(1) {
        return Some(Issue::Gap { after: open.revision });
    }
    let event = match event {
        Ok(event) => event,
        Err(reason) => return Some(Issue::Unreadable(reason.clone())),
    };
    let hash = event.chained(&open.key.schema, &open.key.record, revision).hash(open.hash.as_ref());
    if hash.as_bytes() != event.hash.as_slice() {
        return Some(Issue::Hash);
    }
    let (txid, position) = open.offset;
    let grows = event.txid >= txid && event.position > position;
    (!grows).then_some(Issue::Order)
}

impl ChainEvent {
    fn chained<'a>(&'a self, schema: &'a str, record: &'a KeyValue, revision: i64) -> Chained<'a> {
        Chained {
            id: self.id,
            given_id: self.given_id,
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

/// Checks the next page of events. See [`VerifyChain::page`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct ChainPage<'v, L>(&'v mut VerifyChain<L>);

impl<L: EventLog> sealed::Operation for ChainPage<'_, L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for ChainPage<'_, L> {
    type Output = Option<CheckPage>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<CheckPage>, Error> {
        let check = self.0;
        let log = L::NAME.table;
        if !L::HASHED {
            return Err(Error::NotHashed { log });
        }
        let Some(table) = L::SHARDS.get(check.shard).filter(|_| !check.done) else { return Ok(None) };
        let after = check.open.as_ref().map(|open| (&open.key, open.revision));
        let statement = chain_page(*table, after, check.size);
        let rows = executor.load::<ChainRow>(statement).await.map_err(|error| Error::of_log(log, error))?;
        let ended = i64::try_from(rows.len()).is_ok_and(|read| read < check.size);
        let mut checked = CheckPage { examined: rows.len() as u64, findings: Vec::new() };
        for mut row in rows {
            row.key.read_as(L::KEY);
            checked.findings.extend(check.take(row));
        }
        if ended {
            // The next shard starts with its own first record.
            check.open = None;
            check.shard += 1;
            check.done = check.shard == L::SHARDS.len();
        }
        Ok(Some(checked))
    }
}

impl<L: EventLog> sealed::Operation for VerifyChain<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for VerifyChain<L> {
    type Output = Vec<Finding>;

    async fn perform<D: Executor<DB>>(mut self, executor: &mut D) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        while let Some(checked) = self.page().perform(executor).await? {
            findings.extend(checked.findings);
        }
        Ok(findings)
    }
}
