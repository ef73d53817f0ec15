//! The list of a live value.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::KeyValue;

/// The list of a live value: it does not change, derefs to a slice, and cloning it is cheap.
pub struct List<T>(Arc<Listed<T>>);

struct Listed<T> {
    items: Vec<T>,
    keys: Vec<KeyValue>,
}

impl<T> List<T> {
    /// A list of items with the keys of their records.
    #[doc(hidden)]
    #[must_use]
    pub fn new(items: Vec<T>, keys: Vec<KeyValue>) -> Self {
        Self(Arc::new(Listed { items, keys }))
    }

    /// The keys of the records of the items.
    #[doc(hidden)]
    #[must_use]
    pub fn record_keys(&self) -> &[KeyValue] {
        &self.0.keys
    }

    /// Whether two lists are the same in memory.
    #[doc(hidden)]
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for List<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0.items
    }
}

impl<'l, T> IntoIterator for &'l List<T> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || **self == **other
    }
}

impl<T: PartialEq<U>, U> PartialEq<[U]> for List<T> {
    fn eq(&self, other: &[U]) -> bool {
        **self == *other
    }
}

impl<T: PartialEq<U>, U> PartialEq<Vec<U>> for List<T> {
    fn eq(&self, other: &Vec<U>) -> bool {
        **self == **other
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
