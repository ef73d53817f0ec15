//! The hand-written equivalent with Diesel: a transaction that locks, looks up the revision, inserts the event and
//! updates the row.

use chrono::Utc;
use diesel::dsl::max;
use diesel::{Connection, ExpressionMethods, PgConnection, QueryDsl, QueryResult, SelectableHelper};
use diesel_async::AsyncPgConnection;
use evented_diesel::Id;
use evented_diesel::sql_types::UtcTime;
use uuid::Uuid;

use crate::model::{Task, tasks};

diesel::table! {
    use diesel::sql_types::*;
    #[sql_name = "tasks_events"]
    events (position) {
        position -> BigInt,
        record_id -> evented_diesel::sql_types::Uid,
        revision -> BigInt,
        at -> evented_diesel::sql_types::UtcTime,
        version -> SmallInt,
        action -> Text,
        payload -> Json,
        id -> Uuid,
        state -> Binary,
    }
}

/// The event of an update, as a hand-written insert.
macro_rules! event_values {
    ($id:expr, $revision:expr, $name:expr) => {
        (
            events::record_id.eq($id),
            events::revision.eq($revision),
            events::at.eq(UtcTime::bind(Utc::now())),
            events::version.eq(0),
            events::action.eq("update"),
            events::payload.eq(serde_json::json!({ "name": $name })),
            events::id.eq(Uuid::now_v7()),
            events::state.eq([0_u8; 16].as_slice()),
        )
    };
}

pub(crate) fn update(conn: &mut PgConnection, id: Id<Task>, name: &str) -> QueryResult<()> {
    use diesel::RunQueryDsl;
    conn.transaction(|conn| {
        let _: Task = tasks::table.find(id).select(Task::as_select()).for_update().first(conn)?;
        let last: Option<i64> =
            events::table.filter(events::record_id.eq(id)).select(max(events::revision)).first(conn)?;
        let revision = last.unwrap_or(0) + 1;
        diesel::insert_into(events::table).values(event_values!(id, revision, name)).execute(conn)?;
        diesel::update(tasks::table.find(id)).set(tasks::name.eq(name)).execute(conn)?;
        Ok(())
    })
}

pub(crate) async fn update_async(conn: &mut AsyncPgConnection, id: Id<Task>, name: &str) -> QueryResult<()> {
    use diesel_async::{AsyncConnection, RunQueryDsl};
    conn.transaction(async |conn| {
        let _: Task = tasks::table.find(id).select(Task::as_select()).for_update().first(conn).await?;
        let last: Option<i64> =
            events::table.filter(events::record_id.eq(id)).select(max(events::revision)).first(conn).await?;
        let revision = last.unwrap_or(0) + 1;
        diesel::insert_into(events::table).values(event_values!(id, revision, name)).execute(conn).await?;
        diesel::update(tasks::table.find(id)).set(tasks::name.eq(name)).execute(conn).await?;
        Ok(())
    })
    .await
}
