//! Tests which changes a subscriber receives, in which order, and from which position on: the same from both sources.

use std::time::Duration;

use evented_feed::{Change, ChangeKind, Channel, Feed, Hub, HubError, Interruption, Kinds, Policy, Position, RecvError, TransactionFeed};
use evented_diesel::{Error, EventedDsl as _, Id, Model};
use evented_tests::models::{
    AddValue, Archive, Counter, Item, ItemChanges, NewItem, NewNote, Note, NoteChanges, Org,
};
use uuid::Uuid;

use super::{Db, delivered_at, hub};

fn org() -> Id<Org> {
    Id::new(Uuid::now_v7())
}

fn lamp(org_id: Id<Org>) -> NewItem {
    NewItem { org_id, name: "Lamp".into(), value: 0, note: None }
}

/// Returns the next item. A timeout makes a test fail instead of hang when no item arrives.
async fn next<M: Model>(feed: &mut Feed<M>) -> Option<Result<Change<M>, Interruption>> {
    tokio::time::timeout(Duration::from_secs(60), feed.next()).await.expect("in time")
}

async fn change<M: Model>(feed: &mut Feed<M>) -> Change<M> {
    next(feed).await.expect("a change").expect("no error")
}

async fn kinds<M: Model>(feed: &mut Feed<M>, count: usize) -> Vec<ChangeKind> {
    let mut kinds = Vec::new();
    for _ in 0..count {
        kinds.push(change(feed).await.kind());
    }
    kinds
}

/// Asserts that no further change follows: the last write has been delivered to every subscriber, and the feed is
/// empty.
async fn nothing_more<M: Model>(hub: &Hub, feed: &mut Feed<M>, until: Position) {
    hub.wait_for(until).await.unwrap();
    assert!(matches!(feed.try_recv(), Err(RecvError::Empty)));
}

#[tokio::test]
async fn a_change_has_the_states_before_and_after_and_the_actor() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let mut feed = hub.subscribe(Item::changes()).unwrap();

    let made = db.run(Item::insert(lamp(org())).by("ann")).await.unwrap();
    let done = db.run(made.add_value(AddValue(3)).by("bob").recorded()).await.unwrap();
    db.run(made.delete()).await.unwrap();

    let insert = change(&mut feed).await;
    assert_eq!((insert.kind(), insert.schema(), insert.key()), (ChangeKind::Insert, "items", Some(&made.id)));
    assert_eq!((insert.before(), insert.after()), (None, Some(&made)));
    assert_eq!((insert.action(), insert.actor().as_deref()), (Some("insert"), Some("ann")));

    let update = change(&mut feed).await;
    assert_eq!((update.kind(), update.before(), update.after()), (ChangeKind::Update, Some(&made), Some(&done.record)));
    let names: Vec<_> = update.changeset().unwrap().iter().map(|it| it.field).collect();
    assert_eq!(names, ["value", "updated_at"]);
    let event = update.event().unwrap();
    assert_eq!((event.id, event.revision, event.action.as_str()), (done.event_id, 2, "add"));
    assert!(update.position() > insert.position());

    let delete = change(&mut feed).await;
    assert_eq!((delete.kind(), delete.before(), delete.after()), (ChangeKind::Delete, Some(&done.record), None));
}

#[tokio::test]
async fn a_record_that_was_there_before_is_known_as_it_was() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp(org()))).await.unwrap();
    let item = db.run(item.add_value(AddValue(1))).await.unwrap();
    let hub = hub(&mut db).await;
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    // A savepoint is not a change.
    db.run(Item::savepoint(item.id)).await.unwrap();
    let archived = db.run(item.archive(Archive { reason: "sold".into() })).await.unwrap();
    // The feed yields the changes since the subscription; on PostgreSQL also earlier ones that were delivered late.
    let last = loop {
        let change = change(&mut feed).await;
        if change.action() == Some("archive") {
            break change;
        }
    };
    assert_eq!((last.before(), last.after()), (Some(&item), Some(&archived)));
}

#[tokio::test]
async fn a_scope_receives_its_records_and_those_that_enter_and_leave() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let (ours, theirs) = (org(), org());
    let mut feed = hub.subscribe(Item::changes().scope(Item::ORG.eq(ours))).unwrap();
    let mut other = hub.subscribe(Item::changes().scope(Item::ORG.eq(theirs))).unwrap();

    let item = db.run(Item::insert(lamp(ours))).await.unwrap();
    db.run(Item::insert(lamp(org()))).await.unwrap();
    let moved = ItemChanges { org_id: Some(theirs), ..Default::default() };
    let item = db.run(item.update(moved).by("ann").meta(serde_json::json!({"why": "they pay more"}))).await.unwrap();
    let item = db.run(item.add_value(AddValue(1))).await.unwrap();
    let back = ItemChanges { org_id: Some(ours), ..Default::default() };
    let item = db.run(item.update(back)).await.unwrap();
    let last = db.run(item.delete().recorded()).await.unwrap();

    use ChangeKind::{Delete, Enter, Insert, Leave, Update};
    assert_eq!(kinds(&mut feed, 1).await, [Insert]);
    let left = change(&mut feed).await;
    assert_eq!((left.kind(), left.action(), left.actor().as_deref()), (Leave, Some("update"), Some("ann")));
    assert!(left.event().unwrap().meta().own.is_empty(), "what was noted is for those who see both sides");
    let entered = change(&mut feed).await;
    assert_eq!((entered.kind(), entered.before()), (Enter, None));
    assert_eq!(entered.entered().collect::<Vec<_>>(), [&[("org", "org_id")]]);
    assert_eq!(kinds(&mut feed, 1).await, [Delete]);
    nothing_more(&hub, &mut feed, delivered_at(&mut db, &last).await).await;

    assert_eq!(kinds(&mut other, 2).await, [Enter, Update]);
    let left = change(&mut other).await;
    // The subscriber does not receive the new state.
    assert_eq!((left.kind(), left.after(), left.before().map(|it| it.value)), (Leave, None, Some(1)));
    nothing_more(&hub, &mut other, delivered_at(&mut db, &last).await).await;
}

#[tokio::test]
async fn one_record_and_some_kinds_can_be_asked_for() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let one = db.run(Item::insert(lamp(org()))).await.unwrap();
    let mut of_one = hub.subscribe(Item::changes().record(one.id).on(Kinds::UPDATES | Kinds::DELETES)).unwrap();
    let mut deletes = hub.subscribe(Item::changes().on(Kinds::DELETES)).unwrap();
    let other = db.run(Item::insert(lamp(org()))).await.unwrap();
    db.run(one.add_value(AddValue(1))).await.unwrap();
    db.run(other.add_value(AddValue(1))).await.unwrap();
    db.run(one.delete()).await.unwrap();
    let last = db.run(other.delete().recorded()).await.unwrap();
    assert_eq!(kinds(&mut of_one, 2).await, [ChangeKind::Update, ChangeKind::Delete]);
    nothing_more(&hub, &mut of_one, delivered_at(&mut db, &last).await).await;
    assert_eq!(change(&mut deletes).await.key(), Some(&one.id));
    assert_eq!(change(&mut deletes).await.key(), Some(&other.id));
}

#[tokio::test]
async fn channels_are_added_and_removed_and_nothing_is_delivered_twice() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let ours = org();
    let by_scope = || Item::changes().scope(Item::ORG.eq(ours));
    let mut feed = hub.subscribe(by_scope()).unwrap();
    feed.add(by_scope()).unwrap();
    feed.add(Item::changes()).unwrap();
    let listed = hub.subscriptions::<Item>().unwrap();
    assert_eq!((listed.len(), listed[0].id, listed[0].channels.len()), (1, feed.id(), 2));
    assert!(listed[0].channels[0].starts_with("items of org = "), "{listed:?}");

    let item = db.run(Item::insert(lamp(ours))).await.unwrap();
    assert_eq!(change(&mut feed).await.key(), Some(&item.id));
    feed.remove(&Item::changes());
    let stranger = db.run(Item::insert(lamp(org())).recorded()).await.unwrap();
    nothing_more(&hub, &mut feed, delivered_at(&mut db, &stranger).await).await;
    db.run(item.add_value(AddValue(1))).await.unwrap();
    assert_eq!(change(&mut feed).await.kind(), ChangeKind::Update);

    drop(feed);
    assert_eq!(hub.subscriptions::<Item>().unwrap(), []);
}

/// A viewer that may see the items of one organisation that are not archived.
struct Viewer {
    org: Id<Org>,
    may_enter: bool,
}
impl Policy<Item> for Viewer {
    fn may_subscribe(&self, _: &Channel<Item>) -> bool {
        self.may_enter
    }
    fn may_see(&self, item: &Item) -> bool {
        assert_ne!(item.name, "Trap");
        item.org_id == self.org && item.archived_at.is_none()
    }
}

#[tokio::test]
async fn hidden_records_are_not_delivered() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let ours = org();
    let refused = hub.subscribe(Item::changes().allowed_by(Viewer { org: ours, may_enter: false }));
    assert!(matches!(refused, Err(HubError::Denied(_))), "{refused:?}");

    let mut feed = hub.subscribe(Item::changes().allowed_by(Viewer { org: ours, may_enter: true })).unwrap();
    let hidden = db.run(Item::insert(lamp(org()))).await.unwrap();
    let item = db.run(Item::insert(lamp(ours))).await.unwrap();
    // A policy that panics denies access, and the hub continues.
    db.run(Item::insert(NewItem { name: "Trap".into(), ..lamp(ours) })).await.unwrap();
    let item = db.run(item.archive(Archive { reason: "sold".into() })).await.unwrap();
    db.run(item.add_value(AddValue(1))).await.unwrap();
    let shown = ItemChanges { org_id: Some(ours), ..Default::default() };
    db.run(hidden.update(shown)).await.unwrap();

    let insert = change(&mut feed).await;
    assert_eq!((insert.kind(), insert.key()), (ChangeKind::Insert, Some(&item.id)));
    let leave = change(&mut feed).await;
    assert_eq!((leave.kind(), leave.key(), leave.after()), (ChangeKind::Leave, Some(&item.id), None));
    let enter = change(&mut feed).await;
    assert_eq!((enter.kind(), enter.key(), enter.before()), (ChangeKind::Enter, Some(&hidden.id), None));
}

#[tokio::test]
async fn a_slow_subscriber_gets_the_position_to_resume_from() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let mut slow = hub.subscribe_builder(Item::changes()).buffer(4).feed().unwrap();
    let mut fast = hub.subscribe(Item::changes()).unwrap();
    let mut made = Vec::new();
    for _ in 0..10 {
        made.push(db.run(Item::insert(lamp(org())).recorded()).await.unwrap());
    }
    for item in &made {
        assert_eq!(change(&mut fast).await.key(), Some(&item.record.id));
    }
    hub.wait_for(delivered_at(&mut db, &made[9]).await).await.unwrap();
    let mut received = Vec::new();
    let resume_from = loop {
        match next(&mut slow).await.expect("not the end") {
            Ok(change) => received.push(*change.key().unwrap()),
            Err(Interruption::Lagged { resume_from }) => break resume_from,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(received.len(), 4);
    assert!(next(&mut slow).await.is_none());
    assert_eq!(hub.subscriptions::<Item>().unwrap().len(), 1);

    // The position is stored as text and parsed again.
    let resume_from: Position = resume_from.to_string().parse().unwrap();
    let mut again = hub.subscribe_builder(Item::changes()).resume(resume_from).buffer(5).feed().unwrap();
    while received.len() < 10 {
        received.push(*change(&mut again).await.key().unwrap());
    }
    assert_eq!(received, made.iter().map(|it| it.record.id).collect::<Vec<_>>());
    // The subscriber has caught up.
    let last = db.run(Item::insert(lamp(org())).recorded()).await.unwrap();
    assert_eq!(change(&mut again).await.key(), Some(&last.record.id));
    nothing_more(&hub, &mut again, delivered_at(&mut db, &last).await).await;
}

#[tokio::test]
async fn rows_and_the_changes_after_them_fit_together() {
    let mut db = Db::new().await;
    let mut writer = db.connect().await;
    let hub = hub(&mut db).await;
    let before = writer.run(Item::insert(lamp(org()))).await.unwrap();
    let feed = hub.subscribe(Item::changes()).unwrap();
    let early = writer.run(Item::insert(lamp(org()))).await.unwrap();

    // A read point needs a transaction.
    let refused = db.run(Item::read_point()).await.unwrap_err();
    assert!(matches!(refused, Error::ReadPoint { .. }), "{refused}");
    db.begin().await;
    if Db::DATABASE == evented_diesel::migrations::Database::Postgres {
        let refused = db.run(Item::read_point()).await.unwrap_err();
        assert!(matches!(refused, Error::ReadPoint { .. }), "{refused}");
        db.rollback().await;
        db.begin().await;
        db.sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await;
    }
    let seen = db.run(Item::read_point()).await.unwrap();
    let late = writer.run(Item::insert(lamp(org()))).await.unwrap();
    let rows = db.number("SELECT count(*) FROM items").await;
    db.rollback().await;
    assert_eq!(rows, 2, "{before:?} {early:?}");

    let mut feed = feed.after(seen);
    assert_eq!(change(&mut feed).await.key(), Some(&late.id));
}

async fn transaction<M: Model>(feed: &mut TransactionFeed<M>) -> Vec<Change<M>> {
    let delivered = tokio::time::timeout(Duration::from_secs(60), feed.next()).await.expect("in time");
    delivered.expect("a transaction").expect("no error")
}

#[tokio::test]
async fn a_transaction_can_come_whole() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let ours = org();
    let mut feed = hub.subscribe_transactions(Item::changes().scope(Item::ORG.eq(ours))).unwrap();
    db.begin().await;
    let item = db.run(Item::insert(lamp(ours))).await.unwrap();
    db.run(item.add_value(AddValue(1))).await.unwrap();
    db.run(Item::insert(lamp(org()))).await.unwrap();
    assert!(hub.subscriptions::<Item>().unwrap()[0].buffered == 0);
    db.commit().await;
    let delivered = transaction(&mut feed).await;
    assert_eq!(delivered.iter().map(Change::kind).collect::<Vec<_>>(), [ChangeKind::Insert, ChangeKind::Update]);
    let indexes: Vec<_> = delivered.iter().map(|change| change.transaction().index).collect();
    assert_eq!(indexes, [0, 1]);
    assert!(delivered.iter().all(|change| !change.transaction().last), "{delivered:?}");

    db.begin().await;
    db.run(item.add_value(AddValue(1))).await.unwrap();
    db.rollback().await;
    db.run(item.delete()).await.unwrap();
    let delivered = transaction(&mut feed).await;
    assert_eq!((delivered.len(), delivered[0].kind(), delivered[0].transaction().last), (1, ChangeKind::Delete, true));
}

#[tokio::test]
async fn a_transaction_feed_resumes_between_two_transactions() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let mut feed = hub.subscribe_builder(Item::changes()).buffer(100).transaction_feed().unwrap();
    let mut delivered = Vec::new();
    for value in [1, 2] {
        db.begin().await;
        let item = db.run(Item::insert(lamp(org()))).await.unwrap();
        let last = db.run(item.add_value(AddValue(value)).recorded()).await.unwrap();
        db.commit().await;
        // SQLite does not number transactions: two could be delivered as one.
        hub.wait_for(delivered_at(&mut db, &last).await).await.unwrap();
        delivered.push(item.id);
    }
    let first = transaction(&mut feed).await;
    assert_eq!(first.iter().map(|it| *it.key().unwrap()).collect::<Vec<_>>(), [delivered[0]; 2]);
    let mut again = hub.subscribe_builder(Item::changes()).resume(feed.position()).transaction_feed().unwrap();
    let second = transaction(&mut again).await;
    assert_eq!(second.iter().map(|it| *it.key().unwrap()).collect::<Vec<_>>(), [delivered[1]; 2]);
    assert!(again.position().has_reached(second[1].position()));
    let third = db.run(Item::insert(lamp(org()))).await.unwrap();
    assert_eq!(transaction(&mut again).await[0].key(), Some(&third.id));
}

#[tokio::test]
async fn a_feed_knows_how_far_it_is_also_where_nothing_happens() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let ours = org();
    let by_scope = || Item::changes().scope(Item::ORG.eq(ours));
    let mut feed = hub.subscribe(by_scope()).unwrap();
    let start = feed.position();
    assert_eq!(start, feed.start());
    let stranger = db.run(Item::insert(lamp(org())).recorded()).await.unwrap();
    hub.wait_for(delivered_at(&mut db, &stranger).await).await.unwrap();
    assert!(feed.position() > start);
    let item = db.run(Item::insert(lamp(ours))).await.unwrap();
    let last = db.run(item.add_value(AddValue(1)).recorded()).await.unwrap();
    hub.wait_for(delivered_at(&mut db, &last).await).await.unwrap();
    // The changes in the buffer have not been yielded.
    let mut again = hub.subscribe_from(by_scope(), feed.position()).unwrap();
    assert_eq!(kinds(&mut again, 2).await, [ChangeKind::Insert, ChangeKind::Update]);
    let delivered = change(&mut feed).await;
    assert_eq!(feed.position(), delivered.position());
    let mut again = hub.subscribe_from(by_scope(), feed.position()).unwrap();
    assert_eq!(change(&mut again).await.kind(), ChangeKind::Update);
    let delivered = change(&mut feed).await;
    assert!(feed.position().has_reached(delivered.position()));
}

/// A policy that reads the hub's subscriptions before it decides.
struct Curious(Hub);
impl Policy<Item> for Curious {
    fn may_subscribe(&self, _: &Channel<Item>) -> bool {
        self.0.subscriptions::<Item>().unwrap().is_empty()
    }
    fn may_see(&self, _: &Item) -> bool {
        true
    }
}

#[tokio::test]
async fn a_policy_may_ask_the_hub() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let only_one = || Item::changes().allowed_by(Curious(hub.clone()));
    let mut feed = hub.subscribe(only_one()).unwrap();
    assert!(matches!(hub.subscribe(only_one()), Err(HubError::Denied(_))));
    assert!(feed.add(only_one()).is_err());
}

#[tokio::test]
async fn a_hub_that_is_stopped_ends_its_feeds() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let delivered = db.run(Item::insert(lamp(org())).recorded()).await.unwrap();
    let delivered = delivered_at(&mut db, &delivered).await;
    hub.wait_for(delivered).await.unwrap();
    assert!(hub.position::<Item>().unwrap().has_reached(delivered));
    hub.stop();
    assert_eq!(change(&mut feed).await.kind(), ChangeKind::Insert);
    assert!(next(&mut feed).await.is_none());
    assert!(matches!(feed.try_recv(), Err(RecvError::Ended)));
    assert!(matches!(feed.recv_timeout(Duration::from_secs(60)), Err(RecvError::Ended)));
    assert!(matches!(hub.subscribe(Item::changes()), Err(HubError::Stopped { .. })));
    assert!(matches!(hub.wait_for(delivered).await, Err(HubError::Stopped { .. })));
}

#[tokio::test]
async fn a_channel_has_one_target() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let both = Item::changes().scope(Item::ORG.eq(org())).record(Id::new(Uuid::now_v7()));
    let refused = hub.subscribe(both).unwrap_err();
    assert!(matches!(refused, HubError::Denied(_)) && refused.to_string().contains("one target"), "{refused}");
}

#[tokio::test]
async fn models_without_a_hub_are_named() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let refused = hub.subscribe(Counter::changes()).unwrap_err();
    assert!(refused.to_string().contains("`counters`"), "{refused}");
}

#[tokio::test]
async fn a_record_with_a_generated_key_is_delivered_with_its_event() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    db.begin().await;
    let one = db.run(Note::insert(NewNote { text: "a".into() }).by("ann")).await.unwrap();
    let two = db.run(Note::insert(NewNote { text: "b".into() }).by("bob")).await.unwrap();
    db.run(one.update(NoteChanges { text: Some("c".into()) }).by("cid")).await.unwrap();
    db.run(two.delete().by("dan")).await.unwrap();
    db.commit().await;
    let mut delivered = Vec::new();
    for _ in 0..4 {
        let change = change(&mut feed).await;
        delivered.push((change.kind(), *change.key().unwrap(), change.actor().unwrap_or_default()));
    }
    use ChangeKind::{Delete, Insert, Update};
    let expected = [(Insert, one.id, "ann"), (Insert, two.id, "bob"), (Update, one.id, "cid"), (Delete, two.id, "dan")];
    assert_eq!(delivered, expected.map(|(kind, id, actor)| (kind, id, actor.to_owned())));
}

#[tokio::test]
async fn a_batch_is_delivered_command_by_command() {
    let mut db = Db::new().await;
    let hub = hub(&mut db).await;
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let inserts = (0..300).map(|n| Item::insert(NewItem { value: n, ..lamp(org()) }).by(n.to_string()));
    let made = db.run(evented_diesel::batch(inserts)).await.unwrap();
    db.run(evented_diesel::batch(made.iter().map(|item| item.add_value(AddValue(1)).by("all")))).await.unwrap();
    for item in &made {
        let insert = change(&mut feed).await;
        assert_eq!((insert.key(), insert.actor()), (Some(&item.id), Some(item.value.to_string())));
    }
    let mut updated = std::collections::HashSet::new();
    for _ in &made {
        let update = change(&mut feed).await;
        assert_eq!((update.kind(), update.actor().as_deref()), (ChangeKind::Update, Some("all")));
        updated.insert(*update.key().unwrap());
    }
    assert_eq!(updated.len(), made.len());
}
