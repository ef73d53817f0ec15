//! Deletes the records that refer to a record before it is deleted: `#[evented(cascade(Comment))]`.
//!
//! A foreign key with `ON DELETE CASCADE` removes rows without an event. So the records of the children are deleted by
//! commands first, and then nothing is left for the database to remove. A child's model may cascade in turn.

use std::pin::Pin;

use evented_core::KeyValue;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, ModelOn};
use crate::statements::{key_portions, refers_to};
use crate::write::many::delete_matching;
use crate::write::options::Options;

/// A delete that includes the children of its records.
#[derive(Debug, Clone)]
pub struct Cascade<'a> {
    options: &'a Options,
    /// The records that are being deleted: their models and keys. A row may refer to itself.
    deleting: Vec<(&'static str, KeyValue)>,
}

/// The future of a delete of children. It is boxed, because a model may be the child of its own.
pub type DeletingChildren<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

impl<'a> Cascade<'a> {
    /// The first delete.
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, deleting: Vec::new() }
    }

    /// The options that the events of the children have as well.
    pub(crate) fn options(&self) -> Options {
        Options { meta: self.options.meta.clone(), at: self.options.at, ..Options::default() }
    }

    /// The same delete, while these records are being deleted, too.
    #[must_use]
    pub(crate) fn of<M: Model>(&self, records: &[KeyValue]) -> Self {
        let mut deleting = self.deleting.clone();
        deleting.extend(records.iter().map(|key| (M::SCHEMA, key.clone())));
        Self { options: self.options, deleting }
    }

    pub(crate) fn is_deleting<M: Model>(&self, record: &KeyValue) -> bool {
        self.deleting.iter().any(|(schema, key)| *schema == M::SCHEMA && key == record)
    }
}

/// Deletes the records of `C` whose rows refer to records of `P` in these columns, which are in the order of the parts of
/// the key.
pub fn delete_children<'a, DB, P, C, D>(
    executor: &'a mut D,
    parents: &'a [KeyValue],
    columns: &'a [&'static str],
    cascade: &'a Cascade<'a>,
) -> DeletingChildren<'a>
where
    DB: EventedBackend,
    P: ModelOn<DB>,
    C: ModelOn<DB>,
    D: Executor<DB>,
{
    Box::pin(async move {
        for parents in key_portions::<DB, P>(parents) {
            let filter = refers_to::<DB, P>(parents, columns);
            delete_matching::<DB, C, D>(executor, &filter, cascade).await?;
        }
        Ok(())
    })
}
