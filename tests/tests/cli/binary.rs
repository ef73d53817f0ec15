//! The command for operators, with the models of the tests, in each setting: the first argument says in which.
#![allow(missing_docs, dead_code, reason = "a part of the tests")]

#[path = "../integrity/models.rs"]
mod models;

use std::process::ExitCode;

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, PgConnection, SqliteConnection};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use evented_diesel::Rows;
use evented_diesel::cli::{Connection, Operators};
use evented_tests::models::{Item, Note, Page};

use models::{Account, Ledger, Memo};

fn operators<Conn: Connection>() -> Operators<Conn>
where
    Item: Rows<Conn::Backend>,
    Note: Rows<Conn::Backend>,
    Page: Rows<Conn::Backend>,
    Account: Rows<Conn::Backend>,
    Memo: Rows<Conn::Backend>,
{
    Operators::new()
        .model::<Item>()
        .model::<Note>()
        .model::<Page>()
        .model::<Account>()
        .model::<Memo>()
        .event_log::<Ledger>()
}

const BUSY: &str = "PRAGMA busy_timeout = 20000";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match std::env::var("EVENTED_TEST_SETTING").as_deref() {
        Ok("sync_sqlite") => operators().run(|url| {
            let mut conn = SqliteConnection::establish(url)?;
            conn.batch_execute(BUSY).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            Ok::<_, diesel::ConnectionError>(conn)
        }),
        Ok("sync_postgres") => operators().run(PgConnection::establish),
        Ok("async_sqlite") => {
            let connect = |url: String| async move {
                let mut conn = SyncConnectionWrapper::<SqliteConnection>::establish(&url).await?;
                conn.batch_execute(BUSY).await.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
                Ok::<_, diesel::ConnectionError>(conn)
            };
            operators().run_async(connect).await
        }
        _ => operators().run_async(|url| async move { AsyncPgConnection::establish(&url).await }).await,
    }
}
