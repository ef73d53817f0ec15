//! The database: its tables, the people, and connections.

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, ConnectionResult, SqliteConnection};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;

use crate::access::VIEWERS;
use crate::model::{Comment, Item, NewOrg, NewPerson, Org, Person, Tag, Tagging};

/// A SQLite connection for async code.
pub type Conn = SyncConnectionWrapper<SqliteConnection>;

const SETTINGS: &str = "PRAGMA busy_timeout = 4000; PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL";

const TABLES: &str = "PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS orgs (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, org_id INTEGER NOT NULL REFERENCES orgs, name TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS items (id BLOB PRIMARY KEY, org_id INTEGER NOT NULL REFERENCES orgs, title TEXT NOT NULL,
        state TEXT NOT NULL, rank TEXT NOT NULL, revision BIGINT NOT NULL);
    CREATE INDEX IF NOT EXISTS items_of_columns ON items (org_id, state, rank, id);
    CREATE TABLE IF NOT EXISTS comments (id BLOB PRIMARY KEY, org_id INTEGER NOT NULL REFERENCES orgs,
        item_id BLOB NOT NULL REFERENCES items, author_id INTEGER NOT NULL REFERENCES people, text TEXT NOT NULL,
        at TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS comments_of_items ON comments (item_id, id DESC);
    CREATE TABLE IF NOT EXISTS tags (id BLOB PRIMARY KEY, org_id INTEGER NOT NULL REFERENCES orgs, name TEXT NOT NULL,
        UNIQUE (org_id, name));
    CREATE TABLE IF NOT EXISTS taggings (item_id BLOB NOT NULL REFERENCES items, tag_id BLOB NOT NULL REFERENCES tags,
        org_id INTEGER NOT NULL, PRIMARY KEY (item_id, tag_id));
    CREATE INDEX IF NOT EXISTS taggings_of_tags ON taggings (tag_id);";

/// The organisations.
const ORGS: [(i32, &str); 2] = [(1, "Ark"), (2, "Bay")];

/// Creates the tables, the organisations and their people, unless they exist.
pub fn create(file: &str) -> anyhow::Result<()> {
    let mut conn = SqliteConnection::establish(file)?;
    conn.batch_execute(SETTINGS)?;
    conn.batch_execute(TABLES)?;
    let logs = Migrations::new().log::<Org>().log::<Person>().log::<Item>().log::<Comment>();
    logs.log::<Tag>().log::<Tagging>().run(&mut conn)?;
    for (id, name) in ORGS {
        if Org::replay(id).run(&mut conn)?.is_none() {
            Org::insert(NewOrg { id, name: name.to_owned() }).run(&mut conn)?;
        }
    }
    for (_, viewer) in VIEWERS {
        if Person::replay(viewer.person).run(&mut conn)?.is_none() {
            let name = viewer.login[..1].to_uppercase() + &viewer.login[1..];
            let new = NewPerson { id: viewer.person, org_id: viewer.org, name };
            Person::insert(new).run(&mut conn)?;
        }
    }
    Ok(())
}

/// Opens a connection.
pub async fn connect(file: String) -> ConnectionResult<Conn> {
    let mut conn = Conn::establish(&file).await?;
    conn.batch_execute(SETTINGS).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}
