//! Channels: which changes of a model somebody wants to hear of, and which of them they may.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use evented_core::{ChangeKind, IntoScope, KeyValue, Scope, ScopeKeys};

use super::Denied;
use crate::command::IntoTarget;
use crate::model::Model;

bitflags::bitflags! {
    /// Kinds of changes, to be asked for with [`Channel::on`]: `Kinds::INSERTS | Kinds::DELETES`.
    ///
    /// `TRUNCATE` and a change of the table's columns are always told.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Kinds: u8 {
        /// New records.
        const INSERTS = 1;
        /// Changed records.
        const UPDATES = 1 << 1;
        /// Records that are gone.
        const DELETES = 1 << 2;
        /// Records that come from elsewhere or go there: [`ChangeKind::Enter`] and [`ChangeKind::Leave`].
        const MEMBERSHIP = 1 << 3;
    }
}

impl Kinds {
    /// Whether a change of this kind is wanted.
    pub(crate) fn wants(self, kind: ChangeKind) -> bool {
        match kind {
            ChangeKind::Insert => self.contains(Self::INSERTS),
            ChangeKind::Update => self.contains(Self::UPDATES),
            ChangeKind::Delete => self.contains(Self::DELETES),
            ChangeKind::Enter | ChangeKind::Leave => self.contains(Self::MEMBERSHIP),
            _ => true,
        }
    }
}

/// What a subscriber may know: asked when it subscribes, and of each record it would be told.
///
/// A policy holds what it must know of the subscriber. A closure over a record is one: `move |item: &Item| item.org_id ==
/// org`. Let it decide from what is at hand: [`may_see`](Self::may_see) is asked on the hub's own thread or task, where
/// everybody waits for it, and the hub itself must not be asked for anything there. If it panics, the answer is no.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a policy for the changes of `{M}`",
    label = "neither a closure `|record: &{M}| -> bool` nor a `Policy<{M}>`",
    note = "implement `Policy<{M}>` for it, or pass a closure"
)]
pub trait Policy<M>: Send + Sync {
    /// Whether the channel may be subscribed to at all. Yes, unless it is said here.
    fn may_subscribe(&self, channel: &Channel<M>) -> bool
    where
        M: Model,
    {
        let _ = channel;
        true
    }

    /// Whether the record may be seen as it is here. It is asked of both sides of a change: what was hidden and can be
    /// seen now enters, and what is hidden now leaves.
    fn may_see(&self, record: &M) -> bool;
}

impl<M, F: Fn(&M) -> bool + Send + Sync> Policy<M> for F {
    fn may_see(&self, record: &M) -> bool {
        self(record)
    }
}

/// Which changes to hear of: `Item::changes()`, `Item::changes().record(id)`, `Item::changes().scope(Item::ORG.eq(org))`.
pub struct Channel<M: Model> {
    address: Result<Address<M>, Denied>,
    pub(crate) kinds: Kinds,
    pub(crate) policy: Option<Arc<dyn Policy<M>>>,
}

/// Where a channel listens.
#[derive(Debug, Clone)]
pub(crate) enum Address<M> {
    All,
    Record(KeyValue),
    Scope(Scope<M>),
}

impl<M: Model> Channel<M> {
    /// Those of all records.
    #[must_use]
    pub fn all() -> Self {
        Self { address: Ok(Address::All), kinds: Kinds::all(), policy: None }
    }

    /// Those of one record, by its key or by reference. It is told also before there is such a record. A channel listens at
    /// one place: with a scope as well it cannot be subscribed to.
    #[must_use]
    pub fn record(self, target: impl IntoTarget<M>) -> Self {
        let record = Address::Record(M::key_value(&target.into_target().key));
        self.at(Ok(record))
    }

    /// Those of the records in a scope that the model declares in `scopes(…)`. A part that is null is in no scope.
    #[must_use]
    pub fn scope(self, scope: impl IntoScope<M>) -> Self {
        let scope = scope.into_scope().map_err(|error| Denied::Scope(Arc::new(error)));
        self.at(scope.map(Address::Scope))
    }

    /// Listens at a place. A second one is refused: that it won, or lost, in silence would tell too much.
    fn at(mut self, place: Result<Address<M>, Denied>) -> Self {
        self.address = match self.address {
            Ok(Address::All) => place,
            Err(error) => Err(error),
            Ok(_) => Err(Denied::TwoPlaces { schema: M::SCHEMA }),
        };
        self
    }

    /// Only those of some kinds: `.on(Kinds::INSERTS | Kinds::MEMBERSHIP)`.
    #[must_use]
    pub fn on(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Only what a [`Policy`] allows.
    #[must_use]
    pub fn allowed_by(mut self, policy: impl Policy<M> + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Whether it can be subscribed to, and may be. The policy is the caller's code: no lock is held while it is asked.
    pub(crate) fn check(&self) -> Result<(), Denied> {
        self.address()?;
        let allowed = self.policy.as_ref().is_none_or(|policy| asked(|| policy.may_subscribe(self)));
        if allowed { Ok(()) } else { Err(Denied::Policy { channel: self.to_string() }) }
    }

    /// Whether the record may be seen as it is here.
    pub(crate) fn may_see(&self, record: &M) -> bool {
        self.policy.as_ref().is_none_or(|policy| asked(|| policy.may_see(record)))
    }

    pub(crate) fn address(&self) -> Result<&Address<M>, Denied> {
        self.address.as_ref().map_err(Clone::clone)
    }

    /// Whether it listens at the same place as another: whatever kinds they ask for, and whatever policies they have. By
    /// this a [`Policy`] finds out in [`may_subscribe`](Policy::may_subscribe) what is asked for:
    /// `channel.same_place(&Item::changes().scope(Item::ORG.eq(self.org)))`.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        match (&self.address, &other.address) {
            (Ok(Address::All), Ok(Address::All)) => true,
            (Ok(Address::Record(this)), Ok(Address::Record(that))) => this == that,
            (Ok(Address::Scope(this)), Ok(Address::Scope(that))) => {
                (this.combination(), this.key()) == (that.combination(), that.key())
            }
            _ => false,
        }
    }

    /// Whether a record in these scopes is where it listens.
    pub(crate) fn covers<'s>(&self, key: Option<&KeyValue>, scopes: impl FnOnce() -> &'s ScopeKeys) -> bool {
        match &self.address {
            Ok(Address::All) => true,
            Ok(Address::Record(record)) => key == Some(record),
            Ok(Address::Scope(scope)) => {
                let here = scopes().get(scope.combination());
                here.is_some() && here == scope.key()
            }
            Err(_) => false,
        }
    }
}

impl<M: Model> Clone for Channel<M> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), kinds: self.kinds, policy: self.policy.clone() }
    }
}

impl<M: Model> fmt::Debug for Channel<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("of", &self.to_string())
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}

impl<M: Model> fmt::Display for Channel<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(M::SCHEMA)?;
        match &self.address {
            Ok(Address::All) => Ok(()),
            Ok(Address::Record(key)) => write!(f, " {key}"),
            Ok(Address::Scope(scope)) => write!(f, " of {scope}"),
            Err(error) => write!(f, " of nothing: {error}"),
        }
    }
}

/// The answer of a policy: no, if it panics.
fn asked(question: impl FnOnce() -> bool) -> bool {
    catch_unwind(AssertUnwindSafe(question)).unwrap_or(false)
}
