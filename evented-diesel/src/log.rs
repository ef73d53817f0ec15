//! Logs: which tables hold the events of which models, and what is kept of each event.

use evented_core::{KeyKind, KeyValue};

use crate::integrity::{
    Checkpoint, Checkpoints, MakeCheckpoint, VerifyChain, VerifyCheckpoint, VerifyCheckpoints,
};

/// A log of events. Written by `#[derive(EventLog)]` for one that several models share, and by `#[derive(Evented)]` for
/// a model's own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event log",
    label = "`#[derive(EventLog)]` is missing",
    note = "write `#[derive(EventLog)] #[event_log(table = \"events\", schemas(…))] pub struct {Self};`"
)]
pub trait EventLog: Sized + 'static {
    /// The table, as Diesel knows it; over shards, the view of them all.
    type Table: diesel::Table + Default;
    /// The column that names the record.
    type RecordColumn: diesel::Column<Table = Self::Table> + Default;
    /// The column of the event's place in its record.
    type RevisionColumn: diesel::Column<Table = Self::Table> + Default;
    /// The column of the model's name.
    type SchemaColumn: diesel::Column<Table = Self::Table> + Default;
    /// The columns, in the order of [`Event`](crate::Event).
    type Columns: diesel::Expression;
    /// The columns as a selection.
    fn columns() -> Self::Columns;

    /// The name in SQL; over shards, that of the view of them all.
    const NAME: LogName;
    /// What its records' keys are made of.
    const KEY: KeyKind;
    /// Whether several models share it.
    const SHARED: bool = false;
    /// Whether its events are chained by hashes.
    const HASHED: bool = false;
    /// The tables that hold the events: one, unless there are shards.
    const SHARDS: &'static [LogName];
    /// The links between its events, each a table of its own.
    const LINKS: &'static [LinkShape] = &[];
    /// What old names of actions are called today: `(today, old)`.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];

    /// Which shard a record is in, by its place in [`SHARDS`](Self::SHARDS); beyond them it is counted round.
    fn shard(record: &KeyValue) -> usize {
        let _ = record;
        0
    }

    /// Checks the hashes of all events.
    fn verify_chain() -> VerifyChain<Self> {
        VerifyChain::new()
    }

    /// Writes down a root over all events since the last one.
    fn checkpoint() -> MakeCheckpoint<Self> {
        MakeCheckpoint::new()
    }

    /// The roots that were written down.
    fn checkpoints() -> Checkpoints<Self> {
        Checkpoints::new()
    }

    /// Checks a part of the log against a root.
    fn verify_checkpoint(checkpoint: &Checkpoint) -> VerifyCheckpoint<Self> {
        VerifyCheckpoint::new(checkpoint)
    }

    /// Checks the log against all of its roots.
    fn verify_checkpoints() -> VerifyCheckpoints<Self> {
        VerifyCheckpoints::new()
    }

    /// The table of a record's events.
    #[must_use]
    fn table_of(record: &KeyValue) -> LogName {
        let shard = if Self::SHARDS.len() > 1 { Self::shard(record) % Self::SHARDS.len() } else { 0 };
        Self::SHARDS.get(shard).copied().unwrap_or(Self::NAME)
    }
}

/// A log that holds the events of `M`. Written with the log.
#[diagnostic::on_unimplemented(
    message = "the log `{Self}` does not hold `{M}`",
    label = "not in the list of the log",
    note = "add it to the log: `#[event_log(schemas({M}))]`"
)]
pub trait Holds<M> {}

/// The name of a log's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogName {
    /// Its PostgreSQL schema, if it is not the one of the search path.
    pub schema: Option<&'static str>,
    /// Its name.
    pub table: &'static str,
}

/// A kind of link between the events of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkShape {
    /// The link's name.
    pub name: &'static str,
    /// Whether a link has fields of its own.
    pub typed: bool,
}

/// Where the events of some record are, and what is kept of them: all that a statement must know of a log.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub(crate) table: LogName,
    /// The model's name, where others share the table.
    pub(crate) schema: Option<&'static str>,
    pub(crate) hashed: bool,
    /// All tables of the log, if there are several.
    pub(crate) shards: &'static [LogName],
}

impl Place {
    /// Where the events of one record of a model are.
    pub(crate) fn of<L: EventLog>(schema: &'static str, record: &KeyValue) -> Self {
        Self { table: L::table_of(record), ..Self::whole::<L>(schema) }
    }

    /// Where the events of all records of a model are: over shards, in the view of them.
    pub(crate) fn whole<L: EventLog>(schema: &'static str) -> Self {
        Self {
            table: L::NAME,
            schema: L::SHARED.then_some(schema),
            hashed: L::HASHED,
            shards: if L::SHARDS.len() > 1 { L::SHARDS } else { &[] },
        }
    }
}

/// A shard by the record's key alone: the same on every machine and for ever.
///
/// FNV-1a, as the data in the tables depends on it and no crate's next version may change it.
#[must_use]
pub fn shard_by_key(record: &KeyValue) -> usize {
    let hash = match record {
        KeyValue::Uuid(key) => stable_hash(key.as_bytes()),
        KeyValue::Text(key) => stable_hash(key.as_bytes()),
        KeyValue::Int(key) => stable_hash(&i64::from(*key).to_le_bytes()),
        KeyValue::BigInt(key) => stable_hash(&key.to_le_bytes()),
    };
    // The upper half is mixed best, and fits a `usize` everywhere.
    usize::try_from(hash >> 32).unwrap_or(0)
}

/// FNV-1a.
pub(crate) fn stable_hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
