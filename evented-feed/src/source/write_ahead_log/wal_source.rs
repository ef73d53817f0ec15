//! Reads a tail of the write-ahead log as a hub's source.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use evented_core::Position;
use evented_diesel::stream::Interruption;
use evented_wal::{Lsn, Message, Relation, Seen, Tail, Tuple, WalError};

use crate::hints::hint;
use crate::shared::{Reached, Shared};
use crate::source::write_ahead_log::model_table::{RowChange, TableConsumer, TxnOffset};
use crate::source::{Source, SourceEnded};
use crate::tap::Taps;
use crate::telemetry;
use crate::wal::positions::{wal_position, wal_stream};

/// How often the source checks whether the hub is to stop, and reports its status, while no message comes.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);

/// A tail, and the models that it delivers to.
pub(crate) struct WalSource {
    tail: Tail,
    models: Vec<Box<dyn TableConsumer>>,
    /// The models that each table concerns, by the table's oid.
    tables: HashMap<u32, TableUse>,
    /// The transaction that is being read.
    open: Option<TxnOffset>,
    server: u64,
    taps: Arc<Taps>,
}

/// The indices of the models that a table concerns.
#[derive(Debug, Clone, Default)]
struct TableUse {
    /// The models whose table it is.
    rows: Vec<usize>,
    /// The models whose log it belongs to.
    events: Vec<usize>,
}

impl WalSource {
    pub(crate) fn new(tail: Tail, models: Vec<Box<dyn TableConsumer>>, server: u64, taps: Arc<Taps>) -> Self {
        Self { tail, models, tables: HashMap::new(), open: None, server, taps }
    }

    /// Handles the next message. Returns the position up to which everything is delivered, if it has changed.
    async fn next(&mut self) -> Result<Option<Position>, WalError> {
        match self.tail.next().await? {
            Message::Begin { xid, commit, .. } => {
                self.taps.committed(xid);
                self.open = Some(TxnOffset { server: self.server, xid, commit: commit.0, index: 0 });
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
                self.models.iter_mut().for_each(|model| model.commit());
                self.tail.confirm(end);
                return Ok(Some(self.passed(end)));
            }
            Message::Restarted => {
                self.open = None;
                self.models.iter_mut().for_each(|model| model.restart());
            }
            Message::Idle { at } => return Ok(Some(self.passed(at))),
            _ => {}
        }
        Ok(None)
    }

    /// Records that everything up to `to`, which is between two transactions, has been delivered.
    fn passed(&mut self, to: Lsn) -> Position {
        let to = wal_position(to, self.server);
        self.models.iter_mut().for_each(|model| model.passed(to));
        to
    }

    fn describe(&mut self, relation: &Relation, seen: &Seen) {
        let indices = |is: &dyn Fn(&dyn TableConsumer) -> bool| {
            let models = self.models.iter().enumerate().filter(|(_, model)| is(model.as_ref()));
            models.map(|(index, _)| index).collect::<Vec<_>>()
        };
        let table = TableUse {
            rows: indices(&|model| model.is_table(relation)),
            events: indices(&|model| model.is_log(relation)),
        };
        // Another name is no change of what a row has.
        let altered = matches!(seen, Seen::Changed { before }
            if before.columns != relation.columns || before.identity != relation.identity);
        for index in &table.rows {
            let (Some(model), Some(open)) = (self.models.get_mut(*index), &self.open) else { continue };
            model.describe(relation, *open, altered);
        }
        self.tables.insert(relation.oid, table);
    }

    fn row(&mut self, relation: &Relation, row: &RowChange<'_>) {
        let Some(table) = self.tables.get(&relation.oid) else { return };
        for index in &table.rows {
            if let (Some(model), Some(open)) = (self.models.get_mut(*index), &mut self.open) {
                model.row(relation, row, open);
            }
        }
    }

    fn event(&mut self, relation: &Relation, event: &Tuple) {
        let Some(table) = self.tables.get(&relation.oid) else { return };
        for index in &table.events {
            if let Some(model) = self.models.get_mut(*index) {
                model.event(relation, event);
            }
        }
    }

    fn truncate(&mut self, relation: &Relation) {
        let Some(table) = self.tables.get(&relation.oid) else { return };
        for index in &table.rows {
            if let (Some(model), Some(open)) = (self.models.get_mut(*index), &mut self.open) {
                model.truncate(*open);
                open.index += 1;
            }
        }
    }

    /// Ends all subscriptions: the log can no longer be read.
    fn end(&mut self, error: &WalError, hub: &Shared) -> SourceEnded {
        telemetry::hub_ended(error);
        hub.set_failed(error.to_string());
        let reason = match error {
            WalError::MustRefetch { reason } => reason.to_string(),
            other => format!("the log cannot be read any more: {other}"),
        };
        let reason = Interruption::MustRefetch { reason: reason.into() };
        self.models.iter_mut().for_each(|model| model.interrupt(&reason));
        SourceEnded
    }
}

impl Source for WalSource {
    async fn step(&mut self, hub: &Shared) -> Result<(), SourceEnded> {
        // A hub also sends a hint when it stops.
        let stepped = tokio::select! {
            biased;
            stepped = self.next() => Some(stepped),
            _ = tokio::time::timeout(STATUS_INTERVAL, hint()) => None,
        };
        match stepped {
            Some(Ok(Some(to))) => {
                hub.set_reached(Reached { last: to, to });
                hub.taps.cut(|| vec![to]);
            }
            Some(Ok(None)) => return Ok(()),
            Some(Err(error)) => return Err(self.end(&error, hub)),
            None => {}
        }
        // A new tap waits for a cut, also if nothing is written.
        if self.open.is_none()
            && hub.taps.take_new()
            && let Some(reached) = hub.reached(wal_stream())
        {
            hub.taps.cut(|| vec![reached.to]);
        }
        let tail = self.tail.status();
        hub.update_status(|status| {
            (status.connected, status.reconnects) = (tail.connected, tail.reconnects);
        });
        Ok(())
    }
}
