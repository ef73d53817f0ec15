//! The policies of a tree: one for each of its models.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

use super::Tree;
use crate::live::model::LiveModel;
use crate::live::plan::Plan;
use crate::live::row::Row;
use crate::policy::Policy;

/// What is added to the queries of a model.
type Allow<M> = Arc<dyn Fn(&mut Plan<M>) + Send + Sync>;

/// The policies that the records of a tree have to pass.
#[doc(hidden)]
#[derive(Default, Clone)]
pub struct Policies {
    /// For each model, a `Vec<Allow<M>>`.
    by_model: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    /// The models to which the present policy was added.
    added: Vec<TypeId>,
}

impl Policies {
    /// Adds a policy for a model, unless that was done.
    pub fn add<M: LiveModel, P: Policy<M> + 'static>(&mut self, policy: &Arc<P>) {
        let of_model = TypeId::of::<M>();
        let mut all = self.of_model::<M>().cloned().unwrap_or_default();
        if !self.added.contains(&of_model) {
            self.added.push(of_model);
            let policy = Arc::clone(policy);
            all.push(Arc::new(move |plan| plan.allow_shared(&policy)));
            self.by_model.insert(of_model, Arc::new(all));
        }
    }

    /// Whether no model has a policy.
    pub(in crate::live) fn is_empty(&self) -> bool {
        self.by_model.is_empty()
    }

    /// Begins with another policy.
    pub(super) fn next(&mut self) {
        self.added.clear();
    }

    fn of_model<M: LiveModel>(&self) -> Option<&Vec<Allow<M>>> {
        self.by_model.get(&TypeId::of::<M>())?.downcast_ref()
    }

    pub(in crate::live) fn apply<M: LiveModel>(&self, plan: &mut Plan<M>) {
        self.of_model::<M>().into_iter().flatten().for_each(|allow| allow(plan));
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Policies({} models)", self.by_model.len())
    }
}

/// A tree whose models all have `P` as a policy.
#[diagnostic::on_unimplemented(
    message = "`{P}` is not a policy of every model in `{Self}`",
    note = "implement `Policy` for each model of the tree"
)]
pub trait AllowedBy<P>: Tree {
    /// Adds the policy for each model.
    #[doc(hidden)]
    fn allow(policy: &Arc<P>, policies: &mut Policies);
}

impl<M: LiveModel, P: Policy<M> + 'static> AllowedBy<P> for Row<M> {
    fn allow(policy: &Arc<P>, policies: &mut Policies) {
        policies.add::<M, P>(policy);
    }
}
