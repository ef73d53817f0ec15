//! One model on a hashed log, and the same model on a log without hashes.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::prelude::*;

use crate::setup::Bench;

macro_rules! model {
    ($module:ident, $table:ident, $log:ident, $events:literal $(, $hashed:ident)?) => {
        pub(crate) mod $module {
            use super::*;

            diesel::table! {
                use diesel::sql_types::*;
                use evented_diesel::sql_types::Uid;
                $table (id) {
                    id -> Uid,
                    name -> Text,
                    done -> Bool,
                }
            }

            /// The log.
            #[derive(EventLog, Debug)]
            #[event_log(table = $events, models(Task) $(, $hashed)?)]
            pub struct $log;

            /// A task.
            #[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
            #[diesel(table_name = $table)]
            #[evented(log(shared = $log))]
            pub(crate) struct Task {
                pub(crate) id: Id<Task>,
                pub(crate) name: String,
                #[evented(skip_insert)]
                pub(crate) done: bool,
            }

            /// Returns the input of a new task.
            pub(crate) fn new(name: impl Into<String>) -> NewTask {
                NewTask { name: name.into() }
            }

            /// Returns an update of a task's name.
            pub(crate) fn renamed(name: impl Into<String>) -> TaskChanges {
                TaskChanges { name: Some(name.into()), done: None }
            }
        }
    };
}

model!(hashed, hashed_tasks, Hashed, "hashed_events", hashed);
model!(plain, plain_tasks, Plain, "plain_events");

/// Creates a schema with the tables and logs of both models, and returns the URL of the schema.
pub(crate) fn fresh(bench: &Bench, schema: &str) -> anyhow::Result<String> {
    let url = bench.fresh(schema)?;
    let mut conn = PgConnection::establish(&url)?;
    for table in ["hashed_tasks", "plain_tasks"] {
        conn.batch_execute(&format!(
            "CREATE TABLE {table} (id UUID PRIMARY KEY, name TEXT NOT NULL, done BOOLEAN NOT NULL)"
        ))?;
    }
    let logs = Migrations::new().event_log::<hashed::Hashed>().event_log::<plain::Plain>();
    conn.batch_execute(&logs.up_sql(Database::Postgres))?;
    Ok(url)
}

/// Creates tasks in the hashed log, each with its first event and `updates` updates.
pub(crate) fn fill(conn: &mut PgConnection, tasks: i64, updates: u32) -> anyhow::Result<()> {
    use evented_diesel::Run;
    use hashed::{Task, new, renamed};
    diesel::sql_query("SET synchronous_commit = off").execute(conn)?;
    let mut made = 0;
    while made < tasks {
        let part = (tasks - made).min(10_000);
        let some = batch((0..part).map(|n| Task::insert(new(format!("task {n}"))))).run(conn)?;
        for round in 0..updates {
            batch(some.iter().map(|task| task.update(renamed(format!("round {round}"))))).run(conn)?;
        }
        made += part;
    }
    diesel::sql_query("VACUUM ANALYZE hashed_events").execute(conn)?;
    diesel::sql_query("VACUUM ANALYZE hashed_tasks").execute(conn)?;
    diesel::sql_query("SET synchronous_commit = on").execute(conn)?;
    Ok(())
}
