//! Kills a writing process again and again. Each time, log and rows must agree.

mod backfill;
mod writer;

use diesel::{QueryDsl, SelectableHelper};
use evented_tests::agree::agree;
use evented_tests::db::{SyncPostgres, SyncSqlite};
use evented_tests::models::schema::{counters, items, notes, pages};
use evented_tests::models::{Counter, Item, Note, Page};

use crate::kill::{Dice, Kill, kill_a_writer};

/// How many databases the test uses, and how many kills each has. The number of kills is limited because a long log
/// takes long to check.
const DATABASES: u64 = 10;
const KILLS: u64 = 10;

macro_rules! all_agree {
    ($db:expr) => {
        let rows: Vec<Item> = $db.load(items::table.select(Item::as_select())).await;
        agree($db, rows).await;
        let rows: Vec<Page> = $db.load(pages::table.select(Page::as_select())).await;
        agree($db, rows).await;
        let rows: Vec<Counter> = $db.load(counters::table.select(Counter::as_select())).await;
        agree($db, rows).await;
        let rows: Vec<Note> = $db.load(notes::table.select(Note::as_select())).await;
        agree($db, rows).await;
    };
}

/// Asserts that the kills were well distributed: many within an operation, and not all within the first one.
fn assert_well_aimed(kills: &[Kill]) {
    let within = kills.iter().filter(|kill| kill.within).count();
    let done: usize = kills.iter().map(|kill| kill.done).sum();
    assert!(within >= kills.len() / 10, "only {within} of {} kills hit an operation", kills.len());
    assert!(done >= kills.len(), "{done} operations in all");
}

#[tokio::test]
async fn log_and_rows_agree_after_each_of_a_hundred_kills_on_sqlite() {
    let mut kills = Vec::new();
    for database in 0..DATABASES {
        let mut db = SyncSqlite::new().await;
        for kill in 0..KILLS {
            let mut dice = Dice::new(database * KILLS + kill);
            let path = db.path().to_string_lossy().into_owned();
            kills.push(kill_a_writer(
                concat!(module_path!(), "::writer::writes_on_sqlite_until_it_is_killed"),
                &path,
                &mut dice,
            ));
            all_agree!(&mut db);
        }
    }
    assert_well_aimed(&kills);
}

#[tokio::test]
async fn log_and_rows_agree_after_each_of_a_hundred_kills_on_postgresql() {
    let mut kills = Vec::new();
    for database in 0..DATABASES {
        let mut db = SyncPostgres::new().await;
        let name = format!("evented_crash_{}_{database}", std::process::id());
        let url = format!("{}&application_name={name}", db.url);
        for kill in 0..KILLS {
            let mut dice = Dice::new(database * KILLS + kill);
            kills.push(kill_a_writer(
                concat!(module_path!(), "::writer::writes_on_postgresql_until_it_is_killed"),
                &url,
                &mut dice,
            ));
            // The server notices the kill only after its current statement. Wait, so that the checks include that
            // statement.
            let running = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
            while db.number(&running).await > 0 {}
            all_agree!(&mut db);
        }
    }
    assert_well_aimed(&kills);
}
