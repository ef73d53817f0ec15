//! Models and logs with their types erased, for one connection, so that a command can find them by name.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use evented_core::{KeyKind, KeyValue};

use crate::commands::checkpoint;
use crate::commands::checkpoint::{Keys, Made};
use crate::commands::prove;
use crate::commands::prove::Proof;
use crate::commands::show;
use crate::commands::show::{Shown, When};
use crate::commands::verify;
use crate::commands::verify::{Check, Found};
use crate::commands::{adopt, backfill, diff, log, rebuild};
use crate::failure::Failure;
use evented_diesel::checkpoints::Checkpoint;
use evented_diesel::spi::{EventedBackend, Executor, Record};
use evented_diesel::{EventLog, LogName, Model, ModelOn};

#[cfg(feature = "react")]
mod bus;
#[cfg(feature = "react")]
mod domain_event;
#[cfg(feature = "react")]
mod projection;

#[cfg(feature = "react")]
pub(super) use bus::{AnyBus, bus};
#[cfg(feature = "react")]
pub(super) use domain_event::{AnyEvent, event};
#[cfg(feature = "react")]
pub(super) use projection::{AnyProjection, projection};

/// The future of a running command.
pub(super) type Steps<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// The result of a check.
type Part = (Check, Vec<Found>);

/// The commands of a model.
pub(super) trait AnyModel<E>: Send + Sync {
    fn schema(&self) -> &'static str;
    fn key(&self) -> KeyKind;
    fn has_table(&self) -> bool;
    /// The name of the model's log.
    fn log_name(&self) -> LogName;
    fn log<'a>(&self, executor: &'a mut E, record: KeyValue) -> Steps<'a, log::Log>;
    fn show<'a>(&self, executor: &'a mut E, record: KeyValue, when: When) -> Steps<'a, Shown>;
    fn diff<'a>(&self, executor: &'a mut E, record: KeyValue, from: i64, to: i64) -> Steps<'a, diff::Diff>;
    fn verify_record<'a>(&self, executor: &'a mut E, record: KeyValue) -> Steps<'a, Part>;
    fn verify_table<'a>(&self, executor: &'a mut E) -> Steps<'a, Part>;
    fn verify_replay<'a>(&self, executor: &'a mut E, one_in: u32) -> Steps<'a, Part>;
    fn prove<'a>(&self, executor: &'a mut E, key: KeyValue, revision: i64) -> Steps<'a, Proof>;
    fn rebuild<'a>(&self, executor: &'a mut E) -> Steps<'a, rebuild::Done>;
    fn differences<'a>(&self, executor: &'a mut E) -> Steps<'a, rebuild::Differences>;
    fn backfill<'a>(&self, executor: &'a mut E, chunk: u16) -> Steps<'a, backfill::Done>;
    fn adopt<'a>(&self, executor: &'a mut E, chunk: u16, actor: Option<String>) -> Steps<'a, adopt::Done>;
}

/// The commands of a log.
pub(super) trait AnyLog<E>: Send + Sync {
    fn name(&self) -> LogName;
    fn is_hashed(&self) -> bool;
    fn verify_chain<'a>(&self, executor: &'a mut E) -> Steps<'a, Part>;
    fn verify_checkpoints<'a>(
        &self,
        executor: &'a mut E,
        keys: Keys,
        copies: Vec<Checkpoint>,
    ) -> Steps<'a, Part>;
    fn prove<'a>(&self, executor: &'a mut E, from: i64) -> Steps<'a, Proof>;
    fn checkpoint<'a>(&self, executor: &'a mut E, keys: Keys, continue_unsigned: bool) -> Steps<'a, Made>;
}

/// A model `T`, a log `T` or a bus `T`, in a database.
struct Of<DB, T>(PhantomData<fn() -> (DB, T)>);

pub(super) fn model<DB, M, E>() -> Box<dyn AnyModel<E>>
where
    DB: EventedBackend,
    M: ModelOn<DB>,
    E: Executor<DB> + 'static,
{
    Box::new(Of::<DB, M>(PhantomData))
}

pub(super) fn log<DB, L, E>() -> Box<dyn AnyLog<E>>
where
    DB: EventedBackend,
    L: EventLog,
    E: Executor<DB> + 'static,
{
    Box::new(Of::<DB, L>(PhantomData))
}

/// Converts a key to a record of the model. The key was parsed by the model's kind of key, so the conversion succeeds;
/// if it ever does not, the command fails.
fn record<M: Model>(key: KeyValue) -> Result<Record<M>, Failure> {
    let text = format!("{} {key}: the log's key is of another kind", M::SCHEMA);
    M::key_from(key).map(Record::new).ok_or_else(|| Failure::new(text))
}

impl<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB> + 'static> AnyModel<E> for Of<DB, M> {
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
    fn log<'a>(&self, executor: &'a mut E, key: KeyValue) -> Steps<'a, log::Log> {
        Box::pin(async move { Ok(log::of::<DB, M, E>(executor, record(key)?).await?) })
    }
    fn show<'a>(&self, executor: &'a mut E, key: KeyValue, when: When) -> Steps<'a, Shown> {
        Box::pin(async move { show::of::<DB, M, E>(executor, record(key)?, when).await })
    }
    fn diff<'a>(&self, executor: &'a mut E, key: KeyValue, from: i64, to: i64) -> Steps<'a, diff::Diff> {
        Box::pin(async move { diff::of::<DB, M, E>(executor, record(key)?, from, to).await })
    }
    fn verify_record<'a>(&self, executor: &'a mut E, key: KeyValue) -> Steps<'a, Part> {
        Box::pin(async move { verify::record::<DB, M, E>(executor, record(key)?).await })
    }
    fn verify_table<'a>(&self, executor: &'a mut E) -> Steps<'a, Part> {
        Box::pin(verify::table::<DB, M, E>(executor))
    }
    fn verify_replay<'a>(&self, executor: &'a mut E, one_in: u32) -> Steps<'a, Part> {
        Box::pin(verify::replay::<DB, M, E>(executor, one_in))
    }
    fn prove<'a>(&self, executor: &'a mut E, key: KeyValue, revision: i64) -> Steps<'a, Proof> {
        Box::pin(async move { prove::event::<DB, M, E>(executor, record(key)?, revision).await })
    }
    fn rebuild<'a>(&self, executor: &'a mut E) -> Steps<'a, rebuild::Done> {
        Box::pin(rebuild::run::<DB, M, E>(executor))
    }
    fn differences<'a>(&self, executor: &'a mut E) -> Steps<'a, rebuild::Differences> {
        Box::pin(rebuild::dry_run::<DB, M, E>(executor))
    }
    fn backfill<'a>(&self, executor: &'a mut E, chunk: u16) -> Steps<'a, backfill::Done> {
        Box::pin(backfill::run::<DB, M, E>(executor, chunk))
    }
    fn adopt<'a>(&self, executor: &'a mut E, chunk: u16, actor: Option<String>) -> Steps<'a, adopt::Done> {
        Box::pin(adopt::run::<DB, M, E>(executor, chunk, actor))
    }
}

impl<DB: EventedBackend, L: EventLog, E: Executor<DB> + 'static> AnyLog<E> for Of<DB, L> {
    fn name(&self) -> LogName {
        L::NAME
    }
    fn is_hashed(&self) -> bool {
        L::HASHED
    }
    fn verify_chain<'a>(&self, executor: &'a mut E) -> Steps<'a, Part> {
        Box::pin(verify::chain::<DB, L, E>(executor))
    }
    fn verify_checkpoints<'a>(
        &self,
        executor: &'a mut E,
        keys: Keys,
        copies: Vec<Checkpoint>,
    ) -> Steps<'a, Part> {
        Box::pin(checkpoint::verify::<DB, L, E>(executor, keys, copies))
    }
    fn prove<'a>(&self, executor: &'a mut E, from: i64) -> Steps<'a, Proof> {
        Box::pin(prove::log::<DB, L, E>(executor, from))
    }
    fn checkpoint<'a>(&self, executor: &'a mut E, keys: Keys, continue_unsigned: bool) -> Steps<'a, Made> {
        Box::pin(async move { Ok(checkpoint::make::<DB, L, E>(executor, keys, continue_unsigned).await?) })
    }
}
