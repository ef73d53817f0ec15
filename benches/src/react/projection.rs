//! Measures a derived table after 100,000 changes on 100 keys, beside a handler for each change.
//!
//! A handler for each of 100,000 changes takes too long. It handles the last 5,000 of as many changes, in tables of its own.
//! While it does, a key has as many comments as while the projection computes it: both read the tables as they are in the
//! end. So the times per event are compared. Each side's time contains the start and the end of its worker, which is a
//! larger part of the time of fewer events.

use std::time::Duration;

use anyhow::Context as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_react::{Change, ChannelExt as _, Delivery, Failure, From, Projection, Subscriber, register};

use super::model;
use crate::measure::{Times, timed};
use crate::react::model::Comment;
use crate::report::Report;
use crate::setup::Bench;

const EVENTS: u32 = 100_000;
/// How many of the events the rivals handle.
const LAST: u32 = 5_000;
const KEYS: i32 = 100;

const PROJECTION: &str = "projection";
const OF_RECORDS: &str = "a handler, in the order of comments";
const OF_POSTS: &str = "a handler, in the order of posts";

/// The comments of each post.
pub(super) fn counts(name: String) -> Projection<PgConnection> {
    Projection::table("counts", "post_id")
        .columns(["comments"])
        .select(
            "SELECT post_id, count(*) AS comments FROM comments WHERE post_id IN ({keys}) GROUP BY post_id",
        )
        .keyed(Comment::changes(), |comment: &Comment| comment.post_id)
        .named(name)
}

/// Computes the row of a comment's post.
fn count_one(comment: Delivery<'_, Change<Comment>>, conn: &mut PgConnection) -> Result<(), Failure> {
    let Some(now) = comment.after() else { return Ok(()) };
    diesel::sql_query(
        "INSERT INTO counts (post_id, comments) SELECT post_id, count(*) FROM comments WHERE post_id = $1 \
         GROUP BY post_id ON CONFLICT (post_id) DO UPDATE SET comments = excluded.comments",
    )
    .bind::<diesel::sql_types::Integer, _>(now.post_id)
    .execute(conn)?;
    Ok(())
}

/// A handler whose parts write the same rows.
fn of_records() -> Subscriber<PgConnection> {
    Subscriber::new(model::fresh_name()).on(Comment::changes(), count_one as model::Handler)
}

/// A handler whose key says which row it writes, so that no two parts write the same one.
fn of_posts() -> Subscriber<PgConnection> {
    let by_post = Comment::changes().key(|comment| comment.after().map(|comment| comment.post_id));
    Subscriber::new(model::fresh_name()).on(by_post, count_one as model::Handler)
}

/// Fills the tables of the rivals, and returns a subscriber for each round of each. They have the last events before them.
fn rivals(url: &str, rounds: usize) -> anyhow::Result<[Vec<Subscriber<PgConnection>>; 2]> {
    model::fill(url, i32::try_from(EVENTS - LAST)?, KEYS)?;
    let rivals = [of_records, of_posts].map(|rival| (0..rounds).map(|_| rival()).collect::<Vec<_>>());
    let mut conn = PgConnection::establish(url)?;
    for rival in rivals.iter().flatten() {
        register(rival).run(&mut conn)??;
    }
    model::fill(url, i32::try_from(LAST)?, KEYS)?;
    Ok(rivals)
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/projection") {
        return Ok(());
    }
    let rounds = bench.rounds.clamp(1, 3);
    let url = model::postgres(bench, "bench_react_projection")?;
    model::fill(&url, i32::try_from(EVENTS)?, KEYS)?;
    let of_rivals = model::postgres(bench, "bench_react_projection_rivals")?;
    let [mut of_records, mut of_posts] = rivals(&of_rivals, rounds)?;
    let mut times = Times::of([PROJECTION, OF_RECORDS, OF_POSTS]);
    for _ in 0..rounds {
        let projection = counts(model::fresh_name()).from(From::Beginning);
        let mut round = vec![handle(&url, projection, EVENTS)?];
        for rival in [&mut of_records, &mut of_posts] {
            round.push(handle(&of_rivals, rival.pop().context("no rival is left")?, LAST)?);
        }
        times.push(&round);
    }
    for url in [&url, &of_rivals] {
        model::check_counts(&mut PgConnection::establish(url)?, "counts", "comments")?;
    }
    let to = |rival| times.ratio(PROJECTION, rival).context("no round");
    report.at_least("react/projection-beside-a-handler-each", 20.0, &to(OF_RECORDS)?, 1);
    report.at_least("react/projection-beside-a-handler-by-key", 20.0, &to(OF_POSTS)?, 1);
    Ok(())
}

/// Handles this many events with an empty derived table, and returns the time per event.
fn handle(
    url: &str,
    subscriber: impl Into<Subscriber<PgConnection>>,
    events: u32,
) -> anyhow::Result<Duration> {
    PgConnection::establish(url)?.batch_execute("TRUNCATE counts")?;
    let mut subscriber = Some(subscriber.into());
    let mut run = || {
        let subscriber = subscriber.take().context("a subscriber runs once")?;
        model::handle_all(url, subscriber, events.into())
    };
    Ok(timed(&mut run)? / events)
}
