//! The types that filters and orders can compare: in memory as the database does.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::normal::Normal;

/// A type whose values are equal in Rust exactly when the database takes them for equal, so that a filter can compare it.
///
/// The library implements it for numbers, text, bytes, times, UUIDs and `Id`. Implement it for your own enums and
/// newtypes if it is true of them:
///
/// ```
/// use evented_core::live;
///
/// #[derive(Clone, Debug, PartialEq, serde::Serialize)]
/// enum Status {
///     Open,
///     Closed,
/// }
/// impl live::Value for Status {}
/// ```
#[diagnostic::on_unimplemented(
    message = "a filter cannot compare values of `{Self}`",
    label = "memory and the database may disagree on which values are equal",
    note = "if two values are equal in Rust exactly when they are equal in the database, write `impl live::Value for {Self} {{}}`"
)]
pub trait Value: Clone + PartialEq + Serialize + Send + Sync + 'static {
    /// Whether the column holds text, whose order depends on a collation. Default: `false`.
    const TEXT: bool = false;

    /// Returns the value as a database stores it. Default: the value as it is.
    #[must_use]
    fn stored(self) -> Self {
        self
    }
}

/// A type whose values have the same order in Rust and in the database, so that a query can be ordered by it.
///
/// Text is ordered by bytes: the SQL names the collation. `impl live::Ordered for Rank {}` is enough for a type whose
/// `PartialOrd` orders its values as the database orders the column.
#[diagnostic::on_unimplemented(
    message = "a query cannot be ordered by values of `{Self}`, nor compare them by less and greater",
    label = "memory and the database may disagree on the order",
    note = "if the order in Rust is that of the database, write `impl live::Ordered for {Self} {{}}`"
)]
pub trait Ordered: Value + PartialOrd {
    /// Compares two values as the database does. Default: as `PartialOrd`.
    fn order(&self, other: &Self) -> Ordering {
        self.partial_cmp(other).unwrap_or(Ordering::Equal)
    }
}

/// What a field of a model holds: a value, or an option of one. `None` is SQL's null.
#[diagnostic::on_unimplemented(
    message = "a live query cannot compare fields of type `{Self}`",
    label = "memory and the database may disagree on which values are equal",
    note = "if two values are equal in Rust exactly when they are equal in the database, write `impl live::Value` for the \
            type of the field; for `<` and orders also `impl live::Ordered`"
)]
pub trait FieldValue: Clone + Send + Sync + 'static {
    /// The value.
    type Value: Value;
    /// Wraps a value.
    fn some(value: Self::Value) -> Self;
    /// The value; `None` if it is null.
    fn value(&self) -> Option<&Self::Value>;
}

#[diagnostic::do_not_recommend]
impl<T: Value> FieldValue for T {
    type Value = T;
    fn some(value: T) -> Self {
        value
    }
    fn value(&self) -> Option<&T> {
        Some(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Value> FieldValue for Option<T> {
    type Value = T;
    fn some(value: T) -> Self {
        Some(value)
    }
    fn value(&self) -> Option<&T> {
        self.as_ref()
    }
}

macro_rules! ordered {
    ($($ty:ty),*) => {$(
        impl Value for $ty {}
        impl Ordered for $ty {}
    )*};
}
ordered!(bool, i16, i32, i64, u32, Uuid, NaiveDate, Vec<u8>);

impl Value for String {
    const TEXT: bool = true;
}
impl Ordered for String {}

/// Types that the databases cut: times to the microsecond, numbers to their value without trailing zeros.
macro_rules! cut {
    ($($ty:ty),*) => {$(
        impl Value for $ty {
            fn stored(mut self) -> Self {
                Normal(&mut self).normalize();
                self
            }
        }
        impl Ordered for $ty {}
    )*};
}
cut!(DateTime<Utc>, NaiveDateTime, NaiveTime);
#[cfg(feature = "time")]
cut!(time::OffsetDateTime, time::PrimitiveDateTime, time::Time);
#[cfg(feature = "time")]
ordered!(time::Date);
#[cfg(feature = "bigdecimal")]
cut!(bigdecimal::BigDecimal);
#[cfg(feature = "rust_decimal")]
cut!(rust_decimal::Decimal);

/// PostgreSQL takes a NaN for equal to itself, and for greater than every number.
macro_rules! floats {
    ($($ty:ty),*) => {$(
        impl Value for $ty {}
        impl Ordered for $ty {
            fn order(&self, other: &Self) -> Ordering {
                self.partial_cmp(other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
            }
        }
    )*};
}
floats!(f32, f64);
