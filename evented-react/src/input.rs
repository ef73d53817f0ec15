//! What a subscriber subscribes to: the changes of a model, filtered, with the key that orders them.

use std::fmt;
use std::sync::Arc;

use evented_core::{Change, Channel, Denied, Evented, KeyValue, RawChange};
use evented_diesel::Model;

use crate::key::IntoKey;

type Predicate<M> = Arc<dyn Fn(&Change<M>) -> bool + Send + Sync>;
type KeyOf<M> = Arc<dyn Fn(&Change<M>) -> Option<KeyValue> + Send + Sync>;

/// The changes of a model that a subscriber handles. A [`Channel`] is one, too: `Ticket::changes()`.
///
/// ```ignore
/// Ticket::changes().scope(Ticket::PROJECT.eq(7))   // a channel's methods narrow it: record, scope, kinds
///     .into_input()
///     .changing(["status"])                        // updates of other fields are not delivered
///     .when(|ticket| ticket.actor().is_some())
///     .key(|ticket| ticket.after().or(ticket.before()).map(|it| it.project_id))
/// ```
pub struct Input<M: Evented> {
    channel: Channel<M>,
    predicates: Vec<Predicate<M>>,
    fields: Vec<&'static str>,
    actions: Vec<&'static str>,
    key: Option<KeyOf<M>>,
}

/// A [`Channel`] or an [`Input`].
pub trait IntoInput<M: Evented> {
    /// Converts it into an input, whose methods narrow it further.
    fn into_input(self) -> Input<M>;
}

impl<M: Evented> IntoInput<M> for Channel<M> {
    fn into_input(self) -> Input<M> {
        let (predicates, fields, actions) = (Vec::new(), Vec::new(), Vec::new());
        Input { channel: self, predicates, fields, actions, key: None }
    }
}

impl<M: Evented> IntoInput<M> for Input<M> {
    fn into_input(self) -> Input<M> {
        self
    }
}

/// Why an input cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The channel has no target, or no record can be in its scope.
    #[error(transparent)]
    Channel(#[from] Denied),
    /// The model has no such field.
    #[error("{schema} has no recorded field `{field}`: `changing` names fields of the struct")]
    NoField {
        /// The model's name in the log.
        schema: &'static str,
        /// The name that was given.
        field: &'static str,
    },
    /// The subscriber has handlers and effects.
    #[error("a subscriber has handlers or effects, not both: divide it into two")]
    HandlersAndEffects,
    /// The subscriber has no effects, so a setting of effects would have no effect.
    #[error(
        "`{setting}` limits effects, and the subscriber has none: remove it, or use `effect` instead of `on`"
    )]
    OfEffects {
        /// The setting.
        setting: &'static str,
    },
    /// The model has no such action.
    #[error("{schema} has no action `{action}`")]
    NoAction {
        /// The model's name in the log.
        schema: &'static str,
        /// The name that was given.
        action: &'static str,
    },
}

impl<M: Model> Input<M> {
    /// Narrows the input to changes for which the function returns `true`. Several functions must all return `true`.
    #[must_use]
    pub fn when(mut self, predicate: impl Fn(&Change<M>) -> bool + Send + Sync + 'static) -> Self {
        self.predicates.push(Arc::new(predicate));
        self
    }

    /// Narrows updates to those that change one of these fields. Inserts and deletes are delivered all the same.
    #[must_use]
    pub fn changing(mut self, fields: impl IntoIterator<Item = &'static str>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// Narrows the input to events of these actions, by their names in the log: `insert`, `update`, `delete`, or one of
    /// the model's own.
    #[must_use]
    pub fn actions(mut self, actions: impl IntoIterator<Item = &'static str>) -> Self {
        self.actions.extend(actions);
        self
    }

    /// Sets the key that orders the deliveries: those of one key are handled one after the other, others in parallel.
    /// Default, and for `None`: the key of the record.
    #[must_use]
    pub fn key<K: IntoKey>(mut self, key: impl Fn(&Change<M>) -> K + Send + Sync + 'static) -> Self {
        self.key = Some(Arc::new(move |change| key(change).into_key()));
        self
    }

    /// Checks the names that the input contains.
    pub(crate) fn check(&self) -> Result<(), InputError> {
        self.channel.target()?;
        if let Some(field) = self.fields.iter().find(|field| !M::FIELDS.contains(field)) {
            return Err(InputError::NoField { schema: M::SCHEMA, field });
        }
        let own = ["insert", "update", "delete", "external"];
        let is_action = |action: &&&str| own.contains(*action) || M::ACTIONS.contains(*action);
        if let Some(action) = self.actions.iter().find(|action| !is_action(action)) {
            return Err(InputError::NoAction { schema: M::SCHEMA, action });
        }
        Ok(())
    }

    /// Returns the change as the subscriber sees it; `None` if it does not concern the subscriber.
    pub(crate) fn seen(&self, raw: &Arc<RawChange<M>>, record: Option<&KeyValue>) -> Option<Change<M>> {
        let may_see = |state: Option<&M>| state.is_some_and(|record| self.channel.may_see(record));
        let before = self.channel.covers(record, || raw.scopes_before())
            && may_see(raw.before.as_deref().map(evented_core::RecordState::record));
        let after = self.channel.covers(record, || raw.scopes_after())
            && may_see(raw.after.as_deref().map(evented_core::RecordState::record));
        let change = raw.seen(before, after)?;
        let wanted = self.channel.kinds().contains(change.kind())
            && self.is_wanted_action(&change)
            && self.changes_a_field(&change)
            && self.predicates.iter().all(|predicate| predicate(&change));
        wanted.then_some(change)
    }

    fn is_wanted_action(&self, change: &Change<M>) -> bool {
        self.actions.is_empty() || change.action().is_some_and(|action| self.actions.contains(&action))
    }

    fn changes_a_field(&self, change: &Change<M>) -> bool {
        let (Some(before), Some(after)) = (change.before(), change.after()) else { return true };
        self.fields.is_empty()
            || self.fields.iter().any(|field| {
                let at = M::FIELDS.iter().position(|it| it == field);
                // A field without a JSON form counts as changed: delivering too much is safe.
                at.is_none_or(|at| match (before.field(at), after.field(at)) {
                    (Ok(before), Ok(after)) => before != after,
                    _ => true,
                })
            })
    }

    /// Returns whether a function of the user's makes the keys.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Returns the key of a delivery.
    pub(crate) fn key_of(&self, change: &Change<M>) -> Option<KeyValue> {
        self.key.as_ref().and_then(|key| key(change))
    }

    /// Describes the input, for the digest of the subscriber: what decides about the parts, and not what only filters.
    pub(crate) fn describe(&self) -> String {
        let key = if self.key.is_some() { "own key" } else { "record" };
        format!("{} by {key}", M::SCHEMA)
    }
}

impl<M: Evented> Clone for Input<M> {
    fn clone(&self) -> Self {
        Self {
            channel: self.channel.clone(),
            predicates: self.predicates.clone(),
            fields: self.fields.clone(),
            actions: self.actions.clone(),
            key: self.key.clone(),
        }
    }
}

impl<M: Evented> fmt::Debug for Input<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("channel", &self.channel)
            .field("fields", &self.fields)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}

/// Narrows a channel, as [`Input`] does: `Ticket::changes().changing(["status"])`.
pub trait ChannelExt<M: Model>: IntoInput<M> + Sized {
    /// See [`Input::when`].
    fn when(self, predicate: impl Fn(&Change<M>) -> bool + Send + Sync + 'static) -> Input<M> {
        self.into_input().when(predicate)
    }

    /// See [`Input::changing`].
    fn changing(self, fields: impl IntoIterator<Item = &'static str>) -> Input<M> {
        self.into_input().changing(fields)
    }

    /// See [`Input::actions`].
    fn actions(self, actions: impl IntoIterator<Item = &'static str>) -> Input<M> {
        self.into_input().actions(actions)
    }

    /// See [`Input::key`].
    fn key<K: IntoKey>(self, key: impl Fn(&Change<M>) -> K + Send + Sync + 'static) -> Input<M> {
        self.into_input().key(key)
    }
}

impl<M: Model> ChannelExt<M> for Channel<M> {}
