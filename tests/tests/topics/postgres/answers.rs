//! Tests writes whose answer cannot be read.

use std::sync::atomic::Ordering;

use evented_diesel::{Error, EventedDsl as _};
use evented_tests::models::{AddValue, Item, NewItem};

use super::Db;
use crate::postgres::cut::Proxy;

fn lamp() -> NewItem {
    NewItem { org_id: evented_diesel::Id::new(uuid::Uuid::now_v7()), name: "Lamp".into(), value: 1, note: None }
}

/// Makes each row that is written unreadable: chrono has no infinity.
async fn spoil(db: &mut Db) {
    db.sql(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN NEW.archived_at = 'infinity'; RETURN NEW; END $$; \
         CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION spoil()",
    )
    .await;
}

#[tokio::test]
async fn an_error_after_the_commit_says_that_the_command_was_carried_out() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    spoil(&mut db).await;
    for command in [Item::insert(lamp()), item.add_value(AddValue(1))] {
        let before = db.number("SELECT count(*) FROM items_events").await;
        let error = db.run(command).await.unwrap_err();
        assert!(matches!(error, Error::AnswerLost { written: true, .. }), "{error}");
        assert!(error.to_string().contains("the command was carried out"), "{error}");
        assert_eq!(db.number("SELECT count(*) FROM items_events").await, before + 1);
    }
}

#[tokio::test]
async fn an_error_within_a_transaction_of_the_library_writes_nothing() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    spoil(&mut db).await;
    let error = db.run(evented_diesel::batch([item.add_value(AddValue(1))])).await.unwrap_err();
    assert!(!matches!(error, Error::AnswerLost { .. }), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
}

/// Whichever answer of the server is lost: if the event was written, the error says that it may be; and the command is
/// run again by its id, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_answer_is_lost_is_run_again_by_its_id() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let proxy = Proxy::before(&db.url);
    let mut writers = db.connect().await;
    writers.url = proxy.url.clone();
    for command in [Item::insert(lamp()), item.add_value(AddValue(1))] {
        let mut lost_after_the_write = 0;
        for answer in 1.. {
            let command = command.clone().idempotent(uuid::Uuid::now_v7());
            let mut writer = writers.connect().await;
            let before = db.number("SELECT count(*) FROM items_events").await;
            proxy.swallow.store(answer, Ordering::SeqCst);
            let done = writer.run(command.clone()).await;
            let left = proxy.swallow.swap(0, Ordering::SeqCst);
            let written = db.number("SELECT count(*) FROM items_events").await - before;
            let Err(error) = done else {
                assert!(left > 0, "a lost answer, and no error");
                break;
            };
            if written == 1 {
                assert!(matches!(error, Error::AnswerLost { written: false, .. }), "{error:?}");
                assert!(error.to_string().contains("may have been carried out"), "{error}");
                lost_after_the_write += 1;
            }
            db.run(command).await.unwrap();
            assert_eq!(db.number("SELECT count(*) FROM items_events").await, before + 1);
        }
        assert!(lost_after_the_write > 0);
    }
}

/// The server reports that it ended the connection, and with it the transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_ends_under_a_write_leaves_nothing() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let mut other = db.connect().await;
    let pid = db.number("SELECT pg_backend_pid()::bigint").await;
    other.begin().await;
    other.sql("SELECT 1 FROM items FOR UPDATE").await;
    let (command, mut writer) = (item.add_value(AddValue(1)), db);
    let write = tokio::spawn(async move { writer.run(command).await });
    super::waits(&mut other, pid).await;
    other.sql(&format!("SELECT pg_terminate_backend({pid})")).await;
    let error = write.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Database { .. } | Error::AnswerLost { written: false, .. }), "{error:?}");
    other.commit().await;
    assert_eq!(other.number("SELECT count(*) FROM items_events").await, 1);
}
