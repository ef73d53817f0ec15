//! One model at the write-ahead log: its type forgotten, so that one reading serves all models.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use diesel::pg::Pg;
use evented_core::{ChangeKind, Digest, Fact, KeyValue, Moment, Position, Transaction};

use super::super::lock;
use super::super::router::Router;
use super::super::told::{Interruption, Told, Unreadable};
use super::causes::{Causes, EventSeen};
use crate::log::EventLog;
use crate::model::Rows;
use crate::wal::{Old, Places, ReadError, Relation, Tuple, read};

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
    /// The transaction comes anew from its begin: what was told of it is not told again.
    fn restart(&mut self);
    fn interrupt(&mut self, why: &Interruption);
    fn close(&mut self);
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
    pub(crate) start: Position,
    pub(crate) xid: u32,
    pub(crate) commit: u64,
    pub(crate) index: u64,
}

impl Place {
    fn position(self) -> Position {
        // From 1 on: 0 is before the transaction.
        Position::new(self.start.stream(), self.commit, self.index + 1).in_epoch(self.start.epoch())
    }

    fn transaction(self) -> Transaction {
        Transaction { id: i64::from(self.xid), commit: self.commit, index: self.index, last: false }
    }
}

pub(crate) struct ModelTable<M: Rows<Pg>> {
    schema: Option<String>,
    table: String,
    router: Arc<Mutex<Router<M>>>,
    places: Option<Result<Places, Arc<ReadError>>>,
    causes: Causes,
    /// Changes that are not told yet: the last one, until it is known whether it ends the transaction; and a new row whose
    /// event comes behind it, since the database makes its key.
    held: VecDeque<Fact<M>>,
    /// Of how many transactions' changes were told: what comes again after a broken connection is not.
    told: Option<Position>,
}

/// How many changes are held for an event that comes behind the row.
const HELD: usize = 16;

impl<M: Rows<Pg>> ModelTable<M> {
    pub(crate) fn new(router: Arc<Mutex<Router<M>>>) -> Self {
        let (schema, table) = super::table_of::<M>();
        let (causes, held) = (Causes::default(), VecDeque::new());
        Self { schema, table, router, places: None, causes, held, told: None }
    }

    fn read(&self, relation: &Relation, tuple: &Tuple) -> Result<M, Arc<ReadError>> {
        match &self.places {
            Some(Ok(places)) => places.read(relation, tuple).map_err(Arc::new),
            Some(Err(error)) => Err(Arc::clone(error)),
            None => Places::of::<M>(relation)?.read(relation, tuple).map_err(Arc::new),
        }
    }

    fn sides(
        &self,
        relation: &Relation,
        row: &RowChange<'_>,
    ) -> Result<(Option<M>, Option<M>), Arc<ReadError>> {
        let read = |tuple: Option<&Tuple>| tuple.map(|tuple| self.read(relation, tuple)).transpose();
        match row {
            RowChange::Insert(new) => Ok((None, Some(self.read(relation, new)?))),
            RowChange::Update(old, new) => {
                Ok((read(old.and_then(Old::full))?, Some(self.read(relation, new)?)))
            }
            RowChange::Delete(old) => Ok((read(old.full())?, None)),
        }
    }

    fn hold(&mut self, before: Option<M>, after: Option<M>, at: &mut Place) {
        let Some(record) = after.as_ref().or(before.as_ref()) else { return };
        let (key, value) = (record.key().clone(), M::key_value(record.key()));
        let fact = Fact {
            key: Some(key),
            cause: if self.causes.know(&value) { self.cause(&value, after.as_ref()) } else { None },
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

    fn cause(&mut self, key: &KeyValue, after: Option<&M>) -> Option<evented_core::Cause> {
        let state = match after {
            Some(record) => record.state_digest().ok()?,
            None => Digest::NOTHING,
        };
        self.causes.take(key, state)
    }

    /// Tells what need not be held any longer.
    fn release(&mut self) {
        let waits = |fact: &Fact<M>| M::KEY.by_database() && fact.before.is_none() && fact.cause.is_none();
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
        lock(&self.router).tell(&told);
    }

    fn concerning_table(&mut self, kind: ChangeKind, at: Place) {
        self.held.push_back(Fact {
            key: None,
            before: None,
            after: None,
            table: Some(kind),
            position: at.position(),
            transaction: at.transaction(),
            cause: None,
        });
        self.release();
    }
}

impl<M: Rows<Pg>> TableDesk for ModelTable<M> {
    fn is_table(&self, relation: &Relation) -> bool {
        relation.table == self.table && self.schema.as_ref().is_none_or(|schema| *schema == relation.schema)
    }

    fn is_log(&self, relation: &Relation) -> bool {
        let is = |log: &crate::log::LogName| {
            log.table == relation.table && log.schema.is_none_or(|schema| schema == relation.schema)
        };
        M::Log::SHARDS.iter().any(is)
    }

    fn describe(&mut self, relation: &Relation, at: Place, altered: bool) {
        self.places = Some(Places::of::<M>(relation).map_err(Arc::new));
        if altered {
            self.concerning_table(ChangeKind::SchemaChanged, at);
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
                self.tell_at(
                    position,
                    Told::Unreadable(Unreadable { record: None, position, source: error }),
                );
            }
        }
    }

    fn event(&mut self, relation: &Relation, event: &Tuple) {
        let Ok(event) = read::<EventSeen>(relation, event) else { return };
        if M::Log::SHARED && event.schema != M::SCHEMA {
            return;
        }
        self.causes.add(event, M::KEY);
        // It may be the one that a row has been held for.
        for place in 0..self.held.len() {
            let Some(fact) = self.held.get(place).filter(|fact| fact.cause.is_none()) else { continue };
            let Some(key) = fact.key.as_ref().map(M::key_value) else { continue };
            let after = fact.after.clone();
            if !self.causes.know(&key) {
                continue;
            }
            let cause = self.cause(&key, after.as_deref().map(Moment::record));
            if let Some(fact) = self.held.get_mut(place) {
                fact.cause = cause;
            }
        }
        self.release();
    }

    fn truncate(&mut self, at: Place) {
        self.concerning_table(ChangeKind::Truncate, at);
    }

    fn commit(&mut self) {
        let mut any = false;
        while let Some(mut fact) = self.held.pop_front() {
            fact.transaction.last = self.held.is_empty();
            any = true;
            self.tell(fact);
        }
        if any {
            lock(&self.router).tell(&Told::End);
        }
        self.causes.clear();
    }

    fn restart(&mut self) {
        self.held.clear();
        self.causes.clear();
    }

    fn interrupt(&mut self, why: &Interruption) {
        lock(&self.router).interrupt(why);
    }

    fn close(&mut self) {
        lock(&self.router).close();
    }
}
