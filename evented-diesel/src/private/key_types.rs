//! Converts keys of users' types to what they are made of, and back.
//!
//! A key may be a type of its own, and types convert in different ways. The derived code knows the type, so the compiler
//! chooses the way: it looks for the method first on `&&&OutOfKey`, then on `&&OutOfKey`, `&OutOfKey` and `OutOfKey`, and
//! takes the first whose bounds hold. In this order: `From`, `TryFrom`, Diesel's `ToSql` and `FromSql` for PostgreSQL, and
//! serde.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::marker::PhantomData;

use evented_core::{KeyPart, KeyPrimitive};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type that a key, or a part of it, may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "lacks something that a key needs",
    note = "derive `Clone, Debug, PartialEq, Eq, Hash` for `{Self}`"
)]
pub trait KeyType: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// Returns a copy.
    #[must_use]
    fn copy(&self) -> Self {
        self.clone()
    }
}
#[diagnostic::do_not_recommend]
impl<K: Clone + Eq + Hash + Debug + Send + Sync + 'static> KeyType for K {}

/// A type that converts to what a key is made of, and back, by serde: the last resort.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key made of `{Inner}`",
    label = "no conversion to `{Inner}` and back",
    note = "write `impl From<{Inner}> for {Self}` (or `TryFrom`) and `impl From<{Self}> for {Inner}`, \
            or derive serde's `Serialize` and `Deserialize` for a newtype"
)]
pub trait KeyMadeOf<Inner>: Sized {
    /// Converts the key to what it is made of.
    ///
    /// # Errors
    ///
    /// If the key's serde form is another one.
    fn to_inner(&self) -> serde_json::Result<Inner>;
    /// Converts a value to the key.
    ///
    /// # Errors
    ///
    /// If the key refuses the value.
    fn from_inner(inner: Inner) -> serde_json::Result<Self>;
}
#[diagnostic::do_not_recommend]
impl<K, Inner> KeyMadeOf<Inner> for K
where
    K: Serialize + DeserializeOwned,
    Inner: Serialize + DeserializeOwned,
{
    fn to_inner(&self) -> serde_json::Result<Inner> {
        serde_json::from_value(serde_json::to_value(self)?)
    }
    fn from_inner(inner: Inner) -> serde_json::Result<Self> {
        serde_json::from_value(serde_json::to_value(inner)?)
    }
}

/// A key that is converted to a part.
#[derive(Debug)]
pub struct OutOfKey<'k, K, Inner>(&'k K, PhantomData<Inner>);

impl<'k, K, Inner: KeyPrimitive> OutOfKey<'k, K, Inner> {
    /// Wraps a key.
    pub fn new(key: &'k K) -> Self {
        Self(key, PhantomData)
    }

    /// Converts the key by serde.
    pub fn part(&self) -> KeyPart
    where
        K: KeyMadeOf<Inner>,
    {
        self.0.to_inner().map_or_else(unwritable, Inner::into_part)
    }
}

/// The part for a key that its own conversion refuses. The columns of a key are compared with it as text, so a
/// statement with it fails.
fn unwritable(reason: impl Display) -> KeyPart {
    KeyPart::Text(format!("a key that cannot be written: {reason}"))
}

/// A part that is converted to a key.
#[derive(Debug)]
pub struct IntoKey<K, Inner>(KeyPart, PhantomData<fn() -> (K, Inner)>);

impl<K, Inner: KeyPrimitive> IntoKey<K, Inner> {
    /// Wraps a part.
    #[must_use]
    pub fn new(part: KeyPart) -> Self {
        Self(part, PhantomData)
    }

    fn inner(&self) -> Option<Inner> {
        Inner::from_part(self.0.clone())
    }

    /// Converts the part by serde; `None` if the key refuses it.
    #[must_use]
    pub fn key(&self) -> Option<K>
    where
        K: KeyMadeOf<Inner>,
    {
        K::from_inner(self.inner()?).ok()
    }
}

/// The ways from a key to a part, besides serde.
pub mod out_of_key {
    use std::fmt::Display;

    use super::{KeyPart, KeyPrimitive, OutOfKey, unwritable};

    /// By `From`.
    pub trait ByFrom {
        /// Converts the key.
        fn part(&self) -> KeyPart;
    }
    impl<K: Clone + Into<Inner>, Inner: KeyPrimitive> ByFrom for &&&OutOfKey<'_, K, Inner> {
        fn part(&self) -> KeyPart {
            self.0.clone().into().into_part()
        }
    }

    /// By `TryFrom`.
    pub trait ByTryFrom {
        /// Converts the key.
        fn part(&self) -> KeyPart;
    }
    impl<K, Inner: KeyPrimitive> ByTryFrom for &&OutOfKey<'_, K, Inner>
    where
        K: Clone + TryInto<Inner>,
        <K as TryInto<Inner>>::Error: Display,
    {
        fn part(&self) -> KeyPart {
            self.0.clone().try_into().map_or_else(unwritable, Inner::into_part)
        }
    }

    /// By Diesel's traits.
    #[cfg(feature = "__pg")]
    pub trait BySql {
        /// Converts the key.
        fn part(&self) -> KeyPart;
    }
    #[cfg(feature = "__pg")]
    impl<K, Inner> BySql for &OutOfKey<'_, K, Inner>
    where
        Inner: super::pg::InSql,
        K: diesel::serialize::ToSql<Inner::Sql, diesel::pg::Pg>,
        diesel::pg::Pg: diesel::sql_types::HasSqlType<Inner::Sql>,
    {
        fn part(&self) -> KeyPart {
            super::pg::convert::<Inner::Sql, K, Inner>(self.0).map_or_else(unwritable, Inner::into_part)
        }
    }
}

/// The ways from a part to a key, besides serde.
pub mod into_key {
    use super::{IntoKey, KeyPrimitive};

    /// By `From`.
    pub trait ByFrom<K> {
        /// Converts the part.
        fn key(&self) -> Option<K>;
    }
    impl<K, Inner: KeyPrimitive + Into<K>> ByFrom<K> for &&&IntoKey<K, Inner> {
        fn key(&self) -> Option<K> {
            self.inner().map(Into::into)
        }
    }

    /// By `TryFrom`.
    pub trait ByTryFrom<K> {
        /// Converts the part; `None` if the key refuses it.
        fn key(&self) -> Option<K>;
    }
    impl<K, Inner: KeyPrimitive + TryInto<K>> ByTryFrom<K> for &&IntoKey<K, Inner> {
        fn key(&self) -> Option<K> {
            self.inner()?.try_into().ok()
        }
    }

    /// By Diesel's traits.
    #[cfg(feature = "__pg")]
    pub trait BySql<K> {
        /// Converts the part; `None` if the key refuses it.
        fn key(&self) -> Option<K>;
    }
    #[cfg(feature = "__pg")]
    impl<K, Inner> BySql<K> for &IntoKey<K, Inner>
    where
        Inner: super::pg::InSql,
        K: diesel::deserialize::FromSql<Inner::Sql, diesel::pg::Pg>,
        diesel::pg::Pg: diesel::sql_types::HasSqlType<Inner::Sql>,
    {
        fn key(&self) -> Option<K> {
            super::pg::convert::<Inner::Sql, Inner, K>(&self.inner()?).ok()
        }
    }
}

/// Conversions through the bytes of PostgreSQL's protocol. No server is involved.
#[cfg(feature = "__pg")]
mod pg {
    use std::num::NonZeroU32;

    use diesel::deserialize::{self, FromSql};
    use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata, PgValue};
    use diesel::query_builder::BindCollector;
    use diesel::query_builder::bind_collector::RawBytesBindCollector;
    use diesel::serialize::ToSql;
    use diesel::sql_types::{BigInt, Binary, Bool, HasSqlType, Integer, SmallInt, Text, Uuid as SqlUuid};
    use evented_core::KeyPrimitive;
    use uuid::Uuid;

    /// What a key is made of, with its SQL type.
    pub trait InSql: KeyPrimitive + ToSql<Self::Sql, Pg> + FromSql<Self::Sql, Pg> {
        /// The SQL type.
        type Sql;
    }

    macro_rules! in_sql {
        ($($ty:ty => $sql:ty),*) => {$(
            impl InSql for $ty {
                type Sql = $sql;
            }
        )*};
    }
    in_sql!(Uuid => SqlUuid, String => Text, i16 => SmallInt, i32 => Integer, i64 => BigInt, bool => Bool, Vec<u8> => Binary);

    /// The types of keys have fixed numbers, so nothing is looked up.
    struct NoLookup;
    impl PgMetadataLookup for NoLookup {
        fn lookup_type(&mut self, _: &str, _: Option<&str>) -> PgTypeMetadata {
            PgTypeMetadata::new(0, 0)
        }
    }

    /// Writes a value as one type and reads it as another.
    pub(super) fn convert<ST, From: ToSql<ST, Pg>, To: FromSql<ST, Pg>>(
        from: &From,
    ) -> deserialize::Result<To>
    where
        Pg: HasSqlType<ST>,
    {
        let mut binds = RawBytesBindCollector::<Pg>::new();
        binds.push_bound_value::<ST, From>(from, &mut NoLookup)?;
        let bytes = binds.binds.pop().flatten().ok_or("a key is never null")?;
        let oid = Pg::metadata(&mut NoLookup).oid()?;
        let oid = NonZeroU32::new(oid).ok_or("a type without a number")?;
        To::from_sql(PgValue::new(&bytes, &oid))
    }
}
