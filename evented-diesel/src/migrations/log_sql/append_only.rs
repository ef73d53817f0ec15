//! Makes a log append-only: the database refuses every other change. This protects against mistakes, not against the
//! owner of the tables, who can drop the triggers.

use std::fmt::Write as _;

use crate::migrations::LogShape;
use crate::migrations::log_sql::{beside, qualified, quoted, text};
use crate::model::{checkpoints_table, link_table, tree_table};
use crate::sql::Database;

/// Returns every append-only table of a log: events, links, checkpoints and nodes of the tree.
fn tables(log: &LogShape) -> Vec<(Option<&'static str>, String)> {
    let mut tables = Vec::new();
    for shard in log.shards {
        tables.push((shard.schema, shard.table.to_owned()));
        tables.extend(log.links.iter().map(|link| (shard.schema, link_table(*shard, link.name))));
    }
    if log.hashed {
        tables.push((log.name.schema, checkpoints_table(log.name)));
        tables.push((log.name.schema, tree_table(log.name)));
    }
    tables
}

pub(super) fn create(log: &LogShape, database: Database) -> String {
    match database {
        Database::Postgres => postgres(log),
        Database::Sqlite => sqlite(log),
    }
}

/// Drops the triggers, before their tables.
pub(super) fn drop_triggers(log: &LogShape, database: Database) -> String {
    let mut sql = String::new();
    for (schema, table) in tables(log) {
        match database {
            Database::Postgres => {
                writeln!(sql, "DROP TRIGGER \"append_only\" ON {};", qualified(schema, &table))
                    .unwrap_or_default();
            }
            Database::Sqlite => {
                for event in ["update", "delete"] {
                    let trigger = qualified(schema, &beside(&table, &format!("no_{event}")));
                    writeln!(sql, "DROP TRIGGER {trigger};").unwrap_or_default();
                }
            }
        }
    }
    sql
}

/// Drops the function of the triggers.
pub(super) fn drop_function(log: &LogShape, database: Database) -> String {
    match database {
        Database::Postgres => format!("DROP FUNCTION {}();\n", function(log)),
        Database::Sqlite => String::new(),
    }
}

fn function(log: &LogShape) -> String {
    qualified(log.name.schema, &beside(log.name.table, "append_only"))
}

fn postgres(log: &LogShape) -> String {
    let function = function(log);
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
            let trigger = qualified(schema, &beside(&table, &format!("no_{}", event.to_lowercase())));
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
