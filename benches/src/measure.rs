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
    let (mut our_times, mut base_times) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let (our_time, base_time);
        if round % 2 == 0 {
            our_time = timed(&mut ours)?;
            base_time = timed(&mut baseline)?;
        } else {
            base_time = timed(&mut baseline)?;
            our_time = timed(&mut ours)?;
        }
        our_times.push(our_time);
        base_times.push(base_time);
    }
    Ok(Ratio::of(&our_times, &base_times))
}

impl Ratio {
    /// The ratio of the times of several rounds, at least one.
    pub(crate) fn of(ours: &[Duration], baseline: &[Duration]) -> Self {
        let mut ratios: Vec<f64> = ours
            .iter()
            .zip(baseline)
            .map(|(ours, baseline)| ours.as_secs_f64() / baseline.as_secs_f64())
            .collect();
        ratios.sort_by(f64::total_cmp);
        let (mut ours, mut baseline) = (ours.to_vec(), baseline.to_vec());
        ours.sort();
        baseline.sort();
        let middle = ratios.len() / 2;
        Self {
            median: ratios[middle],
            spread: (ratios[0], ratios[ratios.len() - 1]),
            times: (ours[middle], baseline[middle]),
            best: (ours[0], baseline[0]),
        }
    }
}

/// Returns how long `run` takes.
pub(crate) fn timed(run: &mut impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}
