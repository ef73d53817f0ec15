//! Tests a hub whose server crashes, and one whose server stops.

use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection};
use evented_diesel::{EventedDsl as _, Run};
use evented_feed::{Hub, RecvError};
use evented_test_server::Stop;
use evented_tests::models::Item;

use super::{change, lamp, org, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_finds_its_way_back_to_a_server_that_crashed_and_has_missed_nothing() {
    let (mut cluster, url) = server();
    let of_hub = url.clone();
    let hub = Hub::of::<Item>().start(move || PgConnection::establish(&of_hub)).unwrap();
    let mut feed = hub.subscribe_builder(Item::changes()).buffer(1 << 20).feed().unwrap();
    let mut written = Vec::new();
    for round in 0..4 {
        let mut conn = PgConnection::establish(&url).unwrap();
        for _ in 0..200 {
            written.push(Item::insert(lamp(org())).run(&mut conn).unwrap().id);
        }
        let how = if round % 2 == 0 { Stop::Immediate } else { Stop::Fast };
        let took;
        (cluster, took) = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            cluster.stop(how).unwrap();
            let took = started.elapsed();
            cluster.start_again().unwrap();
            (cluster, took)
        })
        .await
        .unwrap();
        assert!(took < Duration::from_secs(30), "a hub keeps the server from stopping: {took:?}");
    }
    for id in &written {
        assert_eq!(change(&mut feed).await.key(), Some(id));
    }
    let last = Item::insert(lamp(org())).recorded().run(&mut PgConnection::establish(&url).unwrap()).unwrap();
    hub.wait_for(last.position()).await.unwrap();
    assert_eq!(change(&mut feed).await.key(), Some(&last.record.id));
    assert!(matches!(feed.try_recv(), Err(RecvError::Empty)));
    assert!(hub.status().reconnects >= 1 && hub.status().connected, "{:?}", hub.status());
}
