//! Measures effects of a millisecond, beside threads that only sleep.

use std::time::Duration;

use evented_react::{Change, Delivery, Failure, From, Subscriber};

use super::model::{self, Comment};
use crate::measure::compare;
use crate::report::Report;
use crate::setup::Bench;

const EVENTS: i32 = 20_000;
const IN_FLIGHT: i32 = 16;
const EFFECT: Duration = Duration::from_millis(1);

fn sleep(_: Delivery<'_, Change<Comment>>) -> Result<(), Failure> {
    std::thread::sleep(EFFECT);
    Ok(())
}

/// Sleeps as often as there are events, on as many threads as effects run.
fn threads() -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        for _ in 0..IN_FLIGHT {
            scope.spawn(|| (0..EVENTS / IN_FLIGHT).for_each(|_| std::thread::sleep(EFFECT)));
        }
    });
    Ok(())
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    use evented_diesel::prelude::*;

    if !bench.wants("react/effects") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_react_effects")?;
    model::fill(&url, EVENTS, EVENTS)?;
    let events = EVENTS.unsigned_abs();
    let subscriber = || {
        Subscriber::new(model::fresh_name())
            .effect(Comment::changes(), sleep)
            .in_flight(IN_FLIGHT.unsigned_abs())
            .from(From::Beginning)
    };
    let ratio =
        compare(bench.rounds.min(5), || model::handle_all(&url, subscriber(), events.into()), threads)?;
    report.at_least("react/effects-beside-sleeping-threads", 0.85, &ratio, events);
    Ok(())
}
