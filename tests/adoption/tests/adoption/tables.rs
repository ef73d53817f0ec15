//! The SQL of the tables.

use evented_adoption_tests::keys::{
    Blob, Flag, Level, MixedEvents, Note, Setting, ShopLimit, ShopUser, Token,
};
use evented_adoption_tests::structs::Address;
use evented_diesel::migrations::{Database, Migrations};

/// The tables of the application, and those of the logs.
pub(crate) fn sql(database: Database) -> String {
    let migrations = Migrations::new()
        .log::<ShopUser>()
        .log::<Setting>()
        .log::<ShopLimit>()
        .log::<Level>()
        .log::<Flag>()
        .log::<Blob>()
        .log::<Note>()
        .log::<Token>()
        .log::<Address>()
        .event_log::<MixedEvents>();
    let (small, int, big, bytes, boolean) = match database {
        Database::Postgres => ("SMALLSERIAL", "SERIAL", "BIGSERIAL", "BYTEA", "BOOLEAN"),
        Database::Sqlite => ("INTEGER", "INTEGER", "INTEGER", "BLOB", "BOOLEAN"),
    };
    format!(
        "
        CREATE TABLE shop_users (shop_id INTEGER NOT NULL, user_id INTEGER NOT NULL, role TEXT NOT NULL, note TEXT,
            PRIMARY KEY (shop_id, user_id));
        CREATE TABLE settings (scope TEXT NOT NULL, day SMALLINT NOT NULL, active {boolean} NOT NULL,
            digest {bytes} NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (scope, day, active, digest));
        CREATE TABLE shop_limits (shop_id INTEGER NOT NULL PRIMARY KEY, most INTEGER NOT NULL);
        CREATE TABLE levels (id {small} PRIMARY KEY, name TEXT NOT NULL);
        CREATE TABLE flags (\"on\" {boolean} PRIMARY KEY, name TEXT NOT NULL);
        CREATE TABLE blobs (hash {bytes} PRIMARY KEY, name TEXT NOT NULL);
        CREATE TABLE memos (id {int} PRIMARY KEY, text TEXT NOT NULL);
        CREATE TABLE tokens (id {big} PRIMARY KEY, name TEXT NOT NULL);
        CREATE TABLE addresses (id {int} PRIMARY KEY, name TEXT NOT NULL, street TEXT NOT NULL, city TEXT,
            secret TEXT NOT NULL, seen_at TIMESTAMP);
        CREATE TABLE members (team_id INTEGER NOT NULL, person_id TEXT NOT NULL, rank INTEGER NOT NULL,
            PRIMARY KEY (team_id, person_id));
        {}",
        migrations.up_sql(database)
    )
}
