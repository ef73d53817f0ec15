//! Sets: labels that change together, callbacks, and what a label is pointed at.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evented_diesel::prelude::*;
use evented_live::{Flow, LiveDsl, LiveError};
use evented_live_tests::{NewPerson, Person, PersonChanges, Source as _, Task, TaskChanges, task, titles};

use super::{Source, World};

const WAIT: Duration = Duration::from_secs(100);

#[tokio::test(flavor = "multi_thread")]
async fn all_labels_of_a_turn_are_of_one_cut() {
    let mut world = World::new::<Source>().await;
    let ann = world.db.run(Person::insert(NewPerson { name: "0".into() })).await.unwrap();
    let lamp = world.insert(task(1, 0, "0")).await;
    let mut set = world.store.set();
    let query = Task::live().filter(|t| t.org_id.eq(1)).limit(3);
    let (person, tasks) = set.sync_all((("person", Person::live().one(ann.id)), ("tasks", query))).unwrap();
    set.ready().await.unwrap();
    assert!(set.status().is_exact());

    let mut writer = world.db.connect().await;
    let writing = async {
        let (mut ann, mut lamp) = (ann, lamp);
        for number in 1..60_i16 {
            let text = number.to_string();
            writer.begin().await;
            ann = writer.run(ann.update(PersonChanges { name: Some(text.clone()) })).await.unwrap();
            let changes = TaskChanges { title: Some(text), rank: Some(number), ..Default::default() };
            lamp = writer.run(lamp.update(changes)).await.unwrap();
            writer.commit().await;
        }
    };
    let reading = async {
        loop {
            let turn = tokio::time::timeout(WAIT, set.changed()).await.expect("a turn").unwrap().unwrap();
            let name = turn.get(person).flatten().unwrap().name.clone();
            let title = turn.get(tasks).unwrap()[0].title.clone();
            assert_eq!(name, title, "both rows are written in one transaction");
            if name == "59" {
                break;
            }
        }
    };
    tokio::join!(writing, reading);
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_see_what_changed_in_order_and_may_halt() {
    let mut world = World::new::<Source>().await;
    let mut set = world.store.set();
    let tasks = set.sync("tasks", Task::live()).unwrap();
    let people = set.sync("people", Person::live()).unwrap();
    set.ready().await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = |name: &'static str, flow: Flow| {
        let seen = Arc::clone(&seen);
        move |turn: &mut evented_live::Turn<'_, _>| {
            if turn.has(tasks) {
                let (old, new) = (turn.old(tasks).unwrap(), turn.get(tasks).unwrap());
                assert_eq!(old.len() + 1, new.len());
                assert!(!turn.has(people) && turn.old(people).is_none());
                seen.lock().unwrap().push(format!("{name}: {}", turn.labels().collect::<Vec<_>>().join(" ")));
            }
            flow
        }
    };
    set.attach("first", log("first", Flow::Continue)).unwrap();
    set.attach("second", log("second", Flow::Halt)).unwrap();
    set.attach("third", log("third", Flow::Continue)).unwrap();
    let error = set.attach("first", log("again", Flow::Continue)).unwrap_err();
    assert!(matches!(error, LiveError::SecondCallback { .. }), "{error}");

    world.insert(task(1, 1, "a")).await;
    let turn = set.recv_timeout(WAIT).unwrap();
    assert_eq!(turn.labels().collect::<Vec<_>>(), ["tasks"]);
    assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), ["first: tasks", "second: tasks"]);

    set.replace("second", log("replaced", Flow::Continue));
    assert!(set.detach("first") && !set.detach("first"));
    world.insert(task(1, 1, "b")).await;
    set.changed().await.unwrap().unwrap();
    assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), ["replaced: tasks", "third: tasks"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_points_a_label_at_what_another_has() {
    let mut world = World::new::<Source>().await;
    for (rank, title) in [(1, "a"), (2, "b")] {
        world.insert(task(7, rank, title)).await;
    }
    let mut set = world.store.set();
    let keys = set.sync("keys", Task::live().filter(|t| t.org_id.eq(7)).order(|t| t.rank.asc()).keys()).unwrap();
    let rows = set.sync("rows", Task::live().many([])).unwrap();
    set.attach("rows", move |turn| {
        if turn.has(keys) {
            let keys = turn.get(keys).unwrap();
            turn.sync("rows", Task::live().many(keys.iter().copied())).unwrap();
        }
        Flow::Continue
    })
    .unwrap();
    set.ready().await.unwrap();
    assert_eq!(titles(&set.get(rows).unwrap()), ["a", "b"]);

    let c = world.insert(task(7, 0, "c")).await;
    while titles(&set.get(rows).unwrap()) != ["c", "a", "b"] {
        tokio::time::timeout(WAIT, set.changed()).await.expect("a turn").unwrap().unwrap();
    }
    world.db.run(c.delete()).await.unwrap();
    while titles(&set.get(rows).unwrap()) != ["a", "b"] || set.get(keys).unwrap().len() != 2 {
        tokio::time::timeout(WAIT, set.changed()).await.expect("a turn").unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_pointed_elsewhere_changes_in_one_turn() {
    let mut world = World::new::<Source>().await;
    for (org, title) in [(1, "a"), (2, "b"), (2, "c")] {
        world.insert(task(org, 1, title)).await;
    }
    let mut set = world.store.set();
    let of = |org: i32| Task::live().filter(move |t| t.org_id.eq(org)).order(|t| t.title.asc());
    let list = set.sync("list", of(1)).unwrap();
    set.ready().await.unwrap();
    assert_eq!(titles(&set.get(list).unwrap()), ["a"]);
    let same = set.sync("list", of(2)).unwrap();
    assert_eq!(titles(&set.get(list).unwrap()), ["a"], "the old value stays until the new one was read");
    let turn = set.recv_timeout(WAIT).unwrap();
    assert_eq!(titles(&turn.old(list).unwrap()), ["a"]);
    assert_eq!(titles(&turn.get(same).unwrap()), ["b", "c"]);
    let error = set.sync("list", Task::live().keys()).unwrap_err();
    assert!(matches!(error, LiveError::OtherType { .. }), "{error}");

    // Pointed forth and back before the next turn.
    set.sync("list", of(1)).unwrap();
    set.sync("list", of(2)).unwrap();
    let written = world.db.run(Task::insert(task(2, 1, "d")).recorded()).await.unwrap();
    let _ = Source::position(&mut world.db, written.position()).await;
    while titles(&set.get(list).unwrap()) != ["b", "c", "d"] {
        assert!(set.recv_timeout(WAIT).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_cancelled_is_cleared_or_kept() {
    let mut world = World::new::<Source>().await;
    world.insert(task(1, 1, "a")).await;
    let mut set = world.store.set();
    let tasks = set.sync("tasks", Task::live()).unwrap();
    let kept = set.sync("kept", Task::live().limit(1)).unwrap();
    let people = set.sync("people", Person::live()).unwrap();
    set.wait(WAIT).unwrap();
    assert!(set.watching("tasks") && set.watching("kept") && !set.watching("other"));
    assert!(set.cancel("tasks") && !set.cancel("other"));
    assert!(set.cancel_keep("kept"));
    assert!(!set.watching("tasks") && !set.watching("kept"));
    assert_eq!(set.get(tasks), None);
    assert_eq!(set.get(kept).unwrap().len(), 1);
    world.insert(task(1, 0, "b")).await;
    world.db.run(Person::insert(NewPerson { name: "Ann".into() })).await.unwrap();
    let turn = set.recv_timeout(WAIT).unwrap();
    assert_eq!(turn.labels().collect::<Vec<_>>(), ["people"]);
    assert_eq!(turn.get(people).unwrap().len(), 1);
    // The same name again, with another type.
    set.cancel_all();
    assert_eq!(set.get(people), None);
    let one = set.sync("tasks", Task::live()).unwrap();
    set.wait(WAIT).unwrap();
    assert_eq!(set.get(one).unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_takes_each_turn() {
    let mut world = World::new::<Source>().await;
    let store = world.store.clone();
    let mut set = store.set();
    let tasks = set.show("tasks", Task::live().filter(|t| t.org_id.eq(1))).unwrap();
    set.show("person", Person::live().one(1)).unwrap();
    let (sender, mut receiver) = (Arc::new(Mutex::new(Vec::new())), 0);
    let assigned = Arc::clone(&sender);
    let driving = tokio::spawn(async move {
        let mut sink = move |turn: &evented_live::Turn<'_, _>| {
            assert!(turn.get(tasks).is_some() || !turn.has(tasks));
            assigned.lock().unwrap().push(turn.assign_map());
        };
        set.drive(&mut sink).await
    });
    for title in ["a", "b"] {
        world.insert(task(1, 1, title)).await;
        receiver += 1;
        let expected = receiver;
        evented_live_tests::eventually("the turn", async || {
            let maps = sender.lock().unwrap();
            // A later turn may have the person alone.
            let tasks = maps.iter().rev().find_map(|map| map.get("tasks"));
            tasks.and_then(|list| list.as_array()).map(Vec::len) == Some(expected)
        })
        .await;
    }
    evented_live_tests::eventually("the person", async || {
        let maps = sender.lock().unwrap();
        maps.iter().find_map(|map| map.get("person").cloned()) == Some(serde_json::Value::Null)
    })
    .await;
    store.stop();
    driving.await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_labels_of_one_value_end_one_by_one() {
    let mut world = World::with::<Source>(|store| store.linger(Duration::ZERO)).await;
    let mut set = world.store.set();
    let one = set.sync("one", Task::live()).unwrap();
    let two = set.sync("two", Task::live()).unwrap();
    set.ready().await.unwrap();
    assert_eq!(world.store.status().values, 1);
    set.cancel("one");
    tokio::time::sleep(Duration::from_millis(600)).await;
    world.insert(task(1, 1, "a")).await;
    let turn = set.recv_timeout(WAIT).unwrap();
    assert!(turn.get(one).is_none() && turn.get(two).unwrap().len() == 1);
    // The same label with another type, now that it is free.
    set.sync("one", Person::live()).unwrap();
    set.wait(WAIT).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_cannot_be_read_says_so() {
    let mut world = World::with::<Source>(|store| store.max_rows(3)).await;
    for rank in 0..5 {
        world.insert(task(1, rank, "x")).await;
    }
    let mut set = world.store.set();
    let list = set.sync("list", Task::live().limit(2)).unwrap();
    set.wait(WAIT).unwrap();
    set.sync("list", Task::live()).unwrap();
    let error = set.wait(WAIT).unwrap_err();
    assert!(matches!(error, LiveError::TooManyRows { .. }), "{error}");
    assert_eq!(set.get(list).unwrap().len(), 2, "the old value stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_read_again_holds_its_set_back() {
    let mut world = World::new::<Source>().await;
    let mut tasks = Vec::new();
    for rank in 0..120_i16 {
        tasks.push(world.insert(task(1, rank, "x")).await);
    }
    let ann = world.db.run(Person::insert(NewPerson { name: "0".into() })).await.unwrap();
    let mut set = world.store.set();
    let first = set.sync("first", Task::live().order(|t| t.rank.asc()).limit(2)).unwrap();
    let person = set.sync("person", Person::live().one(ann.id)).unwrap();
    set.ready().await.unwrap();
    let mut ann = ann;
    for round in 1..5_usize {
        // In one transaction: more rows go than the window keeps, and the name says which is the first now.
        let gone = &tasks[(round - 1) * 25..round * 25];
        world.db.begin().await;
        for task in gone {
            world.db.run(task.delete()).await.unwrap();
        }
        let name = Some((round * 25).to_string());
        ann = world.db.run(ann.update(PersonChanges { name })).await.unwrap();
        world.db.commit().await;
        loop {
            let turn = tokio::time::timeout(WAIT, set.changed()).await.expect("a turn").unwrap().unwrap();
            let (first, person) = (turn.get(first).unwrap(), turn.get(person).flatten().unwrap());
            assert_eq!(first[0].rank.to_string(), person.name);
            if person.name == (round * 25).to_string() {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_without_labels_ends_with_its_store() {
    let world = World::new::<Source>().await;
    let store = world.store.clone();
    let mut set = store.set();
    set.sync("tasks", Task::live()).unwrap();
    set.wait(WAIT).unwrap();
    set.cancel_all();
    let waiting = tokio::spawn(async move {
        while let Some(turn) = set.changed().await {
            if turn.is_err() {
                break;
            }
        }
        assert!(set.changed().await.is_none(), "the error comes once");
    });
    store.stop();
    tokio::time::timeout(WAIT, waiting).await.expect("the set ends").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_is_pointed_at_an_equal_value_does_not_change() {
    let mut world = World::new::<Source>().await;
    for (org, title) in [(1, "a"), (1, "b"), (2, "c")] {
        world.insert(task(org, 1, title)).await;
    }
    let mut set = world.store.set();
    let of = |below: i32| Task::live().filter(move |t| t.org_id.eq(1)).filter(move |t| t.rank.lt(below as i16));
    let list = set.sync("list", of(5)).unwrap();
    set.wait(WAIT).unwrap();
    let turns = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&turns);
    set.attach("count", move |turn| {
        *counted.lock().unwrap() += usize::from(turn.has(list));
        Flow::Continue
    })
    .unwrap();
    set.sync("list", of(6)).unwrap();
    set.wait(WAIT).unwrap();
    assert_eq!((*turns.lock().unwrap(), set.get(list).unwrap().len()), (0, 2));
    // It is the other query from now on.
    world.insert(task(1, 5, "d")).await;
    while set.get(list).unwrap().len() < 3 {
        assert!(set.recv_timeout(WAIT).is_ok());
    }
    assert_eq!(*turns.lock().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_and_a_list_of_one_key_have_their_own_shapes() {
    let mut world = World::new::<Source>().await;
    let a = world.insert(task(1, 1, "a")).await;
    let mut set = world.store.set();
    let one = set.show("one", Task::live().one(a.id)).unwrap();
    let many = set.show("many", Task::live().many([a.id])).unwrap();
    set.wait(WAIT).unwrap();
    assert_eq!(set.get(one).flatten().unwrap().title, "a");
    assert_eq!(titles(&set.get(many).unwrap()), ["a"]);
    let done = TaskChanges { done: Some(true), ..Default::default() };
    world.db.run(a.update(done)).await.unwrap();
    let turn = set.recv_timeout(WAIT).unwrap();
    let shown = turn.assign_map();
    assert!(shown["one"].is_object() && shown["many"][0].is_object(), "{shown:?}");
}
