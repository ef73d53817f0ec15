//! Tests that the end of a hub, for any reason, ends its feeds: no subscriber waits forever.

use evented_diesel::EventedDsl as _;
use std::time::Duration;

use evented_feed::{Hub, HubError, RecvError};
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
            assert!(matches!(feed.recv_timeout(Duration::from_secs(60)), Err(RecvError::Ended)));
            assert!(matches!(hub.subscribe(Item::changes()), Err(HubError::Stopped { .. })));
            assert!(matches!(hub.subscribe(Note::changes()), Err(HubError::Stopped { .. })));
            assert!(!hub.status().connected);
        }
    };
}

ends!(feeds_on_postgres_end_with_the_runtime_of_their_hub, AsyncPostgres);
ends!(feeds_on_sqlite_end_with_the_runtime_of_their_hub, AsyncSqlite);
