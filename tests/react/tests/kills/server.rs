//! Workers whose process is stopped beyond its lease, and workers whose server is stopped as in a crash.

use std::time::Duration;

use evented_react_tests::{fresh, holds};

use crate::process::{LEASE, Workers};
use crate::traffic::Traffic;

/// A process that was stopped has lost its parts. It writes nothing when it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_postgres_that_is_stopped_beyond_its_lease_writes_nothing() {
    let mut db = fresh::<diesel::PgConnection>().await;
    let mut traffic = Traffic::start(&db).await;
    let mut workers = Workers::start("kills::sync_postgres::worker", &db.url, 2);
    std::thread::sleep(Duration::from_millis(500));
    for _ in 0..12 {
        workers.stop_one(LEASE * 3);
        workers.fill();
    }
    traffic.stop().await;
    holds(&mut db).await;
}
