//! Tests the hook before a write. [`evented_tests::models::shared`] describes the hook of these models.

use evented_core::ActionOf;
use evented_diesel::read::{History, Replay};
use evented_diesel::{Command, Error, EventedDsl as _, IntoRecordRef, Model, ModelOn, batch};
use evented_tests::models::shared::{
    Add, Board, Letter, Memo, NewLetter, Sign, Thing, events_ancestors, events_replies,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Backend, Db, fresh};

/// Returns what the hook recorded in each event: the earlier events that it received.
async fn seen<M: Thing + ModelOn<Backend>>(db: &mut Db, key: &M::Key) -> Vec<Option<Value>>
where
    M::Key: IntoRecordRef<M>,
{
    let history = db.run(History::<M>::new(key.clone())).await.unwrap();
    history.iter().map(|entry| entry.event.meta().own.get("seen").cloned()).collect()
}

/// Returns the number of events of the model, the number of runs of the hook, and the values of the rows.
async fn everything(db: &mut Db) -> [i64; 3] {
    [
        db.number("SELECT count(*) FROM events WHERE schema <> 'traces'").await,
        db.number("SELECT count(*) FROM events WHERE schema = 'traces'").await,
        db.number("SELECT COALESCE(sum(value), 0) + count(*) FROM letters").await,
    ]
}

macro_rules! for_both {
    ($($test:ident = $body:ident;)*) => {$(
        #[tokio::test]
        async fn $test() {
            $body::<Letter>(&mut fresh().await).await;
            $body::<Memo>(&mut fresh().await).await;
        }
    )*};
}

for_both! {
    the_hook_sees_the_complete_history = sees_the_history;
    the_hook_may_change_the_payload_and_the_state_follows = changes_the_payload;
    the_hook_may_change_who_did_it = changes_the_meta;
    the_hook_may_add_links = adds_links;
    an_error_of_the_hook_takes_everything_back = refuses;
    the_hook_is_part_of_the_transaction_of_the_write = is_part_of_the_transaction;
    a_command_that_is_run_again_does_not_run_the_hook_again = is_idempotent;
}

async fn sees_the_history<M>(db: &mut Db)
where
    M: Thing + ModelOn<Backend>,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let it = db.run(Command::<M>::insert(M::new("", "It"))).await.unwrap();
    db.run(Command::change(&it, Add(1))).await.unwrap();
    db.run(Command::savepoint(&it)).await.unwrap();
    db.run(Command::change(&it, Add(1))).await.unwrap();
    let commands = batch([Command::change(&it, M::named("That")), Command::change(&it, Add(1))]);
    assert_eq!(db.run(commands).await.unwrap()[1].value(), 3);
    let seen = seen::<M>(db, &it.key()).await;
    assert_eq!(seen[0], Some(json!([])));
    assert_eq!(seen[1], Some(json!(["1 insert"])));
    assert_eq!(seen[2], None, "a savepoint changes nothing, and nobody is asked");
    // The hook also receives the events before a savepoint.
    assert_eq!(seen[3], Some(json!(["1 insert", "2 add", "3 savepoint"])));
    assert_eq!(seen[5], Some(json!(["1 insert", "2 add", "3 savepoint", "4 add", "5 update"])));
    let history = db.run(History::<M>::new(it.key())).await.unwrap();
    let said = |revision: usize, what: &str| history[revision - 1].event.meta().own.get(what).cloned();
    assert_eq!((said(1, "action"), said(1, "before")), (Some(json!("insert")), Some(json!(false))));
    assert_eq!((said(2, "action"), said(2, "before")), (Some(json!("add")), Some(json!(true))));
    assert_eq!(db.run(Replay::<M>::new(it.key())).await.unwrap().map(|it| it.value()), Some(3));
}

async fn changes_the_payload<M>(db: &mut Db)
where
    M: Thing + ModelOn<Backend>,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let rename = |name: &str| json!({ "rename": name });
    let it = db.run(Command::<M>::insert(M::new("", "It")).meta(rename("Made"))).await.unwrap();
    assert_eq!(it.name(), "Made");
    let it = db.run(Command::change(&it, M::named("That")).meta(rename("Renamed"))).await.unwrap();
    assert_eq!(it.name(), "Renamed");
    let it = db.run(Command::change(&it, Add(1)).meta(json!({ "payload": 20 }))).await.unwrap();
    assert_eq!(it.value(), 20);
    let commands =
        batch([Command::change(&it, Add(1)).meta(json!({ "payload": 5 })), Command::change(&it, Add(1))]);
    let done = db.run(commands).await.unwrap();
    assert_eq!((done[0].value(), done[1].value()), (25, 26));
    let replayed = db.run(Replay::<M>::new(it.key())).await.unwrap().unwrap();
    assert_eq!(replayed, done[1]);
    let history = db.run(History::<M>::new(it.key())).await.unwrap();
    assert_eq!(history[1].event.payload_json(), "{\"name\":\"Renamed\"}");
    for entry in &history {
        let after = entry.after.as_ref().unwrap().state_digest().unwrap();
        assert_eq!(entry.event.state(), after, "the digest is that of the state it led to");
    }
    // A payload that does not fit the action is refused, and so is a state that violates a rule.
    let before = everything(db).await;
    let odd = Command::change(&it, Add(1)).meta(json!({ "payload": "many" }));
    assert!(db.run(odd).await.is_err());
    let unstorable = Command::change(&it, M::named("x")).meta(json!({ "rename": "a\u{0}b" }));
    assert!(matches!(db.run(unstorable).await, Err(Error::Encode { .. })));
    assert_eq!(everything(db).await, before);
}

async fn changes_the_meta<M>(db: &mut Db)
where
    M: Thing + ModelOn<Backend>,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let it = db
        .run(Command::<M>::insert(M::new("", "It")).by("user:7").meta(json!({ "as": "user:8" })))
        .await
        .unwrap();
    db.run(Command::change(&it, Add(1)).by("user:7").meta(json!({ "as": null, "kept": 1 }))).await.unwrap();
    db.run(Command::change(&it, Add(1)).by("user:7")).await.unwrap();
    let history = db.run(History::<M>::new(it.key())).await.unwrap();
    let actors: Vec<_> = history.iter().map(|entry| entry.event.actor()).collect();
    assert_eq!(actors, [Some("user:8".into()), None, Some("user:7".into())]);
    assert_eq!(history[1].event.meta().own.get("kept"), Some(&json!(1)));
}

async fn adds_links<M>(db: &mut Db)
where
    M: Thing + ModelOn<Backend> + Model<Log = Board>,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let it = db.run(Command::<M>::insert(M::new("", "It"))).await.unwrap();
    let second = db.run(Command::change(&it, Add(1)).recorded()).await.unwrap();
    // The hook's links are added to the links of the command.
    let linked = Command::change(&it, Add(1)).meta(json!({ "link": true }));
    db.run(linked.link(events_ancestors::table, second.event_id)).await.unwrap();
    db.run(batch([Command::change(&it, Add(1)).meta(json!({ "link": true }))])).await.unwrap();
    let history = db.run(History::<M>::new(it.key())).await.unwrap();
    let events: Vec<_> = history.iter().map(|entry| &entry.event).collect();
    let ancestors = db.run(events[2].linked(events_ancestors::table)).await.unwrap();
    assert_eq!(ancestors.iter().map(|it| it.event.revision()).collect::<Vec<_>>(), [1, 2]);
    let replies = db.run(events[3].linked(events_replies::table)).await.unwrap();
    let replies: Vec<_> = replies.iter().map(|it| (it.event.revision(), it.data.tone.as_str())).collect();
    assert_eq!(replies, [(3, "hooked")]);
    // A link to an event that does not exist.
    let before = everything(db).await;
    let stray = Command::change(&it, Add(1)).meta(json!({ "stray": true }));
    assert!(matches!(db.run(stray).await, Err(Error::Link { .. })));
    let stray = Command::<M>::insert(M::new("", "New")).meta(json!({ "stray": true }));
    assert!(matches!(db.run(stray).await, Err(Error::Link { .. })));
    assert_eq!(everything(db).await, before);
}

async fn refuses<M>(db: &mut Db)
where
    M: Thing + ModelOn<Backend>,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let it = db.run(Command::<M>::insert(M::new("", "It"))).await.unwrap();
    let before = everything(db).await;
    let refuse = || json!({ "refuse": true });
    let faults = |error: Error| error.validation_errors().map(ToString::to_string).unwrap_or_default();
    let insert = || Command::<M>::insert(M::new("", "New")).meta(refuse());
    let change = || Command::change(&it, Add(1)).meta(refuse());
    for command in [insert(), change()] {
        let error = db.run(command).await.unwrap_err();
        assert!(faults(error).contains("is not wanted"));
        assert_eq!(everything(db).await, before);
    }
    let error = db.run(batch([Command::change(&it, Add(1)), change()])).await.unwrap_err();
    assert!(matches!(error, Error::Batch { index: 1, .. }), "{error}");
    assert_eq!(everything(db).await, before);
    // Within a transaction of the caller that continues after the error.
    db.begin().await;
    for command in [insert(), change()] {
        assert!(db.run(command).await.is_err());
    }
    db.commit().await;
    assert_eq!(everything(db).await, before);
}

async fn is_part_of_the_transaction<M>(db: &mut Db)
where
    M: Thing + ModelOn<Backend>,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let it = db.run(Command::<M>::insert(M::new("", "It"))).await.unwrap();
    let [events, traces, _] = everything(db).await;
    assert_eq!((events, traces), (1, 1));
    let before = everything(db).await;
    db.begin().await;
    db.run(Command::change(&it, Add(1))).await.unwrap();
    db.run(Command::<M>::insert(M::new("", "New"))).await.unwrap();
    let [events, traces, _] = everything(db).await;
    assert_eq!((events, traces), (3, 3));
    db.rollback().await;
    assert_eq!(everything(db).await, before);
    // Other connections do not see the hook's writes before the event is committed.
    let mut other = db.connect().await;
    db.begin().await;
    db.run(Command::change(&it, Add(1))).await.unwrap();
    assert_eq!(everything(&mut other).await, before);
    db.commit().await;
    let [events, traces, _] = everything(&mut other).await;
    assert_eq!((events, traces), (2, 2));
}

async fn is_idempotent<M>(db: &mut Db)
where
    M: Thing + ModelOn<Backend>,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let id = Uuid::now_v7();
    let insert = || Command::<M>::insert(M::new("", "It")).idempotent(id).recorded();
    let it = db.run(insert()).await.unwrap();
    assert_eq!(db.run(insert()).await.unwrap(), it);
    let id = Uuid::now_v7();
    let change = || Command::change(&it.record, Add(1)).idempotent(id).recorded();
    let changed = db.run(change()).await.unwrap();
    assert_eq!(db.run(change()).await.unwrap(), changed);
    let [events, traces, _] = everything(db).await;
    assert_eq!((events, traces), (2, 2));
}

#[tokio::test]
async fn an_action_sees_the_actor_that_the_hook_says() {
    let mut db = fresh().await;
    let letter = db.run(Letter::insert(NewLetter { name: "Letter".into() })).await.unwrap();
    let signed = db.run(letter.sign(Sign).by("user:7").meta(json!({ "as": "user:8" }))).await.unwrap();
    assert_eq!(signed.name, "user:8");
    assert_eq!(db.run(Letter::replay(letter.id)).await.unwrap(), Some(signed.clone()));
    assert_eq!(db.run(letter.sign(Sign).by("user:7")).await.unwrap().name, "user:7");
}

#[tokio::test]
async fn the_hook_sees_what_was_adopted() {
    let mut db = fresh().await;
    let letter = db.run(Letter::insert(NewLetter { name: "Letter".into() })).await.unwrap();
    db.sql("UPDATE letters SET value = 40").await;
    assert_eq!(db.run(letter.add(Add(2))).await.unwrap().value, 42);
    let seen = seen::<Letter>(&mut db, &letter.id).await;
    assert_eq!(seen[2], Some(json!(["1 insert", "2 external"])));
}
