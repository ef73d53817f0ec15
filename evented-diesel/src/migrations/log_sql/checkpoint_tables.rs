//! Builds the SQL of the checkpoints of a hashed log, and of the nodes of its tree.

use crate::migrations::LogShape;
use crate::migrations::log_sql::{ColumnTypes, qualified};
use crate::model::{checkpoints_table, tree_table};
use crate::sql::Database;

pub(super) fn create(log: &LogShape, database: Database) -> String {
    let ColumnTypes { time, bytes, big_int, small_int, strict, .. } = ColumnTypes::of(database);
    let checkpoints = qualified(log.name.schema, &checkpoints_table(log.name));
    let tree = qualified(log.name.schema, &tree_table(log.name));
    format!(
        r#"CREATE TABLE {checkpoints} (
    "number" {big_int} NOT NULL PRIMARY KEY,
    "size" {big_int} NOT NULL,
    "after_txid" {big_int} NOT NULL,
    "after_position" {big_int} NOT NULL,
    "to_txid" {big_int} NOT NULL,
    "to_position" {big_int} NOT NULL,
    "floor" {big_int} NOT NULL,
    "highest" {big_int} NOT NULL,
    "at" {time} NOT NULL,
    "root" {bytes} NOT NULL,
    "frontier" {bytes} NOT NULL,
    "previous" {bytes} NOT NULL,
    "signer" TEXT NOT NULL,
    "signature" {bytes} NOT NULL
){strict};
CREATE TABLE {tree} (
    "number" {big_int} NOT NULL,
    "floor" {big_int} NOT NULL,
    "txid" {big_int} NOT NULL,
    "position" {big_int} NOT NULL,
    "level" {small_int} NOT NULL,
    "hash" {bytes} NOT NULL,
    PRIMARY KEY ("level", "number")
){strict};
"#
    )
}

pub(super) fn drop(log: &LogShape) -> String {
    let table = |name: &str| format!("DROP TABLE {};\n", qualified(log.name.schema, name));
    table(&tree_table(log.name)) + &table(&checkpoints_table(log.name))
}
