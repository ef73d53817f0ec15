//! The law on a database: what a value reports at a cut equals its query, evaluated over every change up to that cut.

use std::collections::BTreeMap;
use std::time::Duration;

use evented_diesel::batch;
use evented_diesel::prelude::*;
use evented_feed::{Change, Position};
use evented_live::{Cut, List, Live, LiveDsl, Row, Status};
use evented_live_tests::random::Random;
use evented_live_tests::{NewTask, Task, TaskChanges, task, until};

use super::{Conn, Source, World};

/// The title of the last task: it sorts behind all others.
const LAST: &str = "\u{10FFFF}";

type Tasks = List<Row<Task>>;

/// What a value reported.
struct Report {
    tasks: Vec<Task>,
    cut: Cut,
}

/// Collects what a value reports, until it has the last task.
async fn collect(mut live: Live<Tasks>, last: &str) -> Vec<Report> {
    let mut reports = Vec::new();
    loop {
        let (value, cut, status) = live.read();
        if matches!(status, Status::Exact) {
            let tasks: Vec<Task> = value.iter().map(Row::to_record).collect();
            let ends = tasks.iter().any(|task| task.title == last);
            reports.push(Report { tasks, cut });
            if ends {
                return reports;
            }
        }
        match tokio::time::timeout(Duration::from_secs(100), live.changed()).await.expect("a change") {
            Some(update) => {
                let update = update.unwrap();
                let mut list = update.old().to_vec();
                update.steps().iter().for_each(|step| step.apply(&mut list));
                assert_eq!(*update.new(), list, "the steps lead from the old value to the new one");
            }
            None => panic!("the value ended"),
        }
    }
}

/// Writes at random: single commands, batches, transactions that stay open or roll back.
async fn write(mut db: evented_tests::db::Db<Conn>, seed: u64, rounds: usize) {
    let mut random = Random(seed);
    let mut mine: Vec<Task> = Vec::new();
    for _ in 0..rounds {
        let in_transaction = random.below(4) == 0;
        let rolls_back = in_transaction && random.below(3) == 0;
        let before = mine.clone();
        if in_transaction {
            db.begin().await;
        }
        for _ in 0..if in_transaction { 1 + random.below(3) } else { 1 } {
            change(&mut db, &mut mine, &mut random).await;
        }
        if in_transaction {
            if random.below(3) == 0 {
                tokio::time::sleep(Duration::from_millis(random.below(20) as u64)).await;
            }
            if rolls_back {
                db.rollback().await;
                mine = before;
            } else {
                db.commit().await;
            }
        }
    }
}

async fn change(db: &mut evented_tests::db::Db<Conn>, mine: &mut Vec<Task>, random: &mut Random) {
    let new = |random: &mut Random| {
        let due = (random.below(3) > 0).then(chrono::Utc::now);
        let title = ["a", "B", "ab", "ä", ""][random.below(5)];
        let org = i32::try_from(random.below(3)).unwrap();
        evented_live_tests::NewTask { due, ..task(org, i16::try_from(random.below(12)).unwrap(), title) }
    };
    match (random.below(10), mine.len()) {
        (0..3, _) | (_, 0) => mine.push(db.run(Task::insert(new(random))).await.unwrap()),
        (3, _) => {
            let many: Vec<_> = (0..3).map(|_| Task::insert(new(random))).collect();
            mine.extend(db.run(batch(many)).await.unwrap());
        }
        (4, _) => {
            let index = random.below(mine.len());
            db.run(mine.swap_remove(index).delete()).await.unwrap();
        }
        _ => {
            let index = random.below(mine.len());
            let NewTask { org_id, rank, title, due, .. } = new(random);
            let changes = TaskChanges {
                org_id: Some(org_id),
                rank: Some(rank),
                title: Some(title),
                due: Some(due),
                ..Default::default()
            };
            mine[index] = db.run(mine[index].update(changes)).await.unwrap();
        }
    }
}

/// The tasks that the changes up to a cut lead to.
fn state_at(changes: &[Change<Task>], cut: &Cut) -> Vec<Task> {
    let mut state: BTreeMap<String, Task> = BTreeMap::new();
    let position = |change: &Change<Task>| -> Position { change.position() };
    for change in changes.iter().filter(|change| cut.reaches(position(change)) == Some(true)) {
        let key = change.key().unwrap().to_string();
        match change.after() {
            Some(task) => drop(state.insert(key, task.clone())),
            None => drop(state.remove(&key)),
        }
    }
    state.into_values().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_value_equals_its_query_at_every_cut_that_it_reports() {
    let mut world = World::new::<Source>().await;
    let mut feed = world.hub.subscribe_builder(Task::changes()).buffer(100_000).feed().unwrap();
    let writers: Vec<_> = {
        let mut writers = Vec::new();
        for seed in 1..4 {
            writers.push(tokio::spawn(write(world.db.connect().await, seed * 77, 120)));
        }
        writers
    };
    // The queries are opened while others write.
    type Naive = fn(Vec<Task>) -> Vec<Task>;
    let by_id: Naive = |mut tasks| {
        tasks.sort_by_key(|task| task.id.uuid());
        tasks
    };
    let of_org: Naive = |mut tasks| {
        tasks.retain(|task| task.org_id == 1 && task.rank >= 2);
        tasks.sort_by_key(|task| (std::cmp::Reverse(task.rank), task.id.uuid()));
        tasks
    };
    let first: Naive = |mut tasks| {
        tasks.retain(|task| task.org_id != 0);
        tasks.sort_by(|one, other| {
            let due = |task: &Task| (task.due.is_none(), task.due);
            due(one).cmp(&due(other)).then(one.title.cmp(&other.title)).then(one.id.uuid().cmp(&other.id.uuid()))
        });
        tasks.truncate(5);
        tasks
    };
    let few: Naive = |mut tasks| {
        tasks.sort_by(|one, other| other.title.cmp(&one.title).then(one.id.uuid().cmp(&other.id.uuid())));
        tasks.truncate(2);
        tasks
    };
    let queries = [
        (Task::live(), by_id),
        (Task::live().filter(|t| t.org_id.eq(1).and(t.rank.ge(2))).order(|t| t.rank.desc()), of_org),
        (Task::live().filter(|t| t.org_id.ne(0)).order(|t| (t.due.asc(), t.title.asc())).limit(5), first),
        (Task::live().order(|t| t.title.desc()).limit(2), few),
    ];
    let mut collecting = Vec::new();
    for (query, naive) in queries {
        let live = world.store.open(query).await.unwrap();
        collecting.push((tokio::spawn(collect(live, LAST)), naive));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    // The last one is in every value.
    world.insert(task(1, 99, LAST)).await;
    let mut due_first = task(1, 99, LAST);
    due_first.due = chrono::DateTime::from_timestamp(0, 0);
    world.insert(due_first).await;
    let mut changes = Vec::new();
    while changes.iter().filter(|change: &&Change<Task>| change.after().is_some_and(|it| it.title == LAST)).count() < 2 {
        changes.push(feed.next().await.unwrap().unwrap());
    }
    for (reports, naive) in collecting {
        let reports = reports.await.unwrap();
        assert!(reports.len() > 1, "{} reports", reports.len());
        for Report { tasks, cut } in reports {
            assert_eq!(tasks, naive(state_at(&changes, &cut)), "at {cut}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_opened_in_the_middle_of_writes_has_no_hole() {
    let mut world = World::new::<Source>().await;
    let mut writer = world.db.connect().await;
    let writing = tokio::spawn(async move {
        for number in 0..200 {
            writer.run(Task::insert(task(1, number, "x"))).await.unwrap();
        }
        writer
    });
    let mut lists = Vec::new();
    for number in 0..20_i16 {
        // Each is a value of its own.
        let query = Task::live().filter(move |t| t.rank.ge(number));
        lists.push((number, world.store.open(query).await.unwrap()));
    }
    drop(writing.await.unwrap());
    for (number, list) in &mut lists {
        let expected = usize::try_from(200 - *number).unwrap();
        until(list, "all rows", |list| list.len() == expected).await;
    }
    world.insert(task(1, 500, "x")).await;
}
