//! Policies decide what a subscriber may see.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::live::Filter;
use crate::{Channel, Evented, Unstorable};

/// Decides what one subscriber may see. The hub calls it when the subscriber subscribes, and then for each record of
/// a change.
///
/// A policy holds what it needs to know about the subscriber. A closure over a record is a policy: `move |item:
/// &Item| item.org_id == org`. The hub calls [`may_see`](Self::may_see) on its own thread or task and delivers
/// nothing until it returns, so a policy must decide from memory and must not call the hub, nor a store of live
/// values. A policy that panics
/// denies.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a policy for the changes of `{M}`",
    label = "neither a closure `|record: &{M}| -> bool` nor a `Policy<{M}>`",
    note = "implement `Policy<{M}>` for it, or pass a closure"
)]
pub trait Policy<M>: Send + Sync {
    /// Whether the subscriber may subscribe to the channel at all. Default: `true`.
    fn may_subscribe(&self, channel: &Channel<M>) -> bool
    where
        M: Evented,
    {
        let _ = channel;
        true
    }

    /// Whether the subscriber may see the record in this state. The hub calls this for both sides of a change: a
    /// record that was hidden and is now visible enters, and a record that is now hidden leaves.
    fn may_see(&self, record: &M) -> bool;

    /// The same rule as a condition, so that a live query reads only what the viewer may see. Each record that it reads is
    /// still checked by [`may_see`](Self::may_see). Default: `None`; a live list with a limit then reads on behind hidden
    /// records, at most 10,000.
    fn filter(&self) -> Option<Filter<M>> {
        None
    }

    /// What the rule depends on: viewers whose policies have the same type and the same key share their live values. The
    /// organisation of the viewer, for example. Default: `None`, and no value is shared.
    fn key(&self) -> Option<String> {
        None
    }
}

impl<M, F: Fn(&M) -> bool + Send + Sync> Policy<M> for F {
    fn may_see(&self, record: &M) -> bool {
        self(record)
    }
}

/// Why a channel cannot be subscribed to.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The channel's policy denies it.
    #[error("the policy does not allow to subscribe to {channel}")]
    Policy {
        /// The channel, as text.
        channel: String,
    },
    /// The channel names two targets: a record and a scope, or two of either.
    #[error(
        "a channel of `{schema}` has one target: subscribe to each, use `Feed::add`, or declare the combination \
             in `scopes(…)` and pass a tuple"
    )]
    TwoTargets {
        /// The model's name in the log.
        schema: &'static str,
    },
    /// A value of the scope is one that no record can have.
    #[error("no record is in this scope")]
    Scope(#[source] Arc<Unstorable>),
}

/// The answer of a policy; `false` if the policy panics.
pub(crate) fn answer(question: impl FnOnce() -> bool) -> bool {
    catch_unwind(AssertUnwindSafe(question)).unwrap_or(false)
}
