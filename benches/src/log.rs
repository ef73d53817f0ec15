//! Benchmarks of whole logs and tables: hashes, checks, rebuild and backfill.

use crate::report::Report;
use crate::setup::Bench;

mod append;
pub(crate) mod backfill;
mod chain;
mod memory;
mod models;
mod rebuild;
mod size;
mod tamper;
mod tree;

pub(crate) use memory::verify_and_rebuild;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    append::run(bench, report)?;
    chain::run(bench, report)?;
    rebuild::run(bench, report)?;
    memory::run(bench, report)?;
    size::run(bench, report)?;
    tree::run(bench, report)?;
    tamper::run(bench, report)?;
    backfill::run(bench, report)
}
