//! The steps from one list to another.

use std::collections::HashMap;

use super::list::List;
use crate::KeyValue;

/// With more steps than this, and more than half of the list, the whole list is one step.
const MOST_STEPS: usize = 64;
/// With more steps than this, the whole list is one step, however long it is.
const MOST_STEPS_EVER: usize = 1_024;

/// One step from the list before to the list after. Applied in order, the steps give the list after.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Step<T> {
    /// An item is there that was not, at this index.
    Insert {
        /// The index after the step.
        index: usize,
        /// The item.
        item: T,
    },
    /// The item at this index changed.
    Update {
        /// The index.
        index: usize,
        /// The item as it is now.
        item: T,
    },
    /// An item is at another place. [`Vec::remove`] at `from` and [`Vec::insert`] at `to` do the same.
    Move {
        /// The index before the step.
        from: usize,
        /// The index after the step.
        to: usize,
    },
    /// The item at this index is gone.
    Remove {
        /// The index before the step.
        index: usize,
    },
    /// The whole list is replaced: it was read again, or so much changed that single steps say less.
    Reset {
        /// The list as it is now.
        items: List<T>,
    },
}

impl<T: Clone> Step<T> {
    /// Applies the step to a copy of the list before. An index that the list does not have changes nothing.
    pub fn apply(&self, list: &mut Vec<T>) {
        match self {
            Self::Insert { index, item } if *index <= list.len() => list.insert(*index, item.clone()),
            Self::Update { index, item } => {
                if let Some(place) = list.get_mut(*index) {
                    *place = item.clone();
                }
            }
            Self::Move { from, to } if *from < list.len() && *to < list.len() => {
                let item = list.remove(*from);
                list.insert(*to, item);
            }
            Self::Remove { index } if *index < list.len() => drop(list.remove(*index)),
            Self::Reset { items } => *list = items.to_vec(),
            Self::Insert { .. } | Self::Move { .. } | Self::Remove { .. } => {}
        }
    }
}

/// The steps from one list to another, in which the items are known by the keys of their records.
#[must_use]
pub fn steps<T: Clone + PartialEq>(old: &List<T>, new: &List<T>) -> Vec<Step<T>> {
    if old.is(new) {
        return Vec::new();
    }
    moved(old, new).unwrap_or_else(|| vec![Step::Reset { items: new.clone() }])
}

/// The steps one by one; `None` if there are too many.
fn moved<T: Clone + PartialEq>(old: &List<T>, new: &List<T>) -> Option<Vec<Step<T>>> {
    let (old_keys, new_keys) = (old.record_keys(), new.record_keys());
    let most = MOST_STEPS.max(new.len() / 2).min(MOST_STEPS_EVER);
    let (start, end) = common(old_keys, new_keys);
    let (old_middle, new_middle) =
        (&old_keys[start..old_keys.len() - end], &new_keys[start..new_keys.len() - end]);

    let wanted: HashMap<&KeyValue, usize> = new_middle.iter().zip(0..).collect();
    let mut steps = Vec::new();
    for (index, key) in old_middle.iter().enumerate().rev() {
        if !wanted.contains_key(key) {
            steps.push(Step::Remove { index: start + index });
        }
    }
    let mut current: Vec<&KeyValue> = old_middle.iter().filter(|key| wanted.contains_key(key)).collect();
    if steps.len() + new_middle.len() - current.len() > most {
        return None;
    }
    let places: Vec<usize> = current.iter().map(|key| wanted[key]).collect();
    let stays: Vec<bool> = stays(&places);
    let moves = stays.iter().filter(|stays| !**stays).count();
    if steps.len() + new_middle.len() - current.len() + moves > most {
        return None;
    }
    let stays: HashMap<&KeyValue, bool> = current.iter().copied().zip(stays).collect();
    for (index, key) in new_middle.iter().enumerate() {
        while let Some(found) = current.get(index).copied()
            && found != key
            && stays.get(&found) == Some(&false)
            && stays.get(key) == Some(&true)
        {
            // The item that is in the way moves to behind the last one that stays before it.
            current.remove(index);
            let before = |other: &&KeyValue| stays.get(other) == Some(&true) && wanted[other] < wanted[found];
            let to = current.iter().rposition(before).map_or(index, |last| (last + 1).max(index));
            if to == index {
                current.insert(index, found);
                break;
            }
            current.insert(to, found);
            steps.push(Step::Move { from: start + index, to: start + to });
        }
        if current.get(index) == Some(&key) {
            continue;
        }
        if stays.contains_key(key) {
            let from = current.iter().skip(index).position(|it| *it == key)? + index;
            current.remove(from);
            steps.push(Step::Move { from: start + from, to: start + index });
        } else {
            steps.push(Step::Insert { index: start + index, item: new.get(start + index)?.clone() });
        }
        current.insert(index, key);
        if steps.len() > most {
            return None;
        }
    }
    update(old, new, &mut steps);
    (steps.len() <= most).then_some(steps)
}

/// How many keys two lists have in common at their beginning, and behind that at their end.
fn common(old: &[KeyValue], new: &[KeyValue]) -> (usize, usize) {
    let start = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let shorter = old.len().min(new.len());
    let ends = old.iter().rev().zip(new.iter().rev()).take(shorter - start);
    (start, ends.take_while(|(one, other)| one == other).count())
}

/// Adds a step for each item that is in both lists and differs.
fn update<T: Clone + PartialEq>(old: &List<T>, new: &List<T>, steps: &mut Vec<Step<T>>) {
    let same_place = |index: usize| old.record_keys().get(index) == new.record_keys().get(index);
    let mut places: Option<HashMap<&KeyValue, &T>> = None;
    for (index, (key, item)) in new.record_keys().iter().zip(new).enumerate() {
        let before = if same_place(index) {
            old.get(index)
        } else {
            let places = places.get_or_insert_with(|| old.record_keys().iter().zip(old).collect());
            places.get(key).copied()
        };
        if before.is_some_and(|before| before != item) {
            steps.push(Step::Update { index, item: item.clone() });
        }
    }
}

/// Which of these different numbers are in one longest ascending sequence.
fn stays(numbers: &[usize]) -> Vec<bool> {
    // For each length, the index of the smallest number that ends a sequence of it; and for each number, the one before.
    let (mut ends, mut before): (Vec<usize>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
    for (index, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|end| numbers[*end] < *number);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut stays = vec![false; numbers.len()];
    let mut next = ends.last().copied();
    while let Some(index) = next {
        stays[index] = true;
        next = before[index];
    }
    stays
}
