//! Tests the invariants, one by one. Each break in `tests/break` removes the code that maintains one of them, and names
//! the test that must fail: one of these, or a test of a more specific module.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{QueryDsl, SelectableHelper};
use evented_diesel::migrations::Database;
use evented_diesel::{Command, Digest, Error, Evented, EventedDsl as _, EventedTableDsl as _, Id, State};
use evented_tests::agree::agree;
use evented_tests::models::schema::items;
use evented_tests::models::stepped::Stepped;
use evented_tests::models::{
    AddValue, Archive, Healed, HealedChanges, Item, ItemChanges, NewHealed, NewItem, NewPage, NewStrict,
    Page, Restore, Strict, StrictChanges, Visit,
};
use evented_tests::raw;
use serde_json::json;
use uuid::Uuid;

use super::Db;

diesel::table! {
    said (named) {
        named -> Text,
    }
}

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 3, note: None }
}

fn day(n: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::days(n)
}

async fn items_agree(db: &mut Db) {
    let rows = db.load(items::table.select(Item::as_select())).await;
    agree(db, rows).await;
}

/// Returns one command of each kind, for an existing record.
fn each_command(item: &Item) -> Vec<Command<Item>> {
    vec![
        Item::insert(lamp()),
        item.update(ItemChanges { value: Some(9), ..Default::default() }),
        item.add_value(AddValue(1)),
        Item::savepoint(item),
        item.delete(),
    ]
}

#[tokio::test]
async fn event_and_row_are_written_both_or_neither() {
    // First the log refuses, then the table: neither keeps a write that the other one did not accept.
    for table in ["items_events", "items"] {
        let mut db = Db::new().await;
        let item = db.run(Item::insert(lamp())).await.unwrap();
        raw::refuse(&mut db, table).await;
        for command in each_command(&item) {
            let name = format!("{command:?}");
            // A savepoint does not write the row, so a table that refuses writes does not prevent it.
            if table == "items" && name.contains("savepoint") {
                continue;
            }
            let error = db.run(command).await.expect_err(&name);
            assert!(error.to_string().contains(&format!("no more {table}")), "{name}: {error}");
            assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1, "{name}");
            assert_eq!(db.number("SELECT count(*) FROM items").await, 1, "{name}");
            assert_eq!(db.number("SELECT value FROM items").await, 3, "{name}");
        }
        items_agree(&mut db).await;
    }
}

#[tokio::test]
async fn a_write_is_one_statement_or_one_transaction() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let watch = db.watch();
    for (command, reads) in each_command(&item).into_iter().zip([0, 1, 1, 0, 0]) {
        let name = format!("{command:?}");
        db.run(command).await.unwrap();
        let sent = watch.taken();
        let of = |start: &str| sent.iter().filter(|sql| sql.starts_with(start)).count();
        match Db::DATABASE {
            Database::Postgres if name.contains("savepoint") => {}
            // Event and row are in one statement, without a transaction around it.
            Database::Postgres => {
                assert_eq!(
                    (of("SELECT"), of("WITH"), sent.len()),
                    (reads, 1, reads + 1),
                    "{name}: {sent:#?}"
                );
            }
            Database::Sqlite => {
                assert!(
                    sent[0].starts_with("BEGIN") && sent[sent.len() - 1].starts_with("COMMIT"),
                    "{sent:#?}"
                );
                // Nothing is read before the lock is taken, so that the write applies to what was read.
                assert!(!sent[1].starts_with("SELECT"), "{name}: {sent:#?}");
                assert_eq!((of("BEGIN"), of("COMMIT"), of("SAVEPOINT")), (1, 1, 0), "{name}: {sent:#?}");
            }
        }
    }
}

/// Returns how many rows of the log this connection has read in its transaction. SQLite has no such counter: there, the
/// test relies on the statements and the corrupted history.
async fn rows_read(db: &mut Db) -> i64 {
    match Db::DATABASE {
        Database::Postgres => {
            let read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables \
                        WHERE relid = 'items_events'::regclass";
            db.number(read).await
        }
        Database::Sqlite => 0,
    }
}

#[tokio::test]
async fn a_write_costs_the_same_however_long_the_history() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let mut costs = Vec::new();
    for events in [3, 300] {
        while db.run(item.add_value(AddValue(1)).recorded()).await.unwrap().revision < events {}
        // No write reads the history: it is corrupted, and the writes still work. (The head is verified only by its
        // digest.)
        evented_tests::raw::tamper(&mut db, "items_events", "UPDATE items_events SET payload = '\"spoilt\"'").await;
        db.begin().await;
        let before = rows_read(&mut db).await;
        let watch = db.watch();
        db.run(item.add_value(AddValue(1))).await.unwrap();
        let sent = watch.taken().len();
        let read = rows_read(&mut db).await - before;
        db.commit().await;
        costs.push((sent, read));
    }
    assert_eq!(costs[0], costs[1], "statements sent, and rows of the log read");
    if Db::DATABASE == Database::Postgres {
        assert_eq!(costs[0].1, 1, "the head alone is read");
    }
    assert!(
        matches!(db.run(Item::replay(item.id)).await, Err(Error::Replay { .. })),
        "who replays does mind"
    );
}

#[tokio::test]
async fn a_write_never_acts_on_a_row_that_differs_from_its_log() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.sql("UPDATE items SET value = 40").await;
    let item = db.run(item.add_value(AddValue(2))).await.unwrap();
    assert_eq!(item.value, 42, "adopt: what plain SQL wrote is in the log, and the write goes on from there");
    assert_eq!(db.number("SELECT count(*) FROM items_events WHERE action = 'external'").await, 1);
    items_agree(&mut db).await;

    let healed = db.run(Healed::insert(NewHealed { name: "as is".into() })).await.unwrap();
    db.sql("UPDATE healed SET name = 'by hand'").await;
    db.run(healed.update(HealedChanges::default())).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM healed WHERE name = 'as is'").await, 1, "heal: the log wins");

    let strict = db.run(Strict::insert(NewStrict { name: "as is".into() })).await.unwrap();
    db.sql("UPDATE stricts SET name = 'by hand'").await;
    let refused = db.run(strict.update(StrictChanges::default())).await;
    assert!(matches!(refused, Err(Error::Drift { .. })), "refuse: nothing is written");
    assert_eq!(db.number("SELECT count(*) FROM stricts WHERE name = 'by hand'").await, 1);
}

#[tokio::test]
async fn order_is_revision_and_position_and_never_a_clock() {
    let mut db = Db::new().await;
    // Each event has a time one day before the event before.
    let item = db.run(Item::insert(lamp()).at(day(10))).await.unwrap();
    for by in 1..=4 {
        db.run(
            item.update(ItemChanges { value: Some(by), ..Default::default() }).at(day(10 - i64::from(by))),
        )
        .await
        .unwrap();
    }
    let latest = db.run(Item::replay(item.id)).await.unwrap().unwrap();
    assert_eq!(latest.value, 4);
    let history = db.run(Item::history(item.id)).await.unwrap();
    let order: Vec<_> = history.iter().map(|entry| (entry.event.revision(), entry.event.at())).collect();
    assert_eq!(order, [(1, day(10)), (2, day(9)), (3, day(8)), (4, day(7)), (5, day(6))]);
    assert!(history.windows(2).all(|two| two[0].event.log_position() < two[1].event.log_position()));
    // The state as of a time is the last revision up to which all events are early enough: before the tenth day, none.
    for (at, expected) in [(day(6), None), (day(9), None), (day(10), Some(4)), (day(11), Some(4))] {
        let then = db.run(Item::replay(item.id).as_of(at)).await.unwrap();
        assert_eq!(then.map(|item| item.value), expected, "{at}");
    }
    items_agree(&mut db).await;
}

#[tokio::test]
async fn a_rule_of_today_does_not_judge_the_events_of_yesterday() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    // Older programs may have written what the model's rule and an action's rule refuse today.
    let (log, id) = ("items_events", item.id.uuid());
    raw::append(&mut db, log, id, (2, "update", 2), &json!({"value": -5, "name": ""})).await;
    raw::append(&mut db, log, id, (3, "archive", 2), &json!({"reason": "sold"})).await;
    raw::append(&mut db, log, id, (4, "archive", 2), &json!({"reason": "again"})).await;
    let replayed = db.run(Item::replay(item.id)).await.unwrap().unwrap();
    assert_eq!((replayed.value, replayed.name.as_str()), (-5, ""));
    // New input is validated, on the state that it leads to.
    db.sql("UPDATE items SET value = -5, name = ''").await;
    assert!(db.run(item.add_value(AddValue(1))).await.unwrap_err().validation_errors().is_some());
    let changes = ItemChanges { value: Some(1), name: Some("Lamp".into()), ..Default::default() };
    let item = db.run(item.update(changes)).await.unwrap();
    assert_eq!(db.run(Item::replay(item.id)).await.unwrap(), Some(item));
}

#[tokio::test]
async fn replaying_twice_gives_the_digest_that_was_written() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp()).by("user:1")).await.unwrap();
    db.run(item.archive(Archive { reason: "sold".into() })).await.unwrap();
    db.run(item.restore(Restore)).await.unwrap();
    db.run(item.archive(Archive { reason: "sold again".into() }).at(day(3))).await.unwrap();
    db.run(Item::savepoint(item.id)).await.unwrap();
    db.run(item.add_value(AddValue(1))).await.unwrap();
    let history = db.run(Item::history(item.id)).await.unwrap();
    for entry in &history {
        let revision = entry.event.revision();
        let mut digests = Vec::new();
        for _ in 0..2 {
            let state = db.run(Item::replay(item.id).at_revision(revision).state()).await.unwrap();
            digests.push(state.live().unwrap().state_digest().unwrap());
        }
        assert_eq!(digests, [entry.event.state(); 2], "revision {revision}");
    }
    db.run(item.delete()).await.unwrap();
    let state = db.run(Item::replay(item.id).state()).await.unwrap();
    assert!(matches!(state, State::Deleted { revision: 7, .. }));
    let history = db.run(Item::history(item.id)).await.unwrap();
    assert_eq!(history[6].event.state(), Digest::NOTHING);
}

#[tokio::test]
async fn a_write_names_exactly_the_columns_that_change_nulls_included() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(NewItem { note: Some("note".into()), ..lamp() })).await.unwrap();
    let columns = ["id", "org_id", "name", "value", "note", "archived_at", "inserted_at", "updated_at"];
    raw::hear(&mut db, "items", &columns).await;
    let cases: [(Command<Item>, &[&str]); 6] = [
        (
            item.update(ItemChanges { note: Some(None), value: Some(4), ..Default::default() }),
            &["note", "updated_at", "value"],
        ),
        // A field that is set to its present value does not change.
        (
            item.update(ItemChanges { name: Some("Lamp".into()), value: Some(5), ..Default::default() }),
            &["updated_at", "value"],
        ),
        (item.archive(Archive { reason: "sold".into() }), &["archived_at", "updated_at"]),
        (item.restore(Restore), &["archived_at", "updated_at"]),
        (item.add_value(AddValue(0)), &["updated_at"]),
        (Item::savepoint(&item), &[]),
    ];
    for (command, expected) in cases {
        let name = format!("{command:?}");
        db.run(command).await.unwrap();
        let named: Vec<String> = db.load(said::table.select(said::named).order(said::named)).await;
        assert_eq!(named, expected, "{name}");
        db.sql("DELETE FROM said").await;
    }
    assert_eq!(db.number("SELECT count(*) FROM items WHERE note IS NULL AND archived_at IS NULL").await, 1);
    items_agree(&mut db).await;
}

#[tokio::test]
async fn a_payload_goes_through_each_step_from_its_version_to_todays() {
    for (version, expected) in [(0, "a→1→2→3 b"), (1, "a→2→3 b"), (2, "a→3 b"), (3, "a b")] {
        for action in ["insert", "savepoint", "external"] {
            let mut db = Db::new().await;
            let id = Uuid::now_v7();
            // The field had another name before version 2, and the count did not exist before version 3.
            let field = if version < 2 { "way" } else { "path" };
            let mut fields = json!({field: "a"});
            if version == 3 || action == "external" {
                fields["count"] = json!(7);
            }
            let payload = if action == "external" { json!({"to": fields}) } else { fields };
            raw::append(&mut db, "stepped_events", id, (1, action, version), &payload).await;
            raw::append(&mut db, "stepped_events", id, (2, "walk", 3), &json!({"path": "b"})).await;
            let stepped = db.run(Stepped::replay(Id::new(id))).await.unwrap();
            let stepped = stepped.map(|stepped| (stepped.path, stepped.count));
            assert_eq!(stepped, Some((expected.to_owned(), 7)), "{action}, version {version}");
        }
    }
    // An event of a later version is refused.
    let mut db = Db::new().await;
    let id = Uuid::now_v7();
    raw::append(&mut db, "stepped_events", id, (1, "insert", 4), &json!({"path": "a", "count": 1})).await;
    let error = db.run(Stepped::replay(Id::new(id))).await.unwrap_err();
    assert!(matches!(error, Error::Replay { .. }) && error.to_string().contains("version 4"), "{error}");
}

#[tokio::test]
async fn a_last_event_of_an_older_version_does_not_prove_the_row() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    evented_tests::raw::tamper(&mut db, "items_events", "UPDATE items_events SET version = 1").await;
    db.sql("UPDATE items SET value = 40").await;
    // Its digest is of another format of the state, so row and log are compared by replay.
    let item = db.run(item.add_value(AddValue(2))).await.unwrap();
    assert_eq!(item.value, 42);
    let history = db.run(Item::history(&item)).await.unwrap();
    let actions: Vec<_> = history.iter().map(|entry| entry.event.action()).collect();
    assert_eq!(actions, ["insert", "external", "add"]);
    items_agree(&mut db).await;
}

#[tokio::test]
async fn a_failure_names_its_record_and_leaves_nothing_behind() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let gone = db.run(Item::insert(lamp())).await.unwrap();
    db.run(gone.delete()).await.unwrap();
    let unknown: Id<Item> = Id::new(Uuid::now_v7());
    let change = |changes: ItemChanges| item.update(changes);
    let nul = || "a\0b".to_owned();
    let failures = [
        (item.id, item.add_value(AddValue(-100))),
        (item.id, change(ItemChanges { name: Some(nul()), ..Default::default() })),
        (item.id, item.add_value(AddValue(1)).expecting(7)),
        (gone.id, gone.add_value(AddValue(1))),
        (gone.id, Item::savepoint(gone.id)),
        (gone.id, gone.delete()),
        (unknown, Item::execute_on(unknown, AddValue(1))),
        (unknown, Item::delete_by(unknown)),
    ];
    for (id, command) in failures {
        let name = format!("{command:?}");
        let text = db.run(command).await.expect_err(&name).to_string();
        assert!(text.contains("items") && text.contains(&id.to_string()), "{name}: {text}");
        assert_eq!(db.number("SELECT count(*) FROM items_events").await, 3, "{name}");
    }
    let text = db.run(Item::insert(NewItem { name: nul(), ..lamp() })).await.unwrap_err().to_string();
    assert!(text.contains("items") && text.contains("field `name`"), "{text}");
    items_agree(&mut db).await;

    let page = db.run(Page::insert(NewPage { path: "/a".into(), title: "A".into() })).await.unwrap();
    db.run(page.visit(Visit { times: 1 })).await.unwrap();
    let again = db.run(Page::insert(NewPage { path: "/a".into(), title: "B".into() })).await.unwrap_err();
    assert!(again.to_string().contains("pages /a: it exists already, at revision 2"), "{again}");
}

#[tokio::test]
async fn nothing_in_a_log_makes_the_library_panic() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.run(item.add_value(AddValue(1))).await.unwrap();
    db.run(Item::savepoint(&item)).await.unwrap();
    db.run(item.add_value(AddValue(1))).await.unwrap();
    let bytes = |hex: &str| match Db::DATABASE {
        Database::Postgres => format!(r"'\x{hex}'"),
        Database::Sqlite => format!("x'{hex}'"),
    };
    let spoilt = [
        "payload = '[]'".to_owned(),
        "payload = '7'".into(),
        r#"payload = '{"value": 1e400}'"#.into(),
        r#"payload = '{"value": "\ud800"}'"#.into(),
        format!("payload = '{}{}'", "[".repeat(500), "]".repeat(500)),
        "meta = '[]'".into(),
        r#"meta = '{"actor": 7, "cause": "x", "correlation": []}'"#.into(),
        "action = ''".into(),
        "action = 'insert'".into(),
        "action = 'delete'".into(),
        "action = 'external'".into(),
        "action = 'savepoint'".into(),
        "version = -2147483648".into(),
        "version = 2147483647".into(),
        "revision = revision + 9223372036854775000".into(),
        "revision = 9223372036854775807".into(),
        "revision = revision - 7".into(),
        "revision = -revision".into(),
        "position = 0".into(),
        format!("state = {}", bytes("")),
        format!("state = {}", bytes("00")),
        format!("state = {}", bytes(&"00".repeat(16))),
    ];
    // Each operation must return, whether it works or not, and the transaction rolls it back.
    macro_rules! attempt {
        ($($operation:expr),* $(,)?) => {$(
            db.begin().await;
            let _ = db.run($operation).await.map_err(|error| error.to_string());
            db.rollback().await;
        )*};
    }
    for change in spoilt {
        for revision in 1..=4 {
            db.begin().await;
            // The database itself may refuse such a value.
            evented_tests::raw::open_log(&mut db, "items_events").await;
            let sql = format!("UPDATE items_events SET {change} WHERE revision = {revision}");
            if db.try_sql(&sql).await.is_ok() {
                attempt!(
                    Item::replay(item.id),
                    Item::replay(item.id).at_revision(2).state(),
                    Item::replay(item.id).as_of(day(3)),
                    Item::history(item.id),
                    Item::recent_events(item.id),
                    Item::table_at(i64::MAX).page_size(2).page(),
                    Item::materialize(item.id),
                );
                for command in each_command(&item) {
                    attempt!(command);
                }
            }
            db.rollback().await;
        }
    }
    items_agree(&mut db).await;
}
