//! Text keys of another collation than the database's.

use diesel::ExpressionMethods as _;
use evented_diesel::EventedTableDsl as _;
use evented_tests::models::{Page, PageChanges, schema::pages};

use super::Db;

/// How many rows of the log whole-table scans have read.
const SCANNED: &str =
    "SELECT COALESCE(sum(seq_tup_read), 0)::bigint FROM pg_stat_user_tables WHERE relname = 'pages_events'";

/// PostgreSQL uses an index only for comparisons of the index's collation. A lookup for each row that scans the log would
/// never end on a large table.
#[tokio::test]
async fn each_row_finds_its_events_by_an_index() {
    let mut db = Db::new().await;
    db.sql("ALTER TABLE pages ALTER COLUMN path TYPE text COLLATE \"und-x-icu\"").await;
    db.sql("INSERT INTO pages SELECT md5(n::text), 'title', 0 FROM generate_series(1, 3000) n").await;
    assert_eq!(db.run(Page::backfill().chunk(500)).await.unwrap().records, 3_000);
    let changes = PageChanges { title: Some("other".into()), ..Default::default() };
    assert_eq!(db.run(Page::update_where(pages::views.eq(0), changes)).await.unwrap(), 3_000);
    assert!(db.run(Page::verify_table()).await.unwrap().is_empty());
    db.sql("SELECT pg_stat_force_next_flush()").await;
    let scanned = db.number(SCANNED).await;
    // A few scans of the whole log for each statement are fine, as statistics have it. A scan for each row reads millions.
    assert!(scanned < 1_000_000, "scans have read {scanned} rows of a log with 6,000");
}
