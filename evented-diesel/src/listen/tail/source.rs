//! What a hub reads of the write-ahead log: a tail, and the models that it tells of it.

use std::collections::HashMap;

use evented_core::Position;

use super::super::told::Interruption;
use super::desk::{Place, RowChange, TableDesk};
use super::place;
use crate::wal::{Lsn, Message, Relation, Seen, Tail, Tuple, WalError};

/// A tail, and who is told of it.
pub(crate) struct TailSource {
    pub(crate) tail: Tail,
    desks: Vec<Box<dyn TableDesk>>,
    /// Which desks a table is of.
    tables: HashMap<u32, Of>,
    open: Option<Place>,
    epoch: u64,
}

/// Whose a table is, by the places of the desks.
#[derive(Debug, Clone, Default)]
struct Of {
    rows: Vec<usize>,
    events: Vec<usize>,
}

impl TailSource {
    pub(crate) fn new(tail: Tail, desks: Vec<Box<dyn TableDesk>>, epoch: u64) -> Self {
        Self { tail, desks, tables: HashMap::new(), open: None, epoch }
    }

    /// Takes the next message; gives the place up to which all is told now, if that has changed.
    pub(crate) async fn step(&mut self) -> Result<Option<Position>, WalError> {
        match self.tail.next().await? {
            Message::Begin { xid, commit, .. } => {
                self.open = Some(Place { epoch: self.epoch, xid, commit: commit.0, index: 0 });
            }
            Message::Relation { relation, seen } => self.describe(&relation, &seen),
            Message::Insert { relation, new } => {
                self.event(&relation, &new);
                self.row(&relation, &RowChange::Insert(&new));
            }
            Message::Update { relation, old, new } => {
                self.row(&relation, &RowChange::Update(old.as_ref(), &new));
            }
            Message::Delete { relation, old } => self.row(&relation, &RowChange::Delete(&old)),
            Message::Truncate { relations, .. } => {
                relations.iter().for_each(|relation| self.truncate(relation));
            }
            Message::Commit { end, .. } => {
                self.open = None;
                self.desks.iter_mut().for_each(|desk| desk.commit());
                self.tail.confirm(end);
                return Ok(Some(self.passed(end)));
            }
            Message::Restarted => {
                self.open = None;
                self.desks.iter_mut().for_each(|desk| desk.restart());
            }
            Message::Idle { at } => return Ok(Some(self.passed(at))),
            Message::Logical { .. } => {}
        }
        Ok(None)
    }

    /// All is told up to a place, between two transactions.
    fn passed(&mut self, at: Lsn) -> Position {
        let at = place(at, self.epoch);
        self.desks.iter_mut().for_each(|desk| desk.passed(at));
        at
    }

    fn describe(&mut self, relation: &Relation, seen: &Seen) {
        let places = |is: &dyn Fn(&dyn TableDesk) -> bool| {
            let desks = self.desks.iter().enumerate().filter(|(_, desk)| is(desk.as_ref()));
            desks.map(|(place, _)| place).collect::<Vec<_>>()
        };
        let of = Of {
            rows: places(&|desk| desk.is_table(relation)),
            events: places(&|desk| desk.is_log(relation)),
        };
        let altered = matches!(seen, Seen::Changed { .. });
        for desk in &of.rows {
            let (Some(desk), Some(open)) = (self.desks.get_mut(*desk), &self.open) else { continue };
            desk.describe(relation, *open, altered);
        }
        self.tables.insert(relation.oid, of);
    }

    fn row(&mut self, relation: &Relation, row: &RowChange<'_>) {
        let Some(of) = self.tables.get(&relation.oid) else { return };
        for desk in &of.rows {
            if let (Some(desk), Some(open)) = (self.desks.get_mut(*desk), &mut self.open) {
                desk.row(relation, row, open);
            }
        }
    }

    fn event(&mut self, relation: &Relation, event: &Tuple) {
        let Some(of) = self.tables.get(&relation.oid) else { return };
        for desk in &of.events {
            if let Some(desk) = self.desks.get_mut(*desk) {
                desk.event(relation, event);
            }
        }
    }

    fn truncate(&mut self, relation: &Relation) {
        let Some(of) = self.tables.get(&relation.oid) else { return };
        for desk in &of.rows {
            if let (Some(desk), Some(open)) = (self.desks.get_mut(*desk), &mut self.open) {
                desk.truncate(*open);
                open.index += 1;
            }
        }
    }

    pub(crate) fn interrupt(&mut self, why: &Interruption) {
        self.desks.iter_mut().for_each(|desk| desk.interrupt(why));
    }
}
