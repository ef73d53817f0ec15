//! An enum of connections, as applications that run on either database have it.

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, PgConnection, SqliteConnection};
use evented_adoption_tests::keys::{NewShopLimit, ShopLimit, ShopLimitChanges};
use evented_diesel::migrations::Database;
use evented_diesel::{EventedDsl as _, run_on};
use evented_tests::db::{SyncPostgres, SyncSqlite};

#[derive(diesel::MultiConnection)]
enum AnyConnection {
    Pg(PgConnection),
    Sqlite(SqliteConnection),
}

/// Runs commands and a read. The enum itself creates the tables.
fn lives(mut conn: AnyConnection, database: Database) {
    conn.batch_execute(&crate::tables::sql(database)).unwrap();
    let conn = &mut conn;
    let new = NewShopLimit { shop_id: 12, most: 5 };
    let limit = run_on!(conn, AnyConnection::Pg | AnyConnection::Sqlite, ShopLimit::insert(new)).unwrap();
    let changes = ShopLimitChanges { most: Some(6) };
    let changed = run_on!(conn, AnyConnection::Pg | AnyConnection::Sqlite, limit.update(changes)).unwrap();
    let history = run_on!(conn, AnyConnection::Pg | AnyConnection::Sqlite, ShopLimit::history(12)).unwrap();
    let actions: Vec<&str> = history.iter().map(|it| it.event.action()).collect();
    assert_eq!(actions, ["insert", "update"]);
    assert_eq!(history[1].after.as_ref(), Some(&changed));
}

#[tokio::test]
async fn on_sqlite() {
    let db = SyncSqlite::new().await;
    lives(AnyConnection::Sqlite(SqliteConnection::establish(&db.url).unwrap()), SyncSqlite::DATABASE);
}

#[tokio::test]
async fn on_postgres() {
    let db = SyncPostgres::new().await;
    lives(AnyConnection::Pg(PgConnection::establish(&db.url).unwrap()), SyncPostgres::DATABASE);
}
