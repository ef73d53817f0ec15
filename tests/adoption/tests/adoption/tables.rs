//! The SQL of the tables.

use evented_adoption_tests::keys::{
    Blob, Flag, Level, MixedEvents, Note, Setting, ShopLimit, ShopUser, Token,
};
use evented_adoption_tests::logs::TripEvents;
use evented_adoption_tests::structs::{Account, Address, Price, Visit};
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
        .log::<Price>()
        .log::<Account>()
        .log::<Visit>()
        .event_log::<MixedEvents>()
        .event_log::<TripEvents>();
    let (small, int, big, bytes, boolean, time) = match database {
        Database::Postgres => ("SMALLSERIAL", "SERIAL", "BIGSERIAL", "BYTEA", "BOOLEAN", "TIMESTAMPTZ"),
        Database::Sqlite => ("INTEGER", "INTEGER", "INTEGER", "BLOB", "BOOLEAN", "TEXT"),
    };
    format!(
        "
        CREATE TABLE shop_users (shop_id INTEGER NOT NULL, user_id INTEGER NOT NULL, role TEXT NOT NULL, note TEXT,
            PRIMARY KEY (shop_id, user_id));
        CREATE TABLE trips (region TEXT NOT NULL, number INTEGER NOT NULL, load INTEGER NOT NULL,
            PRIMARY KEY (region, number));
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
        CREATE TABLE prices (id INTEGER PRIMARY KEY, amount BIGINT NOT NULL, currency TEXT NOT NULL, note TEXT);
        CREATE TABLE accounts (id {int} PRIMARY KEY, mail TEXT NOT NULL UNIQUE, realm TEXT NOT NULL,
            login TEXT NOT NULL, UNIQUE (realm, login));
        CREATE TABLE visits (id {int} PRIMARY KEY, planned TIMESTAMP NOT NULL, day DATE NOT NULL, hour TIME,
            made_at TIMESTAMP NOT NULL, seen_at {time}, due {time} NOT NULL);
        CREATE TABLE members (team_id INTEGER NOT NULL, person_id TEXT NOT NULL, rank INTEGER NOT NULL,
            PRIMARY KEY (team_id, person_id));
        {}",
        migrations.up_sql(database)
    )
}
