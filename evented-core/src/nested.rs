//! The difference between two lists of records.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::external::differing;
use crate::{Changeset, Evented, FieldError};

/// The difference between two lists of records, such as the lines of an order before and after a change. Records are matched by their
/// keys, so the order of the lists does not matter.
///
/// A domain event that contains it says which rows were inserted, updated and deleted. [`map`](Self::map) converts the records into
/// what the event keeps of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Nested<T> {
    /// The records that are in the second list alone, in its order.
    pub inserted: Vec<T>,
    /// The records that are in both lists and differ, in the order of the second one.
    pub updated: Vec<NestedUpdate<T>>,
    /// The records that are in the first list alone, in its order.
    pub deleted: Vec<T>,
}

/// A record that is in both lists and differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NestedUpdate<T> {
    /// The record in the first list.
    pub before: T,
    /// The record in the second list.
    pub after: T,
}

impl<M: Evented> Nested<M> {
    /// Compares two lists. Of several records with one key in a list, the last one counts.
    pub fn between(before: impl IntoIterator<Item = M>, after: impl IntoIterator<Item = M>) -> Self {
        let (before, after) = (by_key(before), by_key(after));
        let mut old: HashMap<M::Key, usize> =
            before.iter().enumerate().map(|(index, record)| (record.key(), index)).collect();
        let mut remaining: Vec<Option<M>> = before.into_iter().map(Some).collect();
        let mut nested = Self { inserted: Vec::new(), updated: Vec::new(), deleted: Vec::new() };
        for after in after {
            let before = old.remove(&after.key()).and_then(|index| remaining.get_mut(index)?.take());
            match before {
                None => nested.inserted.push(after),
                // Values without a digest count as different.
                Some(before) if differing(&before, &after).is_none_or(|fields| !fields.is_empty()) => {
                    nested.updated.push(NestedUpdate { before, after });
                }
                Some(_) => {}
            }
        }
        nested.deleted = remaining.into_iter().flatten().collect();
        nested
    }
}

/// Keeps the last record of each key, in the order of their first ones.
fn by_key<M: Evented>(records: impl IntoIterator<Item = M>) -> Vec<M> {
    let mut places = HashMap::new();
    let mut kept: Vec<M> = Vec::new();
    for mut record in records {
        // As the database stores it: a time with nanoseconds is the same one with microseconds.
        record.normalize();
        match places.get(&record.key()).and_then(|index: &usize| kept.get_mut(*index)) {
            Some(earlier) => *earlier = record,
            None => {
                places.insert(record.key(), kept.len());
                kept.push(record);
            }
        }
    }
    kept
}

impl<T> Nested<T> {
    /// Returns whether the lists have the same records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }

    /// Converts each record.
    pub fn map<U>(self, mut convert: impl FnMut(T) -> U) -> Nested<U> {
        Nested {
            inserted: self.inserted.into_iter().map(&mut convert).collect(),
            updated: self
                .updated
                .into_iter()
                .map(|update| NestedUpdate { before: convert(update.before), after: convert(update.after) })
                .collect(),
            deleted: self.deleted.into_iter().map(&mut convert).collect(),
        }
    }
}

impl<M: Evented> NestedUpdate<M> {
    /// Returns the fields that differ.
    ///
    /// # Errors
    ///
    /// A field whose value has no JSON form.
    pub fn changes(&self) -> Result<Changeset, FieldError> {
        Changeset::between(Some(&self.before), Some(&self.after))
    }
}
