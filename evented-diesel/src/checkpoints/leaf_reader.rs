//! Reads the events of a log in the order of the tree.

use std::marker::PhantomData;

use evented_core::Leaf;

use crate::backend::EventedBackend;
use crate::checkpoints::stored_checkpoints::BEGINNING;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::EventLog;
use crate::statements::{CheckpointRow, LeafRow, Range, leaves};

/// The number of events that one statement reads.
const PAGE: i64 = 10_000;

/// Reads a part of a log in reading order, in pages.
#[derive(Debug)]
pub(super) struct LeafReader<L> {
    range: Range,
    page: i64,
    ended: bool,
    log: PhantomData<fn() -> L>,
}

impl<L: EventLog> LeafReader<L> {
    pub(super) fn new(range: Range) -> Self {
        Self { range, page: PAGE, ended: false, log: PhantomData }
    }

    /// Reads about this many events and no more.
    pub(super) fn page_size(mut self, events: i64) -> Self {
        self.page = events.clamp(1, PAGE);
        self
    }

    /// Reads the next page; an empty one at the end.
    pub(super) async fn page<DB: EventedBackend, D: Executor<DB>>(
        &mut self,
        executor: &mut D,
    ) -> Result<Vec<Leaf>, Error> {
        if self.ended {
            return Ok(Vec::new());
        }
        let rows = executor.load::<LeafRow>(leaves(L::NAME, self.range, self.page)).await;
        let rows = rows.map_err(|error| Error::of_log(L::NAME.table, error))?;
        self.ended = i64::try_from(rows.len()).is_ok_and(|read| read < self.page);
        if let Some(last) = rows.last() {
            self.range.after = (last.leaf.txid, last.leaf.position);
        }
        Ok(rows.into_iter().map(|row| row.leaf).collect())
    }
}

/// Checkpoints between two restores of the database. Within them the tree has the reading order of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) floor: i64,
    pub(super) highest: i64,
    pub(super) to: (i64, i64),
    /// The number of events in the tree before the segment.
    pub(super) before: u64,
}

/// Returns the segments of a log's checkpoints, in order.
pub(super) fn segments(rows: &[CheckpointRow]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut size = 0;
    for row in rows {
        match segments.last_mut().filter(|last| last.floor == row.floor) {
            Some(last) => (last.highest, last.to) = (row.highest, row.to),
            None => {
                segments.push(Segment { floor: row.floor, highest: row.highest, to: row.to, before: size });
            }
        }
        size = u64::try_from(row.size).unwrap_or(size);
    }
    segments
}

/// Reads this many events of the tree from a place on, across segments. `from` is the segment of the place, and the last
/// event before it in that segment.
pub(super) async fn leaves_from<DB: EventedBackend, L: EventLog, D: Executor<DB>>(
    executor: &mut D,
    segments: &[Segment],
    from: (usize, Option<(i64, i64)>),
    count: usize,
) -> Result<Vec<Leaf>, Error> {
    let (first, mut after) = from;
    let mut found = Vec::with_capacity(count);
    for Segment { floor, highest, to, .. } in segments.iter().skip(first) {
        let range = Range {
            after: after.take().unwrap_or(BEGINNING),
            to: Some(*to),
            before_txid: None,
            floor: *floor,
        };
        let mut reader = LeafReader::<L>::new(range).page_size(i64::try_from(count).unwrap_or(i64::MAX));
        loop {
            let page = reader.page(executor).await?;
            if page.is_empty() {
                break;
            }
            // A higher position belongs to a later segment, or to no checkpoint.
            found.extend(page.into_iter().filter(|leaf| leaf.position <= *highest));
            if found.len() >= count {
                found.truncate(count);
                return Ok(found);
            }
        }
    }
    Ok(found)
}
