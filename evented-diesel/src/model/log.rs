//! Describes logs: which tables hold the events of which models, and what a log stores for each event.

use evented_core::{ExactKey, KeyKind, KeyValue};

use crate::model::derived::Derived;
use crate::model::id::Id;
use crate::sql::{EventTable, LogName};

/// A log of events. `#[derive(EventLog)]` implements it for a log that several models share, `#[derive(Evented)]` for a
/// model's own log.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event log",
    label = "`#[derive(EventLog)]` is missing",
    note = "write `#[derive(EventLog)] #[event_log(table = \"events\", models(…))] pub struct {Self};`"
)]
pub trait EventLog: Sized + 'static {
    /// Shows that the derive implements the trait.
    #[doc(hidden)]
    const DERIVED: Derived;
    /// The log's Diesel table; for a log with shards, the view over them.
    type Table: diesel::Table + Default;
    /// The Rust type of the record's key as Diesel reads it from the log.
    type Key: LoggedKey;
    /// The column of the record's key.
    type RecordColumn: diesel::Column<Table = Self::Table> + Default;
    /// The column of the event's revision in its record's history.
    type RevisionColumn: diesel::Column<Table = Self::Table> + Default;
    /// The log's columns, in the order of [`Event`](crate::model::Event).
    type Columns: diesel::Expression;
    /// Returns the columns as a selection.
    fn columns() -> Self::Columns;

    /// The log's name in SQL; for a log with shards, the name of the view over them.
    const NAME: LogName;
    /// The kind of key that its records have.
    const KEY: KeyKind;
    /// Whether several models share the log. Default: `false`.
    const SHARED: bool = false;
    /// Whether the log chains its events by hashes. Default: `false`.
    const HASHED: bool = false;
    /// The tables that hold the events: one, or one per shard.
    const SHARDS: &'static [LogName];
    /// The kinds of links between the log's events. Each has a table of its own. Default: none.
    const LINKS: &'static [LinkShape] = &[];
    /// The old names of renamed actions, as pairs `(today, old)`. Default: none.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];

    /// Returns the index of a record's shard in [`SHARDS`](Self::SHARDS). An index beyond the last shard wraps around.
    fn shard(record: &KeyValue) -> usize {
        let _ = record;
        0
    }

    /// Returns the table that holds a record's events.
    #[must_use]
    fn table_of(record: &KeyValue) -> LogName {
        let shard = if Self::SHARDS.len() > 1 { Self::shard(record) % Self::SHARDS.len() } else { 0 };
        Self::SHARDS.get(shard).copied().unwrap_or(Self::NAME)
    }
}

/// The Rust type of a key in a log: `Id<()>` for a UUID, `String`, `i32` or `i64`.
pub trait LoggedKey: Into<KeyValue> + 'static {}
impl LoggedKey for Id<()> {}
impl LoggedKey for String {}
impl LoggedKey for i32 {}
impl LoggedKey for i64 {}

impl From<Id<()>> for KeyValue {
    fn from(key: Id<()>) -> Self {
        Self::Uuid(key.uuid())
    }
}

/// A log that several models share: it stores the model's name with each event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event log that models share",
    label = "`#[derive(EventLog)]` is missing",
    note = "write `#[derive(EventLog)] #[event_log(table = \"events\", models(…))] pub struct {Self};`"
)]
pub trait SharedLog: EventLog {
    /// The column of the model's name.
    type SchemaColumn: diesel::Column<Table = Self::Table> + Default;
}

/// A log that holds the events of `M`. The derive that implements the log implements this trait too.
#[diagnostic::on_unimplemented(
    message = "the log `{Self}` does not hold `{M}`",
    label = "not in the list of the log",
    note = "add it to the log: `#[event_log(models({M}))]`"
)]
pub trait HoldsModel<M> {
    /// Shows that the derive implements the trait.
    #[doc(hidden)]
    const DERIVED: Derived;
}

/// A model whose events are in the log `L`. The derive of the model implements it.
#[diagnostic::on_unimplemented(
    message = "the model `{Self}` is in the list of the log `{L}`, and records its events elsewhere",
    label = "not recorded in this log",
    note = "write `#[evented(log(shared = {L}))]` on the model, or take it out of the list"
)]
pub trait RecordedIn<L> {
    /// Shows that the derive implements the trait.
    #[doc(hidden)]
    const DERIVED: Derived;
}

/// A kind of link between the events of a record, as the SQL of its table depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkShape {
    /// The name of the link.
    pub name: &'static str,
    /// Whether the link has fields of its own.
    pub typed: bool,
}

impl EventTable {
    /// The table that holds one record's events.
    pub(crate) fn of<L: EventLog>(schema: &'static str, record: &KeyValue) -> Self {
        Self { name: L::table_of(record), ..Self::whole::<L>(schema) }
    }

    /// The table of the events of all records of a model; for a log with shards, the view over them.
    pub(crate) fn whole<L: EventLog>(schema: &'static str) -> Self {
        Self {
            name: L::NAME,
            schema: L::SHARED.then_some(schema),
            hashed: L::HASHED,
            shards: if L::SHARDS.len() > 1 { L::SHARDS } else { &[] },
        }
    }
}

/// Selects a shard by the record's key alone. The result is the same on every machine and must never change.
///
/// The hash is FNV-1a, implemented here: the data in the tables depends on it, so no new version of a crate may change
/// it.
#[must_use]
pub fn shard_by_key(record: &KeyValue) -> usize {
    let hash = match record.exact() {
        ExactKey::Uuid(key) => stable_hash(key.as_bytes()),
        ExactKey::Text(key) => stable_hash(key.as_bytes()),
        ExactKey::Int(key) => stable_hash(&i64::from(key).to_le_bytes()),
        ExactKey::BigInt(key) => stable_hash(&key.to_le_bytes()),
    };
    // The upper half is mixed best, and it fits into a `usize` on every platform.
    usize::try_from(hash >> 32).unwrap_or(0)
}

/// Hashes bytes with FNV-1a (64 bits). The result never changes.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
