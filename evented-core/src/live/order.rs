//! Orders of lists, and places in them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::field::{FieldRef, Operand};
use crate::{Evented, KeyKind, KeyPart, KeyPartKind, KeyValue};

/// One term of an order: `i.rank.desc()`.
pub struct Term<M> {
    /// The field.
    #[doc(hidden)]
    pub field: FieldRef<M>,
    /// Whether the greatest value is first.
    #[doc(hidden)]
    pub descending: bool,
    /// Compares two records by the field, ascending.
    pub(super) compare: Compare<M>,
    /// The value of a record's field, ready to be bound.
    pub(super) operand: Arc<dyn Fn(&M) -> Operand + Send + Sync>,
}

type Compare<M> = Arc<dyn Fn(&M, &M) -> Ordering + Send + Sync>;

impl<M> Term<M> {
    pub(super) fn compare(&self, one: &M, other: &M) -> Ordering {
        let order = (self.compare)(one, other);
        if self.descending { order.reverse() } else { order }
    }

    /// The value of a record's field, ready to be bound.
    #[doc(hidden)]
    #[must_use]
    pub fn operand_of(&self, record: &M) -> Operand {
        (self.operand)(record)
    }
}

impl<M> Clone for Term<M> {
    fn clone(&self) -> Self {
        Self {
            field: self.field.clone(),
            descending: self.descending,
            compare: Arc::clone(&self.compare),
            operand: Arc::clone(&self.operand),
        }
    }
}

impl<M> fmt::Debug for Term<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.field, if self.descending { " desc" } else { "" })
    }
}

/// What `order(|i| …)` takes: a term, or a tuple of up to four.
#[diagnostic::on_unimplemented(
    message = "this is not an order of `{M}`",
    note = "write `|i| i.rank.desc()`, or a tuple: `|i| (i.rank.desc(), i.name.asc())`"
)]
pub trait IntoOrder<M> {
    /// The terms, the most significant first.
    fn into_terms(self) -> Vec<Term<M>>;
}

impl<M> IntoOrder<M> for Term<M> {
    fn into_terms(self) -> Vec<Self> {
        vec![self]
    }
}

macro_rules! tuples {
    ($(($($name:ident),*))*) => {$(
        impl<M> IntoOrder<M> for ($(tuples!(@term $name M),)*) {
            fn into_terms(self) -> Vec<Term<M>> {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                vec![$($name),*]
            }
        }
    )*};
    (@term $name:ident $model:ident) => { Term<$model> };
}
tuples! { (A) (A, B) (A, B, C) (A, B, C, D) }

/// A place in the order of a list: behind this record.
#[doc(hidden)]
pub struct After<M> {
    /// The record.
    pub record: Arc<M>,
    /// Its key.
    pub key: KeyValue,
}

impl<M> fmt::Debug for After<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "behind {}", self.key)
    }
}

impl<M> Clone for After<M> {
    fn clone(&self) -> Self {
        Self { record: Arc::clone(&self.record), key: self.key.clone() }
    }
}

/// Compares two keys as the database orders the columns of the key, text by its bytes.
pub(super) fn compare_keys<M: Evented>(one: &KeyValue, other: &KeyValue) -> Ordering {
    let simple = KeyKind::of(M::KEY_PARTS);
    if M::KEY_PARTS.len() == 1 && simple == M::KEY && (simple != KeyKind::Text || is_text(M::KEY_PARTS)) {
        return one.cmp(other);
    }
    match (one.parts(M::KEY_PARTS), other.parts(M::KEY_PARTS)) {
        (Some(one), Some(other)) => one
            .iter()
            .zip(&other)
            .map(|(one, other)| compare_parts(one, other))
            .find(|it| it.is_ne())
            .unwrap_or(Ordering::Equal),
        _ => one.cmp(other),
    }
}

fn is_text(parts: &[KeyPartKind]) -> bool {
    matches!(parts, [KeyPartKind::Text])
}

fn compare_parts(one: &KeyPart, other: &KeyPart) -> Ordering {
    match (one, other) {
        (KeyPart::Uuid(one), KeyPart::Uuid(other)) => one.cmp(other),
        (KeyPart::Text(one), KeyPart::Text(other)) => one.cmp(other),
        (KeyPart::SmallInt(one), KeyPart::SmallInt(other)) => one.cmp(other),
        (KeyPart::Int(one), KeyPart::Int(other)) => one.cmp(other),
        (KeyPart::BigInt(one), KeyPart::BigInt(other)) => one.cmp(other),
        (KeyPart::Bool(one), KeyPart::Bool(other)) => one.cmp(other),
        (KeyPart::Bytes(one), KeyPart::Bytes(other)) => one.cmp(other),
        _ => Ordering::Equal,
    }
}
