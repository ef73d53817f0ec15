//! Tests tables that are renamed, replaced or no longer published while they are read: the reader ends with an error
//! that says so, and nothing is left out in silence.

use std::time::Duration;

use evented_diesel::EventedDsl as _;
use evented_feed::wal;
use evented_feed::{Feed, Hub, Interruption};
use evented_tests::models::Note;
use evented_wal::{Gap, Message, RequiredTable, Tail, WalError};

use super::errors::terminate;
use super::hub::{change, next, stage};
use super::stage::{PUBLICATION, Stage, transaction};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";
const QUOTED: &str = r#""Published, ""here""""#;

/// Opens a tail that requires the table `t`, and reads a first change.
async fn tail(stage: &mut Stage) -> Tail {
    let mut tail = Tail::open(stage.config().require(RequiredTable::new("t"))).await.unwrap();
    let found = tail.table(&"t".into()).unwrap();
    assert_eq!(found.to_string(), "public.t");
    stage.sql("INSERT INTO t VALUES (0)");
    transaction(&mut tail).await;
    tail
}

/// Returns why changes are missing, by the error that ends a tail. No change comes before it.
async fn gap(tail: &mut Tail) -> Gap {
    loop {
        match tokio::time::timeout(Duration::from_secs(60), tail.next()).await.expect("an end") {
            Ok(Message::Begin { .. } | Message::Idle { .. } | Message::Restarted) => {}
            Ok(other) => panic!("{other:?}"),
            Err(WalError::MustRefetch { reason }) => return reason,
            Err(other) => panic!("{other}"),
        }
    }
}

async fn interrupted(feed: &mut Feed<Note>) -> String {
    match next(feed).await.unwrap() {
        Err(end @ Interruption::MustRefetch { .. }) => end.to_string(),
        other => panic!("{other:?}"),
    }
}

fn replaced() -> Gap {
    Gap::TableReplaced { table: "public.t".into() }
}

fn altered() -> Gap {
    Gap::PublicationAltered { publication: PUBLICATION.into(), table: "public.t".into() }
}

#[tokio::test]
async fn the_next_change_of_a_renamed_table_ends_the_reader() {
    for (rename, found) in [
        ("ALTER TABLE t RENAME TO u", "public.u"),
        ("CREATE SCHEMA old; ALTER TABLE t SET SCHEMA old", "old.t"),
    ] {
        let mut stage = Stage::new(TABLE);
        let mut tail = tail(&mut stage).await;
        stage.sql(rename);
        stage.sql(&format!("INSERT INTO {found} VALUES (1)"));
        let renamed = Gap::TableRenamed { table: "public.t".into(), found: found.into() };
        // The check that runs every ten seconds may come before the change.
        let gap = gap(&mut tail).await;
        assert!(gap == renamed || gap == replaced(), "{gap}");
    }
}

#[tokio::test]
async fn the_next_change_of_a_table_that_took_the_name_ends_the_reader() {
    let mut stage = Stage::new(TABLE);
    let mut tail = tail(&mut stage).await;
    stage.sql("ALTER TABLE t RENAME TO u; CREATE TABLE t (id int PRIMARY KEY)");
    stage.sql(&format!("ALTER PUBLICATION {QUOTED} ADD TABLE t; INSERT INTO t VALUES (1)"));
    assert_eq!(gap(&mut tail).await, replaced());
}

#[tokio::test]
async fn a_table_that_is_no_longer_published_ends_the_reader() {
    let mut tails = Vec::new();
    for (alter, expected) in [
        (format!("ALTER PUBLICATION {QUOTED} DROP TABLE t"), altered()),
        (format!("ALTER PUBLICATION {QUOTED} SET (publish = 'insert')"), altered()),
        (format!("ALTER PUBLICATION {QUOTED} SET TABLE t WHERE (id > 7)"), altered()),
        // The changes of another table of the same name are not published.
        ("ALTER TABLE t RENAME TO u; CREATE TABLE t (id int PRIMARY KEY)".to_owned(), replaced()),
        ("DROP TABLE t".to_owned(), replaced()),
    ] {
        let mut stage = Stage::new(TABLE);
        let tail = tail(&mut stage).await;
        // No further change comes, and no connection breaks.
        stage.sql(&alter);
        tails.push((stage, tail, alter, expected));
    }
    for (_stage, mut tail, alter, expected) in tails {
        assert_eq!(gap(&mut tail).await, expected, "{alter}");
    }
}

#[tokio::test]
async fn a_publication_that_was_altered_back_is_noticed() {
    for (alter, back) in [
        ("DROP TABLE t", "ADD TABLE t"),
        ("SET TABLE t WHERE (id > 7)", "SET TABLE t"),
        ("SET (publish = 'delete')", "SET (publish = 'insert, update, delete, truncate')"),
    ] {
        let mut stage = Stage::new(TABLE);
        let mut tail = tail(&mut stage).await;
        stage.sql(&format!("ALTER PUBLICATION {QUOTED} {alter}"));
        stage.sql("INSERT INTO t VALUES (1)");
        stage.sql(&format!("ALTER PUBLICATION {QUOTED} {back}"));
        terminate(&mut stage);
        stage.sql("INSERT INTO t VALUES (2)");
        assert_eq!(gap(&mut tail).await, altered(), "{alter}");
    }
}

#[tokio::test]
async fn tables_that_are_published_in_addition_disturb_no_reader() {
    let mut stage = Stage::new(TABLE);
    let mut tail = tail(&mut stage).await;
    stage.sql(&format!("CREATE TABLE u (id int PRIMARY KEY); ALTER PUBLICATION {QUOTED} ADD TABLE u"));
    terminate(&mut stage);
    stage.sql("INSERT INTO u VALUES (1)");
    assert_eq!(transaction(&mut tail).await.messages.len(), 2);
    assert_eq!(tail.status().reconnects, 1);
}

#[tokio::test]
async fn a_mark_is_not_reached_after_the_table_was_not_published() {
    for alter in [
        format!("ALTER PUBLICATION {QUOTED} DROP TABLE notes"),
        format!("ALTER PUBLICATION {QUOTED} SET TABLE notes WHERE (id > 7)"),
        format!("ALTER PUBLICATION {QUOTED} DROP TABLE notes; ALTER PUBLICATION {QUOTED} ADD TABLE notes"),
        "ALTER TABLE notes RENAME TO memos; CREATE TABLE notes (id int PRIMARY KEY)".to_owned(),
        "DROP TABLE notes CASCADE".to_owned(),
    ] {
        let mut stage = stage();
        let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
        let before = stage.run(wal::mark()).unwrap();
        hub.wait_for(before).await.unwrap();
        stage.sql(&alter);
        let after = stage.run(wal::mark()).unwrap();
        let error = hub.wait_for(after).await.expect_err(&alter);
        assert!(error.to_string().contains("public.notes"), "{alter}: {error}");
    }
}

#[tokio::test]
async fn a_mark_is_reached_after_another_table_was_published() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    for table in ["u", "v"] {
        stage.sql(&format!("CREATE TABLE {table} (id int); ALTER PUBLICATION {QUOTED} ADD TABLE {table}"));
        stage.sql("INSERT INTO notes (text) VALUES ('a')");
        let here = stage.run(wal::mark()).unwrap();
        hub.wait_for(here).await.unwrap();
        assert!(feed.try_recv().is_ok());
    }
}

#[tokio::test]
async fn a_hub_whose_table_is_renamed_ends_and_continues_after_it_is_renamed_back() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    stage.sql("INSERT INTO notes (text) VALUES ('a')");
    let first = change(&mut feed).await.position();
    stage.sql("ALTER TABLE notes RENAME TO memos; INSERT INTO memos (text) VALUES ('b')");
    let end = interrupted(&mut feed).await;
    assert!(end.contains("the table public.notes was "), "{end}");
    assert!(next(&mut feed).await.is_none());
    assert!(hub.status().error.is_some());

    // The change under the other name is a change of the same table.
    stage.sql("ALTER TABLE memos RENAME TO notes; INSERT INTO notes (text) VALUES ('c')");
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe_from(Note::changes(), first).unwrap();
    for text in ["b", "c"] {
        assert_eq!(change(&mut feed).await.after().map(|note| note.text.as_str()), Some(text));
    }
}
