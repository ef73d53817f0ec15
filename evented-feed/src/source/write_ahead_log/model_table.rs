//! Turns the rows of one model's table in the write-ahead log into changes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use diesel::pg::Pg;
use evented_core::{
    ChangeEvent, ChangeKind, Digest, KeySource, KeyValue, Position, RawChange, RecordState, Transaction,
};
use evented_diesel::ModelOn;
use evented_diesel::spi::Delivery;
use evented_diesel::stream::{Interruption, Unreadable};
use evented_wal::{Old, ReadError, Relation, Tail, Tuple, WalError, read};

use crate::router::{Router, with};
use crate::source::write_ahead_log::transaction_events::{EventSeen, TransactionEvents};
use crate::sync::lock;
use crate::wal::positions::wal_stream;
use crate::wal::{ModelColumns, log_tables_of, table_of};

/// One model at the write-ahead log.
pub(crate) trait TableConsumer: Send {
    /// Whether this is the model's table.
    fn is_table(&self, relation: &Relation) -> bool;
    /// Whether this is the table of the model's log, or of a part of it.
    fn is_log(&self, relation: &Relation) -> bool;
    /// Takes the description of the table: the first one, or the one after the table was altered.
    fn describe(&mut self, relation: &Relation, at: TxnOffset, altered: bool);
    fn row(&mut self, relation: &Relation, row: &RowChange<'_>, at: &mut TxnOffset);
    fn event(&mut self, relation: &Relation, event: &Tuple);
    fn truncate(&mut self, at: TxnOffset);
    /// Ends the transaction: it is complete.
    fn commit(&mut self);
    /// Records that everything up to a position, which is between two transactions, has been delivered.
    fn passed(&mut self, at: Position);
    /// Discards the held state of the open transaction, which comes again from its beginning. Its changes that were
    /// already delivered are not delivered again.
    fn restart(&mut self);
    fn interrupt(&mut self, why: &Interruption);
}

/// A change of a row, as it is in the log.
pub(crate) enum RowChange<'a> {
    Insert(&'a Tuple),
    Update(Option<&'a Old>, &'a Tuple),
    Delete(&'a Old),
}

/// The offset of a change: its transaction, and the number of changes before it in that transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TxnOffset {
    pub(crate) server: u64,
    pub(crate) xid: u32,
    pub(crate) commit: u64,
    pub(crate) index: u64,
}

impl TxnOffset {
    /// The position of a row: 2 for the first row, 4 for the second. 0 is before the transaction. The odd number before
    /// each row is for a change of the table's columns. The server may send that change only once, also when an
    /// interrupted transaction comes again, so that the positions of the rows must not depend on it.
    fn position(self) -> Position {
        self.at(2 * self.index + 2)
    }

    fn before(self) -> Position {
        self.at(2 * self.index + 1)
    }

    fn at(self, index: u64) -> Position {
        Position::new(wal_stream(), self.commit, index).in_epoch(self.server)
    }

    fn transaction(self) -> Transaction {
        Transaction { id: i64::from(self.xid), commit: self.commit, index: self.index, last: false }
    }
}

pub(crate) struct ModelTable<M: ModelOn<Pg>> {
    /// The table's oid. Another schema may have a table of the same name.
    table: Option<u32>,
    /// The oids of the log's tables.
    logs: Vec<u32>,
    router: Arc<Mutex<Router<M>>>,
    columns: Option<Result<ModelColumns<M>, Arc<ReadError>>>,
    events: TransactionEvents,
    /// Changes that are not delivered yet: the last change, until it is known whether it ends the transaction; and a
    /// new row whose key the database generates, because its event follows the row.
    held: VecDeque<RawChange<M>>,
    /// The position of the last delivery. Changes up to it that come again after a reconnect are skipped.
    delivered: Option<Position>,
}

/// Why a row cannot be read as a change.
type ReadFault = Box<dyn std::error::Error + Send + Sync>;

/// How many changes are held at most for an event that follows its row.
const MAX_HELD: usize = 16;

impl<M: ModelOn<Pg>> ModelTable<M> {
    pub(crate) fn new(router: Arc<Mutex<Router<M>>>, tail: &Tail) -> Self {
        let oid = |table| tail.table(&table).map(|found| found.oid);
        let (table, logs) = (oid(table_of::<M>()), log_tables_of::<M>().filter_map(oid).collect());
        let (events, held) = (TransactionEvents::default(), VecDeque::new());
        Self { table, logs, router, columns: None, events, held, delivered: None }
    }

    fn read(&self, relation: &Relation, tuple: &Tuple) -> Result<M, ReadFault> {
        match &self.columns {
            Some(Ok(columns)) => Ok(columns.read(relation, tuple)?),
            Some(Err(error)) => Err(Arc::clone(error).into()),
            None => Ok(ModelColumns::of(relation)?.read(relation, tuple)?),
        }
    }

    /// Reads the row as it was before the change. The replica identity of the table may have been changed meanwhile, so
    /// that the log holds only the row's key.
    fn read_old(&self, relation: &Relation, old: Option<&Old>) -> Result<M, ReadFault> {
        let not_whole = || WalError::NotWhole { table: relation.to_string() };
        self.read(relation, old.and_then(Old::full).ok_or_else(not_whole)?)
    }

    fn sides(&self, relation: &Relation, row: &RowChange<'_>) -> Result<(Option<M>, Option<M>), ReadFault> {
        Ok(match row {
            RowChange::Insert(new) => (None, Some(self.read(relation, new)?)),
            RowChange::Update(old, new) => {
                (Some(self.read_old(relation, *old)?), Some(self.read(relation, new)?))
            }
            RowChange::Delete(old) => (Some(self.read_old(relation, Some(old))?), None),
        })
    }

    fn hold(&mut self, before: Option<M>, after: Option<M>, at: &mut TxnOffset) {
        let Some(record) = after.as_ref().or(before.as_ref()) else { return };
        let key = record.key();
        let value = M::key_value(&key);
        let raw_change = RawChange {
            key: Some(key),
            event: if self.events.know(&value) { self.event_of(&value, after.as_ref()) } else { None },
            before: before.map(|record| Arc::new(RecordState::new(record))),
            after: after.map(|record| Arc::new(RecordState::new(record))),
            table: None,
            position: at.position(),
            transaction: at.transaction(),
        };
        at.index += 1;
        self.held.push_back(raw_change);
        self.release();
    }

    fn event_of(&mut self, key: &KeyValue, after: Option<&M>) -> Option<ChangeEvent> {
        let state = match after {
            Some(record) => record.state_digest().ok()?,
            None => Digest::NOTHING,
        };
        self.events.take(key, state)
    }

    /// Delivers the changes that need not be held any longer.
    fn release(&mut self) {
        let waits = |raw_change: &RawChange<M>| {
            M::KEY_SOURCE == KeySource::Database && raw_change.before.is_none() && raw_change.event.is_none()
        };
        while self.held.len() > 1
            && (self.held.len() > MAX_HELD || self.held.front().is_some_and(|it| !waits(it)))
        {
            if let Some(raw_change) = self.held.pop_front() {
                self.deliver(raw_change);
            }
        }
    }

    fn deliver(&mut self, raw_change: RawChange<M>) {
        let position = raw_change.position;
        self.deliver_at(position, Delivery::Change(Arc::new(raw_change)));
    }

    fn deliver_at(&mut self, position: Position, delivery: Delivery<M>) {
        if self.delivered.is_some_and(|delivered| position <= delivered) {
            return;
        }
        self.delivered = Some(position);
        with(&self.router, |router| router.deliver(&delivery));
    }

    fn concerning_table(&mut self, kind: ChangeKind, position: Position, at: TxnOffset) {
        self.held.push_back(RawChange {
            key: None,
            before: None,
            after: None,
            table: Some(kind),
            position,
            transaction: at.transaction(),
            event: None,
        });
        self.release();
    }
}

impl<M: ModelOn<Pg>> TableConsumer for ModelTable<M> {
    fn is_table(&self, relation: &Relation) -> bool {
        self.table == Some(relation.oid)
    }

    fn is_log(&self, relation: &Relation) -> bool {
        self.logs.contains(&relation.oid)
    }

    fn describe(&mut self, relation: &Relation, at: TxnOffset, altered: bool) {
        self.columns = Some(ModelColumns::of(relation).map_err(Arc::new));
        if altered {
            self.concerning_table(ChangeKind::SchemaChanged, at.before(), at);
        }
    }

    fn row(&mut self, relation: &Relation, row: &RowChange<'_>, at: &mut TxnOffset) {
        match self.sides(relation, row) {
            Ok((Some(before), Some(after))) if before.key() != after.key() => {
                // The key changed: the old record is gone, and there is another one.
                self.hold(Some(before), None, at);
                self.hold(None, Some(after), at);
            }
            Ok((before, after)) => self.hold(before, after, at),
            Err(error) => {
                while let Some(raw_change) = self.held.pop_front() {
                    self.deliver(raw_change);
                }
                let position = at.position();
                at.index += 1;
                let unreadable = Unreadable::new(None, position, error.into());
                self.deliver_at(position, Delivery::Unreadable(unreadable));
            }
        }
    }

    fn event(&mut self, relation: &Relation, event: &Tuple) {
        let Ok(event) = read::<EventSeen<M>>(relation, event) else { return };
        if event.schema.as_deref().is_some_and(|schema| schema != M::SCHEMA) {
            return;
        }
        self.events.add(event);
        // It may be the event that a row is held for.
        for index in 0..self.held.len() {
            let Some(raw_change) = self.held.get(index).filter(|raw_change| raw_change.event.is_none())
            else {
                continue;
            };
            let Some(key) = raw_change.key.as_ref().map(M::key_value) else { continue };
            let after = raw_change.after.clone();
            if !self.events.know(&key) {
                continue;
            }
            let event = self.event_of(&key, after.as_deref().map(RecordState::record));
            if let Some(raw_change) = self.held.get_mut(index) {
                raw_change.event = event;
            }
        }
        self.release();
    }

    fn truncate(&mut self, at: TxnOffset) {
        self.concerning_table(ChangeKind::Truncate, at.position(), at);
    }

    fn commit(&mut self) {
        while let Some(mut raw_change) = self.held.pop_front() {
            raw_change.transaction.last = self.held.is_empty();
            self.deliver(raw_change);
        }
        with(&self.router, |router| router.deliver(&Delivery::EndOfTransaction));
        self.events.clear();
    }

    fn passed(&mut self, at: Position) {
        lock(&self.router).passed(at);
    }

    fn restart(&mut self) {
        self.held.clear();
        self.events.clear();
    }

    fn interrupt(&mut self, why: &Interruption) {
        with(&self.router, |router| router.interrupt(why));
    }
}

/// Closes the router: no further delivery follows, and the feeds end.
impl<M: ModelOn<Pg>> Drop for ModelTable<M> {
    fn drop(&mut self) {
        with(&self.router, Router::close);
    }
}
