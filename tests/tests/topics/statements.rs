//! Snapshots of the SQL of every operation, for each database, so that a review shows each changed statement.

use std::fmt::Write as _;

use diesel::ExpressionMethods as _;
use evented_diesel::{EventedDsl as _, EventedTableDsl as _, batch};
use evented_tests::models::schema::items;
use evented_tests::models::{
    AddValue, Counter, CounterChanges, Item, ItemChanges, NewCounter, NewItem, NewNote, Note,
};
use evented_tests::watch::Watch;

/// A transcript of the statements that each operation sent.
struct Transcript {
    watch: Watch,
    text: String,
}

impl Transcript {
    fn new(watch: Watch) -> Self {
        let transcript = Self { watch, text: String::new() };
        drop(transcript.watch.taken());
        transcript
    }

    /// Adds the statements since the last note, under a title.
    fn note(&mut self, title: &str) {
        writeln!(self.text, "-- {title}").expect("memory");
        for sent in self.watch.taken() {
            let sql = sent.split(" -- binds:").next().unwrap_or_default().trim();
            writeln!(self.text, "{sql};").expect("memory");
        }
        self.text.push('\n');
    }
}

fn new_item(name: &str) -> NewItem {
    NewItem { org_id: uuid::Uuid::nil().into(), name: name.into(), value: 1, note: None }
}

macro_rules! statements {
    ($($name:ident: $db:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            let mut db = evented_tests::db::$db::new().await;
            let mut transcript = Transcript::new(db.watch());
            macro_rules! run {
                ($title:expr, $operation:expr) => {{
                    let done = db.run($operation).await.expect("done");
                    transcript.note($title);
                    done
                }};
            }
            let item = run!("insert", Item::insert(new_item("Lamp")));
            let recorded = run!("insert, with its position", Item::insert(new_item("Desk")).recorded());
            let note = run!("insert, the database makes the key", Note::insert(NewNote { text: "one".into() }));
            let change = ItemChanges { value: Some(2), ..Default::default() };
            let item = run!("update", item.update(change));
            let item = run!("action", item.add_value(AddValue(1)));
            let counter = run!("insert, with a revision column", Counter::insert(NewCounter { count: 1 }));
            let change = CounterChanges { count: Some(2) };
            run!("update of a copy that carries its revision", counter.update(change));
            run!("savepoint", Item::savepoint(item.id));
            run!("idempotent", item.add_value(AddValue(1)).idempotent(uuid::Uuid::from_u128(7)));
            run!("repeated", item.add_value(AddValue(1)).idempotent(uuid::Uuid::from_u128(7)));
            run!("replay", Item::replay(item.id));
            run!("replay at a revision", Item::replay(item.id).at_revision(1));
            run!("replay as of a time", Item::replay(item.id).as_of(item.inserted_at));
            run!("replay at a position", Item::replay(item.id).at_position(1));
            run!("history", Item::history(item.id));
            run!("recent events", Item::recent_events(item.id));
            run!("last position", Item::last_position());
            run!("first page of a table at a position", Item::table_at(recorded.log_position()).page());
            db.sql("UPDATE items SET value = 9").await;
            drop(transcript.watch.taken());
            let item = run!("update of a row that was changed behind the log's back", item.add_value(AddValue(1)));
            db.sql("DELETE FROM items").await;
            drop(transcript.watch.taken());
            run!("materialize", Item::materialize(item.id));
            let items = run!("batch of inserts", batch((0..3).map(|_| Item::insert(new_item("Many")))));
            run!("batch of actions", batch(items.iter().map(|item| item.add_value(AddValue(1)))));
            run!("an action on many rows", Item::execute_where(items::value.ge(0), AddValue(1)));
            run!("batch of deletes", batch(items.iter().map(Item::delete)));
            run!("delete", item.delete());
            run!("delete, the database made the key", note.delete());
            insta::assert_snapshot!(stringify!($name), transcript.text);
        }
    )*};
}
statements!(postgres: SyncPostgres, sqlite: SyncSqlite);
