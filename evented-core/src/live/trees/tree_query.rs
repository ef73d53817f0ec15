//! Queries whose items are trees.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{AllowedBy, Policies, Tree};
use crate::live::filter::Filter;
use crate::live::list::List;
use crate::live::model::LiveModel;
use crate::live::order::{After, IntoOrder};
use crate::live::plan::{Plan, Target};
use crate::live::query::Shape;
use crate::{Evented as _, IntoRecordRef, Policy};

/// A list of trees: `ItemCard::live().filter(|i| …).order(|i| …).limit(20)`. The methods are those of a
/// [`Query`](crate::live::Query) of the model at the root.
#[must_use = "a query does nothing until a store opens it"]
pub struct TreeQuery<T: Tree, S = All> {
    plan: Plan<T::Model>,
    policies: Policies,
    shape: PhantomData<fn() -> S>,
}

/// The trees of all records that the filter holds for.
#[derive(Debug, Clone, Copy)]
pub struct All;
/// The trees of the records with some keys.
#[derive(Debug, Clone, Copy)]
pub struct Keyed;
/// The tree of one record.
#[derive(Debug, Clone, Copy)]
pub struct Single;

/// What a query of trees asks for.
#[doc(hidden)]
pub struct TreeParts<T: Tree> {
    /// The records at the roots.
    pub plan: Plan<T::Model>,
    /// The policies of all models.
    pub policies: Policies,
}

impl<T: Tree> fmt::Debug for TreeParts<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TreeParts").field("plan", &self.plan).finish_non_exhaustive()
    }
}

mod sealed {
    use super::{All, Keyed, List, Shape, Single, Tree};

    /// The value of a query.
    pub trait Valued<T: Tree> {
        /// The value.
        type Value: Shape<Item = T>;
    }
    impl<T: Tree> Valued<T> for All {
        type Value = List<T>;
    }
    impl<T: Tree> Valued<T> for Keyed {
        type Value = List<T>;
    }
    impl<T: Tree> Valued<T> for Single {
        type Value = Option<T>;
    }
}
#[doc(hidden)]
pub use sealed::Valued;

impl<T: Tree> TreeQuery<T> {
    /// The trees of all records, in the order of their keys.
    pub fn all() -> Self {
        Self::of(Plan::new(Target::Filtered), Policies::default())
    }

    /// The tree of the record with this key, or `None` while there is none.
    pub fn one(self, record: impl IntoRecordRef<T::Model>) -> TreeQuery<T, Single> {
        let key = T::Model::key_value(record.into_record_ref().key());
        TreeQuery::of(Plan::new(Target::keys([key])), Policies::default())
    }

    /// The trees of the records with these keys, in the order of the keys.
    pub fn many(
        self,
        keys: impl IntoIterator<Item = <T::Model as crate::Evented>::Key>,
    ) -> TreeQuery<T, Keyed> {
        let keys = keys.into_iter().map(|key| T::Model::key_value(&key));
        TreeQuery::of(Plan::new(Target::keys(keys)), Policies::default())
    }

    /// Narrows the list to the records for which a condition is true. Of two filters, both must be.
    pub fn filter(
        mut self,
        filter: impl FnOnce(<T::Model as LiveModel>::LiveFields) -> Filter<T::Model>,
    ) -> Self {
        self.plan.narrow(filter(T::Model::fields()));
        self
    }

    /// Orders the list by a field of the root, or by a tuple of up to four. A second order replaces the first.
    pub fn order<O: IntoOrder<T::Model>>(
        mut self,
        order: impl FnOnce(<T::Model as LiveModel>::LiveFields) -> O,
    ) -> Self {
        self.plan.order = order(T::Model::fields()).into_terms();
        self
    }

    /// Limits the list to its first trees.
    pub fn limit(mut self, limit: usize) -> Self {
        self.plan.limit = Some(limit);
        self
    }

    /// Begins the list behind a record: the next page, with the root of the last tree of this one.
    pub fn after(mut self, record: &T::Model) -> Self {
        let key = T::Model::key_value(&record.key());
        self.plan.after = Some(After { record: Arc::new(record.copy()), key });
        self
    }
}

impl<T: Tree, S> TreeQuery<T, S> {
    fn of(plan: Plan<T::Model>, policies: Policies) -> Self {
        Self { plan, policies, shape: PhantomData }
    }

    /// Narrows the trees to what a policy allows, at the root and in every branch: `P` is a policy of each model.
    ///
    /// Viewers share a value if their policies have the same type and the same [`Policy::key`].
    pub fn allowed_by<P: Policy<T::Model> + 'static>(mut self, policy: P) -> Self
    where
        T: AllowedBy<P>,
    {
        let policy = Arc::new(policy);
        self.plan.allow_shared(&policy);
        self.policies.next();
        T::allow(&policy, &mut self.policies);
        self
    }

    pub(in crate::live) fn plan(&self) -> &Plan<T::Model> {
        &self.plan
    }

    /// What the query asks for.
    #[doc(hidden)]
    pub fn into_parts(self) -> TreeParts<T> {
        TreeParts { plan: self.plan, policies: self.policies }
    }
}

impl<T: Tree, S> Clone for TreeQuery<T, S> {
    fn clone(&self) -> Self {
        Self::of(self.plan.clone(), self.policies.clone())
    }
}

impl<T: Tree, S> fmt::Debug for TreeQuery<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TreeQuery").field("of", &self.plan).finish_non_exhaustive()
    }
}
