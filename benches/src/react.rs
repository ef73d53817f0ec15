//! Benchmarks of subscribers: handlers and derived tables, beside job tables and readers written by hand.

use crate::report::Report;
use crate::setup::Bench;

mod drain;
mod effects;
mod idle;
mod inline;
mod job_table;
mod late;
mod latency;
mod model;
mod old_snapshot;
mod projection;
mod pruning;
mod rebuild;
mod shared_rows;
mod three_subscribers;
mod writers;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    drain::run(bench, report)?;
    three_subscribers::run(bench, report)?;
    projection::run(bench, report)?;
    rebuild::run(bench, report)?;
    inline::run(bench, report)?;
    effects::run(bench, report)?;
    pruning::run(bench, report)?;
    shared_rows::run(bench, report)?;
    late::run(bench, report)?;
    idle::run(bench, report)?;
    latency::run(bench, report)?;
    writers::run(bench, report)?;
    old_snapshot::run(bench, report)
}
