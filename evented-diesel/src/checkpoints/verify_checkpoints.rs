//! Checks a log against its checkpoints.

use std::fmt;
use std::marker::PhantomData;

use evented_core::{Checkpoint, Frontier, Leaf, LogOffset, Verifier};

use crate::backend::EventedBackend;
use crate::checkpoints::checkpoint_report::{CheckpointFinding, CheckpointIssue, CheckpointReport};
use crate::checkpoints::leaf_reader::LeafReader;
use crate::checkpoints::stored_checkpoints::{self, BEGINNING, checkpoint, hashed};
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::EventLog;
use crate::sql::Statement;
use crate::statements::{
    CheckpointRow, CommitMark, EventCounts, LeafRow, NameRow, Range, count_events, name_at, not_begun,
};

/// Checks a log against all of its checkpoints: `Events::verify_checkpoints()`. It reads the whole log.
///
/// Running it returns a [`CheckpointReport`]. Who can write the tables of the log can also replace its checkpoints, so
/// check with the key that they are signed with, or against copies that were kept elsewhere. A database that was restored
/// as a whole, with its checkpoints, differs only from such a copy.
///
/// # Errors
///
/// Running it: [`Error::NotHashed`] for a log without hashes.
#[must_use = "a check does nothing until it is run"]
pub struct VerifyCheckpoints<L> {
    verifiers: Vec<Box<dyn Verifier>>,
    copies: Vec<Checkpoint>,
    log: PhantomData<fn() -> L>,
}

impl<L> fmt::Debug for VerifyCheckpoints<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verifiers: Vec<_> = self.verifiers.iter().map(|verifier| verifier.name()).collect();
        f.debug_struct("VerifyCheckpoints").field("verifiers", &verifiers).finish_non_exhaustive()
    }
}

/// The number of events outside of every checkpoint that are named.
const NAMED: usize = 100;

impl<L: EventLog> VerifyCheckpoints<L> {
    pub(super) fn new() -> Self {
        Self { verifiers: Vec::new(), copies: Vec::new(), log: PhantomData }
    }

    /// Requires that every checkpoint is signed with this key, or another one that was added: one that is not signed,
    /// or with another key, is a finding. A log with events then has a checkpoint. Default: signatures are not checked.
    pub fn signed_by(mut self, verifier: impl Verifier + 'static) -> Self {
        self.verifiers.push(Box::new(verifier));
        self
    }

    /// Requires that the log has these checkpoints, of which copies were kept elsewhere. Default: none.
    pub fn against(mut self, copies: impl IntoIterator<Item = Checkpoint>) -> Self {
        self.copies.extend(copies);
        self
    }
}

impl<L: EventLog> sealed::Operation for VerifyCheckpoints<L> {}

impl<DB: EventedBackend, L: EventLog> Operation<DB> for VerifyCheckpoints<L> {
    type Output = CheckpointReport;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<CheckpointReport, Error> {
        hashed::<L>()?;
        let rows = stored_checkpoints::read::<DB, L, D>(executor, false).await?;
        let mark = executor.load::<CommitMark>(Statement::new(DB::COMMIT_MARK_SQL)).await;
        let mark = mark.map_err(|error| Error::of_log(L::NAME.table, error))?.into_iter().next();
        let next = mark.and_then(|mark| mark.next);
        let restarted = rows.last().is_some_and(|last| next.is_some_and(|next| next <= last.to.0));
        let mut check = Check::<L> {
            report: CheckpointReport::default(),
            outside: Vec::new(),
            restarted,
            log: PhantomData,
        };
        for copy in &self.copies {
            check.copy(copy, &rows);
        }
        let mut walked = Walked::default();
        for (index, row) in rows.iter().enumerate() {
            let last = index.checked_sub(1).and_then(|index| rows.get(index));
            check.row(row, last, &self.verifiers);
            // Positions above the floor of a later segment belong to that segment.
            let next_floor = rows.iter().skip(index).map(|row| row.floor).find(|floor| *floor > row.floor);
            let highest = last.map_or(0, |last| last.highest);
            check.events(executor, row, &mut walked, next_floor, highest).await?;
        }
        check.outside(executor, rows.last(), &walked).await?;
        if rows.is_empty() && check.report.later > 0 && !self.verifiers.is_empty() {
            check.find(1, CheckpointIssue::Missing);
        }
        Ok(check.report)
    }
}

/// The events that were read so far.
#[derive(Default)]
struct Walked {
    frontier: Frontier,
    /// The number of events, whether or not they are those of the checkpoints.
    events: u64,
}

struct Check<L> {
    report: CheckpointReport,
    /// Events that no checkpoint covers, as far as they were met.
    outside: Vec<LogOffset>,
    /// Whether transaction ids have started over since the last checkpoint, because the database was restored on
    /// another server. Events since then are recognized by no number, until the next checkpoint.
    restarted: bool,
    log: PhantomData<fn() -> L>,
}

impl<L: EventLog> Check<L> {
    fn find(&mut self, checkpoint: impl Into<Option<i64>>, issue: CheckpointIssue) {
        self.report.findings.push(CheckpointFinding { checkpoint: checkpoint.into(), issue });
    }

    /// Compares a copy of a checkpoint with the stored one.
    fn copy(&mut self, copy: &Checkpoint, rows: &[CheckpointRow]) {
        match rows.iter().find(|row| row.number == copy.number) {
            None => self.find(copy.number, CheckpointIssue::Missing),
            Some(row) if checkpoint::<L>(row).digest() != copy.digest() => {
                self.find(copy.number, CheckpointIssue::Replaced);
            }
            Some(_) => {}
        }
    }

    /// Checks the columns of a checkpoint, its signature, and that it continues the checkpoint before it.
    fn row(&mut self, row: &CheckpointRow, last: Option<&CheckpointRow>, verifiers: &[Box<dyn Verifier>]) {
        self.report.checkpoints += 1;
        let first_missing = last.map_or(1, |last| last.number.saturating_add(1));
        // The gap may be of any size: it is named once.
        if row.number != first_missing {
            self.find(first_missing, CheckpointIssue::Missing);
        }
        if !follows::<L>(row, last) {
            self.find(row.number, CheckpointIssue::Disconnected);
        }
        if !verifiers.is_empty()
            && let Err(fault) = checkpoint::<L>(row).check_signature_of(verifiers.iter().map(AsRef::as_ref))
        {
            self.find(row.number, CheckpointIssue::Signature(fault));
        }
        if stored_checkpoints::frontier(row).is_none() {
            self.find(row.number, CheckpointIssue::Edge);
        }
    }

    /// Reads the events that a checkpoint added, and compares the tree with its root.
    async fn events<DB: EventedBackend, D: Executor<DB>>(
        &mut self,
        executor: &mut D,
        row: &CheckpointRow,
        walked: &mut Walked,
        next_floor: Option<i64>,
        mut highest: i64,
    ) -> Result<(), Error> {
        let range = Range { after: row.after, to: Some(row.to), before_txid: None, floor: row.floor };
        let mut reader = LeafReader::<L>::new(range);
        let (before, mut found, mut to) = (walked.frontier.size(), 0, row.after);
        loop {
            let page = reader.page(executor).await?;
            if page.is_empty() {
                break;
            }
            for leaf in page {
                if leaf.position <= row.highest {
                    walked.frontier.push(leaf.tree_hash());
                    highest = highest.max(leaf.position);
                    to = (leaf.txid, leaf.position);
                    found += 1;
                } else if next_floor.map_or(!self.restarted, |floor| leaf.position <= floor) {
                    self.outside.push(offset(&leaf));
                }
            }
        }
        walked.events += found;
        let size = u64::try_from(row.size).unwrap_or(0);
        let expected = size.saturating_sub(before);
        self.report.events = size;
        if found != expected {
            self.find(row.number, CheckpointIssue::Events { expected, found });
        } else if walked.frontier.root() != row.root {
            self.find(row.number, CheckpointIssue::Changed);
        } else if (to, highest) != (row.to, row.highest) {
            self.find(row.number, CheckpointIssue::Bounds);
        } else {
            return Ok(());
        }
        // The later checkpoints are checked on their own.
        if let Some(frontier) = stored_checkpoints::frontier(row) {
            walked.frontier = frontier;
        }
        Ok(())
    }

    /// Counts the events that no checkpoint covers: those that are newer, and those whose writers chose where they are.
    async fn outside<DB: EventedBackend, D: Executor<DB>>(
        &mut self,
        executor: &mut D,
        last: Option<&CheckpointRow>,
        walked: &Walked,
    ) -> Result<(), Error> {
        let of = |error| Error::of_log(L::NAME.table, error);
        let (after, floor) = last.map_or((BEGINNING, 0), |last| (last.to, last.floor));
        let counts = executor.load::<EventCounts>(count_events(L::NAME, after, floor)).await.map_err(of)?;
        let counts = counts.first().map_or((0, 0), |counts| (counts.all, counts.later));
        let (all, later) = (u64::try_from(counts.0).unwrap_or(0), u64::try_from(counts.1).unwrap_or(0));
        let uncovered = all.saturating_sub(walked.events);
        self.report.later = if self.restarted { uncovered } else { later };
        let mut uncovered = uncovered.saturating_sub(self.report.later);
        if DB::NUMBERS_TRANSACTIONS && !self.restarted {
            let limit = i64::try_from(NAMED).unwrap_or(i64::MAX);
            let rows = executor.load::<LeafRow>(not_begun(L::NAME, after, floor, limit)).await.map_err(of)?;
            self.outside.extend(rows.iter().map(|row| offset(&row.leaf)));
        }
        self.outside.truncate(NAMED);
        for at in std::mem::take(&mut self.outside) {
            let rows = executor.load::<NameRow>(name_at(L::NAME, at)).await.map_err(of)?;
            let Some(mut name) = rows.into_iter().next() else { continue };
            name.key.read_as(L::KEY);
            let (LogOffset { txid, position }, revision) = (at, name.revision);
            let (schema, record) = (name.key.schema, name.key.record);
            self.find(None, CheckpointIssue::Outside { schema, record, revision, txid, position });
            uncovered = uncovered.saturating_sub(1);
        }
        if uncovered > 0 {
            self.find(None, CheckpointIssue::OutsideToo { events: uncovered });
        }
        Ok(())
    }
}

fn offset(leaf: &Leaf) -> LogOffset {
    LogOffset { txid: leaf.txid, position: leaf.position }
}

/// Returns whether a checkpoint names the one before it, and begins where that one ends, or where a restored database
/// continued after it.
fn follows<L: EventLog>(row: &CheckpointRow, last: Option<&CheckpointRow>) -> bool {
    let Some(last) = last else {
        return row.previous == Checkpoint::no_previous() && row.after == BEGINNING && row.floor == 0;
    };
    let goes_on = row.after == last.to && row.floor == last.floor;
    let starts_over = row.after == BEGINNING && row.floor == last.highest;
    row.previous == checkpoint::<L>(last).digest()
        && (goes_on || starts_over)
        && row.highest >= last.highest
        && row.size > last.size
}
