//! Creates, inspects and removes replication slots, which hold a reader's position on the server.

use diesel::pg::Pg;
use evented_diesel::Error;
use evented_diesel::spi::{Executor, Operation, Statement, sealed};
use evented_wal::{Lsn, WalError};
use serde::Serialize;

use crate::wal::texts::{Texts, first, lsn, subject, texts};

/// Creates a durable slot if it does not exist, and returns the position where the slot begins. From then on the server
/// keeps its log until a reader has confirmed it: see [`slot_status`].
///
/// Create the publication first. Creating the slot waits for every writing transaction, in any database of the server;
/// with a `statement_timeout` it gives up. A slot cannot be created in a transaction that has written.
///
/// # Errors
///
/// The errors of the database: the role needs `REPLICATION`, and the server needs `wal_level = logical` and a free
/// slot. [`WalError::WrongSlot`] if a slot of that name exists for another plugin or database.
pub fn create_slot(name: impl Into<String>) -> CreateSlot {
    CreateSlot(name.into())
}

/// Creates a slot. Returned by [`create_slot`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct CreateSlot(String);

/// The result of [`create_slot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// The position of the slot: the changes that are committed after it can be read from the slot.
    pub at: Lsn,
    /// Whether the slot was created by this call.
    pub new: bool,
}

impl sealed::Operation for CreateSlot {}

impl Operation<Pg> for CreateSlot {
    type Output = Created;

    async fn perform<D: Executor<Pg>>(self, executor: &mut D) -> Result<Created, Error> {
        let name = subject("slot", &self.0);
        let mut query = Statement::new(
            "SELECT coalesce(plugin, '-'), coalesce(database, '-'), current_database()::text, \
             confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = ",
        );
        query.value(self.0.as_str());
        let found = texts(executor, &name, query).await?;
        if found.is_empty() {
            let mut create = Statement::new("SELECT lsn::text FROM pg_create_logical_replication_slot(");
            create.value(self.0.as_str()).sql(", 'pgoutput')");
            let made = texts(executor, &name, create).await?;
            return Ok(Created { at: lsn(&name, first(&made, 0))?, new: true });
        }
        let text = |column| first(&found, column).unwrap_or_default();
        for (what, found, wanted) in [("plugin", text(0), "pgoutput"), ("database", text(1), text(2))] {
            if found != wanted {
                let (slot, found, wanted) = (self.0, found.to_owned(), wanted.to_owned());
                return Err(Error::Other(Box::new(WalError::WrongSlot { slot, what, found, wanted })));
            }
        }
        Ok(Created { at: lsn(&name, first(&found, 3))?, new: false })
    }
}

/// Removes a slot, and returns whether it existed. The server keeps no log for it any longer.
///
/// # Errors
///
/// The errors of the database: a slot that is being read cannot be removed.
pub fn drop_slot(name: impl Into<String>) -> DropSlot {
    DropSlot(name.into())
}

/// Removes a slot. Returned by [`drop_slot`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct DropSlot(String);

impl sealed::Operation for DropSlot {}

impl Operation<Pg> for DropSlot {
    type Output = bool;

    async fn perform<D: Executor<Pg>>(self, executor: &mut D) -> Result<bool, Error> {
        let mut query = Statement::new(
            "SELECT pg_drop_replication_slot(slot_name)::text FROM pg_replication_slots WHERE slot_name = ",
        );
        query.value(self.0.as_str());
        Ok(!texts(executor, &subject("slot", &self.0), query).await?.is_empty())
    }
}

/// Reads the state of a slot: whether a reader uses it, and how much log the server keeps for it. `None` if the slot
/// does not exist.
///
/// Monitor [`retained`](SlotStatus::retained). While no reader uses the slot, it grows until the disk is full. If
/// `max_slot_wal_keep_size` is set, the slot is lost at some point instead.
pub fn slot_status(name: impl Into<String>) -> ReadSlotStatus {
    ReadSlotStatus(name.into())
}

/// Reads the state of a slot. Returned by [`slot_status`].
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct ReadSlotStatus(String);

/// The state of a slot. See [`slot_status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SlotStatus {
    /// Whether a reader uses the slot at the moment.
    pub active: bool,
    /// Whether the server still has the log that the slot needs.
    pub health: SlotHealth,
    /// The position from which the server keeps its log for the slot; `None` if the slot is lost.
    pub restart: Option<Lsn>,
    /// The position that the reader has confirmed, as far as the server knows.
    pub confirmed: Option<Lsn>,
    /// The end of the server's log.
    pub written: Lsn,
    /// How many bytes of log the server keeps for the slot.
    pub retained: Option<i64>,
    /// How many bytes the reader is behind the end of the log.
    pub lag: Option<i64>,
    /// How many bytes the server can still write before the slot may be lost; `None` without `max_slot_wal_keep_size`.
    pub safe: Option<i64>,
}

/// Whether the server still has the log that a slot needs: the `wal_status` of the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SlotHealth {
    /// The server has the log, within `max_wal_size`.
    Reserved,
    /// The server has the log, and keeps more than `max_wal_size` for the slot.
    Extended,
    /// The server has the log, and will remove it at the next checkpoint unless the reader confirms more before.
    Unreserved,
    /// The server has removed the log. The slot can no longer be used.
    Lost,
}

impl SlotHealth {
    /// Returns PostgreSQL's name of the state: `reserved`, for example.
    pub fn code(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Extended => "extended",
            Self::Unreserved => "unreserved",
            Self::Lost => "lost",
        }
    }
}

impl sealed::Operation for ReadSlotStatus {}

impl Operation<Pg> for ReadSlotStatus {
    type Output = Option<SlotStatus>;

    async fn perform<D: Executor<Pg>>(self, executor: &mut D) -> Result<Option<SlotStatus>, Error> {
        let mut query = Statement::new(
            "SELECT s.active::text, s.wal_status, s.restart_lsn::text, s.confirmed_flush_lsn::text, w.lsn::text, \
             pg_wal_lsn_diff(w.lsn, s.restart_lsn)::text, pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn)::text, \
             s.safe_wal_size::text FROM pg_replication_slots s, LATERAL (SELECT CASE WHEN pg_is_in_recovery() \
             THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END AS lsn) w WHERE s.slot_name = ",
        );
        query.value(self.0.as_str());
        let name = subject("slot", &self.0);
        let rows = texts(executor, &name, query).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let number = |column| first(&rows, column).and_then(|text| text.parse::<i64>().ok());
        Ok(Some(SlotStatus {
            active: first(&rows, 0) == Some("true"),
            health: health(&rows),
            restart: optional_lsn(&rows, 2),
            confirmed: optional_lsn(&rows, 3),
            written: lsn(&name, first(&rows, 4))?,
            retained: number(5),
            lag: number(6),
            safe: number(7),
        }))
    }
}

fn optional_lsn(rows: &[Texts], column: usize) -> Option<Lsn> {
    first(rows, column)?.parse().ok()
}

fn health(rows: &[Texts]) -> SlotHealth {
    match first(rows, 1) {
        Some("reserved") => SlotHealth::Reserved,
        Some("extended") => SlotHealth::Extended,
        Some("unreserved") => SlotHealth::Unreserved,
        // The column is null for a slot that reserves nothing.
        _ => SlotHealth::Lost,
    }
}
