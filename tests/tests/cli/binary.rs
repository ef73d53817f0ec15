//! The admin command with the models of the tests. The first argument selects the setting.
#![allow(missing_docs, dead_code, reason = "a part of the tests")]

use std::process::ExitCode;

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, PgConnection, SqliteConnection};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use evented_cli::{Admin, Connection};
use evented_diesel::ModelOn;
use evented_tests::models::{Item, Note, Page};

use evented_tests::models::ledger::{Account, Ledger, Memo};

fn admin<Conn: Connection>() -> Admin<Conn>
where
    Item: ModelOn<Conn::Backend>,
    Note: ModelOn<Conn::Backend>,
    Page: ModelOn<Conn::Backend>,
    Account: ModelOn<Conn::Backend>,
    Memo: ModelOn<Conn::Backend>,
{
    Admin::new()
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
        Ok("sync_sqlite") => admin().run(|url| {
            let mut conn = SqliteConnection::establish(url)?;
            conn.batch_execute(BUSY).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            Ok::<_, diesel::ConnectionError>(conn)
        }),
        Ok("sync_postgres") => admin().run(PgConnection::establish),
        Ok("async_sqlite") => {
            let connect = |url: String| async move {
                let mut conn = SyncConnectionWrapper::<SqliteConnection>::establish(&url).await?;
                conn.batch_execute(BUSY).await.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
                Ok::<_, diesel::ConnectionError>(conn)
            };
            admin().run_async(connect).await
        }
        _ => admin().run_async(|url| async move { AsyncPgConnection::establish(&url).await }).await,
    }
}
