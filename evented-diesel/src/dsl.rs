//! Defines the methods of models: commands, reads and checks.

use evented_core::{ActionOf, Changeset, Channel, IntoRecordRef, RecordRef};

use crate::error::Error;
use crate::maintenance::{Adopt, Backfill, Rebuild};
use crate::model::{Event, EventsOf, Model, RowFilter, Savable, WithTable};
use crate::read::{History, LastPosition, Replay, TableAt};
use crate::stream::TakeReadPoint;
use crate::verify::{Verify, VerifyReplay, VerifySavepoints, VerifyTable};
use crate::write::{Command, ManyRows, Materialize, Save, Upsert, changeset};

/// Commands and reads of every model: `Item::insert(…)`, `item.delete()`, `Item::history(id)`. Each is a value that does
/// nothing until `.run(&mut conn)`. The prelude has this trait.
///
/// These are methods of a trait, as Diesel's are: a method of the model's own with the same name stays what it was, and a
/// method of another trait with the same name is an error of the compiler, never hidden. Where a name is taken, write the
/// trait: `EventedDsl::delete(&item)`.
pub trait EventedDsl: Model {
    /// Creates a record.
    fn insert(new: Self::New) -> Command<Self> {
        Command::insert(new)
    }
    /// Changes some fields of the record.
    fn update(&self, changes: Self::Changes) -> Command<Self> {
        Command::change(RecordRef::record(self), changes)
    }
    /// Deletes the record. Its events stay in the log.
    fn delete(&self) -> Command<Self> {
        Command::delete(RecordRef::record(self))
    }
    /// Deletes the record with this key. Its events stay in the log.
    fn delete_by(target: impl IntoRecordRef<Self>) -> Command<Self> {
        Command::delete(target)
    }
    /// Runs any action of this model on a record, given by reference or by its key.
    fn execute_on<A: ActionOf<Self>>(target: impl IntoRecordRef<Self>, action: A) -> Command<Self> {
        Command::change(target, action)
    }
    /// Computes what an action would change. Writes nothing.
    ///
    /// # Errors
    ///
    /// The errors of running the action: errors of the input, or a value that cannot be stored.
    fn changeset<A: ActionOf<Self>>(&self, action: &A) -> Result<Changeset, Error> {
        changeset(self, action)
    }
    /// Writes the whole state into the log, so that replay may start from it.
    fn savepoint(target: impl IntoRecordRef<Self>) -> Command<Self> {
        Command::savepoint(target)
    }
    /// Reads the state of a record, replayed from its log: now, as of a time, or at a revision.
    fn replay(target: impl IntoRecordRef<Self>) -> Replay<Self> {
        Replay::new(target)
    }
    /// Reads the events of a record, each with what it changed.
    fn history(target: impl IntoRecordRef<Self>) -> History<Self> {
        History::new(target)
    }
    /// Reads the events of a record, starting with its last savepoint.
    fn recent_events(target: impl IntoRecordRef<Self>) -> History<Self> {
        History::recent(target)
    }
    /// Reads the events of a record up to the given one.
    fn previous_events(event: &Event<Self>) -> History<Self> {
        History::up_to(event)
    }
    /// Returns the events of this record as a Diesel query, which loads them as `Event`.
    fn events(&self) -> <Self as EventsOf>::Query
    where
        Self: EventsOf,
    {
        self.events_of()
    }
    /// Replays a record from each of its savepoints, and checks that all replays give the same state.
    fn verify_savepoints(target: impl IntoRecordRef<Self>) -> VerifySavepoints<Self> {
        VerifySavepoints::new(target)
    }
    /// Replays every record with the current code, and compares the states with the recorded digests.
    fn verify_replay() -> VerifyReplay<Self> {
        VerifyReplay::new()
    }
    /// Checks one record: its events, their replay, and its row.
    fn verify(target: impl IntoRecordRef<Self>) -> Verify<Self> {
        Verify::new(target)
    }
    /// Reads every record as it was when the log had reached a position, in pages.
    fn table_at(position: i64) -> TableAt<Self> {
        TableAt::new(position)
    }
    /// Returns the channel of all changes, for a hub of `evented-feed`. Its methods narrow it to a record or a scope.
    fn changes() -> Channel<Self> {
        Channel::all()
    }
    /// Takes a read point: which changes the current transaction sees, so that rows read in it and later changes fit
    /// together.
    fn read_point() -> TakeReadPoint<Self> {
        TakeReadPoint::of_model()
    }
    /// Reads the last position of the log.
    fn last_position() -> LastPosition<Self> {
        LastPosition::new()
    }
}

impl<M: Model> EventedDsl for M {}

/// Operations on the rows of models that have a table: all but those with `#[evented(log(only))]`. The prelude has this
/// trait.
pub trait EventedTableDsl: WithTable {
    /// Makes the row equal to this copy of the record: an update of the fields that differ. See [`Save`].
    fn save(&self) -> Save<Self>
    where
        Self: Savable,
    {
        Save::new(self)
    }
    /// Changes some fields of every record whose row matches a condition of Diesel's.
    fn update_where<F: RowFilter<Self>>(filter: F, changes: Self::Changes) -> ManyRows<Self, F> {
        ManyRows::change(filter, changes)
    }
    /// Runs an action of this model on every record whose row matches a condition.
    fn execute_where<F: RowFilter<Self>, A: ActionOf<Self>>(filter: F, action: A) -> ManyRows<Self, F> {
        ManyRows::change(filter, action)
    }
    /// Creates a record, or changes or keeps the one that is there: see [`Upsert`].
    fn upsert(new: Self::New) -> Upsert<Self> {
        Upsert::new(new)
    }
    /// Deletes every record whose row matches a condition. The events stay in the log.
    fn delete_where<F: RowFilter<Self>>(filter: F) -> ManyRows<Self, F> {
        ManyRows::delete(filter)
    }
    /// Writes the missing row of a record that exists in the log.
    fn materialize(target: impl IntoRecordRef<Self>) -> Materialize<Self> {
        Materialize::new(target)
    }
    /// Compares every row with its log.
    fn verify_table() -> VerifyTable<Self> {
        VerifyTable::new()
    }
    /// Sets every row to the state in its log.
    fn rebuild() -> Rebuild<Self> {
        Rebuild::new()
    }
    /// Records what other SQL did to the table: rows that changed, that are new, and that are gone.
    fn adopt() -> Adopt<Self> {
        Adopt::new()
    }
    /// Writes a first event for each row that has none.
    fn backfill() -> Backfill<Self> {
        Backfill::new()
    }
}

impl<M: WithTable> EventedTableDsl for M {}
