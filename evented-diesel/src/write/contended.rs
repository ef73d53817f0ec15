//! Remembers which records several writers compete for.
//!
//! Normally a write reads without a lock, and its statement checks whether the row is still the one that was read: two
//! round trips. On a record with many writers this often fails, and locking first is faster. So after a write lost a
//! record to another writer, writes lock that record first for a while. This is only a heuristic: the result of a write
//! does not depend on it.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::model::{Model, Record};
use crate::telemetry;

/// The number of slots. Records with equal hashes share a slot; a wrong guess costs a lock.
const SLOTS: usize = 1024;
/// For how many milliseconds a lost race is remembered.
const HOT_RECORD_MS: u64 = 1_000;

struct Races {
    hasher: RandomState,
    start: Instant,
    /// For each slot, the time of the last lost race in milliseconds after `start`; 0 if there was none.
    lost: [AtomicU64; SLOTS],
}

static RACES: LazyLock<Races> = LazyLock::new(|| Races {
    hasher: RandomState::new(),
    start: Instant::now(),
    lost: [const { AtomicU64::new(0) }; SLOTS],
});

impl Races {
    fn slot<M: Model>(&self, record: &Record<M>) -> &AtomicU64 {
        let hash = self.hasher.hash_one((M::SCHEMA, &record.value));
        #[expect(clippy::cast_possible_truncation, reason = "any slot will do, as long as it is the same")]
        let slot = hash as usize % SLOTS;
        &self.lost[slot]
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

/// Returns whether a write lost a race for this record recently.
pub(crate) fn is_likely<M: Model>(record: &Record<M>) -> bool {
    let lost = RACES.slot(record).load(Ordering::Relaxed);
    lost != 0 && RACES.now().saturating_sub(lost) < HOT_RECORD_MS
}

/// Remembers that a write lost a race for this record.
pub(crate) fn remember<M: Model>(record: &Record<M>) {
    telemetry::overtaken(M::SCHEMA, &record.value);
    RACES.slot(record).store(RACES.now(), Ordering::Relaxed);
}
