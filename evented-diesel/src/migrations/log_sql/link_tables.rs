//! Builds the SQL of the tables of links between events.

use crate::migrations::LogShape;
use crate::migrations::log_sql::{ColumnTypes, beside, qualified, quoted};
use crate::model::{LinkShape, link_table};
use crate::sql::{Database, LogName};

/// Creates the table for links between the events of one table. Foreign keys ensure that both ends are events of one
/// record.
pub(super) fn create(log: &LogShape, events: LogName, link: LinkShape, database: Database) -> String {
    let types = ColumnTypes::of(database);
    let ColumnTypes { uuid, json, strict, .. } = types;
    let name = link_table(events, link.name);
    let table = qualified(events.schema, &name);
    // In SQLite, a foreign key always refers to a table of its own schema.
    let parent = match database {
        Database::Postgres => qualified(events.schema, events.table),
        Database::Sqlite => quoted(events.table),
    };
    let (data, unique) = if link.typed {
        (format!(",\n    \"data\" {json} NOT NULL"), String::new())
    } else {
        (
            String::new(),
            ",\n    PRIMARY KEY (\"event_id\", \"linked_id\", \"record_id\", \"schema\")".to_owned(),
        )
    };
    let (on, index_schema) = match (database, events.schema) {
        (Database::Sqlite, Some(schema)) => (quoted(&name), format!("{}.", quoted(schema))),
        _ => (table.clone(), String::new()),
    };
    let index = |purpose: &str| format!("{index_schema}{}", quoted(&beside(&name, purpose)));
    let key = types.key(log.key);
    let mut sql = format!(
        r#"CREATE TABLE {table} (
    "event_id" {uuid} NOT NULL,
    "linked_id" {uuid} NOT NULL,
    "record_id" {key} NOT NULL,
    "schema" TEXT NOT NULL{data}{unique},
    FOREIGN KEY ("event_id", "record_id", "schema") REFERENCES {parent} ("id", "record_id", "schema"),
    FOREIGN KEY ("linked_id", "record_id", "schema") REFERENCES {parent} ("id", "record_id", "schema")
){strict};
CREATE INDEX {by_linked} ON {on} ("linked_id");
"#,
        by_linked = index("linked_idx"),
    );
    if link.typed {
        sql.push_str(&format!("CREATE INDEX {} ON {on} (\"event_id\");\n", index("event_idx")));
    }
    if database == Database::Sqlite {
        // SQLite does not enforce foreign keys unless the connection enables them.
        let event = |id: &str| {
            format!(
                r#"EXISTS (SELECT 1 FROM {parent} WHERE "id" = NEW."{id}" AND "record_id" = NEW."record_id" AND "schema" = NEW."schema")"#
            )
        };
        sql.push_str(&format!(
            "CREATE TRIGGER {trigger} BEFORE INSERT ON {on} WHEN NOT (\n    {event}\n    AND {linked}\n) \
             BEGIN SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed: a link needs two events of one record'); END;\n",
            trigger = index("both_ends"),
            on = quoted(&name),
            event = event("event_id"),
            linked = event("linked_id"),
        ));
    }
    sql
}
