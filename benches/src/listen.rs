//! Benchmarks of feeds: the log and the write-ahead log as sources, and the hub.

use crate::report::Report;
use crate::setup::Bench;

mod catch_up;
mod idle;
mod latency;
mod model;
mod subscriptions;
mod tail;
mod writers;

pub(crate) use idle::time_of_this_process;
pub(crate) use latency::write;
pub(crate) use tail::read_tail;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    catch_up::run(bench, report)?;
    latency::run(bench, report)?;
    idle::run(bench, report)?;
    subscriptions::run(bench, report)?;
    writers::run(bench, report)?;
    tail::run(bench, report)
}
