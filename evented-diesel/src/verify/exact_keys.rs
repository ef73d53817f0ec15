//! Checks that the keys of a table can be compared with those of its log.

use evented_core::KeyPartKind;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{ModelOn, table_failed};

/// Checks that keys of the model's table are equal only if they are equal byte by byte, as in the log. Otherwise one row
/// could belong to several records.
///
/// # Errors
///
/// [`Error::InexactKey`].
pub(crate) async fn keys_are_exact<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
) -> Result<(), Error> {
    if !M::KEY_PARTS.contains(&KeyPartKind::Text) {
        return Ok(());
    }
    match DB::inexact_key::<M, D>(executor).await.map_err(table_failed::<M>)? {
        Some(reason) => Err(Error::InexactKey { schema: M::SCHEMA, reason }),
        None => Ok(()),
    }
}
