//! Benchmarks of live values: on PostgreSQL, over its event log.

use crate::report::Report;
use crate::setup::Bench;

mod latency;
mod many_queries;
mod many_viewers;
mod memory_of_viewers;
mod model;
mod one_read;
mod pages;
mod trees;

pub(crate) use pages::open_pages;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    // First: memory that the others have used and freed would be used again, and not be counted.
    memory_of_viewers::run(bench, report)?;
    one_read::run(bench, report)?;
    many_viewers::run(bench, report)?;
    many_queries::run(bench, report)?;
    trees::run(bench, report)?;
    pages::run(bench, report)?;
    latency::run(bench, report)
}
