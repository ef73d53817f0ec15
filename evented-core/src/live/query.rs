//! Queries as values: `Item::live().filter(|i| …).order(|i| …).limit(20)`.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::filter::Filter;
use super::list::List;
use super::model::LiveModel;
use super::order::{After, IntoOrder};
use super::plan::{Plan, Target};
use super::row::Row;
use crate::{IntoRecordRef, Policy};

/// A query whose answer is kept equal to the database: a [`Query`], [`Many`] or [`One`].
pub trait LiveQuery: Sized {
    /// The model.
    type Model: LiveModel;
    /// What each record is in the value.
    type Item: Clone + PartialEq + Unpin + Send + Sync + 'static;
    /// The value: a list, or an option.
    type Value: Shape<Item = Self::Item>;

    /// The query, and what becomes an item of it.
    #[doc(hidden)]
    fn into_parts(self) -> Parts<Self>;
}

/// A query, and what becomes an item of it.
#[doc(hidden)]
pub type Parts<Q> = (Plan<<Q as LiveQuery>::Model>, ItemOf<<Q as LiveQuery>::Model, <Q as LiveQuery>::Item>);

/// The form of a live value: a [`List`], or an `Option`.
pub trait Shape: Clone + Unpin + Send + Sync + 'static {
    /// The items.
    type Item: Clone + PartialEq + Unpin + Send + Sync + 'static;
    /// Whether it is a list.
    #[doc(hidden)]
    const IS_LIST: bool;
    /// The value of these items; `None` if there is no such value.
    #[doc(hidden)]
    fn of(list: &List<Self::Item>) -> Option<Self>;
}

impl<I: Clone + PartialEq + Unpin + Send + Sync + 'static> Shape for List<I> {
    type Item = I;
    const IS_LIST: bool = true;
    fn of(list: &List<I>) -> Option<Self> {
        Some(list.clone())
    }
}

impl<I: Clone + PartialEq + Unpin + Send + Sync + 'static> Shape for Option<I> {
    type Item = I;
    const IS_LIST: bool = false;
    fn of(list: &List<I>) -> Option<Self> {
        Some(list.first().cloned())
    }
}

/// How a row becomes an item.
#[doc(hidden)]
pub struct ItemOf<M, I> {
    /// The conversion.
    pub convert: fn(&Row<M>) -> I,
    /// Which conversion it is: a letter for its kind, and the type of the items.
    pub identity: (u8, TypeId),
}

impl<M, I> ItemOf<M, I> {
    /// Whether the conversion is the user's.
    #[must_use]
    pub fn is_view(&self) -> bool {
        self.identity.0 == b'v'
    }
}

impl<M, I> Clone for ItemOf<M, I> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, I> Copy for ItemOf<M, I> {}

impl<M: LiveModel> ItemOf<M, Row<M>> {
    fn row() -> Self {
        Self { convert: Row::clone, identity: (b'r', TypeId::of::<M>()) }
    }
}

impl<M: LiveModel> ItemOf<M, M::Key> {
    fn key() -> Self {
        Self { convert: |row| row.key(), identity: (b'k', TypeId::of::<M>()) }
    }
}

impl<M: LiveModel, V: for<'m> From<&'m M> + 'static> ItemOf<M, V> {
    fn view() -> Self {
        Self { convert: |row| V::from(row), identity: (b'v', TypeId::of::<V>()) }
    }
}

impl<M, I> fmt::Debug for ItemOf<M, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<I>())
    }
}

/// A list of records: all of a model, or those that a filter holds for, in an order, with or without a limit.
///
/// `Item::live()` is the list of all records in the order of their keys. The methods here narrow it.
#[must_use = "a query does nothing until a store opens it"]
pub struct Query<M: LiveModel, I = Row<M>> {
    plan: Plan<M>,
    item: ItemOf<M, I>,
}

/// The records with these keys, in the order of the keys, without those that do not exist.
#[must_use = "a query does nothing until a store opens it"]
pub struct Many<M: LiveModel, I = Row<M>> {
    plan: Plan<M>,
    item: ItemOf<M, I>,
}

/// One record, which need not exist yet.
#[must_use = "a query does nothing until a store opens it"]
pub struct One<M: LiveModel, I = Row<M>> {
    plan: Plan<M>,
    item: ItemOf<M, I>,
    shape: PhantomData<fn() -> I>,
}

impl<M: LiveModel> Query<M> {
    /// The list of all records, in the order of their keys.
    pub fn all() -> Self {
        Self { plan: Plan::new(Target::Filtered), item: ItemOf::row() }
    }

    /// The record with this key, or `None` while there is none.
    pub fn one(self, record: impl IntoRecordRef<M>) -> One<M> {
        let key = M::key_value(record.into_record_ref().key());
        One { plan: Plan::new(Target::keys([key])), item: self.item, shape: PhantomData }
    }

    /// The records with these keys, in the order of the keys.
    pub fn many(self, keys: impl IntoIterator<Item = M::Key>) -> Many<M> {
        let keys = keys.into_iter().map(|key| M::key_value(&key));
        Many { plan: Plan::new(Target::keys(keys)), item: self.item }
    }
}

impl<M: LiveModel, I> Query<M, I> {
    /// Narrows the list to the records for which a condition is true. Of two filters, both must be.
    pub fn filter(mut self, filter: impl FnOnce(M::LiveFields) -> Filter<M>) -> Self {
        self.plan.narrow(filter(M::fields()));
        self
    }

    /// Orders the list by a field, or by a tuple of up to four: `.order(|i| (i.rank.desc(), i.name.asc()))`. Records that
    /// are equal in these are in the order of their keys. Without an order, the list is in the order of the keys. A
    /// second order replaces the first.
    pub fn order<O: IntoOrder<M>>(mut self, order: impl FnOnce(M::LiveFields) -> O) -> Self {
        self.plan.order = order(M::fields()).into_terms();
        self
    }

    /// Limits the list to its first records.
    pub fn limit(mut self, limit: usize) -> Self {
        self.plan.limit = Some(limit);
        self
    }

    /// Begins the list behind a record: the next page, with the last record of this one. The place is that of the record
    /// as it is now, also if the record changes later.
    pub fn after(mut self, record: &M) -> Self {
        let key = M::key_value(&record.key());
        self.plan.after = Some(After { record: Arc::new(record.copy()), key });
        self
    }
}

/// The methods that all three have.
macro_rules! queries {
    ($($query:ident => $value:ty, $($new:ident: $with:expr)?;)*) => {$(
        impl<M: LiveModel, I> $query<M, I> {
            pub(super) fn plan(&self) -> &Plan<M> {
                &self.plan
            }

            /// Narrows the query to what a policy allows.
            ///
            /// [`Policy::filter`] becomes a part of the query; [`Policy::may_see`] is asked of each record. Viewers
            /// share a value if their policies have the same type and the same [`Policy::key`].
            pub fn allowed_by(mut self, policy: impl Policy<M> + 'static) -> Self {
                self.plan.allow(policy);
                self
            }

            /// Shows each record as a `V`, for example without the fields that a page does not need. The value changes only
            /// if a `V` does.
            pub fn view<V: for<'m> From<&'m M> + 'static>(self) -> $query<M, V> {
                $query { plan: self.plan, item: ItemOf::view(), $($new: $with)? }
            }
        }

        impl<M: LiveModel, I: Clone + PartialEq + Unpin + Send + Sync + 'static> LiveQuery for $query<M, I> {
            type Model = M;
            type Item = I;
            type Value = $value;
            fn into_parts(self) -> Parts<Self> {
                (self.plan, self.item)
            }
        }

        impl<M: LiveModel, I> Clone for $query<M, I> {
            fn clone(&self) -> Self {
                Self { plan: self.plan.clone(), item: self.item, $($new: $with)? }
            }
        }

        impl<M: LiveModel, I> fmt::Debug for $query<M, I> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($query)).field("of", &self.plan).field("item", &self.item).finish()
            }
        }
    )*};
}
queries! {
    Query => List<I>, ;
    Many => List<I>, ;
    One => Option<I>, shape: PhantomData;
}

impl<M: LiveModel, I> Query<M, I> {
    /// The keys of the records alone. The value changes only if a record comes, goes, or moves in the order.
    pub fn keys(self) -> Query<M, M::Key> {
        Query { plan: self.plan, item: ItemOf::key() }
    }
}

impl<M: LiveModel, I> Many<M, I> {
    /// The keys of the records that exist. The value changes only if a record comes or goes.
    pub fn keys(self) -> Many<M, M::Key> {
        Many { plan: self.plan, item: ItemOf::key() }
    }
}
