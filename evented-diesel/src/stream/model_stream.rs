//! Turns the events of one model into changes, in the order of the log.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use evented_core::{
    ChangeEvent, Drift, EventData, KeyValue, LogOffset, Meta, RawChange, ReplayError, ReplayFault, StreamId,
    Transaction,
};

use crate::model::{EventLog, Model};
use crate::statements::{HistoryEvent, LoggedEvent};
use crate::stream::delivery::{Delivery, Unreadable};
use crate::stream::histories::{LoadedHistory, WantedHistories};
use crate::stream::log_pages::UnreadableRow;
use crate::stream::positions::log_position;
use crate::stream::state_cache::{NotApplied, Sides, StateCache};

/// The number of histories that one statement reads, if that many are missing. Otherwise each history takes a statement
/// of its own, so there are only two statement texts.
const HISTORIES_PER_STATEMENT: usize = 64;

/// The default number of records that a reader caches the state of.
pub const DEFAULT_STATE_CACHE_SIZE: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// The error for an event whose action panicked.
#[derive(Debug, thiserror::Error)]
#[error("the action `{action}` panicked")]
struct ActionPanicked {
    action: String,
}

/// The part of reading a log that concerns one model.
pub struct ModelStream<M: Model> {
    states: StateCache<M>,
    stream: StreamId,
    database: u64,
    /// The last change, held back until it is known whether another change of its transaction follows.
    held: Option<RawChange<M>>,
    /// The savepoints that follow it.
    revised: Vec<Delivery<M>>,
    txid: Option<i64>,
    index: u64,
}

impl<M: Model> ModelStream<M> {
    /// Creates a stream that caches the states of `cache_size` records. `database` is the number that distinguishes the
    /// database from its copies.
    #[must_use]
    pub fn new(cache_size: NonZeroUsize, stream: StreamId, database: u64) -> Self {
        let states = StateCache::new(cache_size);
        Self { states, stream, database, held: None, revised: Vec::new(), txid: None, index: 0 }
    }

    /// Returns the histories to load before these events can be applied, in portions of two sizes. They are in the order
    /// of their events, so that a part of a long history is followed by its next part.
    pub(crate) fn missing_histories<'e>(
        &mut self,
        events: impl Iterator<Item = &'e LoggedEvent>,
    ) -> Vec<WantedHistories> {
        let mut seen = HashSet::new();
        let mut by_table: Vec<WantedHistories> = Vec::new();
        for LoggedEvent { record, data, .. } in events {
            if !seen.insert(record) || self.states.needs_no_history(record, data) {
                continue;
            }
            let table = M::Log::table_of(record);
            let wanted = (record.clone(), data.revision - 1);
            match by_table.iter_mut().find(|histories| histories.table == table) {
                Some(histories) => histories.records.push(wanted),
                None => by_table.push(WantedHistories { table, records: vec![wanted] }),
            }
        }
        let mut portions = Vec::new();
        for WantedHistories { table, mut records } in by_table {
            while !records.is_empty() {
                let size = if records.len() >= HISTORIES_PER_STATEMENT { HISTORIES_PER_STATEMENT } else { 1 };
                let rest = records.split_off(size);
                portions.push(WantedHistories { table, records: std::mem::replace(&mut records, rest) });
            }
        }
        portions
    }

    /// Takes a record's history; see [`StateCache::load_history`].
    pub(crate) fn load_history(
        &mut self,
        record: &KeyValue,
        history: &[HistoryEvent],
        more: bool,
    ) -> LoadedHistory {
        self.states.load_history(record, history, more)
    }

    /// Returns the revision up to which a record's history was taken in parts; 0 if it was not.
    pub(crate) fn loading(&self, record: &KeyValue) -> i64 {
        self.states.loading(record)
    }

    /// Applies the next event, and adds the completed deliveries to `out`. Returns the event if the record's history
    /// must be loaded first.
    pub(crate) fn apply(&mut self, event: LoggedEvent, out: &mut Vec<Delivery<M>>) -> Option<LoggedEvent> {
        let key = M::key_from(event.record.clone())?;
        let sides = match self.states.apply(&event.record, &key, &event.data) {
            Ok(Some(sides)) => sides,
            Ok(None) => return None,
            Err(NotApplied::MissingHistory) => return Some(event),
            Err(NotApplied::Replay(source)) => {
                self.unreadable(&event, source, out);
                return None;
            }
            Err(NotApplied::Panicked) => {
                self.unreadable(&event, ActionPanicked { action: event.data.action.clone() }, out);
                return None;
            }
        };
        let LoggedEvent { offset, data, .. } = event;
        if sides.is_savepoint {
            self.revise(key, sides, offset, data, out);
            return None;
        }
        if self.txid != Some(offset.txid) {
            self.txid = Some(offset.txid);
            self.index = 0;
        }
        let transaction = Transaction { id: offset.txid, commit: 0, index: self.index, last: false };
        self.index += 1;
        self.release(false, out);
        self.held = Some(RawChange {
            key: Some(key),
            before: sides.before,
            after: sides.after,
            table: None,
            position: log_position(self.stream, self.database, offset, Some(data.id)),
            transaction,
            event: Some(change_event::<M>(data)),
        });
        None
    }

    /// Takes a savepoint, which changes the revision alone. It follows the change that is held.
    fn revise(
        &mut self,
        key: M::Key,
        sides: Sides<M>,
        offset: LogOffset,
        data: EventData,
        out: &mut Vec<Delivery<M>>,
    ) {
        let revised = Delivery::Revised(Arc::new(RawChange {
            key: Some(key),
            before: sides.before,
            after: sides.after,
            table: None,
            position: log_position(self.stream, self.database, offset, Some(data.id)),
            transaction: Transaction { id: offset.txid, commit: 0, index: self.index, last: false },
            event: Some(change_event::<M>(data)),
        }));
        if self.held.is_some() {
            self.revised.push(revised);
        } else {
            out.push(revised);
        }
    }

    /// Like [`apply`](Self::apply), after the record's history was loaded. If the history does not reach the event, the
    /// event is reported as unreadable because of a gap.
    pub(crate) fn apply_after_history(&mut self, event: LoggedEvent, out: &mut Vec<Delivery<M>>) {
        let Some(event) = self.apply(event, out) else { return };
        let data = &event.data;
        let source = ReplayError {
            revision: data.revision,
            action: data.action.clone(),
            version: data.version,
            reason: ReplayFault::Gap { after: self.states.revision(&event.record), found: data.revision },
        };
        self.states.load_again(&event.record);
        self.unreadable(&event, source, out);
    }

    fn unreadable(
        &mut self,
        event: &LoggedEvent,
        source: impl std::error::Error + Send + Sync + 'static,
        out: &mut Vec<Delivery<M>>,
    ) {
        let position = self.position(event.offset, Some(&event.data));
        self.release(false, out);
        let record = Some(event.record.clone());
        out.push(Delivery::Unreadable(Unreadable { record, position, source: Arc::new(source) }));
    }

    /// Skips a row that cannot be read at all.
    pub(crate) fn skip_unreadable(&mut self, row: &UnreadableRow, out: &mut Vec<Delivery<M>>) {
        self.release(false, out);
        let position = self.position(row.offset, None);
        let source = Arc::clone(&row.source) as Arc<dyn std::error::Error + Send + Sync>;
        out.push(Delivery::Unreadable(Unreadable { record: None, position, source }));
    }

    fn position(&self, offset: LogOffset, event: Option<&EventData>) -> evented_core::Position {
        log_position(self.stream, self.database, offset, event.map(|event| event.id))
    }

    /// Delivers the last change before it is known whether it is the last of its transaction.
    pub(crate) fn flush(&mut self, out: &mut Vec<Delivery<M>>) {
        self.release(false, out);
    }

    /// Ends the transaction: the held change is its last one.
    pub(crate) fn end_transaction(&mut self, out: &mut Vec<Delivery<M>>) {
        self.release(true, out);
        if self.txid.take().is_some() {
            out.push(Delivery::EndOfTransaction);
        }
        self.index = 0;
    }

    fn release(&mut self, last: bool, out: &mut Vec<Delivery<M>>) {
        if let Some(mut change) = self.held.take() {
            change.transaction.last = last;
            out.push(Delivery::Change(Arc::new(change)));
        }
        out.append(&mut self.revised);
    }
}

fn change_event<M: Model>(data: EventData) -> ChangeEvent {
    let EventData { id, revision, action, at, meta, .. } = data;
    let meta = if M::DRIFT == Drift::Heal { Meta::without_overwritten(meta) } else { meta };
    ChangeEvent { id, revision, action, at, meta }
}

impl<M: Model> std::fmt::Debug for ModelStream<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelStream").field("schema", &M::SCHEMA).finish_non_exhaustive()
    }
}
