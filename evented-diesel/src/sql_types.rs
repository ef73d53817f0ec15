//! SQL types that mean the same on every database.
//!
//! A model that is to work on PostgreSQL and on SQLite names them in its `table!`; one for a single database keeps
//! Diesel's own. The log's table is made of them.
//!
//! | type | Rust | PostgreSQL | SQLite |
//! |---|---|---|---|
//! | [`Uid`] | [`uuid::Uuid`], [`Id<Model>`](crate::Id) | `uuid` | `BLOB`, 16 bytes |
//! | [`UtcTime`] | [`chrono::DateTime<Utc>`](chrono::DateTime) | `timestamptz` | `TEXT`, as `2026-01-31 12:00:00.000000+00:00` |
//! | [`JsonText`] | [`serde_json::Value`] | `json` | `TEXT` |

use diesel::query_builder::QueryId;
use diesel::sql_types::SqlType;

/// A UUID.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Uid;

/// A point in time, to the microsecond; on SQLite in the years 0 to 9999, whose text has the order of time.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Text"))]
pub struct UtcTime;

/// A JSON document, kept byte for byte.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 114, array_oid = 199))]
#[diesel(sqlite_type(name = "Text"))]
pub struct JsonText;

/// Values of foreign types as expressions of these SQL types.
///
/// Diesel lets only its own crate say that a `DateTime<Utc>` is an expression, so in a query of your own a value
/// says its SQL type: `items_events::at.gt(UtcTime::bind(now))`. Reading needs nothing of the kind.
mod expressions {
    use chrono::{DateTime, Utc};
    use diesel::internal::derives::as_expression::Bound;
    use uuid::Uuid;

    use super::{JsonText, Uid, UtcTime};

    macro_rules! bind {
        ($($rust:ty => $sql:ty),*) => {$(
            impl $sql {
                /// The value as an expression of this type, to compare a column with.
                #[must_use]
                pub fn bind(value: $rust) -> Bound<Self, $rust> {
                    Bound::new(value)
                }
            }
        )*};
    }
    bind!(Uuid => Uid, DateTime<Utc> => UtcTime, serde_json::Value => JsonText);
}

#[cfg(feature = "__pg")]
mod pg {
    use std::io::Write;

    use chrono::{DateTime, Utc};
    use diesel::deserialize::{self, FromSql};
    use diesel::pg::{Pg, PgValue};
    use diesel::serialize::{self, IsNull, Output, ToSql};
    use diesel::sql_types::{Timestamptz, Uuid as PgUuid};
    use uuid::Uuid;

    use super::{JsonText, Uid, UtcTime};

    impl ToSql<Uid, Pg> for Uuid {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            ToSql::<PgUuid, Pg>::to_sql(self, out)
        }
    }
    impl FromSql<Uid, Pg> for Uuid {
        fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
            FromSql::<PgUuid, Pg>::from_sql(value)
        }
    }
    impl ToSql<UtcTime, Pg> for DateTime<Utc> {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            ToSql::<Timestamptz, Pg>::to_sql(self, out)
        }
    }
    impl FromSql<UtcTime, Pg> for DateTime<Utc> {
        fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
            FromSql::<Timestamptz, Pg>::from_sql(value)
        }
    }
    impl ToSql<JsonText, Pg> for str {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            out.write_all(self.as_bytes())?;
            Ok(IsNull::No)
        }
    }
    impl FromSql<JsonText, Pg> for String {
        fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
            Ok(String::from_utf8(value.as_bytes().to_vec())?)
        }
    }
    impl ToSql<JsonText, Pg> for serde_json::Value {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            serde_json::to_writer(out, self)?;
            Ok(IsNull::No)
        }
    }
    impl FromSql<JsonText, Pg> for serde_json::Value {
        fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
            Ok(serde_json::from_slice(value.as_bytes())?)
        }
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use chrono::{DateTime, Datelike, Timelike, Utc};
    use diesel::deserialize::{self, FromSql};
    use diesel::serialize::{self, IsNull, Output, ToSql};
    use diesel::sql_types::{Binary, Text, TimestamptzSqlite};
    use diesel::sqlite::{Sqlite, SqliteValue};
    use uuid::Uuid;

    use super::{JsonText, Uid, UtcTime};

    /// One width for every time, so that text order is time order. Digit by digit, as every insert writes one and
    /// `format!` takes ten times as long.
    fn text(at: &DateTime<Utc>) -> String {
        let (date, time) = (at.date_naive(), at.time());
        let mut text = String::with_capacity(32);
        digits(&mut text, date.year().unsigned_abs(), 4);
        for (before, number) in [
            ('-', date.month()),
            ('-', date.day()),
            (' ', time.hour()),
            (':', time.minute()),
            (':', time.second()),
        ] {
            text.push(before);
            digits(&mut text, number, 2);
        }
        text.push('.');
        // A leap second counts on beyond a million.
        digits(&mut text, (time.nanosecond() / 1_000).min(999_999), 6);
        text.push_str("+00:00");
        text
    }

    /// A number with leading zeros.
    fn digits(text: &mut String, number: u32, width: u32) {
        for place in (0..width).rev() {
            let digit = number / 10_u32.pow(place) % 10;
            text.push(char::from_digit(digit, 10).unwrap_or('0'));
        }
    }

    impl ToSql<Uid, Sqlite> for Uuid {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
            out.set_value(self.as_bytes().as_slice());
            Ok(IsNull::No)
        }
    }
    impl FromSql<Uid, Sqlite> for Uuid {
        fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
            let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?;
            Ok(Uuid::from_slice(&bytes)?)
        }
    }
    impl ToSql<UtcTime, Sqlite> for DateTime<Utc> {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
            if !(0..=9_999).contains(&self.year()) {
                return Err(
                    format!("the year {} has no text whose order is that of time", self.year()).into()
                );
            }
            out.set_value(text(self));
            Ok(IsNull::No)
        }
    }
    impl FromSql<UtcTime, Sqlite> for DateTime<Utc> {
        fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
            FromSql::<TimestamptzSqlite, Sqlite>::from_sql(value)
        }
    }
    impl ToSql<JsonText, Sqlite> for str {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
            out.set_value(self);
            Ok(IsNull::No)
        }
    }
    impl FromSql<JsonText, Sqlite> for String {
        fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
            FromSql::<Text, Sqlite>::from_sql(value)
        }
    }
    impl ToSql<JsonText, Sqlite> for serde_json::Value {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
            out.set_value(self.to_string());
            Ok(IsNull::No)
        }
    }
    impl FromSql<JsonText, Sqlite> for serde_json::Value {
        fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
            let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
            Ok(serde_json::from_str(&text)?)
        }
    }
}
