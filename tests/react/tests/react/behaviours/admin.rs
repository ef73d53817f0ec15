//! The admin command about subscribers and derived tables.

use std::process::Command;

use evented_diesel::prelude::*;
use evented_react::{ChannelExt as _, From, Retry, Subscriber};
use evented_react_tests::{
    Comment, Kit, NewComment, NewPost, Post, Record, WRONG_COUNTS, fresh, post_counts,
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
