//! `wal`: manages the publications and slots of PostgreSQL's write-ahead log.

use diesel::pg::Pg;
use serde::Serialize;

use crate::failure::Failure;
use evented_diesel::spi::{Executor, Operation};
use evented_diesel::{Error, ModelOn};
use evented_feed::wal;
use evented_feed::wal::{Problem, RequiredTable, SlotStatus, TableName};

/// The tables that a reader of the write-ahead log reads.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// The tables whose old and new rows must be in the log as a whole.
    pub(crate) whole: Vec<RequiredTable>,
    /// The tables of event logs, whose rows never change.
    pub(crate) logs: Vec<RequiredTable>,
}

impl Tables {
    /// Returns the tables of a model.
    pub(crate) fn of<M: ModelOn<Pg>>() -> Self {
        let whole = M::HAS_TABLE.then(wal::required_table_of::<M>).into_iter().collect();
        Self { whole, logs: wal::required_logs_of::<M>().collect() }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.whole.extend(other.whole.iter().cloned());
        for log in &other.logs {
            if !self.logs.contains(log) {
                self.logs.push(log.clone());
            }
        }
    }
}

/// A subcommand, with the tables already looked up by their models.
#[derive(Debug)]
pub enum Asked {
    CreatePublication { publication: String, tables: Tables },
    DropPublication { publication: String },
    CreateSlot { slot: String },
    DropSlot { slot: String },
    SlotStatus { slot: String },
    Check { publication: String, slot: Option<String>, tables: Tables },
}

/// The result of a subcommand.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    /// `create-publication`: the tables that were added.
    Published { publication: String, added: Vec<String> },
    /// `drop-publication`: whether the publication existed.
    Unpublished { publication: String, dropped: bool },
    /// `create-slot`: the position of the slot, and whether it is new.
    SlotMade { slot: String, at: String, new: bool },
    /// `drop-slot`: whether the slot existed.
    SlotDropped { slot: String, dropped: bool },
    /// `slot-status`: the state of the slot; `None` if it does not exist.
    Slot { slot: String, status: Option<SlotReport> },
    /// `check`: the problems found.
    Checked { publication: String, problems: Vec<String> },
}

/// The state of a slot. Positions are LSNs as PostgreSQL writes them; amounts are in bytes.
#[derive(Debug, Serialize)]
pub struct SlotReport {
    pub(crate) active: bool,
    pub(crate) health: &'static str,
    pub(crate) confirmed: Option<String>,
    pub(crate) written: String,
    pub(crate) retained: Option<i64>,
    pub(crate) lag: Option<i64>,
    pub(crate) safe: Option<i64>,
}

impl SlotReport {
    /// Whether a reader can continue from the slot at present.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.health, "reserved" | "extended")
    }
}

impl From<SlotStatus> for SlotReport {
    fn from(status: SlotStatus) -> Self {
        Self {
            active: status.active,
            health: status.health.code(),
            confirmed: status.confirmed.map(|lsn| lsn.to_string()),
            written: status.written.to_string(),
            retained: status.retained,
            lag: status.lag,
            safe: status.safe,
        }
    }
}

pub(crate) async fn run<E: Executor<Pg>>(executor: &mut E, asked: Asked) -> Result<Done, Failure> {
    Ok(perform(executor, asked).await?)
}

async fn perform<E: Executor<Pg>>(executor: &mut E, asked: Asked) -> Result<Done, Error> {
    Ok(match asked {
        Asked::CreatePublication { publication, tables } => {
            let tables = tables.whole.into_iter().chain(tables.logs).map(|table| table.name().clone());
            let added = wal::create_publication(&publication, tables).perform(executor).await?;
            Done::Published { publication, added: added.iter().map(ToString::to_string).collect() }
        }
        Asked::DropPublication { publication } => {
            let dropped = wal::drop_publication(&publication).perform(executor).await?;
            Done::Unpublished { publication, dropped }
        }
        Asked::CreateSlot { slot } => {
            let made = wal::create_slot(&slot).perform(executor).await?;
            Done::SlotMade { slot, at: made.at.to_string(), new: made.new }
        }
        Asked::DropSlot { slot } => {
            let dropped = wal::drop_slot(&slot).perform(executor).await?;
            Done::SlotDropped { slot, dropped }
        }
        Asked::SlotStatus { slot } => {
            let status = wal::slot_status(&slot).perform(executor).await?.map(SlotReport::from);
            Done::Slot { slot, status }
        }
        Asked::Check { publication, slot, tables } => {
            let check = wal::check(&publication);
            let logs: Vec<_> = tables.logs.iter().map(|log| log.name().clone()).collect();
            let check = slot.into_iter().fold(check, |check, slot| check.slot(slot));
            let check = tables.whole.into_iter().chain(tables.logs).fold(check, wal::Check::require);
            let problems = check.perform(executor).await?;
            Done::Checked {
                publication,
                problems: problems.iter().map(|problem| problem_text(problem, &logs)).collect(),
            }
        }
    })
}

/// Returns the text of a problem, with the functions of the library replaced by the subcommands of this program.
fn problem_text(problem: &Problem, logs: &[TableName]) -> String {
    let (there, here) = match problem {
        Problem::MissingPublication { .. } => ("wal::create_publication", "wal create-publication"),
        Problem::MissingSlot { .. } => ("wal::create_slot", "wal create-slot"),
        Problem::MissingTable { table } if logs.contains(table) => {
            return format!("{problem}: make the logs with `migrations upgrade`");
        }
        _ => return problem.to_string(),
    };
    problem.to_string().replace(there, here)
}
