//! Benchmarks of subscribers: handlers and derived tables, beside job tables and readers written by hand.

use crate::report::Report;
use crate::setup::Bench;

mod drain;
mod idle;
mod job_table;
mod late;
mod model;
mod projection;
mod shared_rows;
mod writers;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    drain::run(bench, report)?;
    projection::run(bench, report)?;
    shared_rows::run(bench, report)?;
    late::run(bench, report)?;
    idle::run(bench, report)?;
    writers::run(bench, report)
}
