//! Measures the library beside what would be written by hand, each with tables of its own, so that the ratios contain
//! what the library's columns and statements cost.
//!
//! The baseline is [`plain_log`]: the simplest log over a plain client. The other rivals are measured in the same rounds.

mod audit_trigger;
mod by_hand;
mod first_command;
mod plain_log;
mod reading;
mod several_rows;
mod sixteen;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;
use evented_diesel::{Id, Run, RunAsync, batch};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::measure::{Contest, Times};
use crate::model::{Task, new, renamed};
use crate::report::Report;
use crate::setup::Bench;
use audit_trigger::Audited;
use plain_log::PlainLog;

/// Rounds are short, so that a disturbance of the machine meets all contestants.
const OPERATIONS: u32 = 50;
/// How many short rounds replace one of the usual length.
const SHORT_ROUNDS: usize = 6;
/// The length of a long history.
const EVENTS: u32 = 10_000;
const NAME: &str = "write the report";

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    revised_tasks (id) { id -> Uid, name -> Text, done -> Bool, revision -> BigInt }
}

/// A task that keeps its revision in its row.
#[derive(Evented, diesel::Queryable, diesel::Selectable, Clone, Debug)]
#[diesel(table_name = revised_tasks)]
struct RevisedTask {
    id: Id<RevisedTask>,
    name: String,
    #[evented(skip_insert)]
    done: bool,
    #[evented(revision)]
    revision: i64,
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let wanted = |(name, run): &(&str, Comparison)| bench.wants(name).then_some(*run);
    let wanted: Vec<Comparison> = COMPARISONS.iter().filter_map(wanted).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let url = prepare(bench)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    wanted.into_iter().try_for_each(|run| run(bench, report, &runtime, &url))
}

/// Compares one kind of operation, on the tables at a URL.
type Comparison = fn(&Bench, &mut Report, &Runtime, &str) -> anyhow::Result<()>;

const COMPARISONS: [(&str, Comparison); 8] = [
    ("record/rivals-create", create),
    ("record/rivals-update", update),
    ("record/rivals-update-10000-events", long_history),
    ("record/rivals-update-with-revision", with_a_revision),
    ("record/rivals-16", sixteen::run),
    ("record/rivals-replay", reading::run),
    ("record/rivals-batch-10000", several_rows::run),
    ("record/rivals-first-command", first_command::run),
];

/// Creates the tables of all contestants, and returns the URL of their schema.
fn prepare(bench: &Bench) -> anyhow::Result<String> {
    let url = bench.fresh("bench_rivals")?;
    let mut conn = PgConnection::establish(&url)?;
    conn.batch_execute(plain_log::TABLES)?;
    conn.batch_execute(audit_trigger::TABLES)?;
    conn.batch_execute(
        "CREATE TABLE revised_tasks (id UUID PRIMARY KEY, name TEXT NOT NULL, done BOOLEAN NOT NULL, \
         revision BIGINT NOT NULL)",
    )?;
    Run::run(Migrations::of::<RevisedTask>(), &mut conn)?;
    Ok(url)
}

/// Opens a connection of the plain client.
async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A connection for each of the contestants.
struct Contestants {
    plain: PlainLog,
    audited: Audited,
    by_hand: PgConnection,
    by_hand_async: AsyncPgConnection,
    blocking: PgConnection,
    asynchronous: AsyncPgConnection,
}

impl Contestants {
    fn connect(url: &str, runtime: &Runtime) -> anyhow::Result<Self> {
        Ok(Self {
            plain: runtime.block_on(PlainLog::connect(url))?,
            audited: runtime.block_on(Audited::connect(url))?,
            by_hand: PgConnection::establish(url)?,
            by_hand_async: runtime.block_on(AsyncPgConnection::establish(url))?,
            blocking: PgConnection::establish(url)?,
            asynchronous: runtime.block_on(AsyncPgConnection::establish(url))?,
        })
    }
}

/// The names of the contestants.
const PLAIN: &str = "plain log";
const BLOCKING: &str = "evented, blocking";
const ASYNC: &str = "evented, async";
const TRIGGER: &str = "audit trigger";
const DIESEL: &str = "diesel by hand";
const DIESEL_ASYNC: &str = "diesel-async by hand";

/// Reports both faces of the library against the plain log, and the others without an aim.
fn compare_with_plain(report: &mut Report, name: &str, aim: f64, times: &Times, operations: u32) {
    for (face, contestant) in [("blocking", BLOCKING), ("async", ASYNC)] {
        if let Some(ratio) = times.ratio(contestant, PLAIN) {
            report.at_least(&format!("record/rivals-{name}-{face}"), aim, &ratio, operations);
        }
    }
    for rival in [TRIGGER, DIESEL, DIESEL_ASYNC] {
        if let Some(ratio) = times.ratio(rival, PLAIN) {
            report.note(format!("{name}: {rival} has {:.2} of the rate of the {PLAIN}", 1.0 / ratio.median));
        }
    }
}

/// Runs a statement of a contestant as often as a round has operations: blocking code, or an async expression.
macro_rules! rounds {
    ($n:ident => $one:expr) => {
        || {
            for $n in 0..OPERATIONS {
                let _ = $one?;
            }
            Ok(())
        }
    };
    ($runtime:ident, $n:ident => $one:expr) => {
        || {
            $runtime.block_on(async {
                for $n in 0..OPERATIONS {
                    let _ = $one.await?;
                }
                Ok(())
            })
        }
    };
}

fn create(bench: &Bench, report: &mut Report, runtime: &Runtime, url: &str) -> anyhow::Result<()> {
    let all = &mut Contestants::connect(url, runtime)?;
    let Contestants { plain, audited, by_hand, by_hand_async, blocking, asynchronous } = all;
    let mut contest = Contest::default();
    contest.add(PLAIN, rounds!(runtime, _n => plain.create(NAME)));
    contest.add(BLOCKING, rounds!(_n => Run::run(Task::insert(new(NAME)), blocking)));
    contest.add(ASYNC, rounds!(runtime, _n => RunAsync::run(Task::insert(new(NAME)), asynchronous)));
    contest.add(TRIGGER, rounds!(runtime, _n => audited.create(NAME)));
    contest.add(DIESEL, rounds!(_n => by_hand::create(by_hand, NAME)));
    contest.add(DIESEL_ASYNC, rounds!(runtime, _n => by_hand::create_async(by_hand_async, NAME)));
    let times = contest.run(bench.rounds * SHORT_ROUNDS)?;
    compare_with_plain(report, "create", 0.9, &times, OPERATIONS);
    Ok(())
}

fn update(bench: &Bench, report: &mut Report, runtime: &Runtime, url: &str) -> anyhow::Result<()> {
    let all = &mut Contestants::connect(url, runtime)?;
    let Contestants { plain, audited, by_hand, by_hand_async, blocking, asynchronous } = all;
    let of_plain: Vec<Uuid> =
        (0..3).map(|_| runtime.block_on(plain.create(NAME))).collect::<Result<_, _>>()?;
    let of_trigger = runtime.block_on(audited.create(NAME))?;
    let one = Run::run(Task::insert(new(NAME)), blocking)?;
    let other = Run::run(Task::insert(new(NAME)), blocking)?;
    let mut contest = Contest::default();
    contest.add(PLAIN, rounds!(runtime, n => plain.update(of_plain[0], &format!("task {n}"))));
    contest.add(BLOCKING, rounds!(n => Run::run(one.update(renamed(format!("task {n}"))), blocking)));
    contest.add(
        ASYNC,
        rounds!(runtime, n => RunAsync::run(other.update(renamed(format!("task {n}"))), asynchronous)),
    );
    contest.add(TRIGGER, rounds!(runtime, n => audited.update(of_trigger, &format!("task {n}"))));
    contest.add(DIESEL, rounds!(n => by_hand::update(by_hand, of_plain[1], &format!("task {n}"))));
    contest.add(
        DIESEL_ASYNC,
        rounds!(runtime, n => by_hand::update_async(by_hand_async, of_plain[2], &format!("task {n}"))),
    );
    let times = contest.run(bench.rounds * SHORT_ROUNDS)?;
    compare_with_plain(report, "update", 0.9, &times, OPERATIONS);
    for (face, ours, by_hand) in [("blocking", BLOCKING, DIESEL), ("async", ASYNC, DIESEL_ASYNC)] {
        if let Some(ratio) = times.ratio(ours, by_hand) {
            report.at_most(&format!("record/rivals-update-by-hand-{face}"), 0.71, &ratio, OPERATIONS);
        }
    }
    Ok(())
}

/// Updates of records with ten thousand events, on both sides.
fn long_history(bench: &Bench, report: &mut Report, runtime: &Runtime, url: &str) -> anyhow::Result<()> {
    let all = &mut Contestants::connect(url, runtime)?;
    let Contestants { plain, blocking, asynchronous, .. } = all;
    let of_plain = runtime.block_on(plain.create(NAME))?;
    blocking.batch_execute(&format!(
        "INSERT INTO plain_log (record, revision, action, payload)
         SELECT '{of_plain}', n, 'update', '{{\"name\":\"{NAME}\"}}' FROM generate_series(2, {EVENTS}) n"
    ))?;
    let tasks = Run::run(batch((0..2).map(|_| Task::insert(new(NAME)))), blocking)?;
    for task in &tasks {
        for part in 0..10 {
            let commands = (0..EVENTS / 10).map(|n| task.update(renamed(format!("name {part} {n}"))));
            Run::run(batch(commands), blocking)?;
        }
    }
    blocking.batch_execute("ANALYZE tasks_events")?;
    blocking.batch_execute("ANALYZE plain_log")?;
    let (one, other) = (&tasks[0], &tasks[1]);
    let mut contest = Contest::default();
    contest.add(PLAIN, rounds!(runtime, n => plain.update(of_plain, &format!("task {n}"))));
    contest.add(BLOCKING, rounds!(n => Run::run(one.update(renamed(format!("task {n}"))), blocking)));
    contest.add(
        ASYNC,
        rounds!(runtime, n => RunAsync::run(other.update(renamed(format!("task {n}"))), asynchronous)),
    );
    let times = contest.run(bench.rounds * SHORT_ROUNDS)?;
    compare_with_plain(report, "update-10000-events", 0.9, &times, OPERATIONS);
    Ok(())
}

/// Updates of a record that its caller holds, with its revision.
fn with_a_revision(bench: &Bench, report: &mut Report, runtime: &Runtime, url: &str) -> anyhow::Result<()> {
    let all = &mut Contestants::connect(url, runtime)?;
    let Contestants { plain, blocking, asynchronous, .. } = all;
    let of_plain = runtime.block_on(plain.create(NAME))?;
    let revised = || RevisedTask::insert(NewRevisedTask { name: NAME.to_owned() });
    let renamed = |n: u32| RevisedTaskChanges { name: Some(format!("task {n}")), done: None };
    let mut one = Run::run(revised(), blocking)?;
    let mut other = Run::run(revised(), blocking)?;
    let mut contest = Contest::default();
    contest.add(PLAIN, rounds!(runtime, n => plain.update(of_plain, &format!("task {n}"))));
    contest.add(BLOCKING, || {
        for n in 0..OPERATIONS {
            one = Run::run(one.update(renamed(n)), blocking)?;
        }
        Ok(())
    });
    contest.add(ASYNC, || {
        runtime.block_on(async {
            for n in 0..OPERATIONS {
                other = RunAsync::run(other.update(renamed(n)), asynchronous).await?;
            }
            Ok(())
        })
    });
    let times = contest.run(bench.rounds * SHORT_ROUNDS)?;
    compare_with_plain(report, "update-with-revision", 1.25, &times, OPERATIONS);
    Ok(())
}
