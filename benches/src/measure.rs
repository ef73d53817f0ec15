//! Measures both sides of a comparison in interleaved rounds, in the same minute on the same machine.

use std::time::{Duration, Instant};

/// The ratio of two times over several rounds.
#[derive(Debug, Clone)]
pub(crate) struct Ratio {
    /// The median of the rounds' ratios.
    pub(crate) median: f64,
    /// The lowest and the highest ratio.
    pub(crate) spread: (f64, f64),
    /// The median of our times, and of the baseline's times.
    pub(crate) times: (Duration, Duration),
    /// The best time of each side: the least disturbed one on a busy machine.
    pub(crate) best: (Duration, Duration),
}

/// Runs both sides alternately and compares their times. Each side goes first in every other round.
///
/// # Errors
///
/// The errors of the two sides.
pub(crate) fn compare(
    rounds: usize,
    mut ours: impl FnMut() -> anyhow::Result<()>,
    mut baseline: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Ratio> {
    // One round to warm the caches of both sides.
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

/// Returns how long `run` takes.
pub(crate) fn timed(run: &mut impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}
