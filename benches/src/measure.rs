//! Interleaved rounds: what both sides of a comparison did, in the same minute on the same machine.

use std::time::{Duration, Instant};

/// The ratio of two times, over several rounds.
#[derive(Debug, Clone)]
pub(crate) struct Ratio {
    /// The middle of the rounds' ratios.
    pub(crate) median: f64,
    /// The lowest and the highest of them.
    pub(crate) spread: (f64, f64),
    /// The middle of our times, and of the baseline's.
    pub(crate) times: (Duration, Duration),
    /// The best of each: what is left of them on a machine with other things to do.
    pub(crate) best: (Duration, Duration),
}

/// Runs both sides alternately, each going first in every other round, and compares the times they took.
///
/// # Errors
///
/// Those of the two sides.
pub(crate) fn compare(
    rounds: usize,
    mut ours: impl FnMut() -> anyhow::Result<()>,
    mut baseline: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Ratio> {
    // One round for the caches of both.
    ours()?;
    baseline()?;
    let (mut ratios, mut our_times, mut base_times) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let (our_time, base_time);
        if round % 2 == 0 {
            our_time = timed(&mut ours)?;
            base_time = timed(&mut baseline)?;
        } else {
            base_time = timed(&mut baseline)?;
            our_time = timed(&mut ours)?;
        }
        ratios.push(our_time.as_secs_f64() / base_time.as_secs_f64());
        our_times.push(our_time);
        base_times.push(base_time);
    }
    ratios.sort_by(f64::total_cmp);
    our_times.sort();
    base_times.sort();
    let middle = rounds / 2;
    Ok(Ratio {
        median: ratios[middle],
        spread: (ratios[0], ratios[rounds - 1]),
        times: (our_times[middle], base_times[middle]),
        best: (our_times[0], base_times[0]),
    })
}

/// How long something takes.
pub(crate) fn timed(run: &mut impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}
