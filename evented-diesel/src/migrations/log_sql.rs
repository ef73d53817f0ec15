//! Builds the SQL of a log's tables, in steps. Each new format version of a log is a migration of its own, and
//! published steps never change.

use std::fmt::Write as _;

use evented_core::{ExactKind, KeyKind};

use crate::migrations::LogShape;
use crate::sql::{Database, LogName};

mod append_only;
mod link_tables;

/// The width, in bytes, of the column in which Diesel stores migration versions.
const VERSION_WIDTH: usize = 50;
/// The name of the table that contains the format version of each log in a schema.
pub(crate) const FORMATS_TABLE: &str = "evented_logs";

/// One change of a log's format.
pub(crate) struct Step {
    /// The format version after the step.
    pub(crate) format: i32,
    /// The migration's name.
    pub(crate) name: String,
    pub(crate) up: String,
    pub(crate) down: String,
}

/// Returns all steps to the current format version.
pub(crate) fn steps(log: &LogShape, database: Database) -> Vec<Step> {
    let step = |format, up, down| Step { format, name: migration_name(log, format), up, down };
    vec![
        step(1, create(log, database), drop(log, database)),
        step(2, append_only::up(log, database), append_only::down(log, database)),
    ]
}

/// Returns the name of a migration, which is also its version. It never changes, and is unique for each log and step.
fn migration_name(log: &LogShape, format: i32) -> String {
    let table = match log.name.schema {
        Some(schema) => format!("{schema}_{}", log.name.table),
        None => log.name.table.to_owned(),
    };
    let name = format!("evented{format}_{table}");
    if name.len() <= VERSION_WIDTH {
        return name;
    }
    // Cut the name, and append a checksum of the whole name to keep it unique.
    let checksum =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let kept: String = name
        .chars()
        .scan(0, |length, c| {
            *length += c.len_utf8();
            (*length <= VERSION_WIDTH - 9).then_some(c)
        })
        .collect();
    format!("{kept}_{checksum:08x}")
}

/// Creates the tables and their indexes.
fn create(log: &LogShape, database: Database) -> String {
    let mut sql = String::new();
    let sharded = log.shards.len() > 1;
    let position = match database {
        Database::Postgres if sharded => {
            let sequence = qualified(log.name.schema, &format!("{}_position", log.name.table));
            writeln!(sql, "CREATE SEQUENCE {sequence};").unwrap_or_default();
            format!("BIGINT NOT NULL DEFAULT nextval('{}')", sequence.replace('\'', "''"))
        }
        _ => Types::of(database).position.to_owned(),
    };
    for shard in log.shards {
        sql.push_str(&table(log, *shard, database, &position));
        for link in log.links {
            sql.push_str(&link_tables::table(log, *shard, *link, database));
        }
    }
    if sharded {
        sql.push_str(&view(log, ""));
        for link in log.links {
            sql.push_str(&view(log, &format!("_{}", link.name)));
        }
    }
    if log.hashed {
        sql.push_str(&checkpoints(log, database));
    }
    sql
}

/// Drops the tables with all of their events.
fn drop(log: &LogShape, database: Database) -> String {
    let mut sql = String::new();
    let schema = log.name.schema;
    let mut line = |what: &str, name: &str| {
        writeln!(sql, "DROP {what} {};", qualified(schema, name)).unwrap_or_default();
    };
    if log.hashed {
        line("TABLE", &format!("{}_checkpoints", log.name.table));
    }
    let sharded = log.shards.len() > 1;
    for link in log.links.iter().filter(|_| sharded) {
        line("VIEW", &format!("{}_{}", log.name.table, link.name));
    }
    if sharded {
        line("VIEW", log.name.table);
    }
    for shard in log.shards {
        for link in log.links {
            line("TABLE", &format!("{}_{}", shard.table, link.name));
        }
        line("TABLE", shard.table);
    }
    if sharded && database == Database::Postgres {
        line("SEQUENCE", &format!("{}_position", log.name.table));
    }
    sql
}

/// Creates one table of events.
fn table(log: &LogShape, name: LogName, database: Database, position: &str) -> String {
    let types = Types::of(database);
    let Types { txid, uuid, json, time, bytes, primary_key, .. } = types;
    let table = qualified(name.schema, name.table);
    let (indexed, index) = indexes(name, database);
    let hash = if log.hashed { format!(",\n    \"hash\" {bytes} NOT NULL") } else { String::new() };
    // Other models of a shared log can have records with the same keys, and events with the same ids.
    let (record, id) = if log.shared {
        (r#""schema", "record_id", "revision""#, r#""id", "record_id", "schema""#)
    } else {
        (r#""record_id", "revision""#, r#""id", "record_id""#)
    };
    // The columns of fixed width come first, so that alignment wastes no space.
    format!(
        r#"CREATE TABLE {table} (
    "position" {position},
    "txid" {txid},
    "record_id" {key} NOT NULL,
    "revision" BIGINT NOT NULL,
    "at" {time} NOT NULL,
    "version" INTEGER NOT NULL,
    "schema" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "payload" {json} NOT NULL,
    "meta" {json},
    "id" {uuid} NOT NULL,
    "state" {bytes} NOT NULL{hash}{primary_key}
);
CREATE UNIQUE INDEX {record_key} ON {indexed} ({record});
CREATE UNIQUE INDEX {id_key} ON {indexed} ({id});
CREATE INDEX {savepoint} ON {indexed} ({record}) WHERE "action" = 'savepoint';
"#,
        key = types.key(log.key),
        record_key = index("record_key"),
        id_key = index("id_key"),
        savepoint = index("savepoint_idx"),
    )
}

/// Creates the view over all shards.
fn view(log: &LogShape, suffix: &str) -> String {
    let name = |table: &LogName| qualified(table.schema, &format!("{}{suffix}", table.table));
    let selects: Vec<String> =
        log.shards.iter().map(|shard| format!("SELECT * FROM {}", name(shard))).collect();
    format!("CREATE VIEW {} AS\n    {};\n", name(&log.name), selects.join("\n    UNION ALL "))
}

/// Creates the table of checkpoints of a hashed log.
fn checkpoints(log: &LogShape, database: Database) -> String {
    let Types { time, bytes, .. } = Types::of(database);
    let table = qualified(log.name.schema, &format!("{}_checkpoints", log.name.table));
    format!(
        r#"CREATE TABLE {table} (
    "number" BIGINT NOT NULL PRIMARY KEY,
    "after_txid" BIGINT NOT NULL,
    "after_position" BIGINT NOT NULL,
    "to_txid" BIGINT NOT NULL,
    "to_position" BIGINT NOT NULL,
    "floor" BIGINT NOT NULL,
    "highest" BIGINT NOT NULL,
    "events" BIGINT NOT NULL,
    "at" {time} NOT NULL,
    "keyed" INTEGER NOT NULL,
    "root" {bytes} NOT NULL
);
"#
    )
}

/// Returns how an index statement names its table, and a function that returns the name of an index. An index lives in
/// the schema of its table: PostgreSQL takes the schema from the table's name, SQLite from the index's name.
fn indexes(name: LogName, database: Database) -> (String, impl Fn(&str) -> String) {
    let (indexed, schema) = match (database, name.schema) {
        (Database::Sqlite, Some(schema)) => (quoted(name.table), format!("{}.", quoted(schema))),
        _ => (qualified(name.schema, name.table), String::new()),
    };
    let index = move |purpose: &str| format!("{schema}{}", quoted(&format!("{}_{purpose}", name.table)));
    (indexed, index)
}

struct Types {
    position: &'static str,
    txid: &'static str,
    uuid: &'static str,
    json: &'static str,
    time: &'static str,
    bytes: &'static str,
    primary_key: &'static str,
}

impl Types {
    fn of(database: Database) -> Self {
        match database {
            // The primary key has the order in which the log can be read without missing a late commit.
            Database::Postgres => Self {
                position: "BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY",
                txid: "BIGINT NOT NULL DEFAULT txid_current()",
                uuid: "UUID",
                json: "JSON",
                time: "TIMESTAMPTZ",
                bytes: "BYTEA",
                primary_key: ",\n    PRIMARY KEY (\"txid\", \"position\")",
            },
            Database::Sqlite => Self {
                position: "INTEGER NOT NULL PRIMARY KEY",
                txid: "BIGINT NOT NULL DEFAULT 0",
                uuid: "BLOB",
                json: "TEXT",
                time: "TEXT",
                bytes: "BLOB",
                primary_key: "",
            },
        }
    }

    fn key(&self, kind: KeyKind) -> &'static str {
        match kind.exact() {
            ExactKind::Uuid => self.uuid,
            ExactKind::Text => "TEXT",
            ExactKind::Int => "INTEGER",
            ExactKind::BigInt => "BIGINT",
        }
    }
}

fn qualified(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(name)),
        None => quoted(name),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
