//! Kills a process twice while it backfills rows next to a writer. No write is lost, and no row gets two first events.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection};
use evented_diesel::{EventedDsl as _, EventedTableDsl as _, Run};
use evented_tests::db::{SyncPostgres, SyncSqlite};
use evented_tests::models::schema::items;
use evented_tests::models::{AddValue, Item};

use crate::kill::{TARGET, ignored_test};

const ROWS: i64 = 6_000;
const KILLS: u32 = 2;
const CHUNK: u16 = 100;

macro_rules! backfill {
    ($test:ident, $child:ident, $db:ident, $conn:ty, $uuid:literal, $open:expr, $target:expr) => {
        #[tokio::test]
        async fn $test() {
            let mut db = $db::new().await;
            let time = "'2020-02-02 12:00:00.000000+00:00'";
            db.sql(&format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) \
                 INSERT INTO items (id, org_id, name, value, inserted_at, updated_at) \
                 SELECT {uuid}, {uuid}, 'old', 0, {time}, {time} FROM n",
                uuid = $uuid
            ))
            .await;
            let target: String = ($target)(&db);
            let ended = AtomicBool::new(false);
            let written = std::thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    let mut conn: $conn = ($open)(&target);
                    let rows: Vec<Item> =
                        items::table.limit(200).select(Item::as_select()).load(&mut conn).unwrap();
                    let mut written = 0;
                    for item in rows.iter().cycle() {
                        if ended.load(Ordering::Relaxed) {
                            break;
                        }
                        item.add_value(AddValue(1)).run(&mut conn).unwrap();
                        written += 1;
                    }
                    written
                });
                let kills = run_with_kills(concat!(module_path!(), "::", stringify!($child)), &target);
                ended.store(true, Ordering::Relaxed);
                assert_eq!(kills, KILLS);
                writer.join().unwrap()
            });
            assert!(written > 0);
            assert_eq!(db.number("SELECT count(*) FROM items_events WHERE revision = 1").await, ROWS);
            assert_eq!(db.number("SELECT count(DISTINCT record_id) FROM items_events").await, ROWS);
            assert_eq!(db.number("SELECT count(*) FROM items_events WHERE action = 'external'").await, ROWS);
            assert_eq!(db.number("SELECT sum(value) FROM items").await, written, "no write is lost");
            assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
            assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
        }

        #[test]
        #[ignore = "started, and killed, by the test beside it"]
        fn $child() {
            let target = std::env::var(TARGET).expect("only for a test that kills it");
            let mut conn: $conn = ($open)(&target);
            let mut backfill = Item::backfill().chunk(CHUNK);
            let mut out = std::io::stdout();
            while let Some(done) = backfill.page().run(&mut conn).unwrap() {
                writeln!(out, "brought up {}", done.records).unwrap();
                out.flush().unwrap();
            }
        }
    };
}

backfill!(
    rows_are_brought_up_once_however_often_it_is_killed_on_postgresql,
    brings_up_on_postgresql,
    SyncPostgres,
    PgConnection,
    "gen_random_uuid()",
    |url: &str| PgConnection::establish(url).unwrap(),
    |db: &SyncPostgres| db.url.clone()
);
backfill!(
    rows_are_brought_up_once_however_often_it_is_killed_on_sqlite,
    brings_up_on_sqlite,
    SyncSqlite,
    SqliteConnection,
    "randomblob(16)",
    |path: &str| {
        let mut conn = SqliteConnection::establish(path).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 20000").unwrap();
        conn
    },
    |db: &SyncSqlite| db.path().to_string_lossy().into_owned()
);

/// Runs the child until it ends successfully, and kills it twice before, at a random point of its next chunk.
fn run_with_kills(child: &str, target: &str) -> u32 {
    let mut kills = 0;
    loop {
        let mut child = ignored_test(child)
            .env(TARGET, target)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut chunks = 0;
        for line in lines {
            chunks += u32::from(line.contains("brought up"));
            if kills < KILLS && chunks > 5 + 7 * kills {
                child.kill().unwrap();
                kills += 1;
                break;
            }
        }
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            return kills;
        }
        assert!(output.status.code().is_none(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
