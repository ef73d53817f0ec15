//! `diff`: shows the differences between two revisions of a record.

use evented_core::{Changeset, KeyValue, State};
use serde::Serialize;

use crate::commands::show;
use crate::failure::Failure;
use evented_diesel::spi::{EventedBackend, Executor, Record, Until, load_replay};
use evented_diesel::{Error, Model};

/// The differences between two revisions.
#[derive(Debug, Serialize)]
pub(crate) struct Diff {
    pub(crate) schema: &'static str,
    pub(crate) record: KeyValue,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) changes: Changeset,
}

/// Compares two revisions, forwards or backwards. Where the record does not exist, every field is null.
pub(crate) async fn of<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: Record<M>,
    from: i64,
    to: i64,
) -> Result<Diff, Failure> {
    show::has(executor, &record, from.max(to)).await?;
    let before = at(executor, &record, from).await?.live();
    let after = at(executor, &record, to).await?.live();
    let changes = Changeset::between(before.as_ref(), after.as_ref())
        .map_err(|error| Error::field(record.name(), error))?;
    Ok(Diff { schema: M::SCHEMA, record: record.value, from, to, changes })
}

async fn at<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    revision: i64,
) -> Result<State<M>, Error> {
    let until = Until { revision: Some(revision), ..Until::default() };
    Ok(load_replay(executor, record, until).await?.into_state())
}
