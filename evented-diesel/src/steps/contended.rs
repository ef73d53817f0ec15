//! Which records several writers want at once.
//!
//! In peace a write reads without a lock, and its statement finds out whether the row is still the one it read: two
//! round trips. On a record that many write, that is often in vain, and locking first is faster. So a record that was
//! lost to another writer is locked first for a while. It is a guess and nothing more: right or wrong, the write is
//! the same.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::command::Record;
use crate::model::Model;
use crate::observe;

/// Records share a place when their hashes do; a wrong guess costs a lock.
const PLACES: usize = 1024;
/// For how many milliseconds a lost race is remembered.
const WHILE: u64 = 1_000;

struct Races {
    hasher: RandomState,
    start: Instant,
    /// The millisecond after `start` of the last lost race, 0 if there was none.
    lost: [AtomicU64; PLACES],
}

static RACES: LazyLock<Races> = LazyLock::new(|| Races {
    hasher: RandomState::new(),
    start: Instant::now(),
    lost: [const { AtomicU64::new(0) }; PLACES],
});

impl Races {
    fn place<M: Model>(&self, record: &Record<M>) -> &AtomicU64 {
        let hash = self.hasher.hash_one((M::SCHEMA, &record.value));
        #[expect(clippy::cast_possible_truncation, reason = "any place will do, as long as it is the same")]
        let place = hash as usize % PLACES;
        &self.lost[place]
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

/// Whether a race for this record was lost a moment ago.
pub(crate) fn is_likely<M: Model>(record: &Record<M>) -> bool {
    let lost = RACES.place(record).load(Ordering::Relaxed);
    lost != 0 && RACES.now().saturating_sub(lost) < WHILE
}

/// A race for this record was lost.
pub(crate) fn remember<M: Model>(record: &Record<M>) {
    observe::overtaken(M::SCHEMA, &record.value);
    RACES.place(record).store(RACES.now(), Ordering::Relaxed);
}
