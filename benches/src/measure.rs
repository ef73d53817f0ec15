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

/// Several contestants, measured in the same rounds.
#[derive(Default)]
pub(crate) struct Contest<'a> {
    names: Vec<&'static str>,
    runs: Vec<Box<dyn FnMut() -> anyhow::Result<()> + 'a>>,
}

impl<'a> Contest<'a> {
    pub(crate) fn add(&mut self, name: &'static str, run: impl FnMut() -> anyhow::Result<()> + 'a) {
        self.names.push(name);
        self.runs.push(Box::new(run));
    }

    /// Runs all contestants in each round. Each round begins with another one.
    ///
    /// # Errors
    ///
    /// The errors of the contestants.
    pub(crate) fn run(mut self, rounds: usize) -> anyhow::Result<Times> {
        // One round to warm the caches of all.
        self.runs.iter_mut().try_for_each(|run| run())?;
        let mut times = Times::of(self.names);
        let count = self.runs.len();
        for round in 0..rounds {
            let mut of_round = vec![Duration::ZERO; count];
            for nth in 0..count {
                let index = (round + nth) % count;
                of_round[index] = timed(&mut self.runs[index])?;
            }
            times.push(&of_round);
        }
        Ok(times)
    }
}

/// The times of several contestants in the same rounds.
pub(crate) struct Times {
    of: Vec<(&'static str, Vec<Duration>)>,
}

impl Times {
    /// Times of these contestants, without a round.
    pub(crate) fn of(names: impl IntoIterator<Item = &'static str>) -> Self {
        Self { of: names.into_iter().map(|name| (name, Vec::new())).collect() }
    }

    /// Adds the times of a round, in the order of the contestants.
    pub(crate) fn push(&mut self, round: &[Duration]) {
        for ((_, times), time) in self.of.iter_mut().zip(round) {
            times.push(*time);
        }
    }

    /// Compares two contestants; `None` if one did not take part.
    pub(crate) fn ratio(&self, ours: &str, baseline: &str) -> Option<Ratio> {
        let times = |name: &str| Some(&self.of.iter().find(|(it, _)| *it == name)?.1);
        Some(Ratio::of(times(ours)?, times(baseline)?))
    }
}
