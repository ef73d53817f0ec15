//! Benchmarks of commands on, and reads of, single records.

use crate::report::Report;
use crate::setup::Bench;

mod batch;
mod contention;
mod create;
mod history;
mod many_rows;
mod publish;
mod raw;
mod rivals;
mod sqlite;
mod update;
mod upsert;
mod whole_tables;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    update::run(bench, report)?;
    create::run(bench, report)?;
    rivals::run(bench, report)?;
    history::run(bench, report)?;
    contention::run(bench, report)?;
    batch::run(bench, report)?;
    many_rows::run(bench, report)?;
    upsert::run(bench, report)?;
    whole_tables::run(bench, report)?;
    sqlite::run(bench, report)?;
    publish::run(bench, report)?;
    crate::memory::run(bench, report)
}
