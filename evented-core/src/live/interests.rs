//! The changes that concern a value that a program holds.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::any_change::AnyChange;
use super::field::{Field, FieldRef};
use super::model::LiveModel;
use super::plan::{Plan, Target};
use super::routes::{By, Route, RouteOf};
use super::trees::Policies;
use super::value::FieldValue;
use crate::channel::{Channel, ChannelTarget};
use crate::{Evented, KeyValue, RawChange, RecordState};

/// The changes that concern a value: those of its records, and of records that come to belong to them.
#[doc(hidden)]
#[derive(Default)]
pub struct Interests {
    models: HashMap<TypeId, Box<dyn OfModel>>,
    policies: Policies,
    route: Option<Route>,
}

/// Which changes of one model concern a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// The model's name in the log.
    pub schema: &'static str,
    /// The records whose changes are delivered.
    pub records: Vec<KeyValue>,
    /// The foreign keys: all changes of records that belong to one of these parents, or did, are delivered.
    pub foreign_keys: Vec<&'static str>,
    /// Whether all changes of the model, or of a scope, are delivered.
    pub all: bool,
}

impl Subscription {
    /// What a channel delivers.
    #[doc(hidden)]
    #[must_use]
    pub fn of_channel<M: Evented>(channel: &Channel<M>) -> Self {
        let records = match channel.target() {
            Ok(ChannelTarget::Record(key)) => vec![key.clone()],
            _ => Vec::new(),
        };
        Self { schema: M::SCHEMA, all: records.is_empty(), records, foreign_keys: Vec::new() }
    }
}

struct ModelInterests<M: LiveModel> {
    records: HashSet<KeyValue>,
    /// The foreign keys, each with the parents in canonical form.
    fields: Vec<(FieldRef<M>, HashSet<Vec<u8>>)>,
    all: bool,
    /// Has the policies.
    plan: Plan<M>,
    route: RouteOf<M>,
}

trait OfModel: Send {
    fn seen(&self, raw: &Arc<dyn Any + Send + Sync>) -> Option<AnyChange>;
    fn subscription(&self) -> Subscription;
    fn as_any(&mut self) -> &mut dyn Any;
}

impl Interests {
    /// No interests, with these policies, and the routes to the value.
    #[must_use]
    pub fn new(policies: Policies, route: Option<Route>) -> Self {
        Self { models: HashMap::new(), policies, route }
    }

    fn of_model<M: LiveModel>(&mut self) -> Option<&mut ModelInterests<M>> {
        let (policies, route) = (&self.policies, self.route.as_ref());
        let interests = self.models.entry(TypeId::of::<M>()).or_insert_with(|| {
            let mut plan = Plan::new(Target::Filtered);
            policies.apply(&mut plan);
            let (records, route) = (HashSet::new(), route.map_or_else(RouteOf::nowhere, Route::of));
            Box::new(ModelInterests::<M> { records, fields: Vec::new(), all: false, plan, route })
        });
        interests.as_any().downcast_mut()
    }

    /// Adds a record.
    pub fn record<M: LiveModel>(&mut self, key: KeyValue) {
        if let Some(of_model) = self.of_model::<M>()
            && !of_model.records.contains(&key)
        {
            of_model.route.add(By::Record(&key));
            of_model.records.insert(key);
        }
    }

    /// Adds the records that belong to a parent.
    pub(super) fn children<M: LiveModel, F: FieldValue>(&mut self, field: Field<M, F>, parent: F::Value) {
        let Some(parent) = field.operand(parent).encoded else { return };
        let field = field.field_ref();
        let Some(of_model) = self.of_model::<M>() else { return };
        let known = of_model.fields.iter_mut().find(|(known, _)| known.index == field.index);
        let is_new = match known {
            Some((_, parents)) => parents.insert(parent.to_vec()),
            None => {
                of_model.fields.push((field.clone(), HashSet::from([parent.to_vec()])));
                true
            }
        };
        if is_new {
            of_model.route.add(By::Field(&field, &parent));
        }
    }

    /// Adds all changes of a model.
    pub fn all<M: LiveModel>(&mut self) {
        if let Some(of_model) = self.of_model::<M>()
            && !std::mem::replace(&mut of_model.all, true)
        {
            of_model.route.add(By::All);
        }
    }

    /// Whether policies hide records.
    pub(super) fn is_restricted(&self) -> bool {
        !self.policies.is_empty()
    }

    /// The change as the subscriber sees it, if it concerns the value. `raw` is an `Arc<RawChange<M>>`.
    #[must_use]
    pub fn seen(&self, model: TypeId, raw: &Arc<dyn Any + Send + Sync>) -> Option<AnyChange> {
        self.models.get(&model)?.seen(raw)
    }

    /// The name of a model in the log, if it is of interest.
    #[must_use]
    pub fn schema_of(&self, model: TypeId) -> Option<&'static str> {
        self.models.get(&model).map(|of_model| of_model.subscription().schema)
    }

    /// What is of interest, by the names of the models.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<Subscription> {
        let mut all: Vec<_> = self.models.values().map(|of_model| of_model.subscription()).collect();
        all.sort_by_key(|of_model| of_model.schema);
        all
    }
}

impl<M: LiveModel> ModelInterests<M> {
    /// Whether a side of a change belongs to one of the parents.
    fn is_child(&self, state: Option<&Arc<RecordState<M>>>) -> bool {
        state.is_some_and(|state| {
            self.fields.iter().any(|(field, parents)| {
                field.encoded(state.record()).is_some_and(|parent| parents.contains(&parent))
            })
        })
    }
}

impl<M: LiveModel> Drop for ModelInterests<M> {
    fn drop(&mut self) {
        let route = &self.route;
        self.records.iter().for_each(|key| route.remove(By::Record(key)));
        for (field, parents) in &self.fields {
            parents.iter().for_each(|parent| route.remove(By::Field(field, parent)));
        }
        if self.all {
            route.remove(By::All);
        }
    }
}

impl<M: LiveModel> OfModel for ModelInterests<M> {
    fn seen(&self, raw: &Arc<dyn Any + Send + Sync>) -> Option<AnyChange> {
        let raw: Arc<RawChange<M>> = Arc::clone(raw).downcast().ok()?;
        let sees = |state: Option<&Arc<RecordState<M>>>| {
            state.is_some_and(|state| self.plan.may_see(state.record()))
        };
        let change = raw.seen(sees(raw.before.as_ref()), sees(raw.after.as_ref()))?;
        // Also a record that comes, if a foreign key names it already.
        let is_held = |key: &M::Key| self.records.contains(&M::key_value(key));
        let concerns = self.all
            || raw.table.is_some()
            || change.key().is_some_and(is_held)
            || self.is_child(raw.before.as_ref())
            || self.is_child(raw.after.as_ref());
        concerns.then(|| change.into())
    }

    fn subscription(&self) -> Subscription {
        let mut records: Vec<_> = self.records.iter().cloned().collect();
        records.sort();
        let foreign_keys = self.fields.iter().map(|(field, _)| field.name).collect();
        Subscription { schema: <M as Evented>::SCHEMA, records, foreign_keys, all: self.all }
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl std::fmt::Debug for Interests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.subscriptions()).finish()
    }
}
