//! What workers report to `metrics`.

use std::time::{Duration, Instant};

use evented_diesel::migrations::Database;
use evented_diesel::prelude::*;
use evented_react::{From, Worker, pause, register};
use evented_react_tests::{Comment, Kit, NewComment, eventually, fresh, tables};
use evented_test_server::{Cluster, Settings};
use evented_tests::db::Db;
use uuid::Uuid;

use super::Conn;
use crate::recorder::{counter, gauge, start};

async fn write(db: &mut Db<Conn>, texts: &[&str]) {
    for text in texts {
        db.run(Comment::insert(NewComment { post_id: 1, text: (*text).to_owned() })).await.unwrap();
    }
}

async fn until(reached: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(200);
    while !reached() {
        assert!(Instant::now() < deadline, "the worker has not reported it within 200 seconds");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_counted_and_the_lag_is_reported() {
    start();
    let mut db = fresh::<Conn>().await;
    // Tests of this process share the recorder.
    let (busy, idle) = (format!("busy {}", Uuid::now_v7()), format!("idle {}", Uuid::now_v7()));
    let recorder = |name: &str| Conn::recorder(name).from(From::Beginning);
    write(&mut db, &["a", "dead", "c"]).await;
    let worker = Conn::start(Worker::new().subscribe(recorder(&busy)), &db.url).await;
    let seen = format!("SELECT count(*) FROM seen WHERE subscriber = '{busy}'");
    eventually(&mut db, &seen, 2).await;
    eventually(&mut db, "SELECT count(*) FROM evented_deferred", 1).await;
    let of = |name: &str, subscriber: &str| format!("{name} subscriber={subscriber}");
    until(|| counter(&of("evented_react_handled_total", &busy)) == 2).await;
    until(|| counter(&of("evented_react_dead_total", &busy)) == 1).await;
    worker.stop().await;
    // A worker reports when it begins.
    db.run(register(&recorder(&idle))).await.unwrap().unwrap();
    db.run(pause(&idle)).await.unwrap();
    let worker = Worker::new().subscribe(recorder(&idle)).subscribe(recorder(&busy));
    let worker = Conn::start(worker, &db.url).await;
    let of_log = |name: &str, subscriber: &str| format!("{} log=comments_events", of(name, subscriber));
    until(|| gauge(&of_log("evented_react_lag_events", &idle)) >= 3.0).await;
    until(|| gauge(&of("evented_react_set_aside", &busy)) >= 1.0).await;
    until(|| gauge(&of("evented_react_dead", &busy)) >= 1.0).await;
    assert!(gauge(&of_log("evented_react_lag_seconds", &idle)) > 0.0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_delays_the_reading_is_named() {
    start();
    if Db::<Conn>::DATABASE == Database::Sqlite {
        // Readers wait for nobody.
        return;
    }
    // A server of its own: the oldest transaction holds up the readers of all databases.
    let cluster = Cluster::start(Settings::default()).unwrap();
    let mut db = Db::<Conn>::on(|| cluster.url()).await;
    db.sql(&tables(Db::<Conn>::DATABASE)).await;
    let mut holder = db.connect().await;
    let name = format!("holder {}", Uuid::now_v7().simple());
    holder.sql(&format!("SET application_name = '{}'", &name[..30])).await;
    holder.begin().await;
    write(&mut holder, &["a"]).await;
    let audit = Conn::recorder("audit").from(From::Beginning);
    let worker = Conn::start(Worker::new().subscribe(audit), &db.url).await;
    let user = db.texts("SELECT current_user::text AS text").await.remove(0);
    let delay = format!("evented_react_delay_seconds holder={user} {}", &name[..30]);
    until(|| gauge(&delay) > 0.0).await;
    holder.rollback().await;
    worker.stop().await;
}
