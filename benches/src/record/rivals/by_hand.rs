//! The plain log, written by hand with Diesel: a transaction that locks, looks up the revision, inserts the event and
//! updates the row.

use diesel::dsl::max;
use diesel::prelude::*;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

diesel::table! {
    plain_tasks (id) { id -> Uuid, name -> Text, done -> Bool }
}
diesel::table! {
    plain_log (id) {
        id -> BigInt,
        record -> Uuid,
        revision -> BigInt,
        action -> Text,
        payload -> Jsonb,
    }
}

/// A row of the table.
type Row = (Uuid, String, bool);

/// An event, as an insert.
macro_rules! event {
    ($id:expr, $revision:expr, $action:literal, $name:expr) => {
        diesel::insert_into(plain_log::table).values((
            plain_log::record.eq($id),
            plain_log::revision.eq($revision),
            plain_log::action.eq($action),
            plain_log::payload.eq(serde_json::json!({ "name": $name })),
        ))
    };
}

/// A new row, as an insert.
macro_rules! row {
    ($id:expr, $name:expr) => {
        diesel::insert_into(plain_tasks::table).values((
            plain_tasks::id.eq($id),
            plain_tasks::name.eq($name),
            plain_tasks::done.eq(false),
        ))
    };
}

pub(crate) fn create(conn: &mut PgConnection, name: &str) -> QueryResult<Uuid> {
    let id = Uuid::now_v7();
    conn.transaction(|conn| {
        event!(id, 1_i64, "insert", name).execute(conn)?;
        let _: Row = row!(id, name).get_result(conn)?;
        Ok(id)
    })
}

pub(crate) fn update(conn: &mut PgConnection, id: Uuid, name: &str) -> QueryResult<()> {
    conn.transaction(|conn| {
        let _: Row = plain_tasks::table.find(id).for_update().first(conn)?;
        let last: Option<i64> =
            plain_log::table.filter(plain_log::record.eq(id)).select(max(plain_log::revision)).first(conn)?;
        event!(id, last.unwrap_or(0) + 1, "update", name).execute(conn)?;
        diesel::update(plain_tasks::table.find(id)).set(plain_tasks::name.eq(name)).execute(conn)?;
        Ok(())
    })
}

pub(crate) async fn create_async(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Uuid> {
    use diesel_async::{AsyncConnection, RunQueryDsl};
    let id = Uuid::now_v7();
    conn.transaction(async |conn| {
        RunQueryDsl::execute(event!(id, 1_i64, "insert", name), conn).await?;
        let _: Row = RunQueryDsl::get_result(row!(id, name), conn).await?;
        Ok(id)
    })
    .await
}

pub(crate) async fn update_async(conn: &mut AsyncPgConnection, id: Uuid, name: &str) -> QueryResult<()> {
    use diesel_async::{AsyncConnection, RunQueryDsl};
    conn.transaction(async |conn| {
        let _: Row = RunQueryDsl::first(plain_tasks::table.find(id).for_update(), conn).await?;
        let last = plain_log::table.filter(plain_log::record.eq(id)).select(max(plain_log::revision));
        let last: Option<i64> = RunQueryDsl::first(last, conn).await?;
        RunQueryDsl::execute(event!(id, last.unwrap_or(0) + 1, "update", name), conn).await?;
        let update = diesel::update(plain_tasks::table.find(id)).set(plain_tasks::name.eq(name));
        RunQueryDsl::execute(update, conn).await?;
        Ok(())
    })
    .await
}
