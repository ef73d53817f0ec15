//! From the events of one model to its changes, in the order of the log.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use evented_core::{ChangeEvent, Fact, KeyValue, Position, ReplayError, ReplayFault, StreamId, Transaction};
use uuid::Uuid;

use super::log::Broken;
use super::states::{States, Unfolded};
use super::told::{Told, Unreadable};
use crate::log::{EventLog, LogName};
use crate::model::Model;
use crate::statement::{Logged, Spot};

/// How many histories are read with one statement, where there are as many.
const MANY: usize = 64;

/// An action that panics with what its event says.
#[derive(Debug, thiserror::Error)]
#[error("the action `{action}` panics with it")]
struct Panicked {
    action: String,
}

/// One reading of a log, as far as one model is concerned.
pub(crate) struct Lane<M: Model> {
    pub(crate) states: States<M>,
    stream: StreamId,
    epoch: u64,
    /// The last change, until it is known whether another one of its transaction follows.
    held: Option<Fact<M>>,
    txid: Option<i64>,
    index: u64,
}

impl<M: Model> Lane<M> {
    pub(crate) fn new(records: NonZeroUsize, stream: StreamId, epoch: u64) -> Self {
        Self { states: States::new(records), stream, epoch, held: None, txid: None, index: 0 }
    }

    /// Of which records the history must be told before these events are taken: by table, each up to a revision. In
    /// portions of a few sizes, so that there are few statements.
    pub(crate) fn lacking<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Logged>,
    ) -> Vec<(LogName, Vec<(KeyValue, i64)>)> {
        let mut seen = HashSet::new();
        let mut by_table: Vec<(LogName, Vec<(KeyValue, i64)>)> = Vec::new();
        for Logged { record, event, .. } in events {
            if !seen.insert(record) || !self.states.lacks(record, event) {
                continue;
            }
            let table = M::Log::table_of(record);
            let wanted = (record.clone(), event.revision - 1);
            match by_table.iter_mut().find(|(it, _)| *it == table) {
                Some((_, list)) => list.push(wanted),
                None => by_table.push((table, vec![wanted])),
            }
        }
        let portions = by_table.into_iter().flat_map(|(table, mut list)| {
            let mut portions = Vec::new();
            while !list.is_empty() {
                let size = if list.len() >= MANY { MANY } else { 1 };
                portions.push((table, list.split_off(list.len() - size)));
            }
            portions
        });
        portions.collect()
    }

    /// The position of an event.
    pub(crate) fn position(&self, place: Spot, event: Uuid) -> Position {
        position(self.stream, self.epoch, place, Some(event))
    }

    /// Tells the last change without knowing whether it is the last of its transaction.
    pub(crate) fn flush(&mut self, out: &mut Vec<Told<M>>) {
        self.release(false, out);
    }

    /// [`take`](Self::take), after its history was told. If that did not lead up to it, there is a gap.
    pub(crate) fn take_after_history(&mut self, logged: Logged, out: &mut Vec<Told<M>>) {
        let Some(logged) = self.take(logged, out) else { return };
        let event = &logged.event;
        let source = ReplayError {
            revision: event.revision,
            action: event.action.clone(),
            version: event.version,
            reason: ReplayFault::Gap { after: self.states.revision(&logged.record), found: event.revision },
        };
        self.unreadable(&logged, source, out);
    }

    /// Takes the next event; gives what is known to be told by that. An event of a record that is not known as it was
    /// before comes back: its history must be told first.
    pub(crate) fn take(&mut self, logged: Logged, out: &mut Vec<Told<M>>) -> Option<Logged> {
        let key = M::key_from(logged.record.clone())?;
        let folded = match self.states.fold(&logged.record, &key, &logged.event) {
            Ok(Some(folded)) => folded,
            Ok(None) => return None,
            Err(Unfolded::Lacking) => return Some(logged),
            Err(Unfolded::Fault(source)) => {
                self.unreadable(&logged, source, out);
                return None;
            }
            Err(Unfolded::Panicked) => {
                self.unreadable(&logged, Panicked { action: logged.event.action.clone() }, out);
                return None;
            }
        };
        let event = logged.event;
        if self.txid != Some(event.txid) {
            self.txid = Some(event.txid);
            self.index = 0;
        }
        let transaction = Transaction { id: event.txid, commit: 0, index: self.index, last: false };
        self.index += 1;
        self.release(false, out);
        self.held = Some(Fact {
            key: Some(key),
            before: folded.before,
            after: folded.after,
            table: None,
            position: position(self.stream, self.epoch, (event.txid, event.position), Some(event.id)),
            transaction,
            event: Some(ChangeEvent {
                id: event.id,
                revision: event.revision,
                action: event.action,
                at: event.at,
                meta: event.meta,
            }),
        });
        None
    }

    fn unreadable(
        &mut self,
        logged: &Logged,
        source: impl std::error::Error + Send + Sync + 'static,
        out: &mut Vec<Told<M>>,
    ) {
        self.release(false, out);
        let position = self.position((logged.event.txid, logged.event.position), logged.event.id);
        let record = Some(logged.record.clone());
        out.push(Told::Unreadable(Unreadable { record, position, source: Arc::new(source) }));
    }

    /// The next event is one that cannot be read at all.
    pub(crate) fn broken(&mut self, broken: &Broken, out: &mut Vec<Told<M>>) {
        self.release(false, out);
        let position = position(self.stream, self.epoch, broken.place, None);
        let source = Arc::clone(&broken.source) as Arc<dyn std::error::Error + Send + Sync>;
        out.push(Told::Unreadable(Unreadable { record: None, position, source }));
    }

    /// The transaction is told whole: its last change is known now.
    pub(crate) fn end(&mut self, out: &mut Vec<Told<M>>) {
        self.release(true, out);
        if self.txid.take().is_some() {
            out.push(Told::End);
        }
        self.index = 0;
    }

    fn release(&mut self, last: bool, out: &mut Vec<Told<M>>) {
        if let Some(mut fact) = self.held.take() {
            fact.transaction.last = last;
            out.push(Told::Fact(Arc::new(fact)));
        }
    }
}

/// The position of a place in a log.
pub(crate) fn position(stream: StreamId, epoch: u64, spot: Spot, event: Option<Uuid>) -> Position {
    let anchor = event.map_or(0, anchor_of);
    Position::new(stream, spot.0.cast_unsigned(), spot.1.cast_unsigned()).in_epoch(epoch).anchored(anchor)
}

/// What tells an event apart from another one at the same place: the half of its id that is no time.
pub(crate) fn anchor_of(event: Uuid) -> u64 {
    event.as_u64_pair().1
}

/// The place in a log that a position is of.
pub(crate) fn spot(position: Position) -> Spot {
    (position.major().cast_signed(), position.minor().cast_signed())
}
