//! What a query asks for: which records, in which order, and who may see them.

use std::any::TypeId;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::field::{Field, FieldRef, Operand};
use super::filter::{Filter, Op, encode_operand};
use super::order::{After, Term, compare_keys};
use super::value::FieldValue;
use crate::channel::{Channel, ChannelTarget};
use crate::policy::{Policy, answer};
use crate::{Denied, Evented, KeyValue, Scope};

/// A query without the type of its value.
#[doc(hidden)]
pub struct Plan<M: Evented> {
    /// The records.
    pub target: Target,
    /// The condition on them. That of the policy is a part of it.
    pub filter: Filter<M>,
    /// The order. The last term is always the key.
    pub order: Vec<Term<M>>,
    /// How many records the list has at most.
    pub limit: Option<usize>,
    /// The place in the order behind which the list begins.
    pub after: Option<After<M>>,
    policies: Vec<Allowed<M>>,
    /// The parent whose children these are.
    pub parent: Option<Parent<M>>,
}

/// The records of a query.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub enum Target {
    /// Those that the filter holds for.
    Filtered,
    /// Those with these keys, each with its place in the list.
    Keys(Arc<Keys>),
}

/// Different keys, in the order of the list.
#[doc(hidden)]
#[derive(Debug)]
pub struct Keys {
    /// The keys.
    pub list: Vec<KeyValue>,
    places: HashMap<KeyValue, usize>,
}

/// The parent whose children a list of a tree has. Such lists of one branch are read together.
#[doc(hidden)]
pub struct Parent<M> {
    /// The branch: the type of the tree, and the number of the branch in it.
    pub branch: (TypeId, u16),
    /// The foreign key.
    pub field: FieldRef<M>,
    /// The key of the parent.
    pub key: Operand,
    /// The condition on the children, but for their parent.
    pub rest: Filter<M>,
}

struct Allowed<M: Evented> {
    policy: Arc<dyn Policy<M>>,
    /// The type and the key of the policy; `None` if viewers do not share what it allows.
    shared: Option<(TypeId, String)>,
}

impl<M: Evented> Clone for Allowed<M> {
    fn clone(&self) -> Self {
        Self { policy: Arc::clone(&self.policy), shared: self.shared.clone() }
    }
}

impl Target {
    /// The records with these keys. A key that is there twice counts once.
    pub(super) fn keys(keys: impl IntoIterator<Item = KeyValue>) -> Self {
        let (mut list, mut places) = (Vec::new(), HashMap::new());
        for key in keys {
            if let std::collections::hash_map::Entry::Vacant(place) = places.entry(key.clone()) {
                place.insert(list.len());
                list.push(key);
            }
        }
        Self::Keys(Arc::new(Keys { list, places }))
    }
}

impl<M: Evented> Plan<M> {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            filter: Filter::everything(),
            order: Vec::new(),
            limit: None,
            after: None,
            policies: Vec::new(),
            parent: None,
        }
    }

    /// Adds a condition.
    pub(super) fn narrow(&mut self, filter: Filter<M>) {
        self.filter = std::mem::replace(&mut self.filter, Filter::everything()).and(filter);
    }

    pub(super) fn allow<P: Policy<M> + 'static>(&mut self, policy: P) {
        self.allow_shared(&Arc::new(policy));
    }

    pub(super) fn allow_shared<P: Policy<M> + 'static>(&mut self, policy: &Arc<P>) {
        if let Some(filter) = policy.filter() {
            self.narrow(filter);
        }
        let shared = policy.key().map(|key| (TypeId::of::<P>(), key));
        self.policies.push(Allowed { policy: Arc::clone(policy) as Arc<dyn Policy<M>>, shared });
    }

    /// Narrows the query to the children of a parent.
    pub(super) fn of_parent<F: FieldValue>(
        mut self,
        branch: (TypeId, u16),
        field: Field<M, F>,
        key: F::Value,
    ) -> Self {
        let is_child = field.eq(key.clone());
        let rest = std::mem::replace(&mut self.filter, Filter::everything());
        self.filter = is_child.and(rest.clone());
        self.parent = Some(Parent { branch, field: field.field_ref(), key: field.operand(key), rest });
        self
    }

    /// The condition on the children of all these parents, which are of one branch.
    #[must_use]
    pub fn siblings(parents: &[&Parent<M>]) -> Filter<M> {
        let Some(first) = parents.first() else { return Filter::nothing() };
        let keys = parents.iter().map(|parent| parent.key.clone()).collect();
        Filter::among(&first.field, keys).and(first.rest.clone())
    }

    /// Whether the viewer may see the record. `false` if the policy panics.
    #[must_use]
    pub fn may_see(&self, record: &M) -> bool {
        self.policies.iter().all(|allowed| answer(|| allowed.policy.may_see(record)))
    }

    /// Whether a policy has this key.
    #[must_use]
    pub fn has_policy(&self, key: &str) -> bool {
        self.policies.iter().any(|allowed| allowed.shared.as_ref().is_some_and(|(_, shared)| shared == key))
    }

    /// Whether rows may be hidden that the filter holds for.
    #[must_use]
    pub fn hides_rows(&self) -> bool {
        !self.policies.is_empty()
    }

    /// Whether the query has the record, which has this key.
    #[must_use]
    pub fn has(&self, key: &KeyValue, record: &M) -> bool {
        let among = match &self.target {
            Target::Filtered => true,
            Target::Keys(keys) => keys.places.contains_key(key),
        };
        among && self.filter.has(record) && self.is_behind(key, record) && self.may_see(record)
    }

    /// Whether the record is behind the place at which the list begins.
    fn is_behind(&self, key: &KeyValue, record: &M) -> bool {
        let Some(after) = &self.after else { return true };
        self.compare((record, key), (&after.record, &after.key)).is_gt()
    }

    /// Compares the places of two records in the list.
    #[must_use]
    pub fn compare(&self, one: (&M, &KeyValue), other: (&M, &KeyValue)) -> Ordering {
        if let Target::Keys(keys) = &self.target {
            return keys.places.get(one.1).cmp(&keys.places.get(other.1));
        }
        let terms = self.order.iter().map(|term| term.compare(one.0, other.0));
        terms.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| compare_keys::<M>(one.1, other.1))
    }

    /// The bytes that equal queries share; `None` if the query is not shared, because its policy has no key.
    #[must_use]
    pub fn identity(&self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(64);
        match &self.target {
            Target::Filtered => out.push(b'f'),
            Target::Keys(keys) => {
                out.push(b'k');
                for key in &keys.list {
                    text(&key.to_string(), &mut out);
                }
            }
        }
        out.push(b'w');
        self.filter.encode(&mut out);
        for term in &self.order {
            out.push(if term.descending { b'd' } else { b'a' });
            out.extend_from_slice(&term.field.index.to_be_bytes());
        }
        if let Some(limit) = self.limit {
            out.push(b'l');
            out.extend_from_slice(&limit.to_be_bytes());
        }
        if let Some(after) = &self.after {
            out.push(b'>');
            self.order.iter().for_each(|term| encode_operand(&term.operand_of(&after.record), &mut out));
            text(&after.key.to_string(), &mut out);
        }
        for allowed in &self.policies {
            let (ty, key) = allowed.shared.as_ref()?;
            out.push(b'p');
            text(&format!("{ty:?}"), &mut out);
            text(key, &mut out);
        }
        Some(out)
    }

    /// Checks that the policy allows a channel that has all records of the query: of its records, of a scope whose fields
    /// the filter fixes, or of all records.
    ///
    /// # Errors
    ///
    /// [`Denied`]. [`Denied::Scope`] for a value that no record can have.
    pub fn check(&self) -> Result<(), Denied> {
        if let Some(fault) = self.filter.fault() {
            return Err(Denied::Scope(fault));
        }
        self.policies.iter().try_for_each(|allowed| self.check_policy(&allowed.policy))
    }

    fn check_policy(&self, policy: &Arc<dyn Policy<M>>) -> Result<(), Denied> {
        let allows = |channel: Channel<M>| channel.with_policy(Arc::clone(policy)).check();
        let narrower = match &self.target {
            Target::Keys(keys) => keys
                .list
                .iter()
                .all(|key| allows(Channel::of_target(ChannelTarget::Record(key.clone()))).is_ok()),
            Target::Filtered => self
                .scopes()
                .into_iter()
                .any(|scope| allows(Channel::of_target(ChannelTarget::Scope(scope))).is_ok()),
        };
        if narrower { Ok(()) } else { allows(Channel::all()) }
    }

    /// The declared scopes that hold every record of the query, because the filter fixes their fields.
    fn scopes(&self) -> Vec<Scope<M>> {
        let conjuncts = self.filter.conjuncts();
        let fixed = |field: &str| {
            let test = conjuncts.iter().find(|test| test.op == Op::Eq && test.field.name == field)?;
            test.operands.first()
        };
        let scopes = M::SCOPES.iter().enumerate().filter_map(|(combination, parts)| {
            let values: Option<Vec<_>> = parts
                .iter()
                .map(|(name, field)| {
                    let operand = fixed(field)?;
                    Some((*operand.scope.as_ref().ok()?, *name, operand.shown.clone()))
                })
                .collect();
            Some(Scope::of_values(combination, values?))
        });
        scopes.collect()
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u64).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

impl<M> std::fmt::Debug for Parent<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} = {:?}", self.field, self.key)
    }
}

impl<M> Clone for Parent<M> {
    fn clone(&self) -> Self {
        Self {
            branch: self.branch,
            field: self.field.clone(),
            key: self.key.clone(),
            rest: self.rest.clone(),
        }
    }
}

impl<M: Evented> Clone for Plan<M> {
    fn clone(&self) -> Self {
        Self {
            target: self.target.clone(),
            filter: self.filter.clone(),
            order: self.order.clone(),
            limit: self.limit,
            after: self.after.clone(),
            policies: self.policies.clone(),
            parent: self.parent.clone(),
        }
    }
}

impl<M: Evented> std::fmt::Debug for Plan<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(M::SCHEMA)
            .field("target", &self.target)
            .field("filter", &self.filter)
            .field("order", &self.order)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
