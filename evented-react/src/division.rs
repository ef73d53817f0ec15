//! How the keys of a subscriber are divided into parts, and how they were divided before it was resized.

use std::collections::BTreeMap;

use evented_core::LogOffset;
use serde::{Deserialize, Serialize};

use crate::key::OrderKey;

/// The division of a subscriber's keys into parts.
///
/// After a resize the new parts begin where the slowest of the old parts stood. Some keys were handled further than that. The
/// cursors of the old parts say how far, so that nothing is handled twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Division {
    /// How often the subscriber was divided.
    pub(crate) number: i32,
    pub(crate) parts: i32,
    earlier: Vec<Earlier>,
}

/// A division that has ended while its parts stood at different events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Earlier {
    parts: i32,
    /// For each log, how far each part had come: transaction and position.
    cursors: BTreeMap<String, Vec<(i64, i64)>>,
}

impl Division {
    /// Reads what [`earlier`](Self::earlier) returned.
    pub(crate) fn stored(number: i32, parts: i32, earlier: Option<&str>) -> Result<Self, serde_json::Error> {
        let earlier = earlier.map(serde_json::from_str).transpose()?.unwrap_or_default();
        Ok(Self { number, parts, earlier })
    }

    /// Returns the earlier divisions as text; `None` if there is none.
    pub(crate) fn earlier(&self) -> Option<String> {
        let text = || serde_json::to_string(&self.earlier).unwrap_or_default();
        (!self.earlier.is_empty()).then(text)
    }

    /// Returns the part that has a key.
    pub(crate) fn part(&self, key: &OrderKey) -> i32 {
        key.part(self.parts)
    }

    /// Returns whether the events of a key up to this one were handled before the subscriber was resized.
    pub(crate) fn is_handled(&self, key: &OrderKey, log: &str, offset: LogOffset) -> bool {
        self.earlier.iter().any(|earlier| earlier.stood_at(key, log).is_some_and(|stood| offset <= stood))
    }

    /// Returns whether no part has to come to an event that was handled already. `slowest` are the lowest cursors of each
    /// log.
    pub(crate) fn is_settled(&self, slowest: &BTreeMap<String, LogOffset>) -> bool {
        self.earlier.iter().all(|earlier| earlier.is_passed(slowest))
    }

    /// Divides the keys into another number of parts. `cursors` has the log, the part and the offset of each cursor. `keeps`: also
    /// remember divisions that are passed.
    pub(crate) fn resized<'c>(
        &self,
        (parts, keeps): (i32, bool),
        cursors: impl IntoIterator<Item = (&'c str, i32, LogOffset)>,
    ) -> Self {
        let mut ended = Earlier { parts: self.parts, cursors: BTreeMap::new() };
        let mut slowest: BTreeMap<String, LogOffset> = BTreeMap::new();
        for (log, part, offset) in cursors {
            let of_log = ended.cursors.entry(log.to_owned()).or_default();
            let index = usize::try_from(part).unwrap_or(0);
            if of_log.len() <= index {
                of_log.resize(index + 1, (0, 0));
            }
            if let Some(stood) = of_log.get_mut(index) {
                *stood = (offset.txid, offset.position);
            }
            let least = slowest.entry(log.to_owned()).or_insert(offset);
            *least = offset.min(*least);
        }
        let mut earlier = self.earlier.clone();
        earlier.push(ended);
        earlier.retain(|earlier| keeps || !earlier.is_passed(&slowest));
        Self { number: self.number + 1, parts, earlier }
    }

    /// Divides other keys, of which nothing was handled.
    pub(crate) fn renewed(&self, parts: i32) -> Self {
        Self { number: self.number + 1, parts, earlier: Vec::new() }
    }
}

impl Earlier {
    fn stood_at(&self, key: &OrderKey, log: &str) -> Option<LogOffset> {
        let part = usize::try_from(key.part(self.parts)).ok()?;
        let (txid, position) = *self.cursors.get(log)?.get(part)?;
        Some(LogOffset { txid, position })
    }

    /// Returns whether all parts now are where the fastest part of this division was.
    fn is_passed(&self, slowest: &BTreeMap<String, LogOffset>) -> bool {
        self.cursors.iter().all(|(log, cursors)| {
            let fastest = cursors.iter().map(|&(txid, position)| LogOffset { txid, position }).max();
            let now = slowest.get(log).copied().unwrap_or_default();
            fastest.is_none_or(|fastest| fastest <= now)
        })
    }
}

#[cfg(test)]
mod tests {
    use evented_core::KeyValue;

    use super::*;

    const LOG: &str = "log";

    fn first(parts: i32) -> Division {
        Division::stored(0, parts, None).unwrap()
    }

    fn at(position: i64) -> LogOffset {
        LogOffset { txid: 0, position }
    }

    fn key(key: i64) -> OrderKey {
        OrderKey::of(&KeyValue::BigInt(key))
    }

    /// Handles each key's events up to a limit in a chain of divisions, and counts how often each event is handled.
    #[test]
    fn each_event_is_handled_once_over_any_chain_of_divisions() {
        const EVENTS: i64 = 60;
        let keys: Vec<OrderKey> = (0..7).map(key).collect();
        // The event at a position has this key.
        let key_of = |position: i64| &keys[usize::try_from(position * 5 % 7).unwrap()];
        for seed in 0..200_i64 {
            let mut random = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut next = |below: i64| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 33).rem_euclid(below)
            };
            let mut division = first(1 + i32::try_from(next(8)).unwrap());
            let mut cursors = vec![0; usize::try_from(division.parts).unwrap()];
            let mut handled = vec![0; usize::try_from(EVENTS).unwrap() + 1];
            for round in 0..6 {
                for (part, cursor) in cursors.iter_mut().enumerate() {
                    let to = if round == 5 { EVENTS } else { *cursor + next(EVENTS - *cursor + 1) };
                    for position in *cursor + 1..=to {
                        let key = key_of(position);
                        let is_mine = usize::try_from(division.part(key)).unwrap() == part;
                        if is_mine && !division.is_handled(key, LOG, at(position)) {
                            handled[usize::try_from(position).unwrap()] += 1;
                        }
                    }
                    *cursor = to;
                }
                let rows = cursors.iter().enumerate();
                let rows = rows.map(|(part, cursor)| (LOG, i32::try_from(part).unwrap(), at(*cursor)));
                let resized = division.resized((1 + i32::try_from(next(8)).unwrap(), false), rows);
                let stored = Division::stored(resized.number, resized.parts, resized.earlier().as_deref());
                division = stored.unwrap();
                assert_eq!(division, resized);
                let slowest = *cursors.iter().min().unwrap();
                cursors = vec![slowest; usize::try_from(division.parts).unwrap()];
            }
            assert!(handled[1..].iter().all(|times| *times == 1), "seed {seed}: {handled:?}");
        }
    }

    #[test]
    fn a_division_that_is_passed_is_forgotten() {
        let apart = first(2).resized((4, false), [(LOG, 0, at(3)), (LOG, 1, at(9))]);
        assert!(apart.earlier().is_some());
        assert!(!apart.is_settled(&BTreeMap::from([(LOG.to_owned(), at(8))])));
        assert!(apart.is_settled(&BTreeMap::from([(LOG.to_owned(), at(9))])));
        let together = apart.resized((2, false), (0..4).map(|part| (LOG, part, at(9))));
        assert_eq!((together.earlier(), together.number), (None, 2));
    }
}
