//! Commands on connections of pools, and in spawned tasks.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use diesel::PgConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool::Pool as AsyncPool;
use evented_tests::db::SyncPostgres;
use evented_tests::models::{NewNote, Note, NoteChanges};

fn renamed(text: &str) -> NoteChanges {
    NoteChanges { text: Some(text.into()) }
}

#[tokio::test]
async fn a_pooled_blocking_connection_runs_commands() {
    use evented_diesel::Run;
    let db = SyncPostgres::new().await;
    let pool = Pool::builder().max_size(2).build(ConnectionManager::<PgConnection>::new(&db.url)).unwrap();
    let mut conn = pool.get().unwrap();
    let note = Note::insert(NewNote { text: "one".into() }).run(&mut conn).unwrap();
    let task = std::thread::spawn(move || {
        let mut conn = pool.get().unwrap();
        note.update(renamed("two")).run(&mut conn).unwrap()
    });
    let note = task.join().unwrap();
    assert_eq!(Note::replay(note.id).run(&mut conn).unwrap(), Some(note));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooled_async_connection_runs_commands_in_spawned_tasks() {
    use evented_diesel::RunAsync;
    let db = SyncPostgres::new().await;
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(&db.url);
    let pool = AsyncPool::builder(manager).max_size(2).build().unwrap();
    let mut conn = pool.get().await.unwrap();
    let note = Note::insert(NewNote { text: "one".into() }).run(&mut conn).await.unwrap();
    let task = tokio::spawn(async move {
        let mut conn = pool.get().await.unwrap();
        note.update(renamed("two")).run(&mut conn).await.unwrap()
    });
    let note = task.await.unwrap();
    assert_eq!(Note::replay(note.id).run(&mut conn).await.unwrap(), Some(note));
}
