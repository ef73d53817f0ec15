//! Values: one record, many, a list; what equal queries share.

use std::time::Duration;

use evented_diesel::prelude::*;
use evented_live::{LiveDsl, Status, Step};
use evented_live_tests::{Member, MemberChanges, NewMember, NewPerson, NewPrice, NewVote, Person, PersonChanges, Price, PriceChanges, Source as _, Task, TaskChanges, Vote, eventually, task, titles, until};

use super::{Source, World};

#[tokio::test(flavor = "multi_thread")]
async fn one_record_comes_and_goes_and_comes_again() {
    let mut world = World::new::<Source>().await;
    let key = (1, "a".to_owned());
    let mut one = world.store.open(Member::live().one(key)).await.unwrap();
    assert_eq!(one.get(), None);
    for round in 0..2 {
        let new = NewMember { org_id: 1, code: "a".into(), role: "reader".into() };
        let created = world.db.run(Member::insert(new)).await.unwrap();
        assert_eq!(until(&mut one, "insert", Option::is_some).await.unwrap(), created);
        let changes = MemberChanges { role: Some(format!("writer {round}")) };
        let renamed = world.db.run(created.update(changes)).await.unwrap();
        until(&mut one, "update", |member| member.as_ref().is_some_and(|member| *member == renamed)).await;
        world.db.run(renamed.delete()).await.unwrap();
        until(&mut one, "delete", Option::is_none).await;
    }
    assert!(one.status().is_exact());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_are_in_the_order_of_their_keys() {
    let mut world = World::new::<Source>().await;
    let mut ids = Vec::new();
    for name in ["Ann", "Bob", "Cid"] {
        ids.push(world.db.run(Person::insert(NewPerson { name: name.into() })).await.unwrap().id);
    }
    let keys = [ids[2], ids[0], ids[2], 999];
    let mut many = world.store.open(Person::live().many(keys)).await.unwrap();
    let names = |people: &evented_live::List<evented_live::Row<Person>>| {
        people.iter().map(|person| person.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&many.get()), ["Cid", "Ann"]);
    let ann = world.db.run(Person::replay(ids[0])).await.unwrap().unwrap();
    world.db.run(ann.delete()).await.unwrap();
    until(&mut many, "delete", |people| names(people) == ["Cid"]).await;
    // A value whose records are known needs no read.
    let again = world.store.open(Person::live().many([ids[2]]).keys()).await.unwrap();
    assert_eq!(again.get(), vec![ids[2]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_follows_filter_order_and_limit() {
    let mut world = World::new::<Source>().await;
    for (rank, title) in [(3, "c"), (1, "a"), (2, "b")] {
        world.insert(task(7, rank, title)).await;
    }
    let other = world.insert(task(8, 9, "other")).await;
    let query = Task::live().filter(|t| t.org_id.eq(7).and(t.done.eq(false))).order(|t| t.rank.desc()).limit(3);
    let mut list = world.store.open(query).await.unwrap();
    assert_eq!(titles(&list.get()), ["c", "b", "a"]);

    // It enters at its place, and the last one has no room.
    world.db.run(other.update(TaskChanges { org_id: Some(7), ..Default::default() })).await.unwrap();
    until(&mut list, "enter", |tasks| titles(tasks) == ["other", "c", "b"]).await;

    // It moves.
    let b = list.get()[2].to_record();
    world.db.run(b.update(TaskChanges { rank: Some(20), ..Default::default() })).await.unwrap();
    let update = loop {
        let update = list.changed().await.unwrap().unwrap();
        if titles(update.new()) == ["b", "other", "c"] {
            break update;
        }
    };
    let mut steps = update.old().to_vec();
    update.steps().iter().for_each(|step| step.apply(&mut steps));
    assert_eq!(*update.new(), steps);
    assert!(update.steps().iter().any(|step| matches!(step, Step::Move { .. })), "{:?}", update.steps());

    // It leaves, and the next one has room again.
    world.db.run(b.update(TaskChanges { done: Some(true), ..Default::default() })).await.unwrap();
    until(&mut list, "leave", |tasks| titles(tasks) == ["other", "c", "a"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_begins_behind_a_row() {
    let mut world = World::new::<Source>().await;
    for number in 0..9 {
        let due = (number % 3 != 0).then(chrono::Utc::now);
        let new = evented_live_tests::NewTask { due, ..task(1, number / 2, &number.to_string()) };
        world.insert(new).await;
    }
    let ordered = || Task::live().order(|t| (t.due.desc(), t.rank.asc(), t.title.desc()));
    let all = world.store.open(ordered()).await.unwrap();
    let all = all.get();
    let mut paged = Vec::new();
    let mut last: Option<Task> = None;
    loop {
        let query = ordered().limit(2);
        let query = match &last {
            Some(last) => query.after(last),
            None => query,
        };
        let page = world.store.open(query).await.unwrap().get();
        let Some(end) = page.last() else { break };
        last = Some(end.to_record());
        paged.extend(page.to_vec());
    }
    assert_eq!(paged, all.to_vec(), "nothing is doubled and nothing is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_only_with_the_membership() {
    let mut world = World::new::<Source>().await;
    let lamp = world.insert(task(1, 1, "Lamp")).await;
    let mut keys = world.store.open(Task::live().filter(|t| t.org_id.eq(1)).keys()).await.unwrap();
    assert_eq!(keys.get(), vec![lamp.id]);
    let renamed = TaskChanges { title: Some("Desk lamp".into()), ..Default::default() };
    let lamp = world.db.run(lamp.update(renamed)).await.unwrap();
    let desk = world.insert(task(1, 2, "Desk")).await;
    let update = keys.changed().await.unwrap().unwrap();
    assert_eq!(*update.new(), vec![lamp.id, desk.id], "the first change is the second record");
}

/// What a page shows of a task.
#[derive(Clone, Debug, PartialEq)]
struct Card {
    title: String,
}
impl From<&Task> for Card {
    fn from(task: &Task) -> Self {
        Self { title: task.title.clone() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_changes_only_with_what_it_shows() {
    let mut world = World::new::<Source>().await;
    let lamp = world.insert(task(1, 1, "Lamp")).await;
    let mut cards = world.store.open(Task::live().view::<Card>()).await.unwrap();
    let mut card = world.store.open(Task::live().one(lamp.id).view::<Card>()).await.unwrap();
    assert_eq!(card.get(), Some(Card { title: "Lamp".into() }));
    let lamp = world.db.run(lamp.update(TaskChanges { rank: Some(5), ..Default::default() })).await.unwrap();
    world.db.run(lamp.update(TaskChanges { title: Some("Light".into()), ..Default::default() })).await.unwrap();
    assert_eq!(cards.changed().await.unwrap().unwrap().new()[0].title, "Light");
    assert_eq!(card.changed().await.unwrap().unwrap().new().as_ref().unwrap().title, "Light");
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_queries_are_one_value() {
    let mut world = World::with::<Source>(|store| store.linger(Duration::from_millis(300))).await;
    world.insert(task(1, 1, "Lamp")).await;
    let one = || Task::live().filter(|t| t.org_id.eq(1).and(t.rank.ge(0)));
    let two = || Task::live().filter(|t| t.rank.ge(0).and(t.org_id.eq(1)));
    let first = world.store.open(one()).await.unwrap();
    let second = world.store.open(two()).await.unwrap();
    assert_eq!(world.store.status().values, 1, "the order of the conditions does not matter");
    let third = world.store.open(one().limit(3)).await.unwrap();
    assert_eq!(world.store.status().values, 2);
    assert!(first.get()[0] == second.get()[0] && third.get().len() == 1);
    drop(first);
    second.cancel();
    assert_eq!(world.store.status().values, 2, "they are kept for a while");
    eventually("the first is removed", async || world.store.status().values == 1).await;
    drop(third);
    eventually("the last is removed", async || world.store.status().values == 0).await;
    let again = world.store.open(one()).await.unwrap();
    assert_eq!(again.get().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_in_the_value_that_has_reached_it() {
    let mut world = World::new::<Source>().await;
    let list = world.store.open(Task::live()).await.unwrap();
    for number in 0..20 {
        let written = world.db.run(Task::insert(task(1, number, "Lamp")).recorded()).await.unwrap();
        let position = Source::position(&mut world.db, written.position()).await;
        let second = Duration::from_secs(100);
        tokio::time::timeout(second, list.reaches(position)).await.expect("in time").unwrap();
        assert_eq!(list.get().len(), usize::try_from(number).unwrap() + 1);
        let (value, cut, status) = list.read();
        assert!(value.len() > usize::try_from(number).unwrap() && status.is_exact());
        assert_eq!(cut.reaches(position), Some(true));
    }
    let elsewhere = "1-2-3-4-5".parse().unwrap();
    let error = list.reaches(elsewhere).await.unwrap_err().to_string();
    assert!(error.contains("wal::mark()"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_two_columns_is_a_key() {
    let mut world = World::new::<Source>().await;
    for (org_id, code) in [(2, "a"), (10, "B"), (10, "a"), (2, "Z"), (-1, "ä"), (10, "a/b")] {
        let new = NewMember { org_id, code: code.into(), role: "reader".into() };
        world.db.run(Member::insert(new)).await.unwrap();
    }
    let list = world.store.open(Member::live()).await.unwrap();
    let keys = |list: &evented_live::List<evented_live::Row<Member>>| {
        list.iter().map(|member| (member.org_id, member.code.clone())).collect::<Vec<_>>()
    };
    let mut sorted = keys(&list.get());
    sorted.sort();
    assert_eq!(keys(&list.get()), sorted, "numbers by their value, text by its bytes");
    let mut many = world.store.open(Member::live().many([(10, "a".to_owned()), (2, "Z".to_owned())])).await.unwrap();
    assert_eq!(keys(&many.get()), [(10, "a".to_owned()), (2, "Z".to_owned())]);
    let page = world.store.open(Member::live().after(&list.get()[1]).limit(2)).await.unwrap();
    assert_eq!(keys(&page.get()), keys(&list.get())[2..4]);
    let member = list.get()[4].to_record();
    world.db.run(member.delete()).await.unwrap();
    until(&mut many, "delete", |list| keys(list) == [(2, "Z".to_owned())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_generates_is_read_after_a_change() {
    // PostgreSQL 15 does not publish such a column.
    let mut world = World::new::<evented_live_tests::Log>().await;
    let query = Price::live().filter(|p| p.net.gt(0));
    let mut list = world.store.open(query).await.unwrap();
    let price = world.db.run(Price::insert(NewPrice { id: 1, net: 5 })).await.unwrap();
    until(&mut list, "insert", |list| list.first().is_some_and(|price| price.gross == 10)).await;
    world.db.run(price.update(PriceChanges { net: Some(7) })).await.unwrap();
    until(&mut list, "update", |list| list.first().is_some_and(|price| (price.net, price.gross) == (7, 14))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_a_table_has_records_by_key() {
    let mut world = World::new::<evented_live_tests::Log>().await;
    let vote = world.db.run(Vote::insert(NewVote { points: 3 })).await.unwrap();
    let one = world.store.open(Vote::live().one(vote.id)).await.unwrap();
    assert_eq!(one.get().unwrap().points, 3);
    let error = world.store.open(Vote::live()).await.unwrap_err().to_string();
    assert!(error.contains("`votes` has no table"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stops_ends_its_values() {
    let mut world = World::new::<Source>().await;
    world.insert(task(1, 1, "Lamp")).await;
    let mut list = world.store.open(Task::live()).await.unwrap();
    world.store.stop();
    let ended = loop {
        match list.changed().await {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(ended, Some(Err(evented_live::LiveError::Stopped { .. }))), "{ended:?}");
    assert!(list.changed().await.is_none());
    assert_eq!(list.get().len(), 1, "the last value stays");
    assert!(matches!(list.status(), Status::Stale { .. }));
    let error = world.store.open(Task::live().limit(1)).await.unwrap_err().to_string();
    assert!(error.contains("stopped"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_savepoint_changes_the_revision() {
    let mut world = World::new::<Source>().await;
    let ann = world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let mut one = world.store.open(Person::live().one(ann.id)).await.unwrap();
    assert_eq!(one.get().unwrap().revision, 1);
    world.db.run(Person::savepoint(ann.id)).await.unwrap();
    let ann = until(&mut one, "savepoint", |it| it.as_ref().is_some_and(|it| it.revision == 2)).await.unwrap();
    // A write with the copy that is shown does not conflict.
    let renamed = PersonChanges { name: Some("Anna".into()) };
    world.db.run(ann.update(renamed)).await.unwrap();
    until(&mut one, "update", |it| it.as_ref().is_some_and(|it| it.revision == 3 && it.name == "Anna")).await;
}
