//! Random schedules of writers, workers, failures and operators, against a model.

use std::time::{Duration, Instant};

use evented_diesel::migrations::Database;
use evented_diesel::prelude::*;
use evented_react::{
    From, Retry, SetAsideState, Subscriber, Which, Worker, lag, pause, register, resize, resume, retry,
    set_aside, skip,
};
use evented_react_tests::model::{Committed, Model};
use evented_react_tests::{Comment, CommentChanges, Kit, NewComment, Running, fresh};
use evented_tests::db::Db;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Conn;

const WRITERS: usize = 3;
/// How many records each writer writes. Writers with open transactions must not wait for each other.
const RECORDS: usize = 2;
const IS_SQLITE: bool = matches!(Db::<Conn>::DATABASE, Database::Sqlite);

#[derive(Debug, Clone)]
enum Step {
    /// A writer changes a record, in its open transaction or in a new one.
    Write { writer: usize, record: usize, text: &'static str },
    Commit { writer: usize },
    RollBack { writer: usize },
    StartWorker,
    StopWorker,
    RetryAll,
    SkipOne,
    Pause,
    Resume,
    Resize(u16),
    Rest(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = prop_oneof![6 => Just("ok"), 2 => Just("once"), 1 => Just("dead"), 1 => Just("retry")];
    let step = prop_oneof![
        10 => (0..WRITERS, 0..RECORDS, text).prop_map(|(writer, record, text)| Step::Write { writer, record, text }),
        6 => (0..WRITERS).prop_map(|writer| Step::Commit { writer }),
        1 => (0..WRITERS).prop_map(|writer| Step::RollBack { writer }),
        2 => Just(Step::StartWorker),
        1 => Just(Step::StopWorker),
        1 => Just(Step::RetryAll),
        1 => Just(Step::SkipOne),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
        1 => (1_u16..6).prop_map(Step::Resize),
        4 => (0_u64..25).prop_map(Step::Rest),
    ];
    proptest::collection::vec(step, 20..60)
}

#[test]
fn every_event_is_handled_once_in_the_order_of_its_record_under_any_schedule() {
    let config = Config { cases: 16, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ran = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| {
        runtime.block_on(async {
            let mut stage = Stage::new().await;
            for step in steps {
                stage.one(step).await;
                stage.check(Model::check).await;
            }
            stage.finish().await;
        });
        Ok(())
    });
    ran.unwrap();
}

fn audit() -> Subscriber<Conn> {
    let retry = Retry::exponential(Duration::from_millis(2), Duration::from_millis(10)).attempts(3);
    Conn::recorder("audit").from(From::Beginning).parts(3).retry(retry)
}

type Law = fn(&Model, &[Committed], &[String]) -> Result<(), String>;

struct Stage {
    db: Db<Conn>,
    writers: Vec<(Db<Conn>, Vec<Comment>)>,
    is_open: [bool; WRITERS],
    workers: Vec<Running>,
    model: Model,
}

impl Stage {
    async fn new() -> Self {
        let mut db = fresh::<Conn>().await;
        db.run(register(&audit())).await.unwrap().unwrap();
        let mut writers = Vec::new();
        for _ in 0..WRITERS {
            let mut writer = db.connect().await;
            let mut comments = Vec::new();
            for _ in 0..RECORDS {
                let new = NewComment { post_id: 1, text: "new".into() };
                comments.push(writer.run(Comment::insert(new)).await.unwrap());
            }
            writers.push((writer, comments));
        }
        Self { db, writers, is_open: [false; WRITERS], workers: Vec::new(), model: Model::default() }
    }

    /// Returns whether an open transaction keeps everybody else from writing.
    fn is_locked(&self) -> bool {
        IS_SQLITE && self.is_open.contains(&true)
    }

    async fn one(&mut self, step: Step) {
        match step {
            Step::Write { writer, record, text } => self.write(writer, record, text).await,
            Step::Commit { writer } if self.is_open[writer] => {
                self.writers[writer].0.commit().await;
                self.is_open[writer] = false;
            }
            Step::RollBack { writer } if self.is_open[writer] => {
                self.writers[writer].0.rollback().await;
                self.is_open[writer] = false;
            }
            Step::Rest(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            _ if self.is_locked() => {}
            Step::StartWorker if self.workers.len() < 3 => self.start_worker().await,
            Step::StopWorker => {
                if let Some(worker) = self.workers.pop() {
                    worker.stop().await;
                }
            }
            Step::RetryAll => drop(self.db.run(retry("audit", Which::All)).await.unwrap()),
            Step::SkipOne => self.skip(|_| true).await,
            Step::Pause => drop(self.db.run(pause("audit")).await.unwrap()),
            Step::Resume => drop(self.db.run(resume("audit")).await.unwrap()),
            Step::Resize(parts) => assert!(self.db.run(resize("audit", parts)).await.unwrap()),
            _ => {}
        }
    }

    async fn write(&mut self, writer: usize, record: usize, text: &str) {
        if !self.is_open[writer] {
            if self.is_locked() {
                return;
            }
            let conn = &mut self.writers[writer].0;
            conn.begin().await;
            if IS_SQLITE {
                // The lock first: a transaction that has read before cannot wait for it.
                conn.sql("UPDATE comments SET text = text WHERE id = 0").await;
            }
            self.is_open[writer] = true;
        }
        let (conn, comments) = &mut self.writers[writer];
        let changes = CommentChanges { text: Some(text.to_owned()), post_id: None };
        conn.run(Comment::execute_on(comments[record].id, changes)).await.unwrap();
    }

    async fn start_worker(&mut self) {
        let worker = Worker::new().subscribe(audit()).lease(Duration::from_millis(400)).concurrency(2);
        self.workers.push(Conn::start(worker, &self.db.url).await);
    }

    /// Skips the first delivery that has failed and that `which` accepts.
    async fn skip(&mut self, which: impl Fn(SetAsideState) -> bool) {
        let aside = self.db.run(set_aside("audit")).await.unwrap();
        let failed = aside.into_iter().find(|row| row.error.is_some() && which(row.state));
        let Some(failed) = failed else { return };
        if self.db.run(skip("audit", Which::One(failed.id))).await.unwrap() == 1 {
            let log = self.log().await;
            let event = log.iter().find(|event| event.offset == (failed.txid, failed.position)).unwrap();
            self.model.skip(&event.id);
        }
    }

    async fn log(&mut self) -> Vec<Committed> {
        let (id, txid) =
            if IS_SQLITE { ("lower(hex(id))", "0") } else { ("replace(CAST(id AS TEXT), '-', '')", "txid") };
        let sql = format!(
            "SELECT {id} || ' ' || record_id || ' ' || revision || ' ' || {txid} || ' ' || position AS text \
             FROM comments_events ORDER BY position"
        );
        let rows = self.db.texts(&sql).await;
        rows.iter()
            .map(|row| {
                let mut words = row.split(' ');
                let id = words.next().unwrap().to_owned();
                let mut number = || words.next().unwrap().parse::<i64>().unwrap();
                Committed { id, record: number(), revision: number(), offset: (number(), number()) }
            })
            .collect()
    }

    async fn check(&mut self, law: Law) {
        // Read before the log, which then has everything that was handled.
        let seen = self.db.texts("SELECT replace(event, '-', '') AS text FROM seen ORDER BY number").await;
        let log = self.log().await;
        law(&self.model, &log, &seen).unwrap();
    }

    /// Lets workers handle what is left, and skips what never succeeds.
    async fn finish(mut self) {
        for writer in 0..WRITERS {
            self.one(Step::RollBack { writer }).await;
        }
        self.one(Step::Resume).await;
        self.start_worker().await;
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            self.skip(|state| state == SetAsideState::Dead).await;
            self.check(Model::check).await;
            let lags = self.db.run(lag("audit")).await.unwrap();
            let is_done = lags.iter().all(|lag| lag.events == 0);
            if is_done && self.db.number("SELECT count(*) FROM evented_deferred").await == 0 {
                break;
            }
            assert!(Instant::now() < end, "{lags:?} are left after a minute");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.check(Model::check_all).await;
        for worker in self.workers {
            worker.stop().await;
        }
    }
}
