//! Defines SQL types that mean the same on every database.
//!
//! A model that works on both PostgreSQL and SQLite names them in its `table!`. A model for a single database can use
//! Diesel's own types. The log's table consists of these types.
//!
//! | type | Rust | PostgreSQL | SQLite |
//! |---|---|---|---|
//! | [`Uid`] | [`uuid::Uuid`], [`Id<Model>`](crate::model::Id) | `uuid` | `BLOB`, 16 bytes |
//! | [`UtcTime`] | [`chrono::DateTime<Utc>`](chrono::DateTime) | `timestamptz` | `TEXT`, as `2026-01-31 12:00:00.000000+00:00` |
//! |   | with the feature `time`: `time::OffsetDateTime` | | |
//! | [`JsonText`] | [`serde_json::Value`] | `json` | `TEXT` |

use std::marker::PhantomData;

use diesel::query_builder::QueryId;
use diesel::sql_types::SqlType;

/// A UUID.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Uid;

/// A point in time, with a precision of one microsecond. SQLite stores it as text that sorts by time, so the year must
/// be between 0 and 9999 there.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Text"))]
pub struct UtcTime;

/// A JSON document, stored byte for byte.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 114, array_oid = 199))]
#[diesel(sqlite_type(name = "Text"))]
pub struct JsonText;

/// A value as an expression of an SQL type, from `UtcTime::bind(now)` and the like.
///
/// Only Diesel's own crate can implement `AsExpression` for a `DateTime<Utc>`. A query of your own therefore names the
/// SQL type of the value: `items_events::at.gt(UtcTime::bind(now))`. Reading a column does not need this.
#[derive(Debug, Clone, Copy)]
pub struct Bound<ST, T> {
    value: T,
    sql_type: PhantomData<ST>,
}

/// Makes values of foreign types expressions of these SQL types.
mod expressions {
    use std::marker::PhantomData;

    use chrono::{DateTime, Utc};
    use diesel::backend::Backend;
    use diesel::expression::{
        AppearsOnTable, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate,
    };
    use diesel::query_builder::{AstPass, QueryFragment, QueryId};
    use diesel::result::QueryResult;
    use diesel::serialize::ToSql;
    use diesel::sql_types::{HasSqlType, SqlType};
    use uuid::Uuid;

    use crate::sql_types::{Bound, JsonText, Uid, UtcTime};

    macro_rules! bind {
        ($($rust:ty => $sql:ty),*) => {$(
            impl $sql {
                /// Binds a value as an expression of this type, to compare a column with.
                #[must_use]
                pub fn bind(value: $rust) -> Bound<Self, $rust> {
                    Bound { value, sql_type: PhantomData }
                }
            }
        )*};
    }
    bind!(Uuid => Uid, DateTime<Utc> => UtcTime, serde_json::Value => JsonText);

    impl<ST: SqlType + TypedExpressionType, T> Expression for Bound<ST, T> {
        type SqlType = ST;
    }
    impl<ST, T, DB> QueryFragment<DB> for Bound<ST, T>
    where
        DB: Backend + HasSqlType<ST>,
        T: ToSql<ST, DB>,
    {
        fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
            out.push_bind_param(&self.value)
        }
    }
    /// The text of a query does not depend on the value.
    impl<ST: QueryId, T> QueryId for Bound<ST, T> {
        type QueryId = Bound<ST::QueryId, ()>;

        const HAS_STATIC_QUERY_ID: bool = ST::HAS_STATIC_QUERY_ID;
    }
    impl<ST, T, Group> ValidGrouping<Group> for Bound<ST, T> {
        type IsAggregate = is_aggregate::Never;
    }
    impl<ST, T, Source> AppearsOnTable<Source> for Bound<ST, T> where Self: Expression {}
    impl<ST, T, Source> SelectableExpression<Source> for Bound<ST, T> where Self: AppearsOnTable<Source> {}
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

    use crate::sql_types::{JsonText, Uid, UtcTime};

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
    #[cfg(feature = "time")]
    impl ToSql<UtcTime, Pg> for time::OffsetDateTime {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
            ToSql::<Timestamptz, Pg>::to_sql(self, out)
        }
    }
    #[cfg(feature = "time")]
    impl FromSql<UtcTime, Pg> for time::OffsetDateTime {
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

    use crate::sql_types::{JsonText, Uid, UtcTime};

    /// Writes every time with the same width, so that text order is time order. It writes digit by digit, because every
    /// insert writes a time and `format!` takes ten times as long.
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
        // In a leap second, `nanosecond()` is one billion or more.
        digits(&mut text, (time.nanosecond() / 1_000).min(999_999), 6);
        text.push_str("+00:00");
        text
    }

    /// The text of a time whose year has four digits.
    fn sortable(at: &DateTime<Utc>) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        if (0..=9_999).contains(&at.year()) {
            Ok(text(at))
        } else {
            Err(format!("the year {} has no text whose order is that of time", at.year()).into())
        }
    }

    /// Writes a number with leading zeros.
    fn digits(text: &mut String, number: u32, width: u32) {
        for exponent in (0..width).rev() {
            let digit = number / 10_u32.pow(exponent) % 10;
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
            out.set_value(sortable(self)?);
            Ok(IsNull::No)
        }
    }
    impl FromSql<UtcTime, Sqlite> for DateTime<Utc> {
        fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
            FromSql::<TimestamptzSqlite, Sqlite>::from_sql(value)
        }
    }
    #[cfg(feature = "time")]
    impl ToSql<UtcTime, Sqlite> for time::OffsetDateTime {
        fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
            let at = DateTime::from_timestamp(self.unix_timestamp(), self.nanosecond());
            out.set_value(sortable(&at.ok_or("a time that chrono cannot represent")?)?);
            Ok(IsNull::No)
        }
    }
    #[cfg(feature = "time")]
    impl FromSql<UtcTime, Sqlite> for time::OffsetDateTime {
        fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
            let at = <DateTime<Utc> as FromSql<UtcTime, Sqlite>>::from_sql(value)?;
            let at =
                Self::from_unix_timestamp(at.timestamp())?.replace_nanosecond(at.timestamp_subsec_nanos());
            Ok(at?)
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
