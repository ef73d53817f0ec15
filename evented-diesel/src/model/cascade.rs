//! Defines a delete that includes the records of other models.

use std::collections::HashSet;
use std::pin::Pin;

use chrono::{DateTime, Utc};
use evented_core::{KeyValue, Meta};

use crate::error::Error;
use crate::model::definition::Model;

/// A delete that includes the children of its records, `#[evented(cascade(…))]`.
#[derive(Debug, Clone)]
pub struct Cascade {
    /// The metadata of the delete, which the events of the children have as well.
    pub(crate) meta: Meta,
    /// The time of the delete, if the caller set it.
    pub(crate) at: Option<DateTime<Utc>>,
    /// The records that are being deleted: their models and keys. A row may refer to itself.
    deleting: HashSet<(&'static str, KeyValue)>,
}

/// The future of a delete of children. It is boxed, because a model may be the child of its own.
pub type DeletingChildren<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

impl Cascade {
    /// A delete that has not reached any record.
    pub(crate) fn new(meta: &Meta, at: Option<DateTime<Utc>>) -> Self {
        Self { meta: meta.clone(), at, deleting: HashSet::new() }
    }

    /// The same delete, while these records are being deleted, too.
    #[must_use]
    pub(crate) fn of<M: Model>(&self, records: &[KeyValue]) -> Self {
        let mut cascade = self.clone();
        cascade.deleting.extend(records.iter().map(|key| (M::SCHEMA, key.clone())));
        cascade
    }

    /// Returns whether the record is being deleted.
    pub(crate) fn is_deleting<M: Model>(&self, record: &KeyValue) -> bool {
        !self.deleting.is_empty() && self.deleting.contains(&(M::SCHEMA, record.clone()))
    }
}
