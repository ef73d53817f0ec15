//! Policies: what a viewer may see.

use evented_core::live::Filter;
use evented_diesel::prelude::*;
use evented_feed::{Channel, Policy};
use evented_live::{LiveDsl, LiveError, LiveModel};
use evented_live_tests::{Source as _, Task, TaskChanges, task, titles, until};

use super::{Source, World};

/// A viewer of one organisation. `in_sql`: whether the rule is also a condition.
struct Viewer {
    org: i32,
    in_sql: bool,
}

impl Policy<Task> for Viewer {
    fn may_see(&self, task: &Task) -> bool {
        task.org_id == self.org
    }
    fn filter(&self) -> Option<Filter<Task>> {
        self.in_sql.then(|| Task::fields().org_id.eq(self.org))
    }
    fn key(&self) -> Option<String> {
        Some(format!("{} {}", self.org, self.in_sql))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_what_the_policy_allows_in_sql_or_in_memory() {
    let mut world = World::new::<Source>().await;
    for number in 0..40 {
        world.insert(task(i32::from(number % 4 == 0), number, &format!("{number:02}"))).await;
    }
    for in_sql in [true, false] {
        let query = || Task::live().order(|t| t.rank.asc()).limit(3).allowed_by(Viewer { org: 1, in_sql });
        let mut list = world.store.open(query()).await.unwrap();
        assert_eq!(titles(&list.get()), ["00", "04", "08"]);
        let values = world.store.status().values;
        let same = world.store.open(query()).await.unwrap();
        assert_eq!(world.store.status().values, values, "viewers with one key share a value");
        assert_eq!(same.get(), list.get());

        // The same query for another viewer.
        let of_other = Task::live().order(|t| t.rank.asc()).limit(3).allowed_by(Viewer { org: 0, in_sql });
        let other = world.store.open(of_other).await.unwrap();
        assert_eq!(titles(&other.get()), ["01", "02", "03"]);
        drop(other);

        let second = list.get()[1].to_record();
        let moved = TaskChanges { org_id: Some(2), ..Default::default() };
        let second = world.db.run(second.update(moved)).await.unwrap();
        until(&mut list, "it is hidden", |list| titles(list) == ["00", "08", "12"]).await;
        let back = TaskChanges { org_id: Some(1), ..Default::default() };
        world.db.run(second.update(back)).await.unwrap();
        until(&mut list, "it is shown", |list| titles(list) == ["00", "04", "08"]).await;

        let hidden = world.db.run(Task::insert(task(2, 0, "hidden")).recorded()).await.unwrap();
        let id = hidden.record.id;
        let one = world.store.open(Task::live().one(id).allowed_by(Viewer { org: 1, in_sql })).await.unwrap();
        assert_eq!(one.get(), None);
        let position = Source::position(&mut world.db, hidden.position()).await;
        list.reaches(position).await.unwrap();
        assert_eq!(titles(&list.get()), ["00", "04", "08"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_without_a_key_is_not_shared_and_a_panic_denies() {
    let mut world = World::new::<Source>().await;
    world.insert(task(1, 1, "a")).await;
    world.insert(task(2, 1, "b")).await;
    let query = || Task::live().allowed_by(|task: &Task| {
        assert!(task.org_id != 2, "the test wants this panic");
        true
    });
    let one = world.store.open(query()).await.unwrap();
    let two = world.store.open(query()).await.unwrap();
    assert_eq!(world.store.status().values, 2);
    assert_eq!((titles(&one.get()), titles(&two.get())), (vec!["a"], vec!["a"]));
}

/// A viewer that may subscribe to its organisation and to nothing more.
struct OfOrg(i32);
impl Policy<Task> for OfOrg {
    fn may_subscribe(&self, channel: &Channel<Task>) -> bool {
        channel.same_target(&Task::changes().scope(Task::ORG.eq(self.0)))
    }
    fn may_see(&self, task: &Task) -> bool {
        task.org_id == self.0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_asked_whether_the_query_may_be_opened() {
    let world = World::new::<Source>().await;
    let of_org = Task::live().filter(|t| t.rank.gt(1).and(t.org_id.eq(7)));
    drop(world.store.open(of_org.clone().allowed_by(OfOrg(7))).await.unwrap());
    let denied = world.store.open(of_org.allowed_by(OfOrg(8))).await.unwrap_err();
    assert!(matches!(denied, LiveError::Denied(_)), "{denied}");
    let denied = world.store.open(Task::live().allowed_by(OfOrg(7))).await.unwrap_err();
    assert!(matches!(denied, LiveError::Denied(_)), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_change_elsewhere_are_asked_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    struct Switched(Arc<AtomicBool>);
    impl Policy<Task> for Switched {
        fn may_see(&self, _: &Task) -> bool {
            self.0.load(Ordering::SeqCst)
        }
        fn key(&self) -> Option<String> {
            Some("group".to_owned())
        }
    }
    let mut world = World::new::<Source>().await;
    world.insert(task(1, 1, "a")).await;
    let switch = Arc::new(AtomicBool::new(true));
    let query = Task::live().limit(5).allowed_by(Switched(Arc::clone(&switch)));
    let mut list = world.store.open(query).await.unwrap();
    assert_eq!(list.get().len(), 1);
    switch.store(false, Ordering::SeqCst);
    world.store.reauthorise("another");
    world.store.reauthorise("group");
    until(&mut list, "hidden", |list| list.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_policies_must_both_allow() {
    let mut world = World::new::<Source>().await;
    for (org, rank) in [(1, 1), (1, 5), (2, 5)] {
        world.insert(task(org, rank, &format!("{org} {rank}"))).await;
    }
    for in_sql in [true, false] {
        let query = Task::live().allowed_by(Viewer { org: 1, in_sql }).allowed_by(|task: &Task| task.rank > 3);
        let list = world.store.open(query).await.unwrap();
        assert_eq!(titles(&list.get()), ["1 5"]);
        // In the other order.
        let query = Task::live().allowed_by(|task: &Task| task.rank > 3).allowed_by(Viewer { org: 1, in_sql });
        let list = world.store.open(query).await.unwrap();
        assert_eq!(titles(&list.get()), ["1 5"]);
    }
}
