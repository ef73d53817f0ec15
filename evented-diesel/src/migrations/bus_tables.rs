//! The table of a bus: how it is created.

use crate::domain::{Bus, delayed_table};
use crate::migrations::TableSet;
use crate::migrations::log_sql::{beside, quoted};
use crate::sql::Database;

/// Returns the table of a bus.
pub(super) fn of<B: Bus>() -> TableSet {
    TableSet { name: B::TABLE, sql: sql::<B> }
}

/// Returns the SQL that creates the table, and the SQL that drops it. The table has the columns of a log, so that the readers
/// of logs read it: `action` is the name of the event, and `record_id` its key.
///
/// `source_schema`, `source_record` and `source_revision` name the event of a command that published the event; they are NULL if no
/// command did.
///
/// On PostgreSQL the default of `txid` is the order of events: everything that the transaction could see published sorts
/// before, and nothing is committed behind a reader, because the number is never below the transaction's own.
fn sql<B: Bus>(database: Database) -> (String, String) {
    let table = quoted(B::TABLE);
    let unique = quoted(&beside(B::TABLE, "unique"));
    let columns = match database {
        Database::Postgres => {
            r#"
    "position" BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY,
    "txid" BIGINT NOT NULL DEFAULT GREATEST(txid_current(), txid_snapshot_xmax(txid_current_snapshot()) - 1),
    "revision" BIGINT NOT NULL DEFAULT 1,
    "at" TIMESTAMPTZ NOT NULL,
    "version" SMALLINT NOT NULL,
    "record_id" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "payload" JSON NOT NULL,
    "meta" JSON NOT NULL DEFAULT '{}',
    "id" UUID NOT NULL,
    "unique_key" TEXT,
    "source_schema" TEXT,
    "source_record" TEXT,
    "source_revision" BIGINT,
    PRIMARY KEY ("txid", "position")
)"#
        }
        Database::Sqlite => {
            r#"
    "position" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "txid" INTEGER NOT NULL DEFAULT 0 CHECK ("txid" = 0),
    "revision" INTEGER NOT NULL DEFAULT 1,
    "at" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "record_id" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "payload" TEXT NOT NULL,
    "meta" TEXT NOT NULL DEFAULT '{}',
    "id" BLOB NOT NULL,
    "unique_key" TEXT,
    "source_schema" TEXT,
    "source_record" TEXT,
    "source_revision" INTEGER
) STRICT"#
        }
    };
    let (create_delayed, drop_delayed) = delayed_sql(database, B::TABLE);
    let create = format!(
        "CREATE TABLE {table} ({columns};\nCREATE UNIQUE INDEX {unique} ON {table} (\"unique_key\") \
         WHERE \"unique_key\" IS NOT NULL;\n{create_delayed}"
    );
    (create, format!("{drop_delayed}DROP TABLE {table};\n"))
}

/// Returns the SQL that creates the table of the events of a bus that are not due yet, and the SQL that drops it. `due` is in
/// milliseconds since 1970.
fn delayed_sql(database: Database, bus: &str) -> (String, String) {
    let name = delayed_table(bus);
    let (table, due, unique) =
        (quoted(&name), quoted(&beside(&name, "due")), quoted(&beside(&name, "unique")));
    let (uuid, json, big, strict) = match database {
        Database::Postgres => ("UUID", "JSON", "BIGINT", ""),
        Database::Sqlite => ("BLOB", "TEXT", "INTEGER", " STRICT"),
    };
    let create = format!(
        r#"CREATE TABLE {table} (
    "id" {uuid} NOT NULL PRIMARY KEY,
    "due" {big} NOT NULL,
    "version" INTEGER NOT NULL,
    "record_id" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "payload" {json} NOT NULL,
    "meta" {json} NOT NULL DEFAULT '{{}}',
    "unique_key" TEXT,
    "source_schema" TEXT,
    "source_record" TEXT,
    "source_revision" {big}
){strict};
CREATE INDEX {due} ON {table} ("due", "id");
CREATE UNIQUE INDEX {unique} ON {table} ("unique_key") WHERE "unique_key" IS NOT NULL;
"#
    );
    (create, format!("DROP TABLE {table};\n"))
}
