//! Tests a hub on the write-ahead log: the changes by programs that do not use the library.

use std::time::Duration;

use evented_diesel::{EventedDsl as _, Model};
use evented_feed::{Change, ChangeKind, Feed, Hub, HubError, Interruption, RecvError, StartError};
use evented_test_server::{Cluster, Settings, Stop};
use evented_tests::models::{Item, NewNote, NewPage, Note, Page};
use evented_wal::{Config, Slot, WalError};

use super::proxy::Proxy;
use super::stage::{PUBLICATION, Stage};

const TABLES: &str = include_str!("../../../src/models/postgres.sql");

/// Creates a database with the tables of items and notes, which log whole old rows.
fn stage_on(server: &str) -> Stage {
    let logs = evented_tests::db::logs().up_sql(evented_diesel::migrations::Database::Postgres);
    let whole = "ALTER TABLE items REPLICA IDENTITY FULL; ALTER TABLE notes REPLICA IDENTITY FULL";
    Stage::on(server, &format!("{TABLES}\n{logs}\n{whole}"))
}

pub(crate) fn stage() -> Stage {
    stage_on(&evented_tests::db::postgres_url())
}

pub(crate) async fn next<M: Model>(feed: &mut Feed<M>) -> Option<Result<Change<M>, Interruption>> {
    tokio::time::timeout(Duration::from_secs(60), feed.next()).await.expect("in time")
}

pub(crate) async fn change<M: Model>(feed: &mut Feed<M>) -> Change<M> {
    next(feed).await.expect("a change").expect("no error")
}

#[tokio::test]
async fn plain_sql_is_delivered_with_the_row_before() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    stage.sql("INSERT INTO notes (text) VALUES ('a'); UPDATE notes SET text = 'b'; UPDATE notes SET id = 70");
    stage.sql("BEGIN; SAVEPOINT s; DELETE FROM notes; ROLLBACK TO s; UPDATE notes SET text = 'c'; COMMIT");
    let recorded = stage.run(Note::insert(NewNote { text: "ours".into() }).by("ann")).unwrap();
    stage.sql("DELETE FROM notes WHERE id = 70; TRUNCATE notes CASCADE");

    let delivered = async |feed: &mut Feed<Note>| {
        let change = change(feed).await;
        let text = |note: Option<&Note>| note.map(|note| note.text.clone()).unwrap_or_default();
        (change.kind(), change.key().copied().unwrap_or(0), text(change.before()), text(change.after()))
    };
    use ChangeKind::{Delete, Insert, Truncate, Update};
    let line = |kind, id, before: &str, after: &str| (kind, id, before.to_owned(), after.to_owned());
    assert_eq!(delivered(&mut feed).await, line(Insert, 1, "", "a"));
    assert_eq!(delivered(&mut feed).await, line(Update, 1, "a", "b"));
    // A row with another key is another record.
    assert_eq!(delivered(&mut feed).await, line(Delete, 1, "b", ""));
    let insert = change(&mut feed).await;
    assert_eq!((insert.kind(), insert.key(), insert.event()), (Insert, Some(&70), None));
    let place = insert.transaction();
    assert!(place.index == 3 && place.last && place.commit > 0 && place.id > 0, "{place:?}");
    assert_eq!(delivered(&mut feed).await, line(Update, 70, "b", "c"));
    let ours = change(&mut feed).await;
    assert_eq!(
        (ours.key(), ours.action(), ours.actor().as_deref()),
        (Some(&recorded.id), Some("insert"), Some("ann"))
    );
    assert_eq!(delivered(&mut feed).await, line(Delete, 70, "c", ""));
    assert_eq!(delivered(&mut feed).await, line(Truncate, 0, "", ""));
}

#[tokio::test]
async fn a_table_with_other_columns_is_reported_and_unreadable_values_are_named() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    stage.sql("INSERT INTO notes (text) VALUES ('a')");
    assert_eq!(change(&mut feed).await.kind(), ChangeKind::Insert);
    stage.sql("ALTER TABLE notes ADD COLUMN more int; INSERT INTO notes (text) VALUES ('b')");
    assert_eq!(change(&mut feed).await.kind(), ChangeKind::SchemaChanged);
    assert_eq!(change(&mut feed).await.after().map(|note| note.text.as_str()), Some("b"));
    stage.sql("ALTER TABLE notes RENAME COLUMN text TO words; INSERT INTO notes (words) VALUES ('c')");
    assert_eq!(change(&mut feed).await.kind(), ChangeKind::SchemaChanged);
    let error = next(&mut feed).await.unwrap().unwrap_err();
    assert!(!error.is_final() && error.to_string().contains("`text`"), "{error}");
    stage.sql("ALTER TABLE notes RENAME COLUMN words TO text; INSERT INTO notes (text) VALUES ('d')");
    assert_eq!(change(&mut feed).await.kind(), ChangeKind::SchemaChanged);
    assert_eq!(change(&mut feed).await.after().map(|note| note.text.as_str()), Some("d"));
}

#[tokio::test]
async fn rows_that_become_partial_are_reported() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    stage.sql("INSERT INTO notes (text) VALUES ('a')");
    assert_eq!(change(&mut feed).await.kind(), ChangeKind::Insert);
    stage.sql("ALTER TABLE notes REPLICA IDENTITY DEFAULT; UPDATE notes SET text = 'b'; DELETE FROM notes");
    assert_eq!(change(&mut feed).await.kind(), ChangeKind::SchemaChanged);
    for what in ["the update", "the delete"] {
        let error = next(&mut feed).await.unwrap().expect_err(what);
        assert!(!error.is_final() && error.to_string().contains("REPLICA IDENTITY FULL"), "{what}: {error}");
    }
}

#[tokio::test]
async fn a_key_of_text_is_no_number_and_no_uuid_whatever_its_length() {
    let mut stage = stage();
    stage.sql("ALTER TABLE pages REPLICA IDENTITY FULL");
    let hub = Hub::on_wal::<Page>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Page::changes()).unwrap();
    for path in ["four", "eight888", "sixteen-16161616"] {
        stage.run(Page::insert(NewPage { path: path.into(), title: "T".into() }).by("ann")).unwrap();
        let change = change(&mut feed).await;
        assert_eq!((change.key().map(String::as_str), change.actor().as_deref()), (Some(path), Some("ann")));
    }
}

#[tokio::test]
async fn a_model_that_is_listed_twice_is_delivered_once() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().and::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    stage.sql("INSERT INTO notes (text) VALUES ('a'), ('b')");
    assert_eq!(change(&mut feed).await.key(), Some(&1));
    assert_eq!(change(&mut feed).await.key(), Some(&2));
}

#[tokio::test]
async fn what_a_hub_needs_is_asked_for_by_name() {
    let mut stage = stage();
    stage.sql("ALTER TABLE notes REPLICA IDENTITY DEFAULT");
    let error = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap_err();
    assert!(error.to_string().ends_with("run `ALTER TABLE \"notes\" REPLICA IDENTITY FULL`"), "{error}");
    stage.sql("ALTER TABLE notes REPLICA IDENTITY FULL; CREATE PUBLICATION bare FOR TABLE items");
    let config = Config::from_url(&stage.url, Slot::durable(&stage.name), "bare").unwrap();
    let error = Hub::on_wal::<Note>().spawn(config).await.unwrap_err();
    assert!(matches!(&error, StartError::Wal(WalError::NotPublished { .. })), "{error}");
    assert!(error.to_string().ends_with("run `ALTER PUBLICATION \"bare\" ADD TABLE \"notes\"`"), "{error}");
}

#[tokio::test]
async fn a_resuming_subscriber_gets_the_kept_changes_or_must_refetch() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().and::<Item>().replay_buffer(3).spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    let start = feed.start();
    stage.sql("INSERT INTO notes (text) SELECT n::text FROM generate_series(1, 5) n");
    let mut positions = Vec::new();
    for _ in 0..5 {
        positions.push(change(&mut feed).await.position());
    }
    // Also from a position within a transaction.
    let mut again = hub.subscribe_from(Note::changes(), positions[1].to_string().parse().unwrap()).unwrap();
    for n in 3..=5 {
        assert_eq!(change(&mut again).await.key(), Some(&n));
    }
    stage.sql("UPDATE notes SET text = 'x' WHERE id = 1");
    assert_eq!(change(&mut again).await.kind(), ChangeKind::Update);
    for lost in [start, positions[0]] {
        let mut feed = hub.subscribe_from(Note::changes(), lost).unwrap();
        let end = next(&mut feed).await.unwrap().unwrap_err();
        assert!(matches!(end, Interruption::MustRefetch { .. }), "{end}");
    }
}

#[tokio::test]
async fn a_slot_that_is_lost_ends_the_hub_and_says_so() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    let drop_slot = format!(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = '{0}'; \
         SELECT pg_drop_replication_slot('{0}')",
        stage.name
    );
    stage.sql(&drop_slot);
    let end = next(&mut feed).await.unwrap().unwrap_err();
    assert!(matches!(end, Interruption::MustRefetch { .. }), "{end}");
    assert!(end.to_string().contains("was dropped"), "{end}");
    assert!(next(&mut feed).await.is_none());
    assert!(matches!(hub.subscribe(Note::changes()), Err(HubError::Stopped { reason: Some(_) })));
    assert!(hub.status().error.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_cut_in_half_is_delivered_once() {
    let mut stage = stage();
    let proxy = Proxy::start(&stage.url).await;
    let config =
        Config::from_url(&proxy.through(&stage.url), Slot::durable(&stage.name), PUBLICATION).unwrap();
    let hub =
        Hub::on_wal::<Note>().spawn(config.buffer(4).idle_timeout(Duration::from_secs(5))).await.unwrap();
    const ROWS: i32 = 20_000;
    let mut feed = hub.subscribe_builder(Note::changes()).buffer(ROWS as usize + 1).feed().unwrap();
    stage.sql(&format!("INSERT INTO notes (text) SELECT n::text FROM generate_series(1, {ROWS}) n"));
    for n in 1..=ROWS {
        if n == 3_000 {
            proxy.freeze();
        }
        assert_eq!(change(&mut feed).await.key(), Some(&n));
    }
    let here = stage.run(evented_feed::wal::mark()).unwrap();
    hub.wait_for(here).await.unwrap();
    assert!(matches!(feed.try_recv(), Err(RecvError::Empty)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_crash_under_load_loses_and_repeats_no_change_of_a_hub() {
    let mut cluster = Cluster::start(Settings::default()).unwrap();
    let mut stage = stage_on(&cluster.url());
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe_builder(Note::changes()).buffer(1 << 20).feed().unwrap();
    for round in 0..4 {
        for _ in 0..50 {
            stage.sql("INSERT INTO notes (text) SELECT 'x' FROM generate_series(1, 20)");
        }
        let how = if round % 2 == 0 { Stop::Immediate } else { Stop::Fast };
        cluster = tokio::task::spawn_blocking(move || {
            cluster.stop(how).unwrap();
            cluster.start_again().unwrap();
            cluster
        })
        .await
        .unwrap();
        stage.reconnect();
    }
    let here = stage.run(evented_feed::wal::mark()).unwrap();
    hub.wait_for(here).await.unwrap();
    let mut delivered = Vec::new();
    while let Ok(change) = feed.try_recv() {
        delivered.push(change.key().copied().unwrap().to_string());
    }
    let committed = stage.texts("SELECT id::text AS text FROM notes ORDER BY id");
    assert_eq!(committed.len(), 4_000);
    assert_eq!(delivered, committed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_hub_delivers_missed_changes_to_resuming_subscribers() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    stage.sql("INSERT INTO notes (text) VALUES ('a')");
    let delivered = change(&mut feed).await.position();
    // Writes to other tables also advance the position.
    stage.sql("UPDATE items SET name = name");
    let here = stage.run(evented_feed::wal::mark()).unwrap();
    hub.wait_for(here).await.unwrap();
    let kept = feed.position();
    assert!(kept > delivered && kept.has_reached(here), "{kept} {delivered} {here}");
    hub.stop();
    while hub.status().connected {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stage.sql("INSERT INTO notes (text) VALUES ('b')");

    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut new = hub.subscribe(Note::changes()).unwrap();
    let mut back = hub.subscribe_from(Note::changes(), kept).unwrap();
    stage.sql("INSERT INTO notes (text) VALUES ('c')");
    let text = |change: Change<Note>| change.into_after().unwrap().text;
    assert_eq!(text(change(&mut new).await), "c");
    assert_eq!([text(change(&mut back).await), text(change(&mut back).await)], ["b", "c"]);
}

#[tokio::test]
async fn the_position_of_a_write_in_its_log_is_no_position_in_the_write_ahead_log() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let written = stage.run(Note::insert(NewNote { text: "a".into() }).recorded()).unwrap();
    let refused = hub.wait_for(written.position()).await.unwrap_err();
    assert!(refused.to_string().contains("wal::mark()"), "{refused}");
}
