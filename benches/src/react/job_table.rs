//! A job table written by hand: a row for each event, which workers claim with `SKIP LOCKED`.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

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
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let url = url.to_owned();
            std::thread::spawn(move || work(&url, size))
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
    }
    Ok(())
}

fn work(url: &str, size: i64) -> anyhow::Result<()> {
    use diesel::sql_types::{Array, BigInt, Integer};
    let mut conn = PgConnection::establish(url)?;
    loop {
        let claimed: Vec<Claimed> = diesel::sql_query(
            "UPDATE job_rows SET state = 'running' WHERE id IN (SELECT id FROM job_rows WHERE state = 'available' \
             ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id, comment",
        )
        .bind::<BigInt, _>(size)
        .load(&mut conn)?;
        if claimed.is_empty() {
            return Ok(());
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
    }
}
