//! Decides how long a hub waits before it looks for changes that no hint announced.

use std::time::{Duration, Instant};

use crate::hints::hints_come_from_other_processes;

/// The interval right after an unannounced change, and while a subscriber is catching up.
pub(crate) const SHORTEST: Duration = Duration::from_millis(4);
/// The interval right after a hint or a change, while an open transaction delays changes. Most transactions are short: a
/// hint is a transaction, too.
const SHORTEST_BEHIND_TRANSACTION: Duration = Duration::from_millis(1);
/// The longest interval without hints from other processes.
const LONGEST: Duration = Duration::from_millis(100);
/// The longest interval with hints from other processes.
const LONGEST_WITH_HINTS: Duration = Duration::from_secs(1);
/// The interval is this part of the time since the last sign of an unannounced change.
const PART: u32 = 8;

/// What a hub waits for, apart from new changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// Nothing else.
    Nothing,
    /// The end of an open transaction that delays changes, which no hint announces.
    OpenTransaction,
    /// Room in the buffer of a subscriber that is catching up.
    Subscriber,
}

/// The interval between two looks. Unless it is fixed, it is short after an unannounced change, and grows while none
/// comes: writers that send hints cost no looks, and others are found as fast as they write.
#[derive(Debug)]
pub(crate) struct LookInterval {
    fixed: Option<Duration>,
    /// When a look last found a change that no hint had announced.
    unannounced: Instant,
    /// When a hint last arrived, or a look found a change.
    sign: Instant,
}

impl LookInterval {
    /// `fixed` is the interval that the user chose.
    pub(crate) fn new(fixed: Option<Duration>) -> Self {
        let now = Instant::now();
        Self { fixed, unannounced: now, sign: now }
    }

    /// Takes note of a look: whether a hint caused it, and whether it found a change.
    pub(crate) fn looked(&mut self, hinted: bool, found: bool) {
        let now = Instant::now();
        if hinted || found {
            self.sign = now;
        }
        if found && !hinted {
            self.unannounced = now;
        }
    }

    /// Returns how long to wait for a hint until the next look.
    pub(crate) fn next(&self, waits_for: WaitsFor) -> Duration {
        let longest = if hints_come_from_other_processes() { LONGEST_WITH_HINTS } else { LONGEST };
        let since = |sign: Instant, shortest| (sign.elapsed() / PART).clamp(shortest, longest);
        let at_most = self.fixed.unwrap_or(Duration::MAX);
        match waits_for {
            WaitsFor::Nothing => self.fixed.unwrap_or_else(|| since(self.unannounced, SHORTEST)),
            WaitsFor::OpenTransaction => since(self.sign, SHORTEST_BEHIND_TRANSACTION).min(at_most),
            WaitsFor::Subscriber => SHORTEST.min(at_most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An interval whose last signs are some time ago.
    fn quiet_for(time: Duration) -> LookInterval {
        let then = Instant::now() - time;
        LookInterval { fixed: None, unannounced: then, sign: then }
    }

    #[test]
    fn looks_are_rare_where_nothing_comes() {
        assert_eq!(quiet_for(Duration::from_secs(60)).next(WaitsFor::Nothing), LONGEST);
        assert_eq!(quiet_for(Duration::ZERO).next(WaitsFor::Nothing), SHORTEST);
        let between = quiet_for(Duration::from_millis(400)).next(WaitsFor::Nothing);
        assert!(between > SHORTEST && between < LONGEST, "{between:?}");
    }

    #[test]
    fn an_unannounced_change_makes_looks_frequent() {
        let mut interval = quiet_for(Duration::from_secs(60));
        interval.looked(true, true);
        assert_eq!(interval.next(WaitsFor::Nothing), LONGEST, "after a hint");
        interval.looked(false, false);
        assert_eq!(interval.next(WaitsFor::Nothing), LONGEST, "without a change");
        interval.looked(false, true);
        assert!(interval.next(WaitsFor::Nothing) < LONGEST);
    }

    #[test]
    fn the_end_of_an_open_transaction_is_found_soon_after_a_hint() {
        let mut interval = quiet_for(Duration::from_secs(60));
        assert_eq!(interval.next(WaitsFor::OpenTransaction), LONGEST);
        interval.looked(true, false);
        assert!(interval.next(WaitsFor::OpenTransaction) < LONGEST);
        assert_eq!(interval.next(WaitsFor::Subscriber), SHORTEST);
    }

    #[test]
    fn a_fixed_interval_stays() {
        let hour = Duration::from_secs(3_600);
        let mut interval = LookInterval { fixed: Some(hour), ..quiet_for(hour) };
        interval.looked(false, true);
        assert_eq!(interval.next(WaitsFor::Nothing), hour);
        assert!(interval.next(WaitsFor::OpenTransaction) < hour);
        let short = LookInterval { fixed: Some(Duration::from_millis(1)), ..quiet_for(hour) };
        assert_eq!(short.next(WaitsFor::OpenTransaction), Duration::from_millis(1));
    }
}
