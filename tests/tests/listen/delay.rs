//! A transaction that stays open delays what comes after it, and loses nothing; the hub says whose it is.

use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use evented_diesel::Run;
use evented_diesel::listen::Hub;
use evented_tests::models::Item;

use super::{change, lamp, org, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_is_named_and_loses_nothing() {
    // A server of its own: other tests have transactions open, too.
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
        if let Some(delay) = hub.status().delay.filter(|delay| delay.holder.is_some()) {
            break delay;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let session = delay.holder.unwrap();
    assert_eq!((session.name.as_str(), session.state.as_str()), ("the holder", "idle in transaction"));
    assert!(session.pid.is_some() && delay.for_so_long >= Duration::from_secs(1));
    assert_eq!(feed.try_recv().err(), Some(TryRecvError::Empty));
    assert!(hub.wait_for_blocking(late.position(), Duration::ZERO).is_err());

    holder.batch_execute("COMMIT").unwrap();
    assert_eq!(change(&mut feed).await.key(), Some(&late.record.id));
    while hub.status().delay.is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
