//! The reader's place on the server.

use diesel::pg::Pg;

use super::{Texts, first, lsn, named, texts};
use crate::error::Error;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::Statement;
use crate::wal::{Lsn, WalError};

/// Makes a durable slot, unless it is there. From then on the server keeps its log until a reader has confirmed it: see
/// [`slot_status`].
///
/// Make the publication first. The slot waits for every transaction that is writing, in any database of the server; with
/// a `statement_timeout` it gives up. It cannot be made within a transaction that has written.
///
/// It says where the slot begins.
///
/// # Errors
///
/// Those of the database: the role needs `REPLICATION`, the server `wal_level = logical` and a free slot;
/// [`WalError::WrongSlot`] if there is a slot of that name for something else.
pub fn create_slot(name: impl Into<String>) -> CreateSlot {
    CreateSlot(name.into())
}

/// Makes a slot: [`create_slot`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct CreateSlot(String);

/// What [`create_slot`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// Where the slot is: changes that are committed after that can be read from it.
    pub at: Lsn,
    /// Whether it was made now.
    pub new: bool,
}

impl Operation<Pg> for CreateSlot {
    type Output = Created;

    async fn perform<D: Driver<Pg>>(self, driver: &mut D) -> Result<Created, Error> {
        let name = named("slot", &self.0);
        let mut query = Statement::new(
            "SELECT coalesce(plugin, '-'), coalesce(database, '-'), current_database()::text, \
             confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = ",
        );
        query.value(self.0.as_str());
        let found = texts(driver, &name, query).await?;
        if found.is_empty() {
            let mut create = Statement::new("SELECT lsn::text FROM pg_create_logical_replication_slot(");
            create.value(self.0.as_str()).sql(", 'pgoutput')");
            let made = texts(driver, &name, create).await?;
            return Ok(Created { at: lsn(&name, first(&made, 0))?, new: true });
        }
        let text = |column| first(&found, column).unwrap_or_default();
        for (what, found, wanted) in [("plugin", text(0), "pgoutput"), ("database", text(1), text(2))] {
            if found != wanted {
                let (slot, found, wanted) = (self.0, found.to_owned(), wanted.to_owned());
                return Err(Error::Wal(Box::new(WalError::WrongSlot { slot, what, found, wanted })));
            }
        }
        Ok(Created { at: lsn(&name, first(&found, 3))?, new: false })
    }
}

/// Removes a slot; says whether there was one. The server keeps nothing for it any more.
///
/// # Errors
///
/// Those of the database: a slot that is being read cannot be removed.
pub fn drop_slot(name: impl Into<String>) -> DropSlot {
    DropSlot(name.into())
}

/// Removes a slot: [`drop_slot`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct DropSlot(String);

impl Operation<Pg> for DropSlot {
    type Output = bool;

    async fn perform<D: Driver<Pg>>(self, driver: &mut D) -> Result<bool, Error> {
        let mut query = Statement::new(
            "SELECT pg_drop_replication_slot(slot_name)::text FROM pg_replication_slots WHERE slot_name = ",
        );
        query.value(self.0.as_str());
        Ok(!texts(driver, &named("slot", &self.0), query).await?.is_empty())
    }
}

/// Looks at a slot: whether it is read, and how much of its log the server keeps for it. `None` if there is none.
///
/// Watch [`retained`](SlotStatus::retained): it grows without end while nobody reads, until the disk is full, unless
/// `max_slot_wal_keep_size` is set; then the slot is lost at some point instead.
pub fn slot_status(name: impl Into<String>) -> ReadSlotStatus {
    ReadSlotStatus(name.into())
}

/// Looks at a slot: [`slot_status`].
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct ReadSlotStatus(String);

/// How a slot is. See [`slot_status`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotStatus {
    /// Whether a reader has it.
    pub active: bool,
    /// Whether what it needs is there.
    pub health: SlotHealth,
    /// From where on the server keeps its log for it; `None` if it is lost.
    pub restart: Option<Lsn>,
    /// What its reader has confirmed, as far as the server has heard.
    pub confirmed: Option<Lsn>,
    /// The end of the log.
    pub written: Lsn,
    /// How many bytes of the log are kept for it.
    pub retained: Option<i64>,
    /// How many bytes its reader is behind.
    pub lag: Option<i64>,
    /// How many bytes can still be written before it may be lost; `None` without `max_slot_wal_keep_size`.
    pub safe: Option<i64>,
}

/// Whether the server still has what a slot needs: `wal_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotHealth {
    /// It has, within `max_wal_size`.
    Reserved,
    /// It has, and keeps more than `max_wal_size` for it.
    Extended,
    /// It has, and will remove it at the next checkpoint, unless the reader makes haste.
    Unreserved,
    /// It has removed it. The slot is of no use any more.
    Lost,
}

impl Operation<Pg> for ReadSlotStatus {
    type Output = Option<SlotStatus>;

    async fn perform<D: Driver<Pg>>(self, driver: &mut D) -> Result<Option<SlotStatus>, Error> {
        let mut query = Statement::new(
            "SELECT s.active::text, s.wal_status, s.restart_lsn::text, s.confirmed_flush_lsn::text, w.lsn::text, \
             pg_wal_lsn_diff(w.lsn, s.restart_lsn)::text, pg_wal_lsn_diff(w.lsn, s.confirmed_flush_lsn)::text, \
             s.safe_wal_size::text FROM pg_replication_slots s, LATERAL (SELECT CASE WHEN pg_is_in_recovery() \
             THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END AS lsn) w WHERE s.slot_name = ",
        );
        query.value(self.0.as_str());
        let name = named("slot", &self.0);
        let rows = texts(driver, &name, query).await?;
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
        // Null is what a slot has that reserves nothing.
        _ => SlotHealth::Lost,
    }
}
