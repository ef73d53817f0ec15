//! Tests databases that were copied or restored: a position of one database is not valid in the other.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use evented_diesel::migrations::Database;
use evented_diesel::stream::LogReader;
use evented_diesel::{Error, EventedDsl as _, Run};
use evented_test_server::{Cluster, Settings};
use evented_tests::models::Item;

use super::{lamp, org};

#[test]
fn a_copy_beside_the_database_is_another_one_on_postgres() {
    let cluster = Cluster::start(Settings::default()).unwrap();
    let url = cluster.url();
    let (address, _) = url.rsplit_once('/').unwrap();
    let mut admin = PgConnection::establish(&url).unwrap();
    admin.batch_execute("CREATE DATABASE original").unwrap();
    let position = {
        let mut conn = PgConnection::establish(&format!("{address}/original")).unwrap();
        conn.batch_execute(&evented_tests::db::tables(Database::Postgres)).unwrap();
        Item::insert(lamp(org())).run(&mut conn).unwrap();
        let mut reader = LogReader::<Item>::from_start();
        assert_eq!(reader.page().run(&mut conn).unwrap().changes.len(), 1);
        reader.position().unwrap()
    };
    admin.batch_execute("CREATE DATABASE copied TEMPLATE original").unwrap();
    let mut copied = PgConnection::establish(&format!("{address}/copied")).unwrap();
    let refused = LogReader::<Item>::resume(position).page().run(&mut copied).unwrap_err();
    assert!(matches!(refused, Error::MustRefetch { .. }), "{refused}");
    let mut original = PgConnection::establish(&format!("{address}/original")).unwrap();
    assert!(LogReader::<Item>::resume(position).page().run(&mut original).is_ok());
}

#[test]
fn a_log_that_was_brought_from_another_server_says_so_instead_of_waiting_on_postgres() {
    let cluster = Cluster::start(Settings::default()).unwrap();
    let mut conn = PgConnection::establish(&cluster.url()).unwrap();
    conn.batch_execute(&evented_tests::db::tables(Database::Postgres)).unwrap();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    // As a dump restores it, into a server whose transaction numbers are lower.
    conn.batch_execute(
        "ALTER TABLE items_events DISABLE TRIGGER append_only; UPDATE items_events SET txid = 9999999",
    )
    .unwrap();
    let refused = LogReader::<Item>::from_start().page().run(&mut conn).unwrap_err();
    assert!(matches!(refused, Error::ForeignLog { .. }), "{refused}");
    // The step that the error recommends works.
    conn.batch_execute("UPDATE items_events SET txid = 0").unwrap();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    assert_eq!(LogReader::<Item>::from_start().page().run(&mut conn).unwrap().changes.len(), 2);
}

#[test]
fn an_older_copy_of_a_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, backup) = (folder.path().join("shop.db"), folder.path().join("backup.db"));
    let open = || SqliteConnection::establish(&file.to_string_lossy()).unwrap();
    let mut conn = open();
    conn.batch_execute(&evented_tests::db::tables(Database::Sqlite)).unwrap();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    drop(conn);
    std::fs::copy(&file, &backup).unwrap();
    let mut conn = open();
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let mut reader = LogReader::<Item>::from_start();
    reader.page().run(&mut conn).unwrap();
    let position = reader.position().unwrap();
    drop(conn);

    std::fs::copy(&backup, &file).unwrap();
    let mut conn = open();
    let refused = LogReader::<Item>::resume(position).page().run(&mut conn).unwrap_err();
    assert!(matches!(refused, Error::MustRefetch { .. }), "{refused}");
    // Also if another event has been written at the same position since.
    Item::insert(lamp(org())).run(&mut conn).unwrap();
    let refused = LogReader::<Item>::resume(position).page().run(&mut conn).unwrap_err();
    assert!(matches!(refused, Error::MustRefetch { .. }), "{refused}");
}
