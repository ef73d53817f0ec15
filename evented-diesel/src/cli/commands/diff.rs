//! `diff`: what differs between two revisions of a record.

use evented_core::{Changeset, State};
use serde::Serialize;

use super::{key_json, show};
use crate::backend::Dialect;
use crate::cli::failure::Failure;
use crate::error::Error;
use crate::model::Model;
use crate::run::driver::Driver;
use crate::statement::Until;
use crate::steps::command::Record;
use crate::steps::load;

/// What differs.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Diff {
    pub(in crate::cli) schema: &'static str,
    pub(in crate::cli) record: serde_json::Value,
    pub(in crate::cli) from: i64,
    pub(in crate::cli) to: i64,
    pub(in crate::cli) changes: Changeset,
}

/// From a revision to another, forwards or backwards. Where there is no record, every field is null.
pub(in crate::cli) async fn of<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: Record<M>,
    from: i64,
    to: i64,
) -> Result<Diff, Failure> {
    show::has(driver, &record, from.max(to)).await?;
    let before = at(driver, &record, from).await?.live();
    let after = at(driver, &record, to).await?.live();
    let changes = Changeset::between(before.as_ref(), after.as_ref())
        .map_err(|error| Error::field(record.name(), error))?;
    Ok(Diff { schema: M::SCHEMA, record: key_json(&record.value), from, to, changes })
}

async fn at<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    revision: i64,
) -> Result<State<M>, Error> {
    let until = Until { revision: Some(revision), ..Until::default() };
    Ok(load::replay(driver, record, until).await?.into_state())
}
