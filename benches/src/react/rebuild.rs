//! Measures a writer while a derived table of 100,000 rows is rebuilt, beside the same writer before that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_react::{From, Subscriber, rebuild, register, verify};

use super::{model, projection};
use crate::measure::Ratio;
use crate::react::model::{Comment, NewComment};
use crate::report::Report;
use crate::setup::Bench;

const KEYS: i32 = 100_000;
/// How long the writer is measured before the rebuild.
const BEFORE: Duration = Duration::from_secs(5);

/// The projection. It begins with what is written after it is registered: the rebuild computes the rest.
fn counts(name: &str) -> Subscriber<PgConnection> {
    projection::counts(name.to_owned()).from(From::Now).into()
}

/// A command of the writer.
struct Command {
    began: Instant,
    ended: Instant,
}

/// Writes comments on random posts until `stop` is set.
fn write(url: &str, stop: &AtomicBool) -> anyhow::Result<Vec<Command>> {
    let mut conn = PgConnection::establish(url)?;
    let mut commands = Vec::new();
    let mut random: u64 = 88_172_645_463_325_252;
    while !stop.load(Ordering::Relaxed) {
        // The numbers of Marsaglia's xorshift64.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let post_id = i32::try_from(random % u64::from(KEYS.unsigned_abs()))?;
        let began = Instant::now();
        Comment::insert(NewComment { post_id, text: "a comment".into() }).run(&mut conn)?;
        commands.push(Command { began, ended: Instant::now() });
    }
    Ok(commands)
}

/// The mean time of a command.
fn mean(commands: &[&Command]) -> anyhow::Result<Duration> {
    anyhow::ensure!(!commands.is_empty(), "the writer has written nothing");
    let times = commands.iter().map(|command| command.ended - command.began);
    Ok(times.sum::<Duration>() / u32::try_from(commands.len())?)
}

/// A rebuild beside a writer.
struct Round {
    /// The mean time of a command during the rebuild, and of as many commands before it.
    during: Duration,
    before: Duration,
    /// The longest time of a command during the rebuild.
    longest: Duration,
    rebuild: Duration,
    /// How many commands ran during the rebuild, and in all.
    commands: usize,
    written: usize,
}

impl Round {
    fn of(began: Instant, ended: Instant, commands: &[Command]) -> anyhow::Result<Self> {
        let during: Vec<_> = commands.iter().filter(|it| it.began < ended && it.ended > began).collect();
        let before: Vec<_> = commands.iter().filter(|it| it.ended <= began).collect();
        let before = &before[before.len().saturating_sub(during.len())..];
        Ok(Self {
            during: mean(&during)?,
            before: mean(before)?,
            longest: during.iter().map(|it| it.ended - it.began).max().unwrap_or_default(),
            rebuild: ended - began,
            commands: during.len(),
            written: commands.len(),
        })
    }

    /// Rebuilds an empty table, so that each of its rows is written.
    fn run(url: &str, projection: &Subscriber<PgConnection>) -> anyhow::Result<Self> {
        let mut conn = PgConnection::establish(url)?;
        conn.batch_execute("TRUNCATE counts")?;
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| write(url, &stop));
            std::thread::sleep(BEFORE);
            let began = Instant::now();
            let rebuilt = rebuild(projection).run(&mut conn);
            let ended = Instant::now();
            stop.store(true, Ordering::Relaxed);
            let commands = writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
            let written = rebuilt??.written;
            anyhow::ensure!(written >= KEYS.unsigned_abs() as usize, "the rebuild wrote {written} rows");
            Self::of(began, ended, &commands)
        })
    }
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/rebuild") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_react_rebuild")?;
    model::fill(&url, KEYS, KEYS)?;
    let name = model::fresh_name();
    let projection = counts(&name);
    let mut conn = PgConnection::establish(&url)?;
    register(&projection).run(&mut conn)??;
    // The first round warms the caches.
    let rounds: Vec<Round> =
        (0..=bench.rounds.clamp(1, 5)).map(|_| Round::run(&url, &projection)).collect::<Result<_, _>>()?;
    let unhandled: usize = rounds.iter().map(|round| round.written).sum();
    model::handle_all(&url, counts(&name), u64::try_from(unhandled)?)?;
    let differences = verify(&projection).run(&mut conn)??.rows;
    anyhow::ensure!(differences.is_empty(), "verify finds {} rows that differ", differences.len());
    model::check_counts(&mut conn, "counts", "comments")?;
    let (during, before): (Vec<_>, Vec<_>) =
        rounds.iter().skip(1).map(|round| (round.during, round.before)).unzip();
    report.at_most("react/rebuild-beside-a-writer", 1.2, &Ratio::of(&during, &before), 1);
    for round in rounds.iter().skip(1) {
        report.note(format!(
            "react/rebuild: {KEYS} rows in {:.1?}, {} commands of the writer meanwhile, the longest {:.1?}",
            round.rebuild, round.commands, round.longest
        ));
    }
    Ok(())
}
