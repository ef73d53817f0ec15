//! The tables of logs: as SQL, as a source of migrations, and as a folder of Diesel's.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::fs;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use evented_diesel::migrations::{Flavour, Migrations, Stale};
use evented_diesel::prelude::*;
use evented_tests::db::SyncPostgres;
use evented_tests::models::{NewNote, Note, Page};

fn sqlite() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)").unwrap();
    conn
}

fn logs() -> Migrations {
    Migrations::new().log::<Note>().log::<Page>()
}

#[test]
fn a_source_makes_and_drops_the_logs() {
    let mut conn = sqlite();
    assert_eq!(conn.run_pending_migrations(logs()).unwrap().len(), 2);
    assert!(conn.run_pending_migrations(logs()).unwrap().is_empty(), "each runs once");
    Note::insert(NewNote { text: "here".into() }).run(&mut conn).unwrap();
    conn.revert_all_migrations(logs()).unwrap();
    assert!(Note::insert(NewNote { text: "gone".into() }).run(&mut conn).is_err());
}

#[tokio::test]
async fn a_source_makes_and_drops_the_logs_on_postgres() {
    let db = SyncPostgres::new().await;
    let mut conn = PgConnection::establish(&db.url).unwrap();
    conn.batch_execute(&logs().down_sql(Flavour::Postgres)).unwrap();
    assert_eq!(conn.run_pending_migrations(logs()).unwrap().len(), 2);
    Note::insert(NewNote { text: "here".into() }).run(&mut conn).unwrap();
    conn.revert_all_migrations(logs()).unwrap();
    assert!(Note::insert(NewNote { text: "gone".into() }).run(&mut conn).is_err());
}

#[test]
fn a_folder_is_written_once_and_runs_with_diesels_own_tools() {
    let folder = tempfile::tempdir().unwrap();
    let written = logs().write_to(folder.path(), Flavour::Sqlite).unwrap();
    assert_eq!(written.len(), 2);
    assert!(logs().write_to(folder.path(), Flavour::Sqlite).unwrap().is_empty(), "nothing is missing");
    let mut conn = sqlite();
    let source = FileBasedMigrations::from_path(folder.path()).unwrap();
    assert_eq!(conn.run_pending_migrations(source).unwrap().len(), 2);
    Note::insert(NewNote { text: "here".into() }).run(&mut conn).unwrap();
}

#[test]
fn a_check_finds_what_is_missing_or_changed() {
    let folder = tempfile::tempdir().unwrap();
    let written = Migrations::new().log::<Note>().write_to(folder.path(), Flavour::Sqlite).unwrap();
    Migrations::new().log::<Note>().check(folder.path(), Flavour::Sqlite).unwrap();
    match logs().check(folder.path(), Flavour::Sqlite).unwrap_err() {
        Stale::Missing { name } => assert!(name.ends_with("pages_events"), "{name}"),
        other => panic!("{other}"),
    }
    let up = written[0].join("up.sql");
    let text = fs::read_to_string(&up).unwrap().replace("UNIQUE ", "");
    fs::write(&up, text).unwrap();
    match Migrations::new().log::<Note>().check(folder.path(), Flavour::Sqlite).unwrap_err() {
        Stale::Differs { path } => assert_eq!(path, up),
        other => panic!("{other}"),
    }
    assert!(logs().check(folder.path().join("nowhere"), Flavour::Sqlite).is_err());
}
