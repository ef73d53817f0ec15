//! `wal`: the publications and slots of PostgreSQL's write-ahead log.

use diesel::pg::Pg;
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::error::Error;
use crate::log::EventLog;
use crate::model::Rows;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::wal::{self, Problem, SlotHealth, SlotStatus, TableName};

/// The tables that are read.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Those whose rows must come whole, also as they were.
    pub(in crate::cli) whole: Vec<TableName>,
    /// Those of logs: their rows never change.
    pub(in crate::cli) logs: Vec<TableName>,
}

impl Tables {
    /// Those of a model.
    pub(in crate::cli) fn of<M: Rows<Pg>>() -> Self {
        let whole = M::HAS_TABLE.then(TableName::of::<M>).into_iter().collect();
        Self { whole, logs: M::Log::SHARDS.iter().map(|log| TableName::from(*log)).collect() }
    }

    pub(in crate::cli) fn add(&mut self, other: &Self) {
        self.whole.extend(other.whole.iter().cloned());
        for log in &other.logs {
            if !self.logs.contains(log) {
                self.logs.push(log.clone());
            }
        }
    }
}

/// What is to be done; the tables are found by their models already.
#[derive(Debug)]
pub enum Asked {
    CreatePublication { publication: String, tables: Tables },
    DropPublication { publication: String },
    CreateSlot { slot: String },
    DropSlot { slot: String },
    SlotStatus { slot: String },
    Check { publication: String, slot: Option<String>, tables: Tables },
}

/// What a subcommand has come to.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    /// `create-publication`: the tables that were added.
    Published { publication: String, added: Vec<String> },
    /// `drop-publication`: whether there was one.
    Unpublished { publication: String, dropped: bool },
    /// `create-slot`: where it is, and whether it was made now.
    SlotMade { slot: String, at: String, new: bool },
    /// `drop-slot`: whether there was one.
    SlotDropped { slot: String, dropped: bool },
    /// `slot-status`; nothing if there is none.
    Slot { slot: String, status: Option<Status> },
    /// `check`: what is in the way.
    Checked { publication: String, problems: Vec<String> },
}

/// How a slot is. Places are as PostgreSQL writes them, amounts in bytes.
#[derive(Debug, Serialize)]
pub struct Status {
    pub(in crate::cli) active: bool,
    pub(in crate::cli) health: &'static str,
    pub(in crate::cli) confirmed: Option<String>,
    pub(in crate::cli) written: String,
    pub(in crate::cli) retained: Option<i64>,
    pub(in crate::cli) lag: Option<i64>,
    pub(in crate::cli) safe: Option<i64>,
}

impl Status {
    /// Whether the reader can go on from it for now.
    pub(in crate::cli) fn is_well(&self) -> bool {
        matches!(self.health, "reserved" | "extended")
    }
}

impl From<SlotStatus> for Status {
    fn from(status: SlotStatus) -> Self {
        Self {
            active: status.active,
            health: match status.health {
                SlotHealth::Reserved => "reserved",
                SlotHealth::Extended => "extended",
                SlotHealth::Unreserved => "unreserved",
                SlotHealth::Lost => "lost",
            },
            confirmed: status.confirmed.map(|lsn| lsn.to_string()),
            written: status.written.to_string(),
            retained: status.retained,
            lag: status.lag,
            safe: status.safe,
        }
    }
}

pub(in crate::cli) async fn run<D: Driver<Pg>>(driver: &mut D, asked: Asked) -> Result<Done, Failure> {
    Ok(perform(driver, asked).await?)
}

async fn perform<D: Driver<Pg>>(driver: &mut D, asked: Asked) -> Result<Done, Error> {
    Ok(match asked {
        Asked::CreatePublication { publication, tables } => {
            let tables = tables.whole.into_iter().chain(tables.logs);
            let added = wal::create_publication(&publication, tables).perform(driver).await?;
            Done::Published { publication, added: added.iter().map(ToString::to_string).collect() }
        }
        Asked::DropPublication { publication } => {
            let dropped = wal::drop_publication(&publication).perform(driver).await?;
            Done::Unpublished { publication, dropped }
        }
        Asked::CreateSlot { slot } => {
            let made = wal::create_slot(&slot).perform(driver).await?;
            Done::SlotMade { slot, at: made.at.to_string(), new: made.new }
        }
        Asked::DropSlot { slot } => {
            let dropped = wal::drop_slot(&slot).perform(driver).await?;
            Done::SlotDropped { slot, dropped }
        }
        Asked::SlotStatus { slot } => {
            let status = wal::slot_status(&slot).perform(driver).await?.map(Status::from);
            Done::Slot { slot, status }
        }
        Asked::Check { publication, slot, tables } => {
            let (check, logs) = (wal::check(&publication), tables.logs.clone());
            let check = slot.into_iter().fold(check, |check, slot| check.slot(slot));
            let check = tables.whole.into_iter().fold(check, |check, table| check.table(table));
            let check = tables.logs.into_iter().fold(check, |check, table| check.keyed(table));
            let problems = check.perform(driver).await?;
            Done::Checked {
                publication,
                problems: problems.iter().map(|problem| told(problem, &logs)).collect(),
            }
        }
    })
}

/// What is in the way. What is done in code there is done by a command here.
fn told(problem: &Problem, logs: &[TableName]) -> String {
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
