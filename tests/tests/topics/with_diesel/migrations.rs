//! Tests the tables of logs as Diesel migrations.

use evented_diesel::EventedDsl as _;
use std::fs;

use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use evented_diesel::migrations::{Database, Migrations, Stale};
use evented_tests::db::{SyncPostgres, SyncSqlite, logs};
use evented_tests::models::{Item, NewItem, Note, Page};
use uuid::Uuid;

fn three() -> Migrations {
    Migrations::new().log::<Item>().log::<Page>().log::<Note>()
}

fn lamp() -> NewItem {
    NewItem { org_id: evented_diesel::Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 0, note: None }
}

macro_rules! on {
    ($($setting:ident: $db:ident, $count:expr;)*) => {$(
        mod $setting {
            use super::*;

            async fn tables(db: &mut $db) -> i64 {
                db.number($count).await
            }

            #[tokio::test]
            async fn migrations_run_and_are_reverted_in_the_harness_of_diesel() {
                let mut db = $db::new().await;
                db.sql(&logs().down_sql($db::DATABASE)).await;
                assert_eq!(tables(&mut db).await, 0);
                let run: Vec<String> =
                    db.conn.run_pending_migrations(three()).unwrap().iter().map(ToString::to_string).collect();
                assert_eq!(run.len(), 3, "one for each log: {run:?}");
                assert_eq!(tables(&mut db).await, 3);
                // A second run finds no pending migrations.
                assert!(db.conn.run_pending_migrations(three()).unwrap().is_empty());
                db.run(Item::insert(lamp())).await.unwrap();
                // A model that is added later has its own migrations.
                let more = three().log::<evented_tests::models::Counter>();
                assert_eq!(db.conn.run_pending_migrations(more.clone()).unwrap().len(), 1);
                assert_eq!(tables(&mut db).await, 4);
                // Diesel orders migrations by name.
                let reverted = db.conn.revert_last_migration(more.clone()).unwrap();
                assert_eq!(reverted.to_string(), "evented1_pages_events");
                assert_eq!(tables(&mut db).await, 3);
                assert_eq!(db.conn.revert_all_migrations(more).unwrap().len(), 3);
                assert_eq!(tables(&mut db).await, 0);
            }

            #[tokio::test]
            async fn migrations_in_a_folder_are_run_by_diesel() {
                let mut db = $db::new().await;
                db.sql(&logs().down_sql($db::DATABASE)).await;
                let folder = tempfile::tempdir().unwrap();
                three().write_to(folder.path(), $db::DATABASE).unwrap();
                let files = FileBasedMigrations::from_path(folder.path()).unwrap();
                assert_eq!(db.conn.run_pending_migrations(files.clone()).unwrap().len(), 3);
                assert_eq!(tables(&mut db).await, 3);
                let item = db.run(Item::insert(lamp())).await.unwrap();
                assert_eq!(db.run(Item::replay(item.id)).await.unwrap(), Some(item));
                assert_eq!(db.conn.revert_all_migrations(files).unwrap().len(), 3);
                assert_eq!(tables(&mut db).await, 0);
            }

            #[tokio::test]
            async fn the_sql_runs_forth_and_back_and_forth() {
                let mut db = $db::new().await;
                let all = tables(&mut db).await;
                for _ in 0..2 {
                    db.sql(&logs().down_sql($db::DATABASE)).await;
                    assert_eq!(tables(&mut db).await, 0);
                    db.sql(&logs().up_sql($db::DATABASE)).await;
                    assert_eq!(tables(&mut db).await, all);
                }
            }
        }
    )*};
}

on!(
    sqlite: SyncSqlite, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name LIKE '%\\_events' ESCAPE '\\'";
    postgres: SyncPostgres, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE '%\\_events'";
);

#[test]
fn a_folder_is_written_once_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    for database in [Database::Postgres, Database::Sqlite] {
        let path = folder.path().join(format!("{database:?}"));
        let written = three().write_to(&path, database).unwrap();
        assert_eq!(written.len(), 3);
        for step in &written {
            let has = |file: &str, sql: &str| {
                let path = step.join(file);
                assert!(fs::read_to_string(&path).unwrap().contains(sql), "{}: {sql}", path.display());
            };
            has("up.sql", "CREATE TABLE");
            has("up.sql", "CREATE TRIGGER");
            has("down.sql", "DROP TABLE");
        }
        three().check(&path, database).unwrap();
        assert!(three().write_to(&path, database).unwrap().is_empty(), "nothing is missing");
        // With one more model, the folder is outdated.
        let more = three().log::<evented_tests::models::Counter>();
        match more.check(&path, database).unwrap_err() {
            Stale::Missing { name } => assert!(name.contains("counters_events"), "{name}"),
            other => panic!("{other}"),
        }
        assert_eq!(more.write_to(&path, database).unwrap().len(), 1);
        more.check(&path, database).unwrap();
    }
}

#[test]
fn a_folder_that_was_changed_or_is_gone_is_stale() {
    let folder = tempfile::tempdir().unwrap();
    let written = three().write_to(folder.path(), Database::Postgres).unwrap();
    // A folder for one database is not current for another one.
    assert!(matches!(three().check(folder.path(), Database::Sqlite), Err(Stale::Differs { .. })));
    let file = written[2].join("up.sql");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("BIGINT", "INTEGER")).unwrap();
    match three().check(folder.path(), Database::Postgres).unwrap_err() {
        Stale::Differs { path } => assert_eq!(path, file),
        other => panic!("{other}"),
    }
    // Empty lines around the SQL are ignored.
    fs::write(&file, format!("\n{text}\n\n")).unwrap();
    three().check(folder.path(), Database::Postgres).unwrap();
    fs::remove_file(&file).unwrap();
    let error = three().check(folder.path(), Database::Postgres).unwrap_err();
    assert!(matches!(error, Stale::Folder(_)) && error.to_string().contains("up.sql"), "{error}");
    fs::remove_dir_all(&written[2]).unwrap();
    assert!(matches!(three().check(folder.path(), Database::Postgres), Err(Stale::Missing { .. })));
    let nowhere = folder.path().join("nowhere");
    assert!(matches!(three().check(&nowhere, Database::Postgres), Err(Stale::Folder(_))));
    // A file at the path of the folder.
    fs::write(&nowhere, "").unwrap();
    assert!(three().write_to(&nowhere, Database::Postgres).is_err());
}
