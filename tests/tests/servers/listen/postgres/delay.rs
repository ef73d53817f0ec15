//! Tests that a transaction that stays open delays later changes and loses none, and that the hub reports its session.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use evented_diesel::{EventedDsl as _, Run};
use evented_feed::{Hub, RecvError};
use evented_tests::models::Item;

use super::{change, lamp, org, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_is_named_and_loses_nothing() {
    // Use a separate server: other tests also have open transactions.
    let (_cluster, url) = server();
    let of_hub = url.clone();
    let hub = Hub::of::<Item>().start(move || PgConnection::establish(&of_hub)).unwrap();
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    assert_eq!(hub.status().delay, None);

    let mut holder = PgConnection::establish(&url).unwrap();
    holder.batch_execute("SET application_name = 'the holder'; BEGIN; CREATE TABLE held (id int)").unwrap();
    let mut conn = PgConnection::establish(&url).unwrap();
    let late = Item::insert(lamp(org())).recorded().run(&mut conn).unwrap();
    let delay = loop {
        if let Some(delay) = hub.status().delay.filter(|delay| delay.blocker.is_some()) {
            break delay;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let session = delay.blocker.unwrap();
    assert_eq!((session.name.as_str(), session.state.as_str()), ("the holder", "idle in transaction"));
    assert!(session.pid.is_some() && delay.duration >= Duration::from_secs(1));
    assert!(matches!(feed.try_recv(), Err(RecvError::Empty)));
    assert!(hub.wait_for_blocking(late.position(), Duration::ZERO).is_err());

    holder.batch_execute("COMMIT").unwrap();
    assert_eq!(change(&mut feed).await.key(), Some(&late.record.id));
    while hub.status().delay.is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
