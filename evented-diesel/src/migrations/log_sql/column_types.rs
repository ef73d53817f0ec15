//! The SQL types of the log's columns in each database.

use evented_core::{ExactKind, KeyKind};

use crate::sql::Database;

#[derive(Clone, Copy)]
pub(super) struct ColumnTypes {
    pub(super) position: &'static str,
    pub(super) txid: &'static str,
    pub(super) big_int: &'static str,
    pub(super) small_int: &'static str,
    pub(super) given_id: &'static str,
    pub(super) uuid: &'static str,
    pub(super) json: &'static str,
    pub(super) time: &'static str,
    pub(super) bytes: &'static str,
    pub(super) primary_key: &'static str,
    /// The end of the definition of a table. SQLite refuses values of another type only in strict tables.
    pub(super) strict: &'static str,
}

impl ColumnTypes {
    pub(super) fn of(database: Database) -> Self {
        match database {
            // The primary key has the order in which the log can be read without missing a late commit.
            Database::Postgres => Self {
                position: "BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY",
                txid: "BIGINT NOT NULL DEFAULT txid_current()",
                big_int: "BIGINT",
                small_int: "SMALLINT",
                given_id: "BOOLEAN NOT NULL DEFAULT FALSE",
                uuid: "UUID",
                json: "JSON",
                time: "TIMESTAMPTZ",
                bytes: "BYTEA",
                primary_key: ",\n    PRIMARY KEY (\"txid\", \"position\")",
                strict: "",
            },
            Database::Sqlite => Self {
                position: "INTEGER NOT NULL PRIMARY KEY",
                txid: "INTEGER NOT NULL DEFAULT 0 CHECK (\"txid\" = 0)",
                big_int: "INTEGER",
                small_int: "INTEGER",
                given_id: "INTEGER NOT NULL DEFAULT 0",
                uuid: "BLOB",
                json: "TEXT",
                time: "TEXT",
                bytes: "BLOB",
                primary_key: "",
                strict: " STRICT",
            },
        }
    }

    pub(super) fn key(&self, kind: KeyKind) -> &'static str {
        match kind.exact() {
            ExactKind::Uuid => self.uuid,
            ExactKind::Text => "TEXT",
            ExactKind::Int => "INTEGER",
            ExactKind::BigInt => self.big_int,
        }
    }
}
