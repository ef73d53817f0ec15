//! Builds the SQL of the tables of events and of their views.

use std::fmt::Write as _;

use crate::migrations::LogShape;
use crate::migrations::log_sql::{ColumnTypes, beside, indexes, link_tables, qualified, text};
use crate::model::link_table;
use crate::sql::{Database, LogName};

/// Creates the tables of events and of links, and the views over shards.
pub(super) fn create(log: &LogShape, database: Database) -> String {
    let mut sql = String::new();
    let sharded = log.shards.len() > 1;
    let position = match database {
        Database::Postgres if sharded => {
            let sequence = qualified(log.name.schema, &beside(log.name.table, "position"));
            writeln!(sql, "CREATE SEQUENCE {sequence};").unwrap_or_default();
            format!("BIGINT NOT NULL DEFAULT nextval({})", text(&sequence))
        }
        _ => ColumnTypes::of(database).position.to_owned(),
    };
    for shard in log.shards {
        sql.push_str(&table(log, *shard, database, &position));
        for link in log.links {
            sql.push_str(&link_tables::create(log, *shard, *link, database));
        }
    }
    if sharded {
        sql.push_str(&view(log, |table| table.table.to_owned()));
        for link in log.links {
            sql.push_str(&view(log, |table| link_table(table, link.name)));
        }
    }
    sql
}

/// Drops the tables, and the views over them.
pub(super) fn drop(log: &LogShape, database: Database) -> String {
    let mut sql = String::new();
    let schema = log.name.schema;
    let mut line = |what: &str, name: &str| {
        writeln!(sql, "DROP {what} {};", qualified(schema, name)).unwrap_or_default();
    };
    let sharded = log.shards.len() > 1;
    for link in log.links.iter().filter(|_| sharded) {
        line("VIEW", &link_table(log.name, link.name));
    }
    if sharded {
        line("VIEW", log.name.table);
    }
    for shard in log.shards {
        for link in log.links {
            line("TABLE", &link_table(*shard, link.name));
        }
        line("TABLE", shard.table);
    }
    if sharded && database == Database::Postgres {
        line("SEQUENCE", &beside(log.name.table, "position"));
    }
    sql
}

/// Creates one table of events.
fn table(log: &LogShape, name: LogName, database: Database, position: &str) -> String {
    let types = ColumnTypes::of(database);
    let ColumnTypes {
        txid, big_int, small_int, given_id, uuid, json, time, bytes, primary_key, strict, ..
    } = types;
    let table = qualified(name.schema, name.table);
    let (indexed, index) = indexes(name, database);
    // Other models of a shared log can have records with the same keys, and events with the same ids.
    let (schema, record, id) = if log.shared {
        let columns = (r#""schema", "record_id", "revision""#, r#""id", "record_id", "schema""#);
        (",\n    \"schema\" TEXT NOT NULL", columns.0, columns.1)
    } else {
        ("", r#""record_id", "revision""#, r#""id", "record_id""#)
    };
    let hash = if log.hashed { format!(",\n    \"hash\" {bytes} NOT NULL") } else { String::new() };
    // Links refer to events by their ids. Otherwise only a repeated command looks for an id, one that its caller chose.
    let given = if log.links.is_empty() { " WHERE \"given_id\"" } else { "" };
    // The columns of fixed width come first, the wide ones before the narrow ones, so that alignment wastes no space.
    format!(
        r#"CREATE TABLE {table} (
    "position" {position},
    "txid" {txid},
    "revision" {big_int} NOT NULL,
    "at" {time} NOT NULL,
    "record_id" {key} NOT NULL,
    "version" {small_int} NOT NULL,
    "given_id" {given_id}{schema},
    "action" TEXT NOT NULL,
    "payload" {json} NOT NULL,
    "meta" {json} NOT NULL DEFAULT '{{}}',
    "id" {uuid} NOT NULL,
    "state" {bytes} NOT NULL{hash}{primary_key}
){strict};
CREATE UNIQUE INDEX {record_key} ON {indexed} ({record});
CREATE UNIQUE INDEX {id_key} ON {indexed} ({id}){given};
CREATE INDEX {savepoint} ON {indexed} ({record}) WHERE "action" = 'savepoint';
"#,
        key = types.key(log.key),
        record_key = index("record_key"),
        id_key = index("id_key"),
        savepoint = index("savepoint_idx"),
    )
}

/// Creates a view over the tables of all shards. `table` returns the name of the view, and that of each table.
fn view(log: &LogShape, table: impl Fn(LogName) -> String) -> String {
    let name = |of: LogName| qualified(of.schema, &table(of));
    let selects: Vec<String> =
        log.shards.iter().map(|shard| format!("SELECT * FROM {}", name(*shard))).collect();
    format!("CREATE VIEW {} AS\n    {};\n", name(log.name), selects.join("\n    UNION ALL "))
}
