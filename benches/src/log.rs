//! Benchmarks of whole logs and tables: hashes, checks, rebuild and backfill.

use crate::report::Report;
use crate::setup::Bench;

mod append;
pub(crate) mod backfill;
mod chain;
mod memory;
mod models;
mod rebuild;
mod tamper;

pub(crate) use memory::verify_and_rebuild;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    append::run(bench, report)?;
    chain::run(bench, report)?;
    rebuild::run(bench, report)?;
    memory::run(bench, report)?;
    tamper::run(bench, report)?;
    backfill::run(bench, report)
}
