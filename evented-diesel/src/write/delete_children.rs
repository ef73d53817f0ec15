//! Deletes the records that refer to a record before it is deleted: `#[evented(cascade(Comment))]`.
//!
//! A foreign key with `ON DELETE CASCADE` removes rows without an event. So the records of the children are deleted by
//! commands first, and then nothing is left for the database to remove. A child's model may cascade in turn.

use evented_core::KeyValue;

use crate::backend::EventedBackend;
use crate::exec::Executor;
use crate::model::{Cascade, DeletingChildren, ModelOn};
use crate::statements::{key_portions, refers_to};
use crate::write::many::delete_matching;

/// Deletes the records of `C` whose rows refer to records of `P` in these columns, which are in the order of the parts of
/// the key.
pub fn delete_children<'a, DB, P, C, D>(
    executor: &'a mut D,
    parents: &'a [KeyValue],
    columns: &'a [&'static str],
    cascade: &'a Cascade,
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
