//! Implements statements for PostgreSQL.

use diesel::QueryResult;
use diesel::deserialize::{self, FromSql};
use diesel::pg::Pg;
use diesel::query_builder::AstPass;
use diesel::sql_types::{Array, BigInt, Integer, Text, Uuid as PgUuid};
use uuid::Uuid;

use crate::sql::database::Database;
use crate::sql::key_list::KeyList;
use crate::sql::types::{SqlTypes, log_types, sealed};

impl sealed::Sealed for Pg {}

impl SqlTypes for Pg {
    const LOCKS_FIRST: bool = false;
    const NOW_MILLIS: &'static str = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
    const DATABASE: Database = Database::Postgres;
    const MAX_BINDS: usize = 65_535;
    const HAS_SEQUENCES: bool = true;
    const OLDEST_RUNNING_TXID_SQL: &'static str = "SELECT txid_snapshot_xmin(txid_current_snapshot())";
    const NUMBERS_TRANSACTIONS: bool = true;
    const COMMIT_MARK_SQL: &'static str =
        "SELECT txid_snapshot_xmin(s), txid_snapshot_xmax(s), s::text FROM txid_current_snapshot() s";
    // Combines the cluster's id with the database's oid: a restore on another cluster differs, and so does a copy in
    // the same cluster.
    const DATABASE_ID_SQL: &'static str = "SELECT c.system_identifier # d.oid::bigint FROM pg_control_system() c, pg_database d \
        WHERE d.datname = current_database()";
    const BLOCKING_SESSION_SQL: Option<&'static str> = Some(
        "SELECT pid, name, owner, datname, state, since FROM ( \
            SELECT pid, application_name::text AS name, usename::text AS owner, datname::text, state, \
                xact_start AS since, age(backend_xid) AS age \
            FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() \
            UNION ALL \
            SELECT NULL, gid, owner::text, database::text, 'prepared', prepared, age(transaction) \
            FROM pg_prepared_xacts \
        ) h ORDER BY age DESC LIMIT 1",
    );
    const TXN_SNAPSHOT_SQL: &'static str = "SELECT txid_snapshot_xmin(s), txid_snapshot_xmax(s), \
        array_to_string(ARRAY(SELECT txid_snapshot_xip(s)), ','), \
        CASE WHEN current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN 1 ELSE 0 END \
        FROM txid_current_snapshot() s";
    const WELL_TYPED_SQL: &'static str = "1";
    const OVERRIDE_KEY_SQL: &'static str = " OVERRIDING SYSTEM VALUE";
    // Every update creates a new row version. `xmin` names the transaction that wrote it, and `ctid` distinguishes the
    // versions of one transaction.
    const ROW_VERSION_SQL: &'static str = "t.xmin::text || t.ctid::text";

    fn push_among<'b>(keys: &'b KeyList<'_>, mut out: AstPass<'_, 'b, Self>) -> QueryResult<()> {
        out.push_sql(" = ANY(");
        keys.push_array(out.reborrow())?;
        out.push_sql(")");
        Ok(())
    }

    log_types!(diesel::sql_types::Uuid, diesel::sql_types::Timestamptz);
}

impl KeyList<'_> {
    /// Binds the keys as an array.
    pub(crate) fn push_array<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.texts.is_empty() {
            out.push_bind_param::<Array<Text>, Vec<&str>>(&self.texts)
        } else if !self.ints.is_empty() {
            out.push_bind_param::<Array<Integer>, Vec<i32>>(&self.ints)
        } else if !self.big_ints.is_empty() {
            out.push_bind_param::<Array<BigInt>, Vec<i64>>(&self.big_ints)
        } else {
            out.push_bind_param::<Array<PgUuid>, Vec<Uuid>>(&self.uuids)
        }
    }
}
