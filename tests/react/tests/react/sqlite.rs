//! Workers on SQLite: files that are restored, and pools.

use std::time::Duration;

use diesel::r2d2::{ConnectionManager, Pool, PooledConnection};
use diesel::{RunQueryDsl as _, SqliteConnection};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use evented_diesel::prelude::*;
use evented_react::{Change, Delivery, Failure, From, Subscriber, Worker};
use evented_react_tests::{Comment, Kit, NewComment, Outbox, eventually, fresh};
use evented_tests::db::Db;

const SEEN: &str = "SELECT count(*) FROM seen";

async fn comments<C: Kit<Backend = diesel::sqlite::Sqlite>>(db: &mut Db<C>, text: &str, count: usize) {
    for _ in 0..count {
        db.run(Comment::insert(NewComment { post_id: 1, text: text.to_owned() })).await.unwrap();
    }
}

/// Replaces what all tables contain by what they contain in another file.
async fn restore<C: Kit<Backend = diesel::sqlite::Sqlite>>(db: &mut Db<C>, backup: &str) {
    let of_schema = |what: &str, kind: &str| {
        format!("SELECT {what} AS text FROM sqlite_master WHERE type = '{kind}' AND name NOT LIKE 'sqlite_%'")
    };
    let names = db.texts(&of_schema("name", "trigger")).await;
    let triggers = db.texts(&of_schema("sql", "trigger")).await;
    let tables = db.texts(&of_schema("name", "table")).await;
    db.sql(&format!("ATTACH '{backup}' AS backup")).await;
    let mut sql = String::from("BEGIN IMMEDIATE;");
    for name in names {
        sql += &format!("DROP TRIGGER \"{name}\";");
    }
    for table in tables.iter().map(String::as_str).chain(["sqlite_sequence"]) {
        sql += &format!(
            "DELETE FROM main.\"{table}\"; INSERT INTO main.\"{table}\" SELECT * FROM backup.\"{table}\";"
        );
    }
    for trigger in triggers {
        sql += &format!("{trigger};");
    }
    db.sql(&(sql + "COMMIT")).await;
    db.sql("DETACH backup").await;
}

async fn a_restored_file<C: Kit<Backend = diesel::sqlite::Sqlite>>() {
    let mut db = fresh::<C>().await;
    let audit = C::recorder("audit").from(From::Beginning);
    let worker = C::start(Worker::new().subscribe(audit), &db.url).await;
    comments(&mut db, "before", 5).await;
    eventually(&mut db, SEEN, 5).await;
    eventually(&mut db, "SELECT min(position) FROM evented_cursors", 5).await;
    let backup = format!("{}.backup", db.url);
    db.sql(&format!("VACUUM INTO '{backup}'")).await;
    comments(&mut db, "lost", 7).await;
    eventually(&mut db, SEEN, 12).await;
    restore(&mut db, &backup).await;
    assert_eq!(db.number(SEEN).await, 5);
    // These have the positions of the events that are lost.
    comments(&mut db, "after", 7).await;
    eventually(&mut db, SEEN, 12).await;
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE text = 'after'").await, 7);
    assert_eq!(db.number("SELECT count(DISTINCT event) FROM seen").await, 12);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_restored_under_a_worker_goes_on_where_the_backup_was() {
    a_restored_file::<SqliteConnection>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_restored_under_an_async_worker_goes_on_where_the_backup_was() {
    a_restored_file::<SyncConnectionWrapper<SqliteConnection>>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_file_sends_no_mail_until_it_is_adopted() {
    let (mut db, outbox) = (fresh::<SqliteConnection>().await, Outbox::default());
    let mails = || SqliteConnection::sender("mails", &outbox).from(From::Beginning);
    comments(&mut db, "a", 1).await;
    let worker = SqliteConnection::start(Worker::new().subscribe(mails()), &db.url).await;
    outbox.sends(1).await;
    worker.stop().await;
    comments(&mut db, "b", 1).await;
    let copy = format!("{}.copy", db.url);
    db.sql(&format!("VACUUM INTO '{copy}'")).await;
    let mut copied = db.connect().await;
    copied.conn = evented_tests::db::connect::<SqliteConnection>(&copy).unwrap();
    copied.url = copy;
    let worker = SqliteConnection::start(Worker::new().subscribe(mails()), &copied.url).await;
    eventually(&mut copied, "SELECT count(*) FROM evented_subscribers WHERE stalled LIKE '%copy%'", 1).await;
    assert_eq!(outbox.sent().len(), 1);
    assert!(copied.run(evented_react::adopt("mails")).await.unwrap());
    outbox.sends(2).await;
    worker.stop().await;
    // The original goes on.
    let worker = SqliteConnection::start(Worker::new().subscribe(mails()), &db.url).await;
    outbox.sends(3).await;
    worker.stop().await;
}

type Pooled = PooledConnection<ConnectionManager<SqliteConnection>>;

/// A handler takes the connection of the pool, as it is.
fn note(comment: Delivery<'_, Change<Comment>>, conn: &mut Pooled) -> Result<(), Failure> {
    let text = comment.after().map(|comment| comment.text.clone()).unwrap_or_default();
    diesel::sql_query(
        "INSERT INTO seen (subscriber, event, ordered_by, text, attempt) VALUES ('pooled', '', '', ?, 1)",
    )
    .bind::<diesel::sql_types::Text, _>(text)
    .execute(conn)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_its_connections_from_a_pool() {
    let mut db = fresh::<SqliteConnection>().await;
    let pool = Pool::builder().max_size(6).build(ConnectionManager::new(db.url.clone())).unwrap();
    let pooled = Subscriber::<Pooled>::new("pooled").on(Comment::changes(), note).from(From::Beginning);
    let of_worker = pool.clone();
    let worker = Worker::new().subscribe(pooled).start(move || of_worker.get()).unwrap();
    comments(&mut db, "a", 5).await;
    eventually(&mut db, SEEN, 5).await;
    worker.stop(Duration::from_secs(60)).unwrap();
    // It gives them back.
    assert_eq!(pool.state().idle_connections, pool.state().connections);
}
