//! An enum of connections, as applications that run on either database have it.

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, PgConnection, SqliteConnection};
use evented_adoption_tests::keys::{NewShopLimit, ShopLimit, ShopLimitChanges};
use evented_diesel::{Error, EventedDsl as _, run_on};
use evented_tests::db::{SyncPostgres, SyncSqlite};

#[derive(diesel::MultiConnection)]
enum AnyConnection {
    Pg(PgConnection),
    Sqlite(SqliteConnection),
}

fn lives(conn: &mut AnyConnection) -> Result<Vec<String>, Error> {
    let new = NewShopLimit { shop_id: 12, most: 5 };
    let limit = run_on!(conn, AnyConnection::Pg | AnyConnection::Sqlite, ShopLimit::insert(new))?;
    let changes = ShopLimitChanges { most: Some(6) };
    let changed = run_on!(conn, AnyConnection::Pg | AnyConnection::Sqlite, limit.update(changes))?;
    let history = run_on!(conn, AnyConnection::Pg | AnyConnection::Sqlite, ShopLimit::history(12))?;
    assert_eq!(history.last().and_then(|it| it.after.as_ref()), Some(&changed));
    Ok(history.iter().map(|it| it.event.action().to_owned()).collect())
}

#[tokio::test]
async fn on_sqlite() {
    let db = SyncSqlite::new().await;
    let mut conn = AnyConnection::Sqlite(SqliteConnection::establish(&db.url).unwrap());
    let AnyConnection::Sqlite(inner) = &mut conn else { return };
    inner.batch_execute(&crate::tables::sql(SyncSqlite::DATABASE)).unwrap();
    assert_eq!(lives(&mut conn).unwrap(), ["insert", "update"]);
}

#[tokio::test]
async fn on_postgres() {
    let db = SyncPostgres::new().await;
    let mut conn = AnyConnection::Pg(PgConnection::establish(&db.url).unwrap());
    let AnyConnection::Pg(inner) = &mut conn else { return };
    inner.batch_execute(&crate::tables::sql(SyncPostgres::DATABASE)).unwrap();
    assert_eq!(lives(&mut conn).unwrap(), ["insert", "update"]);
}
