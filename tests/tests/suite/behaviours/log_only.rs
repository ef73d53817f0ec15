//! Tests models without a table, whose state is only in the log.

use evented_diesel::{Error, EventedDsl as _, batch};
use evented_tests::models::shared::{
    Add, Gauge, NewGauge, NewNick, NewTalk, NewTrack, Nick, Talk, TalkChanges, TalkEvent, Track,
};
use uuid::Uuid;

use super::concurrency::at_once;
use super::fresh;

#[tokio::test]
async fn a_record_is_what_its_log_replays_to() {
    let mut db = fresh().await;
    let talk = db.run(Talk::insert(NewTalk { name: "Talk".into() })).await.unwrap();
    let added = db.run(talk.add(Add(3))).await.unwrap();
    // The caller's copy is old, without effect: each write begins with a replay.
    let changes = TalkChanges { name: Some("Chat".into()), ..Default::default() };
    let renamed = db.run(talk.update(changes)).await.unwrap();
    assert_eq!((renamed.value, renamed.name.as_str()), (3, "Chat"));
    assert_eq!(db.run(Talk::replay(talk.id)).await.unwrap(), Some(renamed.clone()));
    assert_eq!(db.run(Talk::replay(talk.id).at_revision(2)).await.unwrap(), Some(added));
    let events = db.run(Talk::history(&talk)).await.unwrap();
    assert!(matches!(events[1].event.decode().unwrap(), TalkEvent::Add(Add(3))));
    assert_eq!(events[2].changeset.to_string(), "name: \"Talk\" → \"Chat\"");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_changed() {
    let mut db = fresh().await;
    let nobody = evented_diesel::Id::<Talk>::new(Uuid::now_v7());
    assert!(matches!(db.run(Talk::execute_on(nobody, Add(1))).await, Err(Error::NotFound { .. })));
    assert!(matches!(db.run(Talk::delete_by(nobody)).await, Err(Error::NotFound { .. })));
    assert!(matches!(db.run(Talk::savepoint(nobody)).await, Err(Error::NotFound { .. })));
    assert_eq!(db.run(Talk::replay(nobody)).await.unwrap(), None);
    assert_eq!(db.number("SELECT count(*) FROM events").await, 0);
}

#[tokio::test]
async fn its_commands_are_part_of_the_callers_transaction() {
    let mut db = fresh().await;
    let talk = db.run(Talk::insert(NewTalk { name: "Talk".into() })).await.unwrap();
    db.begin().await;
    db.run(talk.add(Add(3))).await.unwrap();
    db.run(Talk::insert(NewTalk { name: "Other".into() })).await.unwrap();
    db.run(talk.delete()).await.unwrap();
    db.rollback().await;
    assert_eq!(db.number("SELECT count(*) FROM events").await, 1);
    assert_eq!(db.run(talk.add(Add(1)).expecting(1)).await.unwrap().value, 1);
}

#[tokio::test]
async fn a_savepoint_that_cannot_be_used_is_passed_over_by_writes_too() {
    let mut db = fresh().await;
    let talk = db.run(Talk::insert(NewTalk { name: "Talk".into() })).await.unwrap();
    db.run(talk.add(Add(3))).await.unwrap();
    db.run(Talk::savepoint(&talk)).await.unwrap();
    let spoil = "UPDATE events SET payload = '{\"name\":\"Talk\",\"value\":99}' WHERE action = 'savepoint'";
    evented_tests::raw::tamper(&mut db, "events", spoil).await;
    assert_eq!(db.run(talk.add(Add(1))).await.unwrap().value, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn many_writers_of_one_record_lose_nothing_and_leave_no_hole() {
    const WRITERS: i64 = 6;
    const WRITES: i64 = 15;
    let mut db = fresh().await;
    let gauge = db.run(Gauge::insert(NewGauge { name: "Gauge".into() })).await.unwrap();
    let track = db.run(Track::insert(NewTrack { name: "Track".into() })).await.unwrap();
    let nick = db.run(Nick::insert(NewNick { id: "nick".into(), name: "Nick".into() })).await.unwrap();
    at_once(&db, WRITERS as usize, |_, mut db| {
        let (gauge, track, nick) = (gauge.clone(), track.clone(), nick.clone());
        async move {
            for n in 0..WRITES {
                db.run(gauge.add(Add(1))).await.unwrap();
                db.run(track.add(Add(1))).await.unwrap();
                match n % 3 {
                    0 => drop(db.run(batch([nick.add(Add(1)), nick.add(Add(1))])).await.unwrap()),
                    1 => drop(db.run(Nick::savepoint(&nick)).await.unwrap()),
                    _ => drop(db.run(nick.add(Add(1))).await.unwrap()),
                }
            }
        }
    })
    .await;
    let all = (WRITERS * WRITES) as i32;
    assert_eq!(db.run(Gauge::replay(gauge.id)).await.unwrap().map(|it| it.value), Some(all));
    assert_eq!(db.run(Track::replay(track.id)).await.unwrap().map(|it| it.value), Some(all));
    assert_eq!(db.run(Nick::replay(nick.id.clone())).await.unwrap().map(|it| it.value), Some(all));
    for log in ["events", "parcel_events", "name_events"] {
        let holes = format!("SELECT count(*) - max(revision) FROM {log}");
        assert_eq!(db.number(&holes).await, 0, "{log}");
    }
    super::hashes::chains_hold(&mut db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn of_many_inserts_of_one_key_one_is_done() {
    let mut db = fresh().await;
    for round in 0..5 {
        let done = at_once(&db, 6, |_, mut db| async move {
            db.run(Nick::insert(NewNick { id: "nick".into(), name: "Nick".into() })).await
        })
        .await;
        let (made, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 1, "round {round}");
        assert!(refused.iter().all(|error| matches!(error, Err(Error::Exists { .. }))), "{refused:?}");
        db.run(Nick::delete_by("nick".to_owned())).await.unwrap();
    }
    assert_eq!(db.number("SELECT count(*) - max(revision) FROM name_events").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn one_command_that_is_run_at_many_places_is_done_once() {
    let mut db = fresh().await;
    let talk = db.run(Talk::insert(NewTalk { name: "Talk".into() })).await.unwrap();
    let id = Uuid::now_v7();
    let done = at_once(&db, 6, |_, mut db| {
        let talk = talk.clone();
        async move { db.run(talk.add(Add(1)).idempotent(id).recorded()).await.unwrap() }
    })
    .await;
    assert!(done.iter().all(|it| *it == done[0]));
    assert_eq!(db.number("SELECT count(*) FROM events").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn batches_in_any_order_do_not_wait_for_each_other() {
    let mut db = fresh().await;
    let talks = db.run(batch((0..8).map(|n| Talk::insert(NewTalk { name: n.to_string() })))).await.unwrap();
    at_once(&db, 4, |writer, mut db| {
        let mut talks = talks.clone();
        if writer % 2 == 0 {
            talks.reverse();
        }
        async move {
            for _ in 0..10 {
                db.run(batch(talks.iter().map(|talk| talk.add(Add(1))))).await.unwrap();
            }
        }
    })
    .await;
    for talk in &talks {
        assert_eq!(db.run(Talk::replay(talk.id)).await.unwrap().map(|it| it.value), Some(40));
    }
}
