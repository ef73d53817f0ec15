//! Kills and stops the processes of workers, and the server: each event is still handled once.
//!
//! A process is this test program, which runs one ignored test. A test that needs a PostgreSQL server has `postgres` in its
//! path, so that `cargo xtask test --sqlite` skips it.
#![cfg(unix)]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod letters;
mod process;
#[path = "../../../tests/topics/proxy.rs"]
mod proxy;
mod server;
mod traffic;

/// The tests of every setting.
macro_rules! settings {
    ($($setting:ident: $conn:ty),*) => {$(
        mod $setting {
            use std::time::Duration;

            use evented_react_tests::{fresh, holds};

            use crate::process::{Workers, serve};
            use crate::traffic::Traffic;

            type Conn = $conn;

            /// The body of a process that is killed.
            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "a process of other tests"]
            async fn worker() {
                serve::<Conn>().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn workers_that_are_killed_handle_each_event_once() {
                let mut db = fresh::<Conn>().await;
                let mut traffic = Traffic::start::<Conn>(&db).await;
                let mut workers = Workers::start(concat!(module_path!(), "::worker"), &db.url, 2);
                for _ in 0..50 {
                    workers.kill_one();
                    workers.fill();
                }
                let written = traffic.stop().await;
                assert!(written > 20, "the traffic wrote {written} changes");
                holds(&mut db).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn effects_of_workers_that_are_killed_run_at_least_once_in_the_order_of_their_key() {
                let mut db = fresh::<Conn>().await;
                let folder = tempfile::tempdir().unwrap();
                let letters = folder.path().join("letters");
                let mut traffic = Traffic::start::<Conn>(&db).await;
                let worker = concat!(module_path!(), "::worker");
                let mut workers = Workers::start_senders(worker, &db.url, 2, &letters);
                for _ in 0..30 {
                    workers.kill_one();
                    workers.fill();
                }
                traffic.stop().await;
                workers.end();
                crate::letters::hold::<Conn>(&mut db, &letters).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_handler_that_ends_its_process_is_found_out() {
                let mut db = fresh::<Conn>().await;
                for text in ["a", "kill", "b", "c"] {
                    crate::traffic::comment(&mut db, 1, text).await;
                }
                let mut workers = Workers::start(concat!(module_path!(), "::worker"), &db.url, 1);
                let found = "SELECT count(*) FROM evented_deferred WHERE state = 'dead' AND error LIKE '%process%'";
                for _ in 0..1_200 {
                    workers.fill();
                    if db.number(found).await == 1 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                assert_eq!(db.number(found).await, 1);
                evented_react_tests::eventually(&mut db, "SELECT count(*) FROM seen", 3).await;
                workers.end();
            }
        }
    )*};
}

settings!(
    sync_sqlite: diesel::SqliteConnection,
    sync_postgres: diesel::PgConnection,
    async_sqlite: diesel_async::sync_connection_wrapper::SyncConnectionWrapper<diesel::SqliteConnection>,
    async_postgres: diesel_async::AsyncPgConnection
);
