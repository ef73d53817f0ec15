//! Channels: the changes of a model that a subscriber requests.

use std::fmt;
use std::sync::Arc;

use crate::policy::answer;
use crate::{Denied, Evented, IntoRecordRef, IntoScope, KeyValue, Kinds, Policy, Scope, ScopeKeys};

/// The changes of a model that a subscriber requests: of all records, of one record, or of the records in a scope.
///
/// `Item::changes()` is the channel of all changes of `Item`; the methods here narrow it:
///
/// ```ignore
/// Item::changes();                                      // every record
/// Item::changes().record(&lamp);                        // one record
/// Item::changes().scope(Item::ORG.eq(7))                // the records of a scope that the model declares
///     .on(Kinds::INSERTS | Kinds::DELETES)              // some kinds of changes
///     .allowed_by(move |item: &Item| !item.secret)      // what a policy allows
/// ```
///
/// A channel has one target. A second [`record`](Self::record) or [`scope`](Self::scope) makes a channel that no hub
/// accepts: subscribing fails with [`Denied::TwoTargets`].
pub struct Channel<M: Evented> {
    target: Result<ChannelTarget<M>, Denied>,
    kinds: Kinds,
    policy: Option<Arc<dyn Policy<M>>>,
}

/// The records that a channel is about.
#[derive(Debug)]
#[doc(hidden)]
pub enum ChannelTarget<M> {
    /// All records.
    All,
    /// One record.
    Record(KeyValue),
    /// The records in a scope.
    Scope(Scope<M>),
}

impl<M: Evented> Channel<M> {
    /// The channel of the changes of all records.
    #[must_use]
    pub fn all() -> Self {
        Self { target: Ok(ChannelTarget::All), kinds: Kinds::all(), policy: None }
    }

    /// Narrows the channel to one record, named by its key or by reference. The record need not exist yet.
    #[must_use]
    pub fn record(self, record: impl IntoRecordRef<M>) -> Self {
        let key = M::key_value(record.into_record_ref().key());
        self.with_target(Ok(ChannelTarget::Record(key)))
    }

    /// Narrows the channel to the records in a scope that the model declares in `scopes(…)`. A record whose scope
    /// field is null is in no scope.
    #[must_use]
    pub fn scope(self, scope: impl IntoScope<M>) -> Self {
        let scope = scope.into_scope().map_err(|error| Denied::Scope(Arc::new(error)));
        self.with_target(scope.map(ChannelTarget::Scope))
    }

    // A second target is refused. If one target silently won, the subscriber could see more than the caller intended.
    fn with_target(mut self, target: Result<ChannelTarget<M>, Denied>) -> Self {
        self.target = match self.target {
            Ok(ChannelTarget::All) => target,
            Err(error) => Err(error),
            Ok(_) => Err(Denied::TwoTargets { schema: M::SCHEMA }),
        };
        self
    }

    /// Narrows the channel to changes of these kinds. Default: all kinds.
    #[must_use]
    pub fn on(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Narrows the channel to what a [`Policy`] allows. Default: everything.
    #[must_use]
    pub fn allowed_by(mut self, policy: impl Policy<M> + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// The channel of these records.
    pub(crate) fn of_target(target: ChannelTarget<M>) -> Self {
        Self { target: Ok(target), ..Self::all() }
    }

    /// Like [`allowed_by`](Self::allowed_by), with a shared policy.
    #[must_use]
    pub(crate) fn with_policy(mut self, policy: Arc<dyn Policy<M>>) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Whether two channels have the same target. Their kinds and policies do not matter.
    ///
    /// [`Policy::may_subscribe`] can use it to identify the requested channel:
    /// `channel.same_target(&Item::changes().scope(Item::ORG.eq(self.org)))`.
    #[must_use]
    pub fn same_target(&self, other: &Self) -> bool {
        match (&self.target, &other.target) {
            (Ok(ChannelTarget::All), Ok(ChannelTarget::All)) => true,
            (Ok(ChannelTarget::Record(this)), Ok(ChannelTarget::Record(that))) => this == that,
            (Ok(ChannelTarget::Scope(this)), Ok(ChannelTarget::Scope(that))) => {
                (this.combination(), this.key()) == (that.combination(), that.key())
            }
            _ => false,
        }
    }

    /// Checks that the channel has one target and that its policy allows the subscription. This calls the policy,
    /// which is user code: the caller must not hold a lock.
    ///
    /// # Errors
    ///
    /// See [`Denied`].
    #[doc(hidden)]
    pub fn check(&self) -> Result<(), Denied> {
        self.target()?;
        let allowed = self.policy.as_ref().is_none_or(|policy| answer(|| policy.may_subscribe(self)));
        if allowed { Ok(()) } else { Err(Denied::Policy { channel: self.to_string() }) }
    }

    /// The channel's target.
    ///
    /// # Errors
    ///
    /// [`Denied::TwoTargets`], or [`Denied::Scope`] if no record can be in the scope.
    #[doc(hidden)]
    pub fn target(&self) -> Result<&ChannelTarget<M>, Denied> {
        self.target.as_ref().map_err(Clone::clone)
    }

    /// The kinds of changes that the channel includes.
    #[doc(hidden)]
    #[must_use]
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Whether the channel has a policy.
    #[doc(hidden)]
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.policy.is_some()
    }

    /// Whether the policy allows the subscriber to see the record in this state. `true` if the channel has no policy.
    #[doc(hidden)]
    pub fn may_see(&self, record: &M) -> bool {
        self.policy.as_ref().is_none_or(|policy| answer(|| policy.may_see(record)))
    }

    /// Whether the channel includes a record with this key and these scopes.
    #[doc(hidden)]
    pub fn covers<'s>(&self, key: Option<&KeyValue>, scopes: impl FnOnce() -> &'s ScopeKeys) -> bool {
        match &self.target {
            Ok(ChannelTarget::All) => true,
            Ok(ChannelTarget::Record(record)) => key == Some(record),
            Ok(ChannelTarget::Scope(scope)) => {
                let here = scopes().get(scope.combination());
                here.is_some() && here == scope.key()
            }
            Err(_) => false,
        }
    }
}

impl<M> Clone for ChannelTarget<M> {
    fn clone(&self) -> Self {
        match self {
            Self::All => Self::All,
            Self::Record(key) => Self::Record(key.clone()),
            Self::Scope(scope) => Self::Scope(scope.clone()),
        }
    }
}

impl<M: Evented> Clone for Channel<M> {
    fn clone(&self) -> Self {
        Self { target: self.target.clone(), kinds: self.kinds, policy: self.policy.clone() }
    }
}

impl<M: Evented> fmt::Debug for Channel<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("of", &self.to_string())
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}

impl<M: Evented> fmt::Display for Channel<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(M::SCHEMA)?;
        match &self.target {
            Ok(ChannelTarget::All) => Ok(()),
            Ok(ChannelTarget::Record(key)) => write!(f, " {key}"),
            Ok(ChannelTarget::Scope(scope)) => write!(f, " of {scope}"),
            Err(error) => write!(f, " of nothing: {error}"),
        }
    }
}
