//! Queries that are run again when a change is on their channels.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use evented_diesel::prelude::*;
use evented_feed::{Channel, Policy};
use evented_live::{LiveError, Status};
use evented_live_tests::{Kit as _, Runs, Task, TaskChanges, eventually, task, until};

use super::{Conn, Source, World};

fn of_org(org: i32) -> Channel<Task> {
    Task::changes().scope(Task::ORG.eq(org))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_is_run_again_when_a_change_is_on_its_channel_and_is_shared() {
    let mut world = World::new::<Source>().await;
    let a = world.insert(task(1, 1, "a")).await;
    let runs = Arc::<Runs>::default();
    let count = |world: &World| Conn::count(&world.store, of_org(1), 1, &runs);
    let mut live = world.store.open(count(&world)).await.unwrap();
    let other = world.store.open(count(&world)).await.unwrap();
    assert_eq!((*live.get(), *other.get(), runs.number.load(Ordering::SeqCst)), (1, 1, 1), "viewers share it");
    assert!(matches!(live.status(), Status::AsRead), "{:?}", live.status());

    world.insert(task(1, 2, "b")).await;
    until(&mut live, "a task more", |count| **count == 2).await;
    // A record that leaves the scope is on its channel, too.
    world.db.run(a.update(TaskChanges { org_id: Some(2), ..Default::default() })).await.unwrap();
    until(&mut live, "a task less", |count| **count == 1).await;

    // What is on another channel runs nothing. A change of before may still be due.
    let most = runs.number.load(Ordering::SeqCst) + 1;
    for rank in 0..5 {
        world.insert(task(2, rank, "x")).await;
    }
    let elsewhere = Arc::<Runs>::default();
    let count = Conn::count(&world.store, of_org(2), 2, &elsewhere);
    let mut of_other = world.store.open(count).await.unwrap();
    world.insert(task(2, 5, "x")).await;
    until(&mut of_other, "the other organisation", |count| **count == 7).await;
    assert!(runs.number.load(Ordering::SeqCst) <= most, "{runs:?}, at most {most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_counted_at_most_every_fifty_milliseconds() {
    let mut world = World::new::<Source>().await;
    let runs = Arc::<Runs>::default();
    let mut live = world.store.open(Conn::count(&world.store, of_org(1), 1, &runs)).await.unwrap();
    let began = Instant::now();
    for rank in 0..100 {
        world.insert(task(1, rank, "x")).await;
    }
    until(&mut live, "all of them", |count| **count == 100).await;
    let most = began.elapsed().as_millis() / 50 + 3;
    assert!(runs.number.load(Ordering::SeqCst) as u128 <= most, "{runs:?}, at most {most}");
}

/// A viewer of the tasks of one organisation, of all of whose changes it may hear.
struct Viewer(i32);

impl Policy<Task> for Viewer {
    fn may_see(&self, task: &Task) -> bool {
        task.org_id == self.0
    }
}

/// A viewer that may subscribe to nothing.
struct Nobody;

impl Policy<Task> for Nobody {
    fn may_subscribe(&self, _: &Channel<Task>) -> bool {
        false
    }
    fn may_see(&self, _: &Task) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_becomes_hidden_runs_the_query_and_a_denied_channel_refuses_it() {
    let mut world = World::new::<Source>().await;
    let a = world.insert(task(1, 1, "a")).await;
    let runs = Arc::<Runs>::default();
    let seen = Task::changes().allowed_by(Viewer(1));
    let mut live = world.store.open(Conn::count(&world.store, seen, 1, &runs)).await.unwrap();
    world.db.run(a.update(TaskChanges { org_id: Some(2), ..Default::default() })).await.unwrap();
    until(&mut live, "it is hidden", |count| **count == 0).await;

    // Also where another viewer has the value already.
    let denied = Task::changes().allowed_by(Nobody);
    let refused = world.store.open(Conn::count(&world.store, denied, 1, &runs)).await.unwrap_err();
    assert!(matches!(refused, LiveError::Denied(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_a_label_of_a_set() {
    let mut world = World::new::<Source>().await;
    let runs = Arc::<Runs>::default();
    let mut set = world.store.set();
    let count = set.show("count", Conn::count(&world.store, of_org(1), 1, &runs)).unwrap();
    set.wait(Duration::from_secs(100)).unwrap();
    assert_eq!(*set.get(count).unwrap(), 0);
    world.insert(task(1, 1, "a")).await;
    while *set.get(count).unwrap() != 1 {
        assert!(set.recv_timeout(Duration::from_secs(100)).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_fails_is_run_again_and_the_value_says_so() {
    let mut world = World::new::<Source>().await;
    let runs = Arc::<Runs>::default();
    let mut live = world.store.open(Conn::count(&world.store, of_org(1), 1, &runs)).await.unwrap();
    runs.fails.store(true, Ordering::SeqCst);
    world.insert(task(1, 1, "a")).await;
    eventually("it is stale", async || {
        matches!(live.status(), Status::Stale { error, .. } if matches!(error, LiveError::Read { .. }))
    })
    .await;
    assert_eq!(*live.get(), 0, "the last answer stays");
    runs.fails.store(false, Ordering::SeqCst);
    until(&mut live, "it is run again without a change", |count| **count == 1).await;
    assert!(matches!(live.status(), Status::AsRead), "{:?}", live.status());

    // A first answer that fails is an error of its viewer, and not of those who come later.
    let runs = Arc::<Runs>::default();
    runs.fails.store(true, Ordering::SeqCst);
    let refused = world.store.open(Conn::count(&world.store, of_org(2), 2, &runs)).await.unwrap_err();
    assert!(matches!(refused, LiveError::Read { .. }), "{refused}");
    runs.fails.store(false, Ordering::SeqCst);
    eventually("it is run again", async || {
        world.store.open(Conn::count(&world.store, of_org(2), 2, &runs)).await.is_ok()
    })
    .await;
}
