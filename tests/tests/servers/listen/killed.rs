//! Kills a process that reads the log again and again: while it receives, handles and stores. It stores its position in
//! the same transaction as its effects, so that in the end it has handled every event exactly once.

use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection};
use evented_diesel::stream::LogReader;
use evented_diesel::{EventedDsl as _, Run};
use evented_tests::db::{SyncPostgres, SyncSqlite};
use evented_tests::models::{AddValue, Item};

use super::{lamp, org};
use crate::kill::{BEGUN, DONE, Dice, TARGET, kill_a_writer};

const KILLS: usize = 50;
const TABLES: &str = "CREATE TABLE effects (record TEXT NOT NULL, revision BIGINT NOT NULL); \
     CREATE TABLE reader (position TEXT NOT NULL); INSERT INTO reader VALUES ('')";

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

macro_rules! killed {
    ($module:ident, $test:ident, $child:ident, $db:ident, $conn:ty, $open:expr, $target:expr) => {
        mod $module {
            use super::*;

            #[tokio::test]
            async fn $test() {
                let mut db = $db::new().await;
                db.sql(TABLES).await;
                let target: String = ($target)(&db);
                let ended = AtomicBool::new(false);
                std::thread::scope(|scope| {
                    let writer = scope.spawn(|| {
                        let mut conn: $conn = ($open)(&target);
                        let mut item = Item::insert(lamp(org())).run(&mut conn).unwrap();
                        while !ended.load(Ordering::Relaxed) {
                            item = item.add_value(AddValue(1)).run(&mut conn).unwrap();
                            item = if item.value % 7 == 0 {
                                Item::insert(lamp(org())).run(&mut conn).unwrap()
                            } else {
                                item
                            };
                            std::thread::sleep(std::time::Duration::from_micros(300));
                        }
                    });
                    let mut dice = Dice::new(7);
                    let mut within = 0;
                    for _ in 0..KILLS {
                        let kill = kill_a_writer(
                            concat!(module_path!(), "::", stringify!($child)),
                            &target,
                            &mut dice,
                        );
                        within += usize::from(kill.within);
                    }
                    ended.store(true, Ordering::Relaxed);
                    writer.join().unwrap();
                    assert!(within > 0, "none was killed in the middle of its work");
                });
                let mut conn: $conn = ($open)(&target);
                // Handle the rest without kills.
                while handle(&mut conn) || {
                    let done = db.number("SELECT count(*) FROM effects").await;
                    done < db.number("SELECT count(*) FROM items_events").await
                } {}
                let once = "SELECT count(*) FROM (SELECT DISTINCT record, revision FROM effects) e";
                let events = db.number("SELECT count(*) FROM items_events").await;
                assert_eq!(db.number(once).await, events, "something is missing");
                assert_eq!(db.number("SELECT count(*) FROM effects").await, events, "something came twice");
            }

            /// Handles the next page. Returns whether there was one.
            fn handle(conn: &mut $conn) -> bool {
                conn.transaction::<_, evented_diesel::Error, _>(|conn| Ok(work(conn, false))).unwrap()
            }

            fn work(conn: &mut $conn, speak: bool) -> bool {
                // SQLite allows one writer at a time, so take the lock first.
                conn.batch_execute("UPDATE reader SET position = position").unwrap();
                let text: Text =
                    diesel::sql_query("SELECT position AS text FROM reader").get_result(conn).unwrap();
                let reader = match text.text.parse() {
                    Ok(position) => LogReader::<Item>::resume(position),
                    Err(_) => LogReader::from_start(),
                };
                let mut reader = reader.page_size(3);
                let page = reader.page().run(conn).unwrap();
                if page.changes.is_empty() {
                    return false;
                }
                if speak {
                    println!("{BEGUN}");
                }
                for change in page.changes {
                    let change = change.unwrap();
                    let (record, revision) = (change.key().unwrap(), change.event().unwrap().revision);
                    conn.batch_execute(&format!("INSERT INTO effects VALUES ('{record}', {revision})"))
                        .unwrap();
                }
                let position = reader.position().unwrap();
                conn.batch_execute(&format!("UPDATE reader SET position = '{position}'")).unwrap();
                true
            }

            #[test]
            #[ignore = "run, and killed, by the test beside it"]
            fn $child() {
                let target = std::env::var(TARGET).expect("only for a test that kills it");
                let mut conn: $conn = ($open)(&target);
                loop {
                    let done =
                        conn.transaction::<_, evented_diesel::Error, _>(|conn| Ok(work(conn, true))).unwrap();
                    if done {
                        println!("{DONE}");
                    }
                }
            }
        }
    };
}

killed!(
    postgres,
    a_killed_reader_on_postgres_does_everything_once,
    reads_postgres,
    SyncPostgres,
    PgConnection,
    |url: &str| PgConnection::establish(url).unwrap(),
    |db: &SyncPostgres| db.url.clone()
);
killed!(
    sqlite,
    a_killed_reader_on_sqlite_does_everything_once,
    reads_sqlite,
    SyncSqlite,
    SqliteConnection,
    |path: &str| {
        let mut conn = SqliteConnection::establish(path).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 20000").unwrap();
        conn
    },
    |db: &SyncSqlite| db.path().to_string_lossy().into_owned()
);
