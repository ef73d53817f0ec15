//! Windows: the first rows of a long list.

use evented_diesel::prelude::*;
use evented_diesel::batch;
use evented_live::{LiveDsl, LiveError};
use evented_live_tests::{Source as _, Task, TaskChanges, task, until};

use super::{Source, World};

/// The ranks of the first tasks, by plain SQL.
async fn ranks(world: &mut World, limit: usize) -> Vec<String> {
    let sql = format!("SELECT CAST(rank AS TEXT) AS text FROM tasks ORDER BY rank, id LIMIT {limit}");
    world.db.texts(&sql).await
}

async fn fill(world: &mut World, count: i16) -> Vec<Task> {
    let mut all = Vec::new();
    for rank in 0..count {
        all.push(world.insert(task(1, rank, "x")).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_short_is_read_again() {
    let mut world = World::new::<Source>().await;
    let tasks = fill(&mut world, 120).await;
    let mut list = world.store.open(Task::live().order(|t| t.rank.asc()).limit(5)).await.unwrap();
    // More rows go than the window keeps beyond its limit.
    for portion in tasks[..100].chunks(20) {
        world.db.run(batch(portion.iter().map(|task| task.delete()).collect::<Vec<_>>())).await.unwrap();
        let expected = ranks(&mut world, 5).await;
        let shown = |list: &evented_live::List<evented_live::Row<Task>>| {
            list.iter().map(|task| task.rank.to_string()).collect::<Vec<_>>()
        };
        until(&mut list, "refill", |list| shown(list) == expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_worked_off_is_published() {
    let mut world = World::new::<Source>().await;
    fill(&mut world, 60).await;
    let mut list = world.store.open(Task::live().order(|t| t.rank.asc()).limit(4)).await.unwrap();
    let mut published = 0;
    for round in 0..150_i16 {
        let first = list.get()[0].to_record();
        world.db.run(first.delete()).await.ok();
        let written = world.db.run(Task::insert(task(1, 1000 + round, "x")).recorded()).await.unwrap();
        let position = Source::position(&mut world.db, written.position()).await;
        list.reaches(position).await.unwrap();
        let (shown, cut, _) = list.read();
        // What is shown is of a cut that has the write, and so has the last row of the table.
        assert_eq!(cut.reaches(position), Some(true));
        let shown: Vec<_> = shown.iter().map(|task| task.rank.to_string()).collect();
        assert_eq!(shown, ranks(&mut world, 4).await, "in round {round}");
        published += 1;
    }
    assert_eq!(published, 150);
    let expected = ranks(&mut world, 4).await;
    until(&mut list, "rest", |list| list.iter().map(|task| task.rank.to_string()).eq(expected.clone())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_falls_out_of_the_first_ones_makes_room_for_the_right_one() {
    let mut world = World::new::<Source>().await;
    let tasks = fill(&mut world, 50).await;
    let mut list = world.store.open(Task::live().order(|t| t.rank.asc()).limit(3)).await.unwrap();
    // The first moves behind the window, again and again; the rest of the table is unknown to it.
    for (number, task) in tasks.iter().take(40).enumerate() {
        let rank = Some(200 + i16::try_from(number).unwrap());
        world.db.run(task.update(TaskChanges { rank, ..Default::default() })).await.unwrap();
    }
    let expected = ranks(&mut world, 3).await;
    until(&mut list, "move", |list| list.iter().map(|task| task.rank.to_string()).eq(expected.clone())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_a_limit_that_is_too_long_is_an_error() {
    let mut world = World::with::<Source>(|store| store.max_rows(10)).await;
    fill(&mut world, 8).await;
    let mut list = world.store.open(Task::live()).await.unwrap();
    assert_eq!(list.get().len(), 8);
    for _ in 0..5 {
        world.insert(task(1, 1, "x")).await;
    }
    loop {
        let update = list.changed().await.unwrap().unwrap();
        if let evented_live::Status::Stale { error: LiveError::TooManyRows { most: 10, .. }, .. } = update.status() {
            break;
        }
    }
    let error = world.store.open(Task::live().filter(|t| t.org_id.eq(1))).await.unwrap_err().to_string();
    assert!(error.contains(".limit("), "{error}");
    let first = world.store.open(Task::live().limit(3)).await.unwrap();
    assert_eq!(first.get().len(), 3);
}
