//! Implements statements for SQLite.

use diesel::QueryResult;
use diesel::deserialize::{self, FromSql};
use diesel::query_builder::AstPass;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Integer, Text};
use diesel::sqlite::Sqlite;

use crate::sql::database::Database;
use crate::sql::key_list::KeyList;
use crate::sql::types::{SqlTypes, log_types, sealed};
use crate::sql_types::Uid;

impl sealed::Sealed for Sqlite {}

impl SqlTypes for Sqlite {
    const LOCKS_FIRST: bool = true;
    const NOW_MILLIS: &'static str = "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)";
    const DATABASE: Database = Database::Sqlite;
    const MAX_BINDS: usize = 32_766;
    const HAS_SEQUENCES: bool = false;
    const OLDEST_RUNNING_TXID_SQL: &'static str = "SELECT NULL";
    const NUMBERS_TRANSACTIONS: bool = false;
    // `data_version` changes when another connection commits. The connection that reads a stream does not write.
    const COMMIT_MARK_SQL: &'static str =
        "SELECT NULL, NULL, CAST(data_version AS TEXT) FROM pragma_data_version";
    const DATABASE_ID_SQL: &'static str = "SELECT 0";
    const BLOCKING_SESSION_SQL: Option<&'static str> = None;
    // A SQLite transaction keeps one snapshot from its first read on.
    const TXN_SNAPSHOT_SQL: &'static str = "SELECT NULL, NULL, NULL, 1";
    const WELL_TYPED_SQL: &'static str = "(typeof(e.revision) = 'integer' AND typeof(e.txid) = 'integer' \
         AND typeof(e.version) = 'integer' AND typeof(e.action) = 'text' AND typeof(e.schema) = 'text' \
         AND e.at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].\
         [0-9][0-9][0-9][0-9][0-9][0-9]+00:00' AND typeof(e.at) = 'text' AND typeof(e.payload) = 'text' \
         AND typeof(e.meta) = 'text' AND typeof(e.given_id) = 'integer' AND e.given_id IN (0, 1) \
         AND typeof(e.id) = 'blob' AND typeof(e.state) = 'blob' AND typeof(e.hash) = 'blob')";
    const OVERRIDE_KEY_SQL: &'static str = "";
    // No other connection can write while the lock is held, so there is no version to compare.
    const ROW_VERSION_SQL: &'static str = "''";

    fn push_among<'b>(keys: &'b KeyList<'_>, mut out: AstPass<'_, 'b, Self>) -> QueryResult<()> {
        push_each::<Uid, _>(&keys.uuids, &mut out)?;
        push_each::<Text, _>(&keys.texts, &mut out)?;
        push_each::<Integer, _>(&keys.ints, &mut out)?;
        push_each::<BigInt, _>(&keys.big_ints, &mut out)?;
        out.push_sql(")");
        Ok(())
    }

    log_types!(crate::sql_types::Uid, crate::sql_types::UtcTime);
}

/// Binds each of the keys of one kind.
fn push_each<'b, ST, T>(keys: &'b [T], out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()>
where
    Sqlite: HasSqlType<ST>,
    T: ToSql<ST, Sqlite>,
{
    for (index, key) in keys.iter().enumerate() {
        out.push_sql(if index == 0 { " IN (" } else { ", " });
        out.push_bind_param::<ST, T>(key)?;
    }
    Ok(())
}
