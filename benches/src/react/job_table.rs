//! A job table written by hand: a row for each event, which workers claim with `SKIP LOCKED`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// How long a worker that serves the table waits when it has found no row.
const PAUSE: Duration = Duration::from_millis(5);

/// Creates the table.
pub(crate) fn create(url: &str) -> anyhow::Result<()> {
    PgConnection::establish(url)?.batch_execute(
        "CREATE TABLE job_rows (id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, comment INTEGER NOT NULL, \
         state TEXT NOT NULL DEFAULT 'available'); CREATE INDEX ON job_rows (id) WHERE state = 'available'",
    )?;
    Ok(())
}

/// Adds a row for each comment.
pub(crate) fn fill(url: &str) -> anyhow::Result<()> {
    PgConnection::establish(url)?.batch_execute(
        "TRUNCATE job_rows; INSERT INTO job_rows (comment) SELECT id FROM comments ORDER BY id; ANALYZE job_rows",
    )?;
    Ok(())
}

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    id: i64,
    #[diesel(sql_type = diesel::sql_types::Integer)]
    comment: i32,
}

/// Handles all rows with 8 workers, each of which claims `size` rows at a time, writes an effect for each, and
/// acknowledges them.
pub(crate) fn handle_all(url: &str, size: i64) -> anyhow::Result<()> {
    with_8_workers(|| {
        let mut conn = PgConnection::establish(url)?;
        while claim_and_handle(&mut conn, size)? > 0 {}
        Ok(())
    })
}

/// Handles rows with 8 workers until `stop` is set, and counts those that are handled.
pub(crate) fn serve(url: &str, size: i64, handled: &AtomicU64, stop: &AtomicBool) -> anyhow::Result<()> {
    serve_with(url, |conn| claim_and_handle(conn, size), handled, stop)
}

/// Calls `next` with 8 workers until `stop` is set, and counts the rows that it returns. `next` claims and handles some rows of a
/// table, and returns how many there were.
pub(crate) fn serve_with(
    url: &str,
    next: impl Fn(&mut PgConnection) -> anyhow::Result<usize> + Sync,
    handled: &AtomicU64,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    with_8_workers(|| {
        let mut conn = PgConnection::establish(url)?;
        while !stop.load(Ordering::Relaxed) {
            match next(&mut conn)? {
                0 => std::thread::sleep(PAUSE),
                rows => {
                    handled.fetch_add(u64::try_from(rows)?, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    })
}

fn with_8_workers(work: impl Fn() -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(&work)).collect();
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
        }
        Ok(())
    })
}

/// Handles the next rows, and returns how many there were.
fn claim_and_handle(conn: &mut PgConnection, size: i64) -> anyhow::Result<usize> {
    use diesel::sql_types::{Array, BigInt, Integer};
    // The array is computed once. A subquery of `IN` may be computed again for each row of the table, as the statistics are.
    let claimed: Vec<Claimed> = diesel::sql_query(
        "UPDATE job_rows SET state = 'running' WHERE id = ANY (ARRAY (SELECT id FROM job_rows WHERE state = 'available' \
         ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING id, comment",
    )
    .bind::<BigInt, _>(size)
    .load(conn)?;
    if claimed.is_empty() {
        return Ok(0);
    }
    conn.transaction(|conn| {
        for job in &claimed {
            diesel::sql_query("INSERT INTO effects (comment) VALUES ($1)")
                .bind::<Integer, _>(job.comment)
                .execute(conn)?;
        }
        let ids: Vec<i64> = claimed.iter().map(|job| job.id).collect();
        diesel::sql_query("DELETE FROM job_rows WHERE id = ANY($1)")
            .bind::<Array<BigInt>, _>(ids)
            .execute(conn)
    })?;
    Ok(claimed.len())
}
