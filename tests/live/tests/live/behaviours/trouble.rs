//! Trouble: plain SQL, lost connections, columns that compare otherwise, an open transaction.

use std::process::Command;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use evented_diesel::migrations::Database;
use evented_diesel::prelude::*;
use evented_live::{LiveDsl, LiveError, Status};
use evented_live_tests::{Task, TaskChanges, eventually, task, titles, until};
use evented_test_server::{Cluster, Settings, Stop};
use evented_tests::db::Db;

use super::{Conn, Source, World};

const HEARS_SQL: bool = <Source as evented_live_tests::Source<Conn>>::HEARS_SQL;

#[tokio::test(flavor = "multi_thread")]
async fn plain_sql_is_heard_or_corrected_by_the_next_event() {
    let mut world = World::new::<Source>().await;
    let lamp = world.insert(task(1, 1, "a")).await;
    let mut list = world.store.open(Task::live().filter(|t| t.org_id.eq(1))).await.unwrap();
    world.db.sql("UPDATE tasks SET title = 'b'").await;
    if HEARS_SQL {
        until(&mut list, "plain SQL", |list| titles(list) == ["b"]).await;
    }
    world.db.run(lamp.update(TaskChanges { rank: Some(2), ..Default::default() })).await.unwrap();
    until(&mut list, "the next event", |list| titles(list) == ["b"] && list[0].rank == 2).await;
    if HEARS_SQL {
        world.db.sql("TRUNCATE tasks").await;
        until(&mut list, "truncate", |list| list.is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_replaced() {
    if Db::<Conn>::DATABASE == Database::Sqlite {
        return;
    }
    let options = vec!["wal_level=logical".to_owned()];
    let cluster = Cluster::start(Settings { options, ..Settings::default() }).unwrap();
    let url = cluster.url();
    let mut world = World::on_own_server::<Source>(|| url).await;
    world.insert(task(1, 1, "a")).await;
    let mut list = world.store.open(Task::live()).await.unwrap();
    for round in 0..3 {
        // The connections of the store, and of a hub that reads event logs.
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
                   AND backend_type = 'client backend'";
        world.db.sql(end).await;
        world.insert(task(1, round, &round.to_string())).await;
        let expected = usize::try_from(round).unwrap() + 2;
        until(&mut list, "after the loss", |list| list.len() == expected).await;
        let query = Task::live().filter(move |t| t.rank.ge(round)).limit(3);
        world.store.open(query).await.map(drop).unwrap();
    }
    assert!(list.status().is_exact());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_is_tried_again_and_the_value_says_so() {
    let mut world = World::new::<Source>().await;
    let mut tasks = Vec::new();
    for number in 0..60 {
        tasks.push(world.insert(task(1, number, "x")).await);
    }
    let mut list = world.store.open(Task::live().order(|t| t.rank.asc()).limit(2)).await.unwrap();
    let unread = Task::live().filter(|t| t.rank.ge(30));
    let rename = "ALTER TABLE tasks RENAME TO tasks_away";
    if HEARS_SQL {
        // The hub would end: it reads the table by its name.
        return;
    }
    // The window is emptied by events while its table cannot be read.
    for task in &tasks[..45] {
        world.db.run(task.delete()).await.unwrap();
    }
    let _ = until(&mut list, "refill", |list| list.first().is_some_and(|task| task.rank == 45)).await;
    world.db.sql(rename).await;
    let error = world.store.open(unread.clone()).await.unwrap_err();
    assert!(matches!(error, LiveError::Read { .. }), "{error}");
    world.db.sql("ALTER TABLE tasks_away RENAME TO tasks").await;
    eventually("it is read in the end", async || world.store.open(unread.clone()).await.is_ok()).await;
    assert_eq!(list.get()[0].rank, 45);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_compares_otherwise_is_found_out() {
    let mut world = World::new::<Source>().await;
    match Db::<Conn>::DATABASE {
        // It is equal to the database, and not in memory.
        Database::Postgres => {
            world
                .db
                .sql("CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                      ALTER TABLE tasks ALTER title TYPE TEXT COLLATE ignore_case")
                .await;
        }
        Database::Sqlite => return,
    }
    world.insert(task(1, 1, "Lamp")).await;
    let error = world.store.open(Task::live().filter(|t| t.title.eq("lamp".into()))).await.unwrap_err();
    assert!(matches!(error, LiveError::Differs { schema: "tasks", .. }), "{error}");
    // An order names its collation.
    world.insert(task(1, 1, "a")).await;
    let list = world.store.open(Task::live().order(|t| t.title.asc())).await.unwrap();
    assert_eq!(titles(&list.get()), ["Lamp", "a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_transaction_is_open_a_new_value_is_as_it_was_read() {
    if Db::<Conn>::DATABASE == Database::Sqlite || HEARS_SQL {
        return;
    }
    // A transaction holds the log of the whole server: the test has one of its own.
    let cluster = Cluster::start(Settings::default()).unwrap();
    let url = cluster.url();
    let mut world = World::on_own_server::<evented_live_tests::Log>(|| url).await;
    world.insert(task(1, 1, "a")).await;
    let mut holder = world.db.connect().await;
    holder.begin().await;
    holder.run(Task::insert(task(1, 2, "open"))).await.unwrap();
    world.insert(task(1, 3, "b")).await;

    let mut list = world.store.open(Task::live().order(|t| t.rank.asc())).await.unwrap();
    assert!(matches!(list.status(), Status::AsRead), "{:?}", list.status());
    assert_eq!(titles(&list.get()), ["a", "b"], "as read");
    holder.commit().await;
    until(&mut list, "the commit", |list| titles(list) == ["a", "open", "b"]).await;
    eventually("it is exact", async || list.status().is_exact()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_never_reads_holds_nobody_back() {
    let mut world = World::new::<Source>().await;
    let idle = world.store.open(Task::live()).await.unwrap();
    let mut list = world.store.open(Task::live()).await.unwrap();
    for number in 0..300 {
        world.insert(task(1, number, "x")).await;
    }
    until(&mut list, "all", |list| list.len() == 300).await;
    let mut idle = idle;
    let update = tokio::time::timeout(Duration::from_secs(100), idle.changed()).await.unwrap().unwrap().unwrap();
    assert!(update.old().is_empty() && update.new().len() > update.old().len());
}

/// A view whose conversion waits, if the rank of its task is 100.
#[derive(Clone, Debug, PartialEq)]
struct Slow(i16);
static GATE: Gate = Gate { is_open: Mutex::new(false), changed: Condvar::new() };
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
}
impl From<&Task> for Slow {
    fn from(task: &Task) -> Self {
        if task.rank == 100 {
            // Other tasks may wait in the queue of this thread.
            tokio::task::block_in_place(|| {
                drop(GATE.changed.wait_while(GATE.is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
            });
        }
        Self(task.rank)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_far_behind_its_hub_reads_again() {
    let mut world = World::with::<Source>(|store| store.max_waiting(10)).await;
    world.insert(task(1, 0, "a")).await;
    let mut views = world.store.open(Task::live().view::<Slow>()).await.unwrap();
    let mut window = world.store.open(Task::live().order(|t| t.rank.asc()).limit(3)).await.unwrap();
    let mut feed = world.hub.subscribe(Task::changes()).unwrap();
    world.insert(task(1, 100, "the store waits")).await;
    for rank in 1..50 {
        world.insert(task(1, rank, "x")).await;
    }
    // The hub has read them all, and most did not fit into the tap.
    for _ in 0..50 {
        feed.recv_timeout(Duration::from_secs(100)).unwrap();
    }
    *GATE.is_open.lock().unwrap() = true;
    GATE.changed.notify_all();
    until(&mut views, "all of them", |views| views.len() == 51).await;
    until(&mut window, "the first three", |list| list.iter().map(|task| task.rank).eq(0..3)).await;
    world.insert(task(1, -1, "later")).await;
    until(&mut window, "what comes then", |list| list.iter().map(|task| task.rank).eq(-1..2)).await;
    eventually("they are exact", async || views.status().is_exact() && window.status().is_exact()).await;
}

/// A view whose conversion panics for some tasks.
#[derive(Clone, Debug, PartialEq)]
struct Fragile(i16);
impl From<&Task> for Fragile {
    fn from(task: &Task) -> Self {
        assert!(task.rank < 100, "the test wants this panic");
        Self(task.rank)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_programs_code_ends_the_store_and_hangs_nobody() {
    let mut world = World::new::<Source>().await;
    world.insert(task(1, 1, "a")).await;
    let mut views = world.store.open(Task::live().view::<Fragile>()).await.unwrap();
    world.insert(task(1, 100, "b")).await;
    let ended = loop {
        match tokio::time::timeout(Duration::from_secs(100), views.changed()).await.expect("it ends") {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(ended, Some(Err(LiveError::Stopped { .. }))), "{ended:?}");
    let error = world.store.open(Task::live()).await.unwrap_err();
    assert!(matches!(error, LiveError::Stopped { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_and_comes_back_loses_nothing() {
    if Db::<Conn>::DATABASE == Database::Sqlite || HEARS_SQL {
        return;
    }
    let mut cluster = Cluster::start(Settings::default()).unwrap();
    let url = cluster.url();
    let mut world = World::on_own_server::<evented_live_tests::Log>(|| url).await;
    for rank in 0..30 {
        world.insert(task(1, rank, "x")).await;
    }
    let mut list = world.store.open(Task::live().order(|t| t.rank.asc()).limit(3)).await.unwrap();
    for round in 1..4_i16 {
        cluster.stop(Stop::Immediate).unwrap();
        cluster.start_again().unwrap();
        world.db = world.db.connect().await;
        let gone: Vec<Task> = list.get().iter().map(evented_live::Row::to_record).collect();
        for task in gone {
            world.db.run(task.delete()).await.unwrap();
        }
        until(&mut list, "after the crash", |list| list.first().is_some_and(|task| task.rank == round * 3)).await;
        let query = Task::live().filter(move |t| t.rank.ge(round * 3));
        let all = world.store.open(query).await.unwrap();
        assert_eq!(all.get().len(), 30 - usize::try_from(round).unwrap() * 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_restored_is_read_again() {
    if Db::<Conn>::DATABASE == Database::Postgres {
        return;
    }
    let mut world = World::new::<Source>().await;
    world.insert(task(1, 1, "a")).await;
    let query = || Task::live().filter(|t| t.org_id.eq(1)).order(|t| t.title.asc()).limit(5);
    let mut list = world.store.open(query()).await.unwrap();
    world.insert(task(1, 1, "b")).await;
    until(&mut list, "the second", |list| titles(list) == ["a", "b"]).await;
    // What an older copy of the file has: neither the row nor its event, and the same number for the next event.
    world.db.begin().await;
    for trigger in world.db.texts("SELECT name AS text FROM sqlite_master WHERE type = 'trigger'").await {
        world.db.sql(&format!("DROP TRIGGER {trigger}")).await;
    }
    world.db.sql("DELETE FROM tasks WHERE title = 'b'").await;
    world.db.sql("DELETE FROM tasks_events WHERE position = (SELECT max(position) FROM tasks_events)").await;
    world.db.sql("UPDATE sqlite_sequence SET seq = seq - 1 WHERE name = 'tasks_events'").await;
    world.db.commit().await;
    world.insert(task(1, 1, "c")).await;
    until(&mut list, "the restored file", |list| titles(list) == ["a", "c"]).await;
    world.insert(task(1, 1, "d")).await;
    until(&mut list, "what comes then", |list| titles(list) == ["a", "c", "d"]).await;
    assert!(list.status().is_exact());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_has_its_values_read_again() {
    let mut world = World::new::<Source>().await;
    world.insert(task(1, 1, "a")).await;
    let query = Task::live().filter(|t| t.org_id.eq(1)).order(|t| t.title.asc());
    let mut list = world.store.open(query).await.unwrap();
    world.db.begin().await;
    world.insert(task(1, 1, "b")).await;
    evented_live_tests::write_as_a_newer_program(&mut world.db, "tasks").await;
    world.db.commit().await;
    until(&mut list, "the row of the event", |list| titles(list) == ["a", "b"]).await;
    world.insert(task(1, 1, "c")).await;
    until(&mut list, "what comes then", |list| titles(list) == ["a", "b", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_altered_disturbs_no_value() {
    let mut world = World::new::<Source>().await;
    let lamp = world.insert(task(1, 0, "a")).await;
    let of_org = |org| Task::live().filter(move |t| t.org_id.eq(org)).order(|t| t.title.asc()).limit(3);
    let mut window = world.store.open(of_org(1)).await.unwrap();
    let mut one = world.store.open(Task::live().one(lamp.id)).await.unwrap();
    for round in 0..3 {
        // Also what the statements that are prepared on the connections of the store return is of another type.
        let alter = match (Db::<Conn>::DATABASE, round % 2) {
            (Database::Sqlite, _) => format!("ALTER TABLE tasks ADD extra{round} TEXT NOT NULL DEFAULT 'x'"),
            (Database::Postgres, 0) => format!(
                "ALTER TABLE tasks ADD extra{round} TEXT NOT NULL DEFAULT 'x', ALTER title TYPE VARCHAR(200)"
            ),
            (Database::Postgres, _) => "ALTER TABLE tasks ALTER title TYPE TEXT".to_owned(),
        };
        world.db.sql(&alter).await;
        world.db = world.db.connect().await;
        let mut added = Vec::new();
        for rank in 0..60 {
            added.push(world.insert(task(1, rank, "b")).await);
        }
        until(&mut window, "new rows", |list| titles(list) == ["a", "b", "b"]).await;
        // The window has to read what it does not keep.
        for task in added {
            world.db.run(task.delete()).await.unwrap();
        }
        until(&mut window, "rows that go", |list| titles(list) == ["a"]).await;
        let changes = TaskChanges { rank: Some(round), ..Default::default() };
        world.db.run(lamp.update(changes)).await.unwrap();
        until(&mut one, "an update", |one| one.as_ref().is_some_and(|task| task.rank == round)).await;
        assert!(world.store.open(of_org(i32::from(round) + 7)).await.unwrap().get().is_empty());
    }
    eventually("they are exact", async || window.status().is_exact() && one.status().is_exact()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_restored_is_read_again() {
    if Db::<Conn>::DATABASE == Database::Sqlite || HEARS_SQL {
        return;
    }
    let mut cluster = Cluster::start(Settings::default()).unwrap();
    let url = cluster.url();
    let mut world = World::on_own_server::<evented_live_tests::Log>(|| url).await;
    world.insert(task(1, 1, "a")).await;
    cluster.stop(Stop::Fast).unwrap();
    let (data, backup) = (cluster.dir().join("data"), cluster.dir().join("backup"));
    let copied = Command::new("cp").arg("-a").args([&data, &backup]).status().unwrap();
    assert!(copied.success());
    cluster.start_again().unwrap();
    world.db = world.db.connect().await;

    let query = || Task::live().filter(|t| t.org_id.eq(1)).order(|t| t.title.asc()).limit(5);
    let mut list = world.store.open(query()).await.unwrap();
    world.insert(task(1, 1, "b")).await;
    until(&mut list, "the second", |list| titles(list) == ["a", "b"]).await;

    cluster.stop(Stop::Immediate).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&backup, &data).unwrap();
    cluster.start_again().unwrap();
    world.db = world.db.connect().await;
    world.insert(task(1, 1, "c")).await;
    until(&mut list, "the restored server", |list| titles(list) == ["a", "c"]).await;
    world.insert(task(1, 1, "d")).await;
    until(&mut list, "what comes then", |list| titles(list) == ["a", "c", "d"]).await;
    eventually("it is exact", async || list.status().is_exact()).await;
}
