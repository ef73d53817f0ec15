//! Tests every type of column: a value is read back unchanged and the log agrees, or the write is refused with a clear
//! error.

mod postgres_values;
mod sqlite_values;
mod values;

macro_rules! settings {
    ($($setting:ident: $db:ident, $models:ident, $values:ident, $lossy:literal;)*) => {$(
        #[path = "columns"]
        mod $setting {
            use super::$values as values;
            use evented_diesel::migrations::Migrations;
            use evented_tests::db::$db as Db;
            use evented_tests::models::columns::$models as models;

            #[path = "kinds.rs"]
            mod kinds;
            #[path = $lossy]
            mod lossy;

            /// Creates a database that also has the tables with the columns.
            async fn fresh() -> Db {
                let logs = Migrations::new()
                    .log::<models::Kinds>()
                    .log::<models::NullableKinds>()
                    .log::<models::Lossy>();
                let mut db = Db::new().await;
                db.sql(models::TABLES).await;
                db.sql(&logs.up_sql(Db::DATABASE)).await;
                db
            }
        }
    )*};
}

settings!(
    sync_postgres: SyncPostgres, pg, postgres_values, "postgres_lossy.rs";
    async_postgres: AsyncPostgres, pg, postgres_values, "postgres_lossy.rs";
    sync_sqlite: SyncSqlite, sqlite, sqlite_values, "sqlite_lossy.rs";
    async_sqlite: AsyncSqlite, sqlite, sqlite_values, "sqlite_lossy.rs";
);
