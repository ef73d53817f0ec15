//! The admin command about subscribers, derived tables, domain events and schedules.

use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use evented_diesel::prelude::*;
use evented_diesel::publish_all;
use evented_react::{
    ChannelExt as _, DomainEventExt as _, From, Retry, Schedule, Subscriber, Worker, register, schedules,
};
use evented_react_tests::{
    Comment, Kit, NewComment, NewPost, Post, Record, Reported, WRONG_COUNTS, fresh, post_counts,
};
use serde_json::{Value, json};

use super::Conn;

/// Runs the command on the connection of this setting, and returns its exit code and what it printed.
fn run(url: &str, arguments: &[&str]) -> (i32, String) {
    let setting = module_path!().split("::").nth(1).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_evented-react-admin"));
    command.env("EVENTED_TEST_SETTING", setting).env("DATABASE_URL", url);
    let output = command.args(arguments).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(printed).unwrap())
}

#[tokio::test]
async fn an_operator_sees_and_decides() {
    let mut db = fresh::<Conn>().await;
    let audit = Subscriber::<Conn>::new("audit")
        .on(Comment::changes().key(|change| change.after().map(|comment| comment.post_id)), Record)
        .from(From::Beginning)
        .retry(Retry::NEVER);
    for (post_id, text) in [(1, "dead"), (1, "behind"), (2, "retry"), (3, "fine")] {
        db.run(Comment::insert(NewComment { post_id, text: text.to_owned() })).await.unwrap();
    }
    db.conn.drain_tolerant(&audit).await.unwrap();
    let url = db.url.clone();
    let admin = |arguments: &[&str]| run(&url, arguments);

    let (code, printed) = admin(&["subscribers"]);
    assert!(code == 1 && printed.contains("audit"), "{code}: {printed}");
    let (code, printed) = admin(&["subscribers", "--json"]);
    assert!(code == 1 && printed.contains("\"dead\":2"), "{code}: {printed}");
    let (code, printed) = admin(&["subscriber", "lag", "audit", "--json"]);
    assert!(code == 0 && printed.contains("\"events\":0"), "{code}: {printed}");
    let (code, printed) = admin(&["subscriber", "aside", "audit"]);
    assert!(code == 0 && printed.contains("it is dead") && printed.contains("behind"), "{code}: {printed}");
    let (code, printed) = admin(&["subscriber", "skip", "audit", "--key", "1"]);
    assert!(code == 0 && printed.contains("1 delivery"), "{code}: {printed}");
    let (code, printed) = admin(&["subscriber", "retry", "audit", "--all"]);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(db.conn.drain_tolerant(&audit).await.unwrap().handled, 1);
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE text = 'behind'").await, 1);

    let (code, text) = admin(&["subscriber", "resize", "audit", "3"]);
    assert_eq!((code, text.trim()), (0, "audit: 3 parts"));
    assert_eq!(db.number("SELECT parts FROM evented_subscribers").await, 3);
    assert_eq!(admin(&["subscriber", "resize", "audit", "0"]).0, 2);
    assert_eq!(admin(&["subscriber", "resize", "nobody", "3"]).0, 2);

    let (code, text) = admin(&["subscriber", "adopt", "audit", "--skip-pending"]);
    assert_eq!((code, text.trim()), (0, "audit: runs in this database; what was pending is skipped"));
    let (code, text) = admin(&["subscriber", "adopt", "audit", "--json"]);
    let adopted = json!({"subscriber": "audit", "adopted": true, "skipped_pending": false});
    assert_eq!((code, serde_json::from_str::<Value>(&text).unwrap()), (0, adopted));
    assert_eq!(admin(&["subscriber", "adopt", "nobody"]).0, 2);
    let (code, _) = admin(&["subscriber", "pause", "audit"]);
    assert_eq!((code, db.number("SELECT CAST(paused AS BIGINT) FROM evented_subscribers").await), (0, 1));
    let (code, _) = admin(&["subscriber", "resume", "audit"]);
    assert_eq!((code, db.number("SELECT CAST(paused AS BIGINT) FROM evented_subscribers").await), (0, 0));
    let (code, printed) = admin(&["subscriber", "lag", "adit"]);
    assert!(code == 2 && printed.contains("`adit`") && printed.contains("audit"), "{code}: {printed}");
    let (code, printed) = admin(&["subscriber", "unsubscribe", "audit"]);
    assert!(code == 2 && printed.contains("--yes"), "{code}: {printed}");
    let (code, printed) = admin(&["subscriber", "unsubscribe", "audit", "--yes"]);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(db.number("SELECT count(*) FROM evented_subscribers").await, 0);
    let (code, printed) = admin(&["migrations", "status"]);
    assert!(code == 0 && printed.contains("evented_subscribers"), "{code}: {printed}");
}

/// Runs the command with `--json`, and returns its exit code and the JSON document.
fn document(url: &str, arguments: &[&str]) -> (i32, Value) {
    let (code, printed) = run(url, &[arguments, &["--json"]].concat());
    (code, serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}")))
}

/// Damages a derived table of three posts: a row that differs, one that is missing, and one that is extra.
const DAMAGE: &str = "UPDATE post_counts SET comments = 9 WHERE title = 'a'; DELETE FROM post_counts WHERE title = 'b'; \
                      INSERT INTO post_counts VALUES (99, 'z', 1)";

#[tokio::test]
async fn a_damaged_table_is_found_and_rebuilt() {
    let mut db = fresh::<Conn>().await;
    for title in ["a", "b", "c"] {
        db.run(Post::insert(NewPost { title: title.to_owned() })).await.unwrap();
    }
    db.conn.drain(&post_counts()).await.unwrap();
    let url = db.url.clone();
    let (code, printed) = run(&url, &["projection", "verify", "post_counts"]);
    let well = "post_counts: every row is what its SELECT returns, 0 events not handled yet\n";
    assert_eq!((code, printed.as_str()), (0, well));

    db.sql(DAMAGE).await;
    let (code, printed) = run(&url, &["projection", "verify", "post_counts"]);
    let lists = |key: &str, kind: &str| {
        printed.lines().any(|line| line.split_whitespace().eq([key, kind]))
    };
    let listed = lists("1", "differs") && lists("2", "missing") && lists("99", "extra");
    assert!(code == 1 && listed, "{code}: {printed}");
    assert!(printed.ends_with("post_counts: 3 rows differ, 0 events not handled yet\n"), "{printed}");
    let (code, printed) = run(&url, &["projection", "rebuild", "post_counts"]);
    assert_eq!((code, printed.as_str()), (0, "post_counts: 2 rows written, 1 deleted\n"));
    assert_eq!(db.number(WRONG_COUNTS).await, 0);
    let (code, printed) = run(&url, &["projection", "verify", "post_counts"]);
    assert_eq!((code, printed.as_str()), (0, well));
    let (code, printed) = run(&url, &["projection", "rebuild", "post_counts"]);
    assert_eq!((code, printed.as_str()), (0, "post_counts: every row was what its SELECT returns\n"));
}

#[tokio::test]
async fn scripts_read_what_differs_and_what_a_rebuild_wrote() {
    let mut db = fresh::<Conn>().await;
    for title in ["a", "b", "c"] {
        db.run(Post::insert(NewPost { title: title.to_owned() })).await.unwrap();
    }
    db.conn.drain(&post_counts()).await.unwrap();
    db.sql(DAMAGE).await;
    db.run(Post::insert(NewPost { title: "d".to_owned() })).await.unwrap();
    let url = db.url.clone();
    let (code, mut found) = document(&url, &["projection", "verify", "post_counts"]);
    found["rows"].as_array_mut().unwrap().sort_by_key(|row| row["key"].as_str().unwrap().to_owned());
    let rows = json!([
        { "key": "1", "kind": "differs" },
        { "key": "2", "kind": "missing" },
        { "key": "4", "kind": "missing" },
        { "key": "99", "kind": "extra" },
    ]);
    let expected = json!({ "projection": "post_counts", "rows": rows, "complete": true, "unhandled": 1 });
    assert_eq!((code, found), (1, expected));
    let (_, printed) = run(&url, &["projection", "verify", "post_counts"]);
    assert!(printed.ends_with("1 event not handled yet; rows may differ because of them\n"), "{printed}");
    let (code, done) = document(&url, &["projection", "rebuild", "post_counts"]);
    assert_eq!((code, done), (0, json!({ "projection": "post_counts", "written": 3, "deleted": 1 })));
    let (code, found) = document(&url, &["projection", "verify", "post_counts"]);
    let expected = json!({ "projection": "post_counts", "rows": [], "complete": true, "unhandled": 1 });
    assert_eq!((code, found), (0, expected));
}

#[tokio::test]
async fn what_is_no_projection_is_refused() {
    let db = fresh::<Conn>().await;
    for command in ["verify", "rebuild"] {
        let (code, printed) = run(&db.url, &["projection", command, "post_count"]);
        let unknown = "error: there is no projection `post_count`; this program knows post_counts, recorder\n";
        assert_eq!((code, printed.as_str()), (2, unknown));
        let (code, printed) = document(&db.url, &["projection", command, "recorder"]);
        let none = "subscriber `recorder`: it is a subscriber with handlers, and keeps no derived table";
        assert_eq!((code, printed), (2, json!({ "error": none })));
    }
}

#[tokio::test]
async fn old_events_are_removed_and_the_slowest_subscriber_is_named() {
    let mut db = fresh::<Conn>().await;
    let report = |comment: i32| Reported { comment, reason: "x".to_owned() };
    let reports = Conn::of_reports("reports", Reported::events()).from(From::Beginning);
    db.run(register(&reports)).await.unwrap().unwrap();
    db.run(publish_all([report(1), report(2), report(3)])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let url = db.url.clone();
    let prune = ["bus", "prune", "domain_events", "--older-than"];
    let (code, printed) = run(&url, &[&prune[..], &["0s"]].concat());
    let held = "domain_events: 0 events removed; the subscriber reports has not handled all older events\n";
    assert_eq!((code, printed.as_str()), (1, held));
    let (code, found) = document(&url, &[&prune[..], &["0s"]].concat());
    assert_eq!((code, found), (1, json!({ "bus": "domain_events", "removed": 0, "held_by": "reports" })));
    let (code, printed) = run(&url, &[&prune[..], &["12h"]].concat());
    assert_eq!((code, printed.as_str()), (0, "domain_events: 0 events removed\n"));

    // The event at a cursor stays.
    db.conn.drain(&reports).await.unwrap();
    let (code, printed) = run(&url, &[&prune[..], &["0"]].concat());
    assert!(code == 0 && printed.ends_with(" removed\n"), "{code}: {printed}");
    let left = db.number("SELECT count(*) FROM domain_events").await;
    assert!(left < 3, "{left} are left");
    let (code, found) = document(&url, &[&prune[..], &["36500d"]].concat());
    assert_eq!((code, found), (0, json!({ "bus": "domain_events", "removed": 0, "held_by": null })));
}

#[tokio::test]
async fn a_bus_and_a_duration_must_be_right() {
    let db = fresh::<Conn>().await;
    let (code, printed) = run(&db.url, &["bus", "prune", "domain_event", "--older-than", "30d"]);
    let unknown = "error: there is no bus `domain_event`; this program knows domain_events\n";
    assert_eq!((code, printed.as_str()), (2, unknown));
    for duration in ["30w", "-1d", "36501d", ""] {
        let (code, printed) = document(&db.url, &["bus", "prune", "domain_events", "--older-than", duration]);
        assert!(code == 2 && printed["error"].as_str().unwrap().contains("--older-than"), "{code}: {printed}");
    }
    let (code, printed) = run(&db.url, &["bus", "prune", "domain_events"]);
    assert!(code == 2 && printed.contains("--older-than"), "{code}: {printed}");
}

#[tokio::test]
async fn an_operator_publishes_an_event_once() {
    let mut db = fresh::<Conn>().await;
    let url = db.url.clone();
    let publish = ["publish", "reported", r#"{"comment":7,"reason":"spam"}"#, "--by", "ops", "--unique", "spam:7"];
    let (code, first) = document(&url, &publish);
    let id = first["id"].as_str().unwrap_or_else(|| panic!("{code}: {first}"));
    assert_eq!((code, &first), (0, &json!({ "event": "reported", "id": id, "duplicate": false })));
    let (code, again) = document(&url, &publish);
    assert_eq!((code, again), (0, json!({ "event": "reported", "id": id, "duplicate": true })));
    let (code, printed) = run(&url, &publish);
    let duplicate = format!("reported: a duplicate of the event with the id {id}, nothing published\n");
    assert_eq!((code, printed), (0, duplicate));
    let stored = db.texts("SELECT record_id || ' ' || CAST(meta AS TEXT) AS text FROM domain_events").await;
    assert!(stored.len() == 1 && stored[0].contains("n:7") && stored[0].contains("ops"), "{stored:?}");

    let (code, printed) = run(&url, &["publish", "domain_events.reported", r#"{"comment":8,"reason":"x"}"#]);
    assert!(code == 0 && printed.starts_with("reported: published with the id "), "{code}: {printed}");
    let reports = Conn::of_reports("reports", Reported::events()).from(From::Beginning);
    assert_eq!(db.conn.drain(&reports).await.unwrap().handled, 2);
}

#[tokio::test]
async fn what_is_no_event_is_not_published() {
    let mut db = fresh::<Conn>().await;
    let (code, printed) = run(&db.url, &["publish", "reprted", "{}"]);
    let unknown = "error: there is no event `reprted`; this program knows reported\n";
    assert_eq!((code, printed.as_str()), (2, unknown));
    let (code, printed) = document(&db.url, &["publish", "reported", r#"{"comment":7}"#]);
    let reason = "the JSON is not a valid event `reported`: missing field `reason` at line 1 column 13";
    assert_eq!((code, printed), (2, json!({ "error": reason })));
    // The JSON is read before the command connects.
    let (code, printed) = run("/no/such.db", &["publish", "reported", "-7"]);
    assert!(code == 2 && printed.contains("not a valid event `reported`"), "{code}: {printed}");
    assert_eq!(db.number("SELECT count(*) FROM domain_events").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_listed_and_removed() {
    let mut db = fresh::<Conn>().await;
    let url = db.url.clone();
    let (code, printed) = run(&url, &["schedules"]);
    assert_eq!((code, printed.as_str()), (0, "no schedule is registered\n"));
    let (code, printed) = run(&url, &["schedule", "remove", "daily"]);
    let none = "error: there is no schedule `daily`: this database has none\n";
    assert_eq!((code, printed.as_str()), (2, none));

    // At a time that is not near, so that no event is due during the test.
    let cron = (Utc::now() + TimeDelta::hours(12)).format("0 %H * * *").to_string();
    let event = |_: DateTime<Utc>| Reported { comment: 1, reason: "daily".to_owned() };
    let daily = Schedule::cron("daily", &cron, event).unwrap();
    Conn::start(Worker::new().schedule(daily), &url).await.stop().await;
    let listed = db.run(schedules()).await.unwrap();
    let due = listed[0].next_due.unwrap();
    let (code, printed) = run(&url, &["schedules"]);
    let shown = due.format("%Y-%m-%d %H:%M:%S").to_string();
    let shows_all = ["daily", &cron, "UTC", &shown, "never"].iter().all(|part| printed.contains(part));
    assert!(code == 0 && shows_all, "{code}: {printed}");
    let (code, found) = document(&url, &["schedules"]);
    let due = due.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let daily = json!({
        "name": "daily", "version": listed[0].version, "cron": cron, "zone": "UTC", "next_due": due, "last_due": null,
    });
    assert_eq!((code, found), (0, json!({ "schedules": [daily] })));

    let (code, printed) = document(&url, &["schedule", "remove", "dayly"]);
    let unknown = "there is no schedule `dayly`; this database has daily";
    assert_eq!((code, printed), (2, json!({ "error": unknown })));
    let (code, removed) = document(&url, &["schedule", "remove", "daily"]);
    assert_eq!((code, removed), (0, json!({ "schedule": "daily", "removed": true })));
    assert_eq!(db.run(schedules()).await.unwrap(), []);
}
