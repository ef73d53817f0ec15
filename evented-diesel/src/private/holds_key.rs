//! Says which columns can hold a part of a key, so that a wrong `#[evented(key = …)]` does not compile.

use diesel::sql_types::{BigInt, Binary, Bool, Integer, SmallInt, Text};
use uuid::Uuid;

use crate::sql_types::Uid;

/// The type of a column that holds a key, or a part of one, that is made of `Inner`.
#[diagnostic::on_unimplemented(
    message = "a column of the SQL type `{Self}` cannot hold a key that is made of `{Inner}`",
    label = "the column has another type",
    note = "the key is made of the Rust type of its column: `i16` for `SmallInt`, `i32` for `Integer`, `i64` for \
            `BigInt`, `String` for `Text`, `Uuid` for `Uuid`, `bool` for `Bool`, `Vec<u8>` for `Binary`; for a newtype \
            write the type inside it, such as `#[evented(key = i32)]`"
)]
pub trait HoldsKey<Inner> {}

macro_rules! holds {
    ($($sql:ty: $($inner:ty),*;)*) => {$($(
        impl HoldsKey<$inner> for $sql {}
    )*)*};
}
holds! {
    SmallInt: i16;
    Integer: i32;
    BigInt: i64;
    Bool: bool;
    // SQLite has no type for a UUID: an `Id` is text or bytes there.
    Text: String, Uuid;
    Binary: Vec<u8>, Uuid;
    Uid: Uuid;
}
#[cfg(feature = "__pg")]
impl HoldsKey<Uuid> for diesel::sql_types::Uuid {}
#[cfg(feature = "__pg")]
impl HoldsKey<String> for diesel::sql_types::Citext {}

/// Checks that a column holds a key. It does nothing.
pub const fn column_holds_key<Column, Inner>()
where
    Column: HoldsKey<Inner>,
{
}
