//! The fields of a model as values, from which filters and orders are built.

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::filter::{Filter, Op, Test};
use super::order::Term;
use super::value::{FieldValue, Ordered, Value};
use crate::digest::canonical;
use crate::{ScopeValue, Unstorable};

/// A field of the model `M` that holds a `T`. The derive makes them: `Item::fields().price`, and the `i` of
/// `Item::live().filter(|i| i.price.gt(10))`.
pub struct Field<M, T> {
    index: usize,
    name: &'static str,
    column: &'static str,
    get: fn(&M) -> &T,
}

impl<M, T> Clone for Field<M, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, T> Copy for Field<M, T> {}

impl<M, T> Field<M, T> {
    /// Makes a field. The derived code calls it. `index` is that of the field among all that the derive makes.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(index: usize, name: &'static str, column: &'static str, get: fn(&M) -> &T) -> Self {
        Self { index, name, column, get }
    }

    /// The name of the column.
    pub(super) const fn column(&self) -> &'static str {
        self.column
    }
}

/// A field without the type of its values.
pub struct FieldRef<M> {
    /// The index by which the model binds a value of the field.
    pub index: usize,
    /// The name in the struct.
    pub name: &'static str,
    /// The name of the column.
    pub column: &'static str,
    /// Whether the column holds text.
    pub text: bool,
    /// The canonical form of a record's value; `None` if it is null or has none.
    pub(super) encode: fn(&Self, &M) -> Option<Vec<u8>>,
    /// The `fn(&M) -> &T` of the field.
    get: Arc<dyn Any + Send + Sync>,
}

impl<M> Clone for FieldRef<M> {
    fn clone(&self) -> Self {
        Self { get: Arc::clone(&self.get), ..*self }
    }
}

impl<M> FieldRef<M> {
    /// The canonical form of a record's value; `None` if it is null or has none.
    #[must_use]
    pub fn encoded(&self, record: &M) -> Option<Vec<u8>> {
        (self.encode)(self, record)
    }
}

impl<M> fmt::Debug for FieldRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A value in a filter: of the type of its field, ready to be bound, and in canonical form.
#[derive(Clone)]
pub struct Operand {
    /// The value, of the type of the field.
    pub value: Arc<dyn Any + Send + Sync>,
    /// The canonical form; `None` for null, and for a value that has none.
    pub encoded: Option<Arc<[u8]>>,
    /// Whether it is null.
    pub is_null: bool,
    /// The value as a part of a scope.
    pub(crate) scope: Result<ScopeValue, Arc<Unstorable>>,
    /// The value as JSON, to be shown.
    pub(crate) shown: serde_json::Value,
}

impl fmt::Debug for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shown)
    }
}

fn encode<T: Value>(value: &T) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(24);
    canonical::write(&value.clone().stored(), &mut out).ok()?;
    Some(out)
}

impl Operand {
    pub(super) fn of<T: FieldValue>(field: &'static str, value: T) -> Self {
        let scope = match value.value() {
            Some(value) => ScopeValue::of(field, value),
            None => ScopeValue::of(field, &()),
        };
        Self {
            encoded: value.value().and_then(encode).map(Into::into),
            is_null: value.value().is_none(),
            scope: scope.map_err(Arc::new),
            shown: value.value().and_then(|value| serde_json::to_value(value).ok()).unwrap_or_default(),
            value: Arc::new(value),
        }
    }

    /// Why no database holds the value, if none does.
    pub(super) fn fault(&self) -> Option<Arc<Unstorable>> {
        self.scope.as_ref().err().cloned()
    }
}

impl<M: 'static, T: FieldValue> Field<M, T> {
    pub(super) fn field_ref(self) -> FieldRef<M> {
        FieldRef {
            index: self.index,
            name: self.name,
            column: self.column,
            text: T::Value::TEXT,
            encode: |field, record| {
                let get = field.get.downcast_ref::<fn(&M) -> &T>()?;
                get(record).value().and_then(encode)
            },
            get: Arc::new(self.get),
        }
    }

    /// The value of a record's field.
    pub(super) fn get(self, record: &M) -> &T {
        (self.get)(record)
    }

    pub(super) fn operand(self, value: T::Value) -> Operand {
        Operand::of(self.name, T::some(value.stored()))
    }

    /// Builds a test. `holds` is called with the field's value unless it is null.
    fn test(
        self,
        op: Op,
        operands: Vec<Operand>,
        holds: impl Fn(&T::Value) -> bool + Send + Sync + 'static,
    ) -> Filter<M> {
        let get = self.get;
        Filter::test(Test {
            field: self.field_ref(),
            op,
            operands,
            holds: Arc::new(move |record| get(record).value().map(&holds)),
        })
    }
}

impl<M: 'static, T: FieldValue<Value: Ordered>> Field<M, T> {
    fn compared(self, op: Op, value: T::Value, holds: fn(Ordering) -> bool) -> Filter<M> {
        let value = value.stored();
        self.test(op, vec![self.operand(value.clone())], move |it| holds(it.order(&value)))
    }
}

/// Tests and orders.
impl<M: 'static, T> Field<M, T> {
    /// The field equals this value.
    pub fn eq(self, value: T::Value) -> Filter<M>
    where
        T: FieldValue,
    {
        let value = value.stored();
        self.test(Op::Eq, vec![self.operand(value.clone())], move |it| *it == value)
    }

    /// The field is not null, and differs from this value.
    pub fn ne(self, value: T::Value) -> Filter<M>
    where
        T: FieldValue,
    {
        let value = value.stored();
        self.test(Op::Ne, vec![self.operand(value.clone())], move |it| *it != value)
    }

    /// The field equals one of these values. Of no values, it equals none.
    pub fn is_in(self, values: impl IntoIterator<Item = T::Value>) -> Filter<M>
    where
        T: FieldValue,
    {
        let mut values: Vec<T::Value> = values.into_iter().map(Value::stored).collect();
        let mut operands: Vec<Operand> = values.iter().map(|value| self.operand(value.clone())).collect();
        operands.sort_by(|one, other| one.encoded.cmp(&other.encoded));
        operands.dedup_by(|one, other| one.encoded.is_some() && one.encoded == other.encoded);
        if operands.is_empty() {
            return Filter::nothing();
        }
        values.shrink_to_fit();
        self.test(Op::In, operands, move |it| values.contains(it))
    }

    /// The field is null.
    pub fn is_null(self) -> Filter<M>
    where
        T: FieldValue,
    {
        let get = self.get;
        Filter::test(Test {
            field: self.field_ref(),
            op: Op::IsNull,
            operands: Vec::new(),
            holds: Arc::new(move |record| Some(get(record).value().is_none())),
        })
    }

    /// The field is not null.
    pub fn is_not_null(self) -> Filter<M>
    where
        T: FieldValue,
    {
        self.is_null().not()
    }
    /// The text begins with this text, byte by byte.
    pub fn starts_with(self, prefix: impl Into<String>) -> Filter<M>
    where
        T: FieldValue<Value = String>,
    {
        let prefix = prefix.into();
        self.test(Op::StartsWith, vec![self.operand(prefix.clone())], move |it| it.starts_with(&prefix))
    }
    /// The field is less than this value.
    pub fn lt(self, value: T::Value) -> Filter<M>
    where
        T: FieldValue<Value: Ordered>,
    {
        self.compared(Op::Lt, value, Ordering::is_lt)
    }

    /// The field is at most this value.
    pub fn le(self, value: T::Value) -> Filter<M>
    where
        T: FieldValue<Value: Ordered>,
    {
        self.compared(Op::Le, value, Ordering::is_le)
    }

    /// The field is greater than this value.
    pub fn gt(self, value: T::Value) -> Filter<M>
    where
        T: FieldValue<Value: Ordered>,
    {
        self.compared(Op::Gt, value, Ordering::is_gt)
    }

    /// The field is at least this value.
    pub fn ge(self, value: T::Value) -> Filter<M>
    where
        T: FieldValue<Value: Ordered>,
    {
        self.compared(Op::Ge, value, Ordering::is_ge)
    }

    /// Orders by the field, the smallest value first. Null is greater than every value.
    pub fn asc(self) -> Term<M>
    where
        T: FieldValue<Value: Ordered>,
    {
        let get = self.get;
        let compare = move |one: &M, other: &M| match (get(one).value(), get(other).value()) {
            (Some(one), Some(other)) => one.order(other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        };
        let name = self.name;
        Term {
            field: self.field_ref(),
            descending: false,
            compare: Arc::new(compare),
            operand: Arc::new(move |record| Operand::of(name, get(record).clone())),
        }
    }

    /// Orders by the field, the greatest value first. Null is greater than every value.
    pub fn desc(self) -> Term<M>
    where
        T: FieldValue<Value: Ordered>,
    {
        Term { descending: true, ..self.asc() }
    }
}

impl<M, T> fmt::Debug for Field<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({})", self.name)
    }
}
