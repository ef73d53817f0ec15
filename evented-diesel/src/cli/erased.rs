//! Models and logs without their types, for one connection: what a command finds by a name.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use evented_core::{KeyKind, KeyValue};

use super::commands::checkpoint::{self, Key, Made};
use super::commands::show::{self, Shown, When};
use super::commands::verify::{self, Check, Found};
use super::commands::{bring_up, diff, log, rebuild};
use super::failure::Failure;
use crate::backend::Dialect;
use crate::integrity::Checkpoint;
use crate::log::{EventLog, LogName};
use crate::model::{Model, Rows};
use crate::run::driver::Driver;
use crate::steps::command::Record;

/// A command under way.
pub(super) type Steps<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// What a check gives.
type Part = (Check, Vec<Found>);

/// The commands of a model.
pub(super) trait AnyModel<D>: Send + Sync {
    fn schema(&self) -> &'static str;
    fn key(&self) -> KeyKind;
    fn has_table(&self) -> bool;
    /// The log of its events.
    fn log_name(&self) -> LogName;
    fn log<'a>(&self, driver: &'a mut D, record: KeyValue) -> Steps<'a, log::Log>;
    fn show<'a>(&self, driver: &'a mut D, record: KeyValue, when: When) -> Steps<'a, Shown>;
    fn diff<'a>(&self, driver: &'a mut D, record: KeyValue, from: i64, to: i64) -> Steps<'a, diff::Diff>;
    fn verify_record<'a>(&self, driver: &'a mut D, record: KeyValue) -> Steps<'a, Part>;
    fn verify_table<'a>(&self, driver: &'a mut D) -> Steps<'a, Part>;
    fn verify_replay<'a>(&self, driver: &'a mut D, one_in: u32) -> Steps<'a, Part>;
    fn rebuild<'a>(&self, driver: &'a mut D) -> Steps<'a, rebuild::Done>;
    fn differences<'a>(&self, driver: &'a mut D) -> Steps<'a, rebuild::Differences>;
    fn bring_up<'a>(&self, driver: &'a mut D, chunk: u16) -> Steps<'a, bring_up::Done>;
}

/// The commands of a log.
pub(super) trait AnyLog<D>: Send + Sync {
    fn name(&self) -> LogName;
    fn is_hashed(&self) -> bool;
    fn verify_chain<'a>(&self, driver: &'a mut D) -> Steps<'a, Part>;
    fn verify_checkpoints<'a>(&self, driver: &'a mut D, key: Key) -> Steps<'a, Part>;
    fn verify_copies<'a>(&self, driver: &'a mut D, copies: Vec<Checkpoint>, key: Key) -> Steps<'a, Part>;
    fn checkpoint<'a>(&self, driver: &'a mut D, key: Key) -> Steps<'a, Made>;
}

/// A model `T` or a log `T`, in a database.
struct Of<DB, T>(PhantomData<fn() -> (DB, T)>);

pub(super) fn model<DB, M, D>() -> Box<dyn AnyModel<D>>
where
    DB: Dialect,
    M: Rows<DB>,
    D: Driver<DB> + 'static,
{
    Box::new(Of::<DB, M>(PhantomData))
}

pub(super) fn log<DB, L, D>() -> Box<dyn AnyLog<D>>
where
    DB: Dialect,
    L: EventLog,
    D: Driver<DB> + 'static,
{
    Box::new(Of::<DB, L>(PhantomData))
}

/// A key is made by the model's kind, so that it is one of the model's; if it ever is not, nothing is done.
fn record<M: Model>(key: KeyValue) -> Result<Record<M>, Failure> {
    let text = format!("{} {key}: the log's key is of another kind", M::SCHEMA);
    M::key_from(key).map(Record::new).ok_or_else(|| Failure::new(text))
}

impl<DB: Dialect, M: Rows<DB>, D: Driver<DB> + 'static> AnyModel<D> for Of<DB, M> {
    fn schema(&self) -> &'static str {
        M::SCHEMA
    }
    fn key(&self) -> KeyKind {
        M::KEY
    }
    fn has_table(&self) -> bool {
        M::HAS_TABLE
    }
    fn log_name(&self) -> LogName {
        M::Log::NAME
    }
    fn log<'a>(&self, driver: &'a mut D, key: KeyValue) -> Steps<'a, log::Log> {
        Box::pin(async move { Ok(log::of::<DB, M, D>(driver, record(key)?).await?) })
    }
    fn show<'a>(&self, driver: &'a mut D, key: KeyValue, when: When) -> Steps<'a, Shown> {
        Box::pin(async move { show::of::<DB, M, D>(driver, record(key)?, when).await })
    }
    fn diff<'a>(&self, driver: &'a mut D, key: KeyValue, from: i64, to: i64) -> Steps<'a, diff::Diff> {
        Box::pin(async move { diff::of::<DB, M, D>(driver, record(key)?, from, to).await })
    }
    fn verify_record<'a>(&self, driver: &'a mut D, key: KeyValue) -> Steps<'a, Part> {
        Box::pin(async move { verify::record::<DB, M, D>(driver, record(key)?).await })
    }
    fn verify_table<'a>(&self, driver: &'a mut D) -> Steps<'a, Part> {
        Box::pin(verify::table::<DB, M, D>(driver))
    }
    fn verify_replay<'a>(&self, driver: &'a mut D, one_in: u32) -> Steps<'a, Part> {
        Box::pin(verify::replay::<DB, M, D>(driver, one_in))
    }
    fn rebuild<'a>(&self, driver: &'a mut D) -> Steps<'a, rebuild::Done> {
        Box::pin(rebuild::run::<DB, M, D>(driver))
    }
    fn differences<'a>(&self, driver: &'a mut D) -> Steps<'a, rebuild::Differences> {
        Box::pin(rebuild::dry_run::<DB, M, D>(driver))
    }
    fn bring_up<'a>(&self, driver: &'a mut D, chunk: u16) -> Steps<'a, bring_up::Done> {
        Box::pin(bring_up::run::<DB, M, D>(driver, chunk))
    }
}

impl<DB: Dialect, L: EventLog, D: Driver<DB> + 'static> AnyLog<D> for Of<DB, L> {
    fn name(&self) -> LogName {
        L::NAME
    }
    fn is_hashed(&self) -> bool {
        L::HASHED
    }
    fn verify_chain<'a>(&self, driver: &'a mut D) -> Steps<'a, Part> {
        Box::pin(verify::chain::<DB, L, D>(driver))
    }
    fn verify_checkpoints<'a>(&self, driver: &'a mut D, key: Key) -> Steps<'a, Part> {
        Box::pin(checkpoint::verify::<DB, L, D>(driver, key))
    }
    fn verify_copies<'a>(&self, driver: &'a mut D, copies: Vec<Checkpoint>, key: Key) -> Steps<'a, Part> {
        Box::pin(checkpoint::verify_copies::<DB, L, D>(driver, copies, key))
    }
    fn checkpoint<'a>(&self, driver: &'a mut D, key: Key) -> Steps<'a, Made> {
        Box::pin(async move { Ok(checkpoint::make::<DB, L, D>(driver, key).await?) })
    }
}
