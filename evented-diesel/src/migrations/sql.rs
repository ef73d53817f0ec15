//! The SQL of a log's table.

use evented_core::KeyKind;

use super::{Flavour, LogShape};

/// The version of the log's own format; a later one has a migration of its own.
const FORMAT: u32 = 1;
/// Diesel keeps migration versions in a column of this width.
const VERSION_WIDTH: usize = 50;

/// The name, and version, of a log's migration: the same for ever, and unique for each log.
pub(super) fn migration_name(log: &LogShape) -> String {
    let table = match log.name.schema {
        Some(schema) => format!("{schema}_{}", log.name.table),
        None => log.name.table.to_owned(),
    };
    let name = format!("evented{FORMAT}_{table}");
    if name.len() <= VERSION_WIDTH {
        return name;
    }
    // Cut, and told apart by a checksum of the whole.
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

/// Makes the table and its indexes.
pub(super) fn up(log: &LogShape, flavour: Flavour) -> String {
    let table = qualified(log);
    let plain = log.name.table;
    let types = Types::of(flavour);
    let key = match log.key {
        KeyKind::Uuid => types.uuid,
        KeyKind::Text => "TEXT",
        KeyKind::Int => "INTEGER",
        KeyKind::BigInt => "BIGINT",
    };
    let Types { position, txid, uuid, json, time, bytes, primary_key } = types;
    // An index lives in the schema of its table: PostgreSQL wants that said of the table, SQLite of the index.
    let (indexed, index_schema) = match (flavour, log.name.schema) {
        (Flavour::Sqlite, Some(schema)) => (quoted(plain), format!("{}.", quoted(schema))),
        _ => (table.clone(), String::new()),
    };
    let index = |purpose: &str| format!("{index_schema}{}", quoted(&format!("{plain}_{purpose}")));
    // Columns of a fixed width first: nothing is lost to alignment.
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
    "state" {bytes} NOT NULL{primary_key}
);
CREATE UNIQUE INDEX {record} ON {indexed} ("record_id", "revision");
CREATE UNIQUE INDEX {id} ON {indexed} ("id", "record_id");
CREATE INDEX {savepoint} ON {indexed} ("record_id", "revision") WHERE "action" = 'savepoint';
"#,
        record = index("record_key"),
        id = index("id_key"),
        savepoint = index("savepoint_idx"),
    )
}

/// Drops the table.
pub(super) fn down(log: &LogShape, _: Flavour) -> String {
    format!("DROP TABLE {};\n", qualified(log))
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
    fn of(flavour: Flavour) -> Self {
        match flavour {
            // The primary key is the order in which the log can be read without missing a late commit.
            Flavour::Postgres => Self {
                position: "BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY",
                txid: "BIGINT NOT NULL DEFAULT txid_current()",
                uuid: "UUID",
                json: "JSON",
                time: "TIMESTAMPTZ",
                bytes: "BYTEA",
                primary_key: ",\n    PRIMARY KEY (\"txid\", \"position\")",
            },
            Flavour::Sqlite => Self {
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
}

fn qualified(log: &LogShape) -> String {
    match log.name.schema {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(log.name.table)),
        None => quoted(log.name.table),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
