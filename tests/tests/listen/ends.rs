//! Whatever ends a hub ends its feeds: nobody waits for ever.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use evented_diesel::listen::{Hub, HubError};
use evented_tests::db::{AsyncPostgres, AsyncSqlite};
use evented_tests::models::{Item, Note};

macro_rules! ends {
    ($test:ident, $db:ident) => {
        #[test]
        fn $test() {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let (hub, mut feed) = runtime.block_on(async {
                let hub = $db::new().await.hub(Hub::of::<Item>().and::<Note>()).await;
                let feed = hub.subscribe(Item::changes()).unwrap();
                (hub, feed)
            });
            assert!(hub.status().connected);
            drop(runtime);
            assert_eq!(
                feed.recv_timeout(Duration::from_secs(60)).err(),
                Some(RecvTimeoutError::Disconnected)
            );
            assert!(matches!(hub.subscribe(Item::changes()), Err(HubError::Stopped { .. })));
            assert!(matches!(hub.subscribe(Note::changes()), Err(HubError::Stopped { .. })));
            assert!(!hub.status().connected);
        }
    };
}

ends!(feeds_on_postgres_end_with_the_runtime_of_their_hub, AsyncPostgres);
ends!(feeds_on_sqlite_end_with_the_runtime_of_their_hub, AsyncSqlite);
