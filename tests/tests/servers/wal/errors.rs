//! Tests every permanent failure, and its error.

use std::time::Duration;

use evented_tests::db::postgres_url;
use evented_wal::{Config, Gap, Lsn, Message, Slot, SystemId, Tail, WalError};

use super::resume::received;
use super::stage::{PUBLICATION, Stage, lines, next, transaction};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";
const QUOTED: &str = r#""Published, ""here""""#;

async fn refused(config: Config) -> WalError {
    Tail::open(config).await.unwrap_err()
}

/// Returns the error that ends a tail; skips the messages before it.
async fn end(tail: &mut Tail) -> WalError {
    loop {
        match tokio::time::timeout(Duration::from_secs(60), tail.next()).await.expect("an end") {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(tail.next().await, Err(error.clone()), "it has ended");
                return error;
            }
        }
    }
}

pub(crate) fn terminate(stage: &mut Stage) {
    let name = stage.name.clone();
    stage.sql(&format!(
        "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = '{name}' AND active"
    ));
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let mut stage = Stage::new(TABLE);
    let config = |slot: &str, publication: &str| {
        Config::from_url(&stage.url, Slot::durable(slot), publication).unwrap()
    };
    let error = refused(config("no_slot", PUBLICATION)).await;
    assert_eq!(error, WalError::MissingSlot { slot: "no_slot".into() });
    // A reader with a position must have had a slot.
    let error = refused(config("no_slot", PUBLICATION).from(Some(Lsn(1)))).await;
    assert!(matches!(error, WalError::MustRefetch { reason: Gap::SlotDropped { .. } }), "{error}");
    let error = refused(config(&stage.name, "it's none")).await;
    assert_eq!(error, WalError::MissingPublication { publication: "it's none".into() });

    let other = Stage::new(TABLE);
    let error = refused(config(&other.name, PUBLICATION)).await;
    assert!(
        matches!(&error, WalError::WrongSlot { what: "database", found, .. } if *found == other.name),
        "{error}"
    );
    let name = format!("{}_text", stage.name);
    stage.sql(&format!("SELECT pg_create_logical_replication_slot('{name}', 'test_decoding')"));
    let error = refused(Config::from_url(&stage.url, Slot::durable(&name), PUBLICATION).unwrap()).await;
    assert!(matches!(error, WalError::WrongSlot { what: "plugin", .. }), "{error}");
}

#[tokio::test]
async fn an_error_names_the_missing_privilege_of_a_role() {
    let mut stage = Stage::new(TABLE);
    let role = format!("{}_role", stage.name);
    stage.sql(&format!("CREATE ROLE {role} LOGIN"));
    let url = stage.url.replace("postgres@", &format!("{role}@"));
    let error = refused(Config::from_url(&url, Slot::durable(&stage.name), PUBLICATION).unwrap()).await;
    stage.sql(&format!("DROP ROLE {role}"));
    assert!(matches!(error, WalError::NoReplicationRole { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("ALTER ROLE \"{role}\" REPLICATION")), "{error}");
    let url = stage.url.replace("postgres@", "nobody_of_that_name@");
    let error = refused(Config::from_url(&url, Slot::durable(&stage.name), PUBLICATION).unwrap()).await;
    assert!(matches!(error, WalError::Authentication { .. }), "{error:?}");
}

#[tokio::test]
async fn a_slot_has_one_reader() {
    let stage = Stage::new(TABLE);
    let tail = stage.tail().await;
    let error = refused(stage.config().connect_timeout(Duration::from_secs(2))).await;
    assert_eq!(error, WalError::SlotBusy { slot: stage.name.clone() });
    drop(tail);
    stage.tail().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_given_up() {
    let stage = Stage::new(TABLE);
    let config = Config::from_url("postgres://me@127.0.0.1:1/x", Slot::durable(&stage.name), "p").unwrap();
    let error = refused(config.connect_timeout(Duration::from_millis(300))).await;
    assert!(matches!(error, WalError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_slot_that_is_dropped_under_its_reader_is_a_gap() {
    let mut stage = Stage::new(TABLE);
    let mut tail = stage.tail().await;
    stage.sql("INSERT INTO t VALUES (1)");
    transaction(&mut tail).await;
    let name = stage.name.clone();
    terminate(&mut stage);
    stage.sql(&format!("SELECT pg_drop_replication_slot('{name}')"));
    assert_eq!(end(&mut tail).await, WalError::MustRefetch { reason: Gap::SlotDropped { slot: name } });
}

#[tokio::test]
async fn the_slot_of_a_connection_that_broke_is_a_gap() {
    let mut stage = Stage::new(TABLE);
    let mut tail =
        Tail::open(Config::from_url(&stage.url, Slot::temporary(), PUBLICATION).unwrap()).await.unwrap();
    let database = stage.name.clone();
    stage.sql(&format!(
        "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE temporary AND database = '{database}'"
    ));
    let error = end(&mut tail).await;
    assert!(matches!(error, WalError::MustRefetch { reason: Gap::TemporarySlotGone { .. } }), "{error}");
}

#[tokio::test]
async fn a_publication_that_was_made_again_is_a_gap_and_one_that_was_dropped_is_missing() {
    let mut stage = Stage::new(TABLE);
    stage.sql("INSERT INTO t VALUES (1)");
    stage.sql(&format!("DROP PUBLICATION {QUOTED}"));
    stage.sql("INSERT INTO t VALUES (2)");
    let error = refused(stage.config()).await;
    assert_eq!(error, WalError::MissingPublication { publication: PUBLICATION.into() });
    stage.sql(&format!("CREATE PUBLICATION {QUOTED} FOR TABLE t"));
    let mut tail = stage.tail().await;
    if stage.text("current_setting('server_version_num')::int >= 180000") == "true" {
        // The server reports nothing, and skips the changes that were written while there was no publication.
        stage.sql("INSERT INTO t VALUES (3)");
        for n in ["1", "3"] {
            let delivered = lines(&transaction(&mut tail).await.messages);
            assert!(delivered.last().is_some_and(|line| line.contains(n)), "{delivered:?}");
        }
        return;
    }
    let error = end(&mut tail).await;
    assert_eq!(
        error,
        WalError::MustRefetch { reason: Gap::PublicationYounger { publication: PUBLICATION.into() } }
    );
}

#[tokio::test]
async fn a_publication_that_is_dropped_under_its_reader_is_missing() {
    let mut stage = Stage::new(TABLE);
    let mut tail = stage.tail().await;
    stage.sql("INSERT INTO t VALUES (1)");
    transaction(&mut tail).await;
    stage.sql(&format!("DROP PUBLICATION {QUOTED}"));
    stage.sql("INSERT INTO t VALUES (2)");
    assert_eq!(end(&mut tail).await, WalError::MissingPublication { publication: PUBLICATION.into() });
}

#[tokio::test]
async fn another_server_or_one_that_went_back_in_time_is_a_gap() {
    let stage = Stage::new(TABLE);
    let tail = stage.tail().await;
    let system = tail.system().clone();
    drop(tail);
    let tail = Tail::open(stage.config().system(Some(system.clone()))).await.unwrap();
    assert_eq!(*tail.system(), system);
    drop(tail);
    for expected in [
        SystemId { id: "7".into(), timeline: system.timeline },
        SystemId { id: system.id.clone(), timeline: system.timeline + 1 },
    ] {
        let error = refused(stage.config().system(Some(expected.clone()))).await;
        let reason = Gap::OtherSystem { expected, found: system.clone() };
        assert_eq!(error, WalError::MustRefetch { reason });
    }
    let error = refused(stage.config().from(Some(Lsn(u64::MAX)))).await;
    assert!(matches!(error, WalError::MustRefetch { reason: Gap::Ahead { .. } }), "{error}");
}

#[tokio::test]
async fn a_row_that_is_too_large_is_refused() {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY, x text)");
    let mut tail = Tail::open(stage.config().max_message(10_000)).await.unwrap();
    stage.sql("INSERT INTO t VALUES (1, repeat('x', 20000))");
    let error = end(&mut tail).await;
    assert!(matches!(error, WalError::TooLarge { limit: 10_000, .. }), "{error}");
}

#[tokio::test]
async fn a_network_that_falls_silent_is_noticed_and_nothing_is_lost() {
    let mut stage = Stage::new(TABLE);
    let proxy = super::proxy::Proxy::start(&postgres_url()).await;
    let url = proxy.through(&stage.url);
    let config = Config::from_url(&url, Slot::durable(&stage.name), PUBLICATION).unwrap();
    let mut tail = Tail::open(config.idle_timeout(Duration::from_secs(5))).await.unwrap();
    stage.sql("INSERT INTO t VALUES (1)");
    let end = transaction(&mut tail).await.end;
    tail.confirm(end);
    received(&mut stage, &mut tail, end).await;
    // An idle connection stays alive, because the server sends keep-alives.
    let quiet = tokio::time::timeout(Duration::from_secs(11), async {
        loop {
            match next(&mut tail).await {
                Message::Idle { .. } => {}
                message => return message,
            }
        }
    });
    assert!(quiet.await.is_err());
    // On a machine that stalls for seconds, the server may have been late once.
    let before = tail.status().reconnects;
    assert!(before <= 1, "{before}");
    proxy.freeze();
    stage.sql("INSERT INTO t VALUES (2)");
    let second = transaction(&mut tail).await;
    assert_eq!(second.messages.len(), 1);
    assert_eq!(tail.status().reconnects, before + 1);
}
