//! Measures a derived table after 100,000 changes on 100 keys, beside a handler for each change.

use diesel::prelude::*;
use evented_diesel::EventedDsl as _;
use evented_react::{Change, Delivery, Failure, Projection, Subscriber};

use super::model;
use crate::measure::compare;
use crate::react::model::Comment;
use crate::report::Report;
use crate::setup::Bench;

const EVENTS: i32 = 100_000;
const KEYS: i32 = 100;

fn counts() -> Subscriber<PgConnection> {
    Projection::table("counts", "post_id")
        .columns(["comments"])
        .select(
            "SELECT post_id, count(*) AS comments FROM comments WHERE post_id IN ({keys}) GROUP BY post_id",
        )
        .keyed(Comment::changes(), |comment: &Comment| comment.post_id)
        .named(model::fresh_name())
        .into()
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

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("react/projection") {
        return Ok(());
    }
    let url = model::postgres(bench, "bench_react_projection")?;
    model::fill(&url, EVENTS, KEYS)?;
    let events = u64::from(EVENTS.unsigned_abs());
    let ratio = compare(
        1,
        || model::handle_all(&url, counts(), events),
        || model::handle_all(&url, model::subscriber(count_one), events),
    )?;
    report.at_least("react/projection-beside-a-handler-each", 20.0, &ratio, EVENTS.unsigned_abs());
    Ok(())
}
