//! One model at the write-ahead log: its type forgotten, so that one reading serves all models.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use diesel::pg::Pg;
use evented_core::{ChangeKind, Digest, Fact, KeyValue, Moment, Position, Transaction};

use super::super::lock;
use super::super::router::{Router, with};
use super::super::told::{Interruption, Told, Unreadable};
use super::events::{EventSeen, TransactionEvents};
use crate::log::EventLog;
use crate::model::Rows;
use crate::wal::{Old, Places, ReadError, Relation, TableName, Tuple, WalError, read};

/// One model at the write-ahead log.
pub(crate) trait TableDesk: Send {
    /// Whether this is the model's table.
    fn is_table(&self, relation: &Relation) -> bool;
    /// Whether this is the table of the model's log, or of a part of it.
    fn is_log(&self, relation: &Relation) -> bool;
    /// The table is described: for the first time, or as it is after a change.
    fn describe(&mut self, relation: &Relation, at: Place, altered: bool);
    fn row(&mut self, relation: &Relation, row: &RowChange<'_>, at: &mut Place);
    fn event(&mut self, relation: &Relation, event: &Tuple);
    fn truncate(&mut self, at: Place);
    /// The transaction is whole.
    fn commit(&mut self);
    /// All is told up to a place, between two transactions.
    fn passed(&mut self, at: Position);
    /// The transaction comes anew from its begin: what was told of it is not told again.
    fn restart(&mut self);
    fn interrupt(&mut self, why: &Interruption);
}

/// A change of a row, as the log has it.
pub(crate) enum RowChange<'a> {
    Insert(&'a Tuple),
    Update(Option<&'a Old>, &'a Tuple),
    Delete(&'a Old),
}

/// The place of a change: its transaction, and how many changes came before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) epoch: u64,
    pub(crate) xid: u32,
    pub(crate) commit: u64,
    pub(crate) index: u64,
}

impl Place {
    /// The place of a row, from 2 on: 0 is before the transaction, and between two rows there is a place for what is said of
    /// their table. That may be said once and not again, where a transaction that was cut comes anew: the rows have their
    /// places either way.
    fn position(self) -> Position {
        self.at(2 * self.index + 2)
    }

    fn before(self) -> Position {
        self.at(2 * self.index + 1)
    }

    fn at(self, place: u64) -> Position {
        Position::new(super::stream(), self.commit, place).in_epoch(self.epoch)
    }

    fn transaction(self) -> Transaction {
        Transaction { id: i64::from(self.xid), commit: self.commit, index: self.index, last: false }
    }
}

pub(crate) struct ModelTable<M: Rows<Pg>> {
    table: TableName,
    router: Arc<Mutex<Router<M>>>,
    places: Option<Result<Places, Arc<ReadError>>>,
    events: TransactionEvents,
    /// Changes that are not told yet: the last one, until it is known whether it ends the transaction; and a new row whose
    /// event comes behind it, since the database makes its key.
    held: VecDeque<Fact<M>>,
    /// The last change that was told: what comes again after a broken connection is not.
    told: Option<Position>,
}

/// Why a row cannot be told.
type Unread = Box<dyn std::error::Error + Send + Sync>;

/// How many changes are held for an event that comes behind the row.
const HELD: usize = 16;

impl<M: Rows<Pg>> ModelTable<M> {
    pub(crate) fn new(router: Arc<Mutex<Router<M>>>) -> Self {
        let (events, held) = (TransactionEvents::default(), VecDeque::new());
        Self { table: TableName::of::<M>(), router, places: None, events, held, told: None }
    }

    fn read(&self, relation: &Relation, tuple: &Tuple) -> Result<M, Unread> {
        match &self.places {
            Some(Ok(places)) => Ok(places.read(relation, tuple)?),
            Some(Err(error)) => Err(Arc::clone(error).into()),
            None => Ok(Places::of::<M>(relation)?.read(relation, tuple)?),
        }
    }

    /// The row as it was. The table can have been told meanwhile to say no more than its key.
    fn read_old(&self, relation: &Relation, old: Option<&Old>) -> Result<M, Unread> {
        let not_whole = || WalError::NotWhole { table: relation.to_string() };
        self.read(relation, old.and_then(Old::full).ok_or_else(not_whole)?)
    }

    fn sides(&self, relation: &Relation, row: &RowChange<'_>) -> Result<(Option<M>, Option<M>), Unread> {
        Ok(match row {
            RowChange::Insert(new) => (None, Some(self.read(relation, new)?)),
            RowChange::Update(old, new) => {
                (Some(self.read_old(relation, *old)?), Some(self.read(relation, new)?))
            }
            RowChange::Delete(old) => (Some(self.read_old(relation, Some(old))?), None),
        })
    }

    fn hold(&mut self, before: Option<M>, after: Option<M>, at: &mut Place) {
        let Some(record) = after.as_ref().or(before.as_ref()) else { return };
        let (key, value) = (record.key().clone(), M::key_value(record.key()));
        let fact = Fact {
            key: Some(key),
            event: if self.events.know(&value) { self.event_of(&value, after.as_ref()) } else { None },
            before: before.map(|record| Arc::new(Moment::new(record))),
            after: after.map(|record| Arc::new(Moment::new(record))),
            table: None,
            position: at.position(),
            transaction: at.transaction(),
        };
        at.index += 1;
        self.held.push_back(fact);
        self.release();
    }

    fn event_of(&mut self, key: &KeyValue, after: Option<&M>) -> Option<evented_core::ChangeEvent> {
        let state = match after {
            Some(record) => record.state_digest().ok()?,
            None => Digest::NOTHING,
        };
        self.events.take(key, state)
    }

    /// Tells what need not be held any longer.
    fn release(&mut self) {
        let waits = |fact: &Fact<M>| M::KEY.by_database() && fact.before.is_none() && fact.event.is_none();
        while self.held.len() > 1
            && (self.held.len() > HELD || self.held.front().is_some_and(|it| !waits(it)))
        {
            if let Some(fact) = self.held.pop_front() {
                self.tell(fact);
            }
        }
    }

    fn tell(&mut self, fact: Fact<M>) {
        let position = fact.position;
        self.tell_at(position, Told::Fact(Arc::new(fact)));
    }

    fn tell_at(&mut self, position: Position, told: Told<M>) {
        if self.told.is_some_and(|told| position <= told) {
            return;
        }
        self.told = Some(position);
        with(&self.router, |router| router.tell(&told));
    }

    fn concerning_table(&mut self, kind: ChangeKind, position: Position, at: Place) {
        self.held.push_back(Fact {
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

impl<M: Rows<Pg>> TableDesk for ModelTable<M> {
    fn is_table(&self, relation: &Relation) -> bool {
        self.table.names(relation)
    }

    fn is_log(&self, relation: &Relation) -> bool {
        M::Log::SHARDS.iter().any(|log| TableName::from(*log).names(relation))
    }

    fn describe(&mut self, relation: &Relation, at: Place, altered: bool) {
        self.places = Some(Places::of::<M>(relation).map_err(Arc::new));
        if altered {
            self.concerning_table(ChangeKind::SchemaChanged, at.before(), at);
        }
    }

    fn row(&mut self, relation: &Relation, row: &RowChange<'_>, at: &mut Place) {
        match self.sides(relation, row) {
            Ok((Some(before), Some(after))) if before.key() != after.key() => {
                // The record of that name is gone, and there is another one.
                self.hold(Some(before), None, at);
                self.hold(None, Some(after), at);
            }
            Ok((before, after)) => self.hold(before, after, at),
            Err(error) => {
                while let Some(fact) = self.held.pop_front() {
                    self.tell(fact);
                }
                let position = at.position();
                at.index += 1;
                let unreadable = Unreadable { record: None, position, source: error.into() };
                self.tell_at(position, Told::Unreadable(unreadable));
            }
        }
    }

    fn event(&mut self, relation: &Relation, event: &Tuple) {
        let Ok(event) = read::<EventSeen<M>>(relation, event) else { return };
        if M::Log::SHARED && event.schema != M::SCHEMA {
            return;
        }
        self.events.add(event);
        // It may be the one that a row has been held for.
        for place in 0..self.held.len() {
            let Some(fact) = self.held.get(place).filter(|fact| fact.event.is_none()) else { continue };
            let Some(key) = fact.key.as_ref().map(M::key_value) else { continue };
            let after = fact.after.clone();
            if !self.events.know(&key) {
                continue;
            }
            let event = self.event_of(&key, after.as_deref().map(Moment::record));
            if let Some(fact) = self.held.get_mut(place) {
                fact.event = event;
            }
        }
        self.release();
    }

    fn truncate(&mut self, at: Place) {
        self.concerning_table(ChangeKind::Truncate, at.position(), at);
    }

    fn commit(&mut self) {
        while let Some(mut fact) = self.held.pop_front() {
            fact.transaction.last = self.held.is_empty();
            self.tell(fact);
        }
        with(&self.router, |router| router.tell(&Told::End));
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

/// Nothing will be told any more: its feeds end.
impl<M: Rows<Pg>> Drop for ModelTable<M> {
    fn drop(&mut self) {
        with(&self.router, Router::close);
    }
}
