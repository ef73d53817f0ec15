//! Defines what differs between databases in a statement: how it binds and reads the log's own types, and fragments of
//! SQL.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::deserialize;
use diesel::query_builder::AstPass;
use evented_core::KeyPart;
use uuid::Uuid;

use crate::sql::database::Database;
use crate::sql::key_list::KeyList;
use crate::sql::value::Value;

/// How a statement is written for one database. Nothing here runs a statement.
///
/// The constants whose names end in `_SQL` are fragments of SQL; those that begin with `SELECT` are whole queries.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that evented knows",
    note = "switch on one of the features `sqlite`, `postgres`, `async-sqlite`, `async-postgres` of `evented-diesel`"
)]
pub trait SqlTypes: Backend + sealed::Sealed + Sized + 'static {
    /// Whether a write takes the write lock before it reads: `true` on SQLite, which allows one writer at a time.
    const LOCKS_FIRST: bool;
    /// The milliseconds since 1970, by the clock of the database: one clock for all machines.
    const NOW_MILLIS: &'static str;
    /// The dialect of the SQL that creates the log tables.
    const DATABASE: Database;
    /// The maximum number of values that one statement may bind.
    const MAX_BINDS: usize;
    /// Whether several tables can draw their numbers from one sequence.
    const HAS_SEQUENCES: bool;

    /// Binds a value of the log's own types.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn push_value<'b>(value: &'b Value<'_>, out: AstPass<'_, 'b, Self>) -> QueryResult<()>;
    /// Writes the list of a condition that a key is one of these: ` = ANY($1)`, or ` IN (?, ?)` where the database has
    /// no arrays. A list in one bind has one text, and PostgreSQL looks it up in a hash table if it reads a whole table.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn push_among<'b>(keys: &'b KeyList<'_>, out: AstPass<'_, 'b, Self>) -> QueryResult<()>;
    /// Binds a part of a key.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn push_key_part<'b>(part: &'b KeyPart, out: AstPass<'_, 'b, Self>) -> QueryResult<()>;
    /// Reads a UUID.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn read_uuid(value: Option<Self::RawValue<'_>>) -> deserialize::Result<Uuid>;
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn read_text(value: Option<Self::RawValue<'_>>) -> deserialize::Result<String>;
    /// Reads a JSON value, as its text.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn read_json(value: Option<Self::RawValue<'_>>) -> deserialize::Result<String>;
    /// Reads an integer of 32 bits.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn read_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i32>;
    /// Reads an integer of 16 bits.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn read_small_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i16>;
    /// Reads a truth value.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn read_bool(value: Option<Self::RawValue<'_>>) -> deserialize::Result<bool>;
    /// Reads an integer of 64 bits.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn read_big_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i64>;
    /// Reads a time.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn read_time(value: Option<Self::RawValue<'_>>) -> deserialize::Result<DateTime<Utc>>;
    /// Reads bytes.
    ///
    /// # Errors
    ///
    /// Errors of Diesel.
    fn read_bytes(value: Option<Self::RawValue<'_>>) -> deserialize::Result<Vec<u8>>;

    /// The query for the first transaction that has not ended yet; null where only one transaction writes at a time.
    const OLDEST_RUNNING_TXID_SQL: &'static str;
    /// Whether transactions have numbers, so that an event can become final after an event with a higher position.
    const NUMBERS_TRANSACTIONS: bool;
    /// The query for the state of commits: the first transaction that has not ended, the first that has not begun, and
    /// a text that differs after each commit.
    const COMMIT_MARK_SQL: &'static str;
    /// The query for a number that distinguishes this database from its copies; 0 if the database has no such number.
    const DATABASE_ID_SQL: &'static str;
    /// The query for the session that has kept a transaction open longest, on databases where readers of a stream wait
    /// for it.
    const BLOCKING_SESSION_SQL: Option<&'static str>;
    /// The query for the snapshot of the current transaction: the first transaction that had not ended, the first that
    /// had not begun, those between them that had not ended, and whether later statements use the same snapshot.
    const TXN_SNAPSHOT_SQL: &'static str;
    /// Whether every column of an event `e` in a hashed log holds a value of its declared type, as 1 or 0. SQLite
    /// columns are untyped: check `typeof` before trusting a value.
    const WELL_TYPED_SQL: &'static str;
    /// The fragment before the `VALUES` of a row whose key the database would otherwise generate.
    const OVERRIDE_KEY_SQL: &'static str;
    /// The SQL expression for the version of a row of the user's table; an empty text where the database keeps no
    /// versions.
    const ROW_VERSION_SQL: &'static str;
}

/// Only the databases of this library implement [`SqlTypes`].
pub(crate) mod sealed {
    /// A supertrait that only this crate can implement.
    pub trait Sealed {}
}

/// Implements binding and reading of the log's own types: the same code for every database, over its own conversions.
macro_rules! log_types {
    ($uuid:ty, $time:ty) => {
        fn push_value<'b>(
            value: &'b $crate::sql::Value<'_>,
            mut out: AstPass<'_, 'b, Self>,
        ) -> QueryResult<()> {
            use diesel::sql_types::{BigInt, Binary, Integer, Text};
            use $crate::sql_types::JsonText;
            match value {
                $crate::sql::Value::Uuid(value) => out.push_bind_param::<$uuid, uuid::Uuid>(value),
                $crate::sql::Value::Text(value) => out.push_bind_param::<Text, str>(value),
                $crate::sql::Value::Int(value) => out.push_bind_param::<Integer, i32>(value),
                $crate::sql::Value::BigInt(value) => out.push_bind_param::<BigInt, i64>(value),
                $crate::sql::Value::Json(value) => out.push_bind_param::<JsonText, str>(value),
                $crate::sql::Value::Time(value) => {
                    out.push_bind_param::<$time, chrono::DateTime<chrono::Utc>>(value)
                }
                $crate::sql::Value::Bytes(value) => out.push_bind_param::<Binary, [u8]>(value),
            }
        }
        fn push_key_part<'b>(
            part: &'b evented_core::KeyPart,
            mut out: AstPass<'_, 'b, Self>,
        ) -> QueryResult<()> {
            use diesel::sql_types::{BigInt, Binary, Bool, Integer, SmallInt, Text};
            use evented_core::ExactPart;
            match part.exact() {
                ExactPart::Uuid(value) => out.push_bind_param::<$uuid, uuid::Uuid>(value),
                ExactPart::Text(value) => out.push_bind_param::<Text, str>(value),
                ExactPart::SmallInt(value) => out.push_bind_param::<SmallInt, i16>(value),
                ExactPart::Int(value) => out.push_bind_param::<Integer, i32>(value),
                ExactPart::BigInt(value) => out.push_bind_param::<BigInt, i64>(value),
                ExactPart::Bool(value) => out.push_bind_param::<Bool, bool>(value),
                ExactPart::Bytes(value) => out.push_bind_param::<Binary, [u8]>(value),
            }
        }
        fn read_uuid(value: Option<Self::RawValue<'_>>) -> deserialize::Result<uuid::Uuid> {
            FromSql::<$uuid, Self>::from_nullable_sql(value)
        }
        fn read_text(value: Option<Self::RawValue<'_>>) -> deserialize::Result<String> {
            FromSql::<diesel::sql_types::Text, Self>::from_nullable_sql(value)
        }
        fn read_json(value: Option<Self::RawValue<'_>>) -> deserialize::Result<String> {
            FromSql::<$crate::sql_types::JsonText, Self>::from_nullable_sql(value)
        }
        fn read_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i32> {
            FromSql::<diesel::sql_types::Integer, Self>::from_nullable_sql(value)
        }
        fn read_small_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i16> {
            FromSql::<diesel::sql_types::SmallInt, Self>::from_nullable_sql(value)
        }
        fn read_bool(value: Option<Self::RawValue<'_>>) -> deserialize::Result<bool> {
            FromSql::<diesel::sql_types::Bool, Self>::from_nullable_sql(value)
        }
        fn read_big_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i64> {
            FromSql::<diesel::sql_types::BigInt, Self>::from_nullable_sql(value)
        }
        fn read_time(
            value: Option<Self::RawValue<'_>>,
        ) -> deserialize::Result<chrono::DateTime<chrono::Utc>> {
            FromSql::<$time, Self>::from_nullable_sql(value)
        }
        fn read_bytes(value: Option<Self::RawValue<'_>>) -> deserialize::Result<Vec<u8>> {
            FromSql::<diesel::sql_types::Binary, Self>::from_nullable_sql(value)
        }
    };
}
pub(crate) use log_types;
