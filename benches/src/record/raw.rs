//! Runs the library's statements without the library: a plain client runs the texts that the library prepared.

use anyhow::Context;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use evented_diesel::{EventedDsl as _, Run};
use serde_json::json;
use uuid::Uuid;

use crate::model::{Task, new, renamed};

/// The texts of the library's prepared statements, as PostgreSQL has them.
pub(crate) struct Texts {
    pub(crate) read: String,
    pub(crate) update: String,
    pub(crate) create: String,
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    statement: String,
}

impl Texts {
    /// Runs one command of each kind, and reads the statements that were prepared.
    pub(crate) fn read(url: &str) -> anyhow::Result<Self> {
        let mut conn = PgConnection::establish(url)?;
        let task = Task::insert(new("any")).run(&mut conn)?;
        task.update(renamed("other")).run(&mut conn)?;
        let texts: Vec<Text> =
            diesel::sql_query("SELECT statement FROM pg_prepared_statements").load(&mut conn)?;
        let find = |start: &str, part: &str| {
            let found =
                texts.iter().find(|it| it.statement.starts_with(start) && it.statement.contains(part));
            found
                .map(|it| it.statement.clone())
                .with_context(|| format!("no statement like {start} … {part}"))
        };
        Ok(Self {
            read: find("SELECT e.revision", "INNER JOIN")?,
            update: find("WITH k AS", "UPDATE")?,
            create: find("WITH made", "appended AS")?,
        })
    }
}

/// The values of one event.
pub(crate) struct Values {
    pub(crate) event_id: Uuid,
    pub(crate) at: DateTime<Utc>,
    pub(crate) payload: serde_json::Value,
    pub(crate) state: Vec<u8>,
}

impl Values {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            event_id: Uuid::now_v7(),
            at: Utc::now(),
            payload: json!({ "name": name }),
            state: vec![7; 16],
        }
    }
}

/// Binds the parameters of the create statements in their order; the same for both clients.
#[macro_export]
macro_rules! create_params {
    ($values:expr, $name:expr) => {
        &[
            &$values.event_id,
            &$name,
            &false,
            &$values.event_id,
            &1_i64,
            &"insert",
            &0_i16,
            &$values.payload,
            &serde_json::json!({}),
            &$values.at,
            &$values.state,
            &$values.event_id,
        ]
    };
}

/// Binds the parameters of an update.
#[macro_export]
macro_rules! update_params {
    ($values:expr, $id:expr, $version:expr, $revision:expr, $name:expr) => {
        &[
            &$id,
            &$version,
            &$values.event_id,
            &$id,
            &$revision,
            &"update",
            &0_i16,
            &$values.payload,
            &serde_json::json!({}),
            &$values.at,
            &$values.state,
            &$id,
            &$name,
            &$id,
        ]
    };
}
