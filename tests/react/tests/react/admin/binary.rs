//! The admin command with subscribers. `DATABASE_URL` is the database, and `EVENTED_TEST_SETTING` selects the connection.
#![allow(missing_docs, reason = "a part of the tests")]

use std::process::ExitCode;

use diesel::{Connection as _, PgConnection, SqliteConnection};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_cli::{Admin, Connection};
use evented_diesel::{DomainEvents, ModelOn};
use evented_react::Projection;
use evented_react_tests::{Comment, Kit, Post, Reported, post_counts};

fn admin<Conn: Connection + Kit>() -> Admin<Conn>
where
    Post: ModelOn<<Conn as Connection>::Backend>,
    Comment: ModelOn<<Conn as Connection>::Backend>,
{
    // A second projection of a name has no effect. The recorder is a subscriber with handlers, and no projection.
    let another = Projection::<()>::table("post_counts", "post_id").select("SELECT nothing FROM nowhere");
    Admin::new()
        .model::<Post>()
        .model::<Comment>()
        .projection(post_counts::<Conn>())
        .projection(another)
        .projection(Conn::recorder("recorder"))
        .event::<Reported>()
        .bus::<DomainEvents>()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match std::env::var("EVENTED_TEST_SETTING").as_deref() {
        Ok("sync_sqlite") => admin().run(SqliteConnection::establish),
        Ok("sync_postgres") => admin().run(PgConnection::establish),
        Ok("async_sqlite") => {
            let connect =
                |url: String| async move { SyncConnectionWrapper::<SqliteConnection>::establish(&url).await };
            admin().run_async(connect).await
        }
        _ => admin().run_async(|url| async move { AsyncPgConnection::establish(&url).await }).await,
    }
}
