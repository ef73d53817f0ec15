//! The model that the benchmarks measure, and its tables.

use diesel::prelude::*;
use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    tasks (id) {
        id -> Uid,
        name -> Text,
        done -> Bool,
    }
}

/// A task.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = tasks)]
pub(crate) struct Task {
    pub(crate) id: Id<Task>,
    pub(crate) name: String,
    #[evented(skip_insert)]
    pub(crate) done: bool,
}

/// The user's table on PostgreSQL.
pub(crate) const POSTGRES: &str =
    "CREATE TABLE tasks (id UUID PRIMARY KEY, name TEXT NOT NULL, done BOOLEAN NOT NULL)";
/// The user's table on SQLite.
pub(crate) const SQLITE: &str =
    "CREATE TABLE tasks (id BLOB PRIMARY KEY, name TEXT NOT NULL, done BOOLEAN NOT NULL)";

/// Returns the input of a new task.
pub(crate) fn new(name: impl Into<String>) -> NewTask {
    NewTask { name: name.into() }
}

/// Returns an update of a task's name.
pub(crate) fn renamed(name: impl Into<String>) -> TaskChanges {
    TaskChanges { name: Some(name.into()), done: None }
}
