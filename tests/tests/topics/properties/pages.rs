//! Tests records whose key is reused: inserted, changed, deleted and inserted again, with savepoints in the user's own
//! format.

use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use evented_diesel::{Command, Error, EventedDsl as _, State, batch};
use evented_tests::models::schema::pages;
use evented_tests::models::{NewPage, Page, PageChanges, Visit};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};

use super::Db;
use super::super::paths;
use crate::cases;

#[derive(Debug, Clone)]
enum Step {
    Command(Do),
    /// Several commands as one batch.
    Batch(Vec<Do>),
    /// Commands in a transaction that the caller rolls back.
    Undone(Vec<Do>),
    /// Plain SQL, without the log.
    Plain(Plain),
}

#[derive(Debug, Clone)]
enum Do {
    Insert(String),
    Title(String),
    Nothing,
    Visit(i64),
    Savepoint,
    Delete,
}

#[derive(Debug, Clone)]
enum Plain {
    Views(i64),
    Title(String),
    Delete,
    Insert(String),
}

/// Generates any text that the databases can store.
fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn dos() -> impl Strategy<Value = Do> {
    prop_oneof![
        3 => text().prop_map(Do::Insert),
        2 => text().prop_map(Do::Title),
        1 => Just(Do::Nothing),
        3 => (-5_i64..100).prop_map(Do::Visit),
        2 => Just(Do::Savepoint),
        2 => Just(Do::Delete),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let plain = prop_oneof![
        any::<i64>().prop_map(Plain::Views),
        text().prop_map(Plain::Title),
        Just(Plain::Delete),
        text().prop_map(Plain::Insert),
    ];
    let step = prop_oneof![
        10 => dos().prop_map(Step::Command),
        2 => prop::collection::vec(dos(), 1..4).prop_map(Step::Batch),
        1 => prop::collection::vec(dos(), 1..4).prop_map(Step::Undone),
        3 => plain.prop_map(Step::Plain),
    ];
    prop::collection::vec(step, 1..14)
}

fn command(path: &str, step: Do) -> Command<Page> {
    let path = path.to_owned();
    match step {
        Do::Insert(title) => Page::insert(NewPage { path, title }),
        Do::Title(title) => Page::execute_on(path, PageChanges { title: Some(title), ..Default::default() }),
        Do::Nothing => Page::execute_on(path, PageChanges::default()),
        Do::Visit(times) => Page::execute_on(path, Visit { times }),
        Do::Savepoint => Page::savepoint(path),
        Do::Delete => Page::delete_by(path),
    }
}

async fn row(db: &mut Db, path: &str) -> Option<Page> {
    let rows = db.load(pages::table.select(Page::as_select()).filter(pages::path.eq(path.to_owned()))).await;
    rows.into_iter().next()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Asserts that the row is what the log replays to. This does not hold directly after a change by plain SQL.
async fn agrees(db: &mut Db, path: &str) {
    let replayed = db.run(Page::replay(path.to_owned()).state()).await.unwrap().live();
    assert_eq!(row(db, path).await, replayed);
}

async fn play(db: &mut Db, path: &str, steps: Vec<Step>) {
    // The results of the commands, by revision.
    let mut given: Vec<(i64, Page, bool)> = Vec::new();
    let mut plain = false;
    for step in steps {
        match step {
            Step::Command(step) => {
                let deletes = matches!(step, Do::Delete);
                match db.run(command(path, step).recorded()).await {
                    Ok(recorded) => given.push((recorded.revision, recorded.record, deletes)),
                    Err(Error::NotFound { .. } | Error::Deleted { .. } | Error::Exists { .. }) => {}
                    // Plain SQL has inserted the row, and the log does not contain it yet.
                    Err(Error::Constraint { .. }) if plain => continue,
                    Err(error) => panic!("{error}"),
                }
                plain = false;
                agrees(db, path).await;
            }
            Step::Batch(steps) => {
                let commands = steps.into_iter().map(|step| command(path, step));
                match db.run(batch(commands)).await {
                    Ok(_) => plain = false,
                    Err(Error::Batch { error: source, .. }) => assert!(
                        matches!(
                            *source,
                            Error::NotFound { .. }
                                | Error::Deleted { .. }
                                | Error::Exists { .. }
                                | Error::Constraint { .. }
                        ),
                        "{source}"
                    ),
                    Err(error) => panic!("{error}"),
                }
                if !plain {
                    agrees(db, path).await;
                }
            }
            Step::Undone(steps) => {
                let before = row(db, path).await;
                db.begin().await;
                for step in steps {
                    let _ = db.run(command(path, step)).await;
                }
                db.rollback().await;
                assert_eq!(row(db, path).await, before);
            }
            Step::Plain(step) => {
                let of = format!("WHERE path = {}", quoted(path));
                let sql = match step {
                    Plain::Views(views) => format!("UPDATE pages SET views = {views} {of}"),
                    Plain::Title(title) => format!("UPDATE pages SET title = {} {of}", quoted(&title)),
                    Plain::Delete => format!("DELETE FROM pages {of}"),
                    Plain::Insert(title) => format!(
                        "INSERT INTO pages VALUES ({}, {}, 7) ON CONFLICT DO NOTHING",
                        quoted(path),
                        quoted(&title)
                    ),
                };
                db.sql(&sql).await;
                plain = true;
            }
        }
    }
    if plain {
        // A write that changes nothing finds the drift, if any, and records it.
        match db.run(command(path, Do::Nothing)).await {
            Ok(_) | Err(Error::NotFound { .. } | Error::Deleted { .. }) => agrees(db, path).await,
            Err(error) => panic!("{error}"),
        }
    }
    for (revision, record, deleted) in given {
        let state = db.run(Page::replay(path.to_owned()).at_revision(revision).state()).await.unwrap();
        match state {
            State::Live(state) => assert_eq!(state, record, "revision {revision}"),
            state => {
                assert!(deleted && matches!(state, State::Deleted { .. }), "revision {revision}: {state:?}");
            }
        }
    }
    paths::meet::<_, Page>(db, path.to_owned()).await;
}

#[test]
fn a_record_is_what_its_log_says_whatever_is_done_to_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let db = RefCell::new(runtime.block_on(Db::new()));
    let case = Cell::new(0);
    cases(300)
        .run(&steps(), |steps| {
            case.set(case.get() + 1);
            runtime.block_on(play(&mut db.borrow_mut(), &format!("/{}", case.get()), steps));
            Ok(())
        })
        .unwrap();
}
