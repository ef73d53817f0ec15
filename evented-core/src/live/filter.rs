//! Filters: conditions on records as data, with SQL's three values.

use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::sync::Arc;

use super::field::{FieldRef, Operand};
use crate::Unstorable;

/// A condition on the records of `M`, as data: `Item::fields().price.gt(10)`.
///
/// It knows SQL's three values: a comparison with null is neither true nor false, and a query has the records for which
/// the condition is true.
pub struct Filter<M>(Arc<Condition<M>>);

/// The parts of a filter.
#[doc(hidden)]
pub enum Condition<M> {
    /// A test of one field.
    Test(Test<M>),
    /// All of these; true if there are none.
    All(Vec<Filter<M>>),
    /// One of these; false if there are none.
    Any(Vec<Filter<M>>),
    /// Not this.
    Not(Filter<M>),
}

/// A test of one field.
#[doc(hidden)]
pub struct Test<M> {
    /// The field.
    pub field: FieldRef<M>,
    /// The operator.
    pub op: Op,
    /// What the field is compared with.
    pub operands: Vec<Operand>,
    /// The test in memory; `None` if the field is null.
    pub(super) holds: Holds<M>,
}

type Holds<M> = Arc<dyn Fn(&M) -> Option<bool> + Send + Sync>;

/// The operator of a test.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the methods of `Field`")]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    IsNull,
    StartsWith,
}

impl<M> Clone for Filter<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Filter<M> {
    /// The filter of every record.
    #[must_use]
    pub fn everything() -> Self {
        Self(Arc::new(Condition::All(Vec::new())))
    }

    /// The filter of no record.
    #[must_use]
    pub fn nothing() -> Self {
        Self(Arc::new(Condition::Any(Vec::new())))
    }

    /// A field has one of these values.
    pub(super) fn among(field: &FieldRef<M>, operands: Vec<Operand>) -> Self
    where
        M: 'static,
    {
        let values: std::collections::HashSet<Arc<[u8]>> =
            operands.iter().filter_map(|operand| operand.encoded.clone()).collect();
        let of = field.clone();
        let holds = move |record: &M| of.encoded(record).map(|value| values.contains(value.as_slice()));
        Self::test(Test { field: field.clone(), op: Op::In, operands, holds: Arc::new(holds) })
    }

    pub(super) fn test(test: Test<M>) -> Self {
        Self(Arc::new(Condition::Test(test)))
    }

    /// The records for which both are true.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut parts = Vec::new();
        for part in [self, other] {
            match &*part.0 {
                Condition::All(all) => parts.extend(all.iter().cloned()),
                _ => parts.push(part),
            }
        }
        match <[Self; 1]>::try_from(parts) {
            Ok([only]) => only,
            Err(parts) => Self(Arc::new(Condition::All(parts))),
        }
    }

    /// The records for which one of the two is true.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut parts = Vec::new();
        for part in [self, other] {
            match &*part.0 {
                Condition::Any(any) => parts.extend(any.iter().cloned()),
                _ => parts.push(part),
            }
        }
        match <[Self; 1]>::try_from(parts) {
            Ok([only]) => only,
            Err(parts) => Self(Arc::new(Condition::Any(parts))),
        }
    }

    /// The records for which this is false. Of a null field, no comparison is false.
    #[must_use]
    #[allow(
        clippy::should_implement_trait,
        reason = "it reads like `and` and `or`, and is implemented as well"
    )]
    pub fn not(self) -> Self {
        Self(Arc::new(Condition::Not(self)))
    }

    /// Whether the condition is true of a record; `None` if it is neither true nor false, because a field is null.
    #[must_use]
    pub fn test_of(&self, record: &M) -> Option<bool> {
        match &*self.0 {
            Condition::Test(test) => (test.holds)(record),
            Condition::Not(filter) => filter.test_of(record).map(|holds| !holds),
            Condition::All(all) => {
                let mut result = Some(true);
                for part in all {
                    match part.test_of(record) {
                        Some(false) => return Some(false),
                        None => result = None,
                        Some(true) => {}
                    }
                }
                result
            }
            Condition::Any(any) => {
                let mut result = Some(false);
                for part in any {
                    match part.test_of(record) {
                        Some(true) => return Some(true),
                        None => result = None,
                        Some(false) => {}
                    }
                }
                result
            }
        }
    }

    /// Whether a query with this filter has the record.
    #[must_use]
    pub fn has(&self, record: &M) -> bool {
        self.test_of(record) == Some(true)
    }

    /// The parts of the filter.
    #[doc(hidden)]
    #[must_use]
    pub fn condition(&self) -> &Condition<M> {
        &self.0
    }

    /// Why no database can hold a value of the filter, if there is such a value.
    pub(super) fn fault(&self) -> Option<Arc<Unstorable>> {
        match &*self.0 {
            Condition::Test(test) => test.operands.iter().find_map(Operand::fault),
            Condition::Not(filter) => filter.fault(),
            Condition::All(parts) | Condition::Any(parts) => parts.iter().find_map(Self::fault),
        }
    }

    /// Whether it is true of every record.
    pub(super) fn is_all(&self) -> bool {
        matches!(&*self.0, Condition::All(parts) if parts.is_empty())
    }

    /// The tests that are all true of each record of the query.
    pub(super) fn conjuncts(&self) -> Vec<&Test<M>> {
        match &*self.0 {
            Condition::Test(test) => vec![test],
            Condition::All(parts) => parts.iter().flat_map(Self::conjuncts).collect(),
            Condition::Any(_) | Condition::Not(_) => Vec::new(),
        }
    }

    /// Appends the canonical form: that of an equal filter is the same, in whatever order its parts are written.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match &*self.0 {
            Condition::Test(test) => {
                out.push(b't');
                out.extend_from_slice(&test.field.index.to_be_bytes());
                out.push(test.op as u8);
                out.extend_from_slice(&test.operands.len().to_be_bytes());
                for operand in &test.operands {
                    encode_operand(operand, out);
                }
            }
            Condition::Not(filter) => {
                out.push(b'n');
                filter.encode(out);
            }
            Condition::All(parts) => encode_parts(b'a', parts, out),
            Condition::Any(parts) => encode_parts(b'o', parts, out),
        }
    }
}

pub(super) fn encode_operand(operand: &Operand, out: &mut Vec<u8>) {
    let bytes = operand.encoded.as_deref();
    out.extend_from_slice(&bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes.unwrap_or_default());
}

fn encode_parts<M>(tag: u8, parts: &[Filter<M>], out: &mut Vec<u8>) {
    let mut encoded: Vec<Vec<u8>> = parts
        .iter()
        .map(|part| {
            let mut bytes = Vec::new();
            part.encode(&mut bytes);
            bytes
        })
        .collect();
    encoded.sort();
    encoded.dedup();
    out.push(tag);
    out.extend_from_slice(&(encoded.len() as u64).to_be_bytes());
    encoded.iter().for_each(|bytes| out.extend_from_slice(bytes));
}

impl<M> fmt::Debug for Condition<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test(test) => write!(f, "{test:?}"),
            Self::Not(filter) => write!(f, "not {filter:?}"),
            Self::All(parts) => list(f, parts, " and ", "everything"),
            Self::Any(parts) => list(f, parts, " or ", "nothing"),
        }
    }
}

impl<M> fmt::Debug for Test<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, op, operands, .. } = self;
        match operands.as_slice() {
            [] => write!(f, "{field:?} {op:?}"),
            [operand] => write!(f, "{field:?} {op:?} {operand:?}"),
            operands => write!(f, "{field:?} {op:?} {operands:?}"),
        }
    }
}

fn list<M>(f: &mut fmt::Formatter<'_>, parts: &[Filter<M>], between: &str, none: &str) -> fmt::Result {
    if parts.is_empty() {
        return f.write_str(none);
    }
    for (index, part) in parts.iter().enumerate() {
        f.write_str(if index == 0 { "(" } else { between })?;
        write!(f, "{part:?}")?;
    }
    f.write_str(")")
}

impl<M> BitAnd for Filter<M> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        self.and(other)
    }
}
impl<M> BitOr for Filter<M> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}
impl<M> std::ops::Not for Filter<M> {
    type Output = Self;
    fn not(self) -> Self {
        Filter::not(self)
    }
}

/// Two filters are equal if they test the same, in whatever order.
impl<M> PartialEq for Filter<M> {
    fn eq(&self, other: &Self) -> bool {
        let (mut this, mut that) = (Vec::new(), Vec::new());
        self.encode(&mut this);
        other.encode(&mut that);
        this == that
    }
}

impl<M> fmt::Debug for Filter<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
