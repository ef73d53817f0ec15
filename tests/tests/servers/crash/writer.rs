//! The process that is killed: it runs all kinds of operations, without end.

use std::io::Write;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection};
use evented_diesel::{Command, Error, EventedDsl as _, Id, Run, batch};
use evented_tests::models::schema::{counters, items, notes};
use evented_tests::models::{
    AddValue, Archive, Counter, Increment, Item, ItemChanges, NewCounter, NewItem, NewNote, NewPage, Note,
    NoteChanges, Page, Restore, Visit,
};
use uuid::Uuid;

use crate::kill::{BEGUN, DONE, Dice, SEED, TARGET};

fn target() -> (String, Dice) {
    let seed = std::env::var(SEED).expect("only for a test that kills it").parse().unwrap();
    (std::env::var(TARGET).unwrap(), Dice::new(seed))
}

fn say(words: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{words}").unwrap();
    out.flush().unwrap();
}

fn new_item(dice: &mut Dice) -> NewItem {
    let name = format!("item {}", dice.below(1000));
    NewItem { org_id: Id::new(Uuid::now_v7()), name, value: 0, note: None }
}

fn change(item: &Item, dice: &mut Dice) -> Command<Item> {
    let note = format!("{}", dice.below(1_000_000));
    match dice.below(9) {
        0 => item.archive(Archive { reason: note }),
        1 => item.restore(Restore),
        2 | 3 => item.update(ItemChanges { note: Some(Some(note)), ..Default::default() }),
        4 => item.update(ItemChanges { note: Some(None), value: Some(1), ..Default::default() }),
        5 => Item::savepoint(item),
        _ => item.add_value(AddValue(1)),
    }
}

macro_rules! writer {
    ($name:ident, $conn:ty, $open:expr) => {
        #[test]
        #[ignore = "started, and killed, by the tests beside it"]
        fn $name() {
            let (target, mut dice) = target();
            let mut conn: $conn = $open(&target);
            let mut items: Vec<Item> = items::table.select(Item::as_select()).load(&mut conn).unwrap();
            loop {
                say(BEGUN);
                match one(&mut conn, &mut items, &mut dice) {
                    Ok(()) => {}
                    // A rule refused the action, for example because the item is already archived.
                    Err(error) if error.validation_errors().is_some() => {
                        items = items::table.select(Item::as_select()).load(&mut conn).unwrap();
                    }
                    Err(error) => panic!("{error}"),
                }
                say(DONE);
            }

            fn one(conn: &mut $conn, items: &mut Vec<Item>, dice: &mut Dice) -> Result<(), Error> {
                match dice.below(if items.len() < 5 { 2 } else { 11 }) {
                    0 => items.push(Item::insert(new_item(dice)).run(conn)?),
                    1 => items.extend(batch((0..4).map(|_| Item::insert(new_item(dice)))).run(conn)?),
                    2 => drop(items.swap_remove(dice.below(items.len() as u64) as usize).delete().run(conn)?),
                    3 => {
                        let some = dice.below(items.len() as u64 - 3) as usize;
                        let mut commands: Vec<_> =
                            items[some..some + 3].iter().map(|item| change(item, dice)).collect();
                        commands.push(items[some].add_value(AddValue(3)));
                        commands.push(items.swap_remove(some + 1).delete());
                        commands.push(Item::insert(new_item(dice)));
                        drop(batch(commands).run(conn)?);
                        *items = items::table.select(Item::as_select()).load(conn)?;
                    }
                    // A transaction over several models, with Diesel's savepoints.
                    4 => conn.transaction::<_, Error, _>(|conn| {
                        let note = Note::insert(NewNote { text: "new".into() }).run(conn)?;
                        items[0].add_value(AddValue(1)).run(conn)?;
                        conn.transaction::<_, Error, _>(|conn| {
                            note.update(NoteChanges { text: Some("changed".into()) }).run(conn)
                        })?;
                        Counter::insert(NewCounter { count: 0 }).run(conn).map(drop)
                    })?,
                    5 => {
                        let path = format!("/{}", dice.below(4));
                        let commands = [
                            Page::insert(NewPage { path: path.clone(), title: "A".into() }),
                            Page::execute_on(path.clone(), Visit { times: 1 }),
                            Page::delete_by(path),
                        ];
                        for command in commands.into_iter().skip(dice.below(3) as usize) {
                            // The record may already exist, or no longer exist.
                            let _ = command.run(conn);
                        }
                    }
                    6 => {
                        let some: Vec<Counter> =
                            counters::table.select(Counter::as_select()).limit(3).load(conn)?;
                        for counter in some {
                            counter.increment(Increment).run(conn)?;
                        }
                    }
                    7 => {
                        let some: Vec<Note> = notes::table.select(Note::as_select()).limit(1).load(conn)?;
                        for note in some {
                            note.delete().run(conn)?;
                        }
                    }
                    _ => {
                        let some = dice.below(items.len() as u64) as usize;
                        items[some] = change(&items[some], dice).run(conn)?;
                    }
                }
                Ok(())
            }
        }
    };
}

writer!(writes_on_sqlite_until_it_is_killed, SqliteConnection, |path: &str| {
    let mut conn = SqliteConnection::establish(path).unwrap();
    conn.batch_execute("PRAGMA busy_timeout = 20000; PRAGMA foreign_keys = ON").unwrap();
    conn
});
writer!(writes_on_postgresql_until_it_is_killed, PgConnection, |url: &str| PgConnection::establish(url)
    .unwrap());
