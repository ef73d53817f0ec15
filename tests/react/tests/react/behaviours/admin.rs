//! The admin command about subscribers.

use std::process::Command;

use evented_diesel::prelude::*;
use evented_react::{ChannelExt as _, From, Retry, Subscriber};
use evented_react_tests::{Comment, Kit, NewComment, Record, fresh};

use super::Conn;

/// Runs the command, and returns its exit code and what it printed.
fn run(url: &str, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evented-react-admin"));
    let output = command.env("DATABASE_URL", url).args(arguments).output().unwrap();
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
