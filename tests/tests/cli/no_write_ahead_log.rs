//! Tests `wal` on SQLite, which has no write-ahead log to read.

use super::{Db, run};

#[tokio::test]
async fn sqlite_has_no_write_ahead_log_to_be_read() {
    let db = Db::new().await;
    for arguments in [["create-publication", "shop"], ["slot-status", "shop"], ["check", "shop"]] {
        let failure = run(&db, &["wal", arguments[0], arguments[1], "--json"]).error();
        assert!(failure.starts_with("SQLite's write-ahead log cannot be read"), "{failure}");
    }
}
