//! Makes a log append-only: the database refuses every other change. This protects against mistakes, not against the
//! owner of the tables, who can drop the triggers.

use std::fmt::Write as _;

use crate::migrations::LogShape;
use crate::migrations::log_sql::{FORMATS_TABLE, qualified, quoted, text};
use crate::sql::Database;

/// Returns every append-only table of a log: events, links and checkpoints.
fn tables(log: &LogShape) -> Vec<(Option<&'static str>, String)> {
    let mut tables = Vec::new();
    for shard in log.shards {
        tables.push((shard.schema, shard.table.to_owned()));
        tables.extend(log.links.iter().map(|link| (shard.schema, format!("{}_{}", shard.table, link.name))));
    }
    if log.hashed {
        tables.push((log.name.schema, format!("{}_checkpoints", log.name.table)));
    }
    tables
}

pub(super) fn up(log: &LogShape, database: Database) -> String {
    let mut sql = match database {
        Database::Postgres => postgres(log),
        Database::Sqlite => sqlite(log),
    };
    // From this format version on, the database stores the format version of a log.
    let formats = qualified(log.name.schema, FORMATS_TABLE);
    writeln!(
        sql,
        "CREATE TABLE IF NOT EXISTS {formats} (\"log\" TEXT NOT NULL PRIMARY KEY, \"format\" INTEGER NOT NULL);\n\
         INSERT INTO {formats} (\"log\", \"format\") VALUES ({}, 2);",
        text(log.name.table)
    )
    .unwrap_or_default();
    sql
}

pub(super) fn down(log: &LogShape, database: Database) -> String {
    let mut sql = String::new();
    for (schema, table) in tables(log) {
        match database {
            Database::Postgres => {
                writeln!(sql, "DROP TRIGGER \"append_only\" ON {};", qualified(schema, &table))
                    .unwrap_or_default();
            }
            Database::Sqlite => {
                for event in ["update", "delete"] {
                    let trigger = qualified(schema, &format!("{table}_no_{event}"));
                    writeln!(sql, "DROP TRIGGER {trigger};").unwrap_or_default();
                }
            }
        }
    }
    if database == Database::Postgres {
        let function = qualified(log.name.schema, &format!("{}_append_only", log.name.table));
        writeln!(sql, "DROP FUNCTION {function}();").unwrap_or_default();
    }
    let formats = qualified(log.name.schema, FORMATS_TABLE);
    writeln!(sql, "DELETE FROM {formats} WHERE \"log\" = {};", text(log.name.table)).unwrap_or_default();
    sql
}

fn postgres(log: &LogShape) -> String {
    let function = qualified(log.name.schema, &format!("{}_append_only", log.name.table));
    let mut sql = format!(
        "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$\n\
         BEGIN\n    \
             RAISE EXCEPTION 'the log % is append-only: % is refused', TG_TABLE_NAME, TG_OP\n        \
                 USING ERRCODE = 'restrict_violation';\n\
         END $$;\n"
    );
    for (schema, table) in tables(log) {
        writeln!(
            sql,
            "CREATE TRIGGER \"append_only\" BEFORE UPDATE OR DELETE OR TRUNCATE ON {}\n    \
             FOR EACH STATEMENT EXECUTE FUNCTION {function}();",
            qualified(schema, &table)
        )
        .unwrap_or_default();
    }
    sql
}

fn sqlite(log: &LogShape) -> String {
    let mut sql = String::new();
    for (schema, table) in tables(log) {
        for event in ["UPDATE", "DELETE"] {
            let trigger = qualified(schema, &format!("{table}_no_{}", event.to_lowercase()));
            let message = text(&format!("the log {table} is append-only: {event} is refused"));
            writeln!(
                sql,
                "CREATE TRIGGER {trigger} BEFORE {event} ON {} BEGIN SELECT RAISE(ABORT, {message}); END;",
                quoted(&table)
            )
            .unwrap_or_default();
        }
    }
    sql
}
