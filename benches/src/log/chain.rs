//! Measures checking every hash of a log, against only selecting and hashing the same rows.

use diesel::prelude::*;
use evented_diesel::Run;
use evented_diesel::verify::LogChecks;
use postgres::fallible_iterator::FallibleIterator;
use sha2::{Digest, Sha256};

use super::models::{fill, fresh, hashed::Hashed};
use crate::measure::compare;
use crate::report::Report;
use crate::setup::Bench;

const TASKS: i64 = 20_000;
const UPDATES: u32 = 4;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("log/verify-chain") {
        return Ok(());
    }
    let url = fresh(bench, "bench_log_chain")?;
    let mut conn = PgConnection::establish(&url)?;
    fill(&mut conn, TASKS, UPDATES)?;
    let mut client = postgres::Client::connect(&url, postgres::NoTls)?;
    let events = TASKS * i64::from(UPDATES + 1);
    let ratio = compare(
        bench.rounds,
        || {
            let findings = Hashed::verify_chain().run(&mut conn)?;
            anyhow::ensure!(findings.is_empty(), "{findings:?}");
            Ok(())
        },
        || {
            anyhow::ensure!(select_and_hash(&mut client)? == events);
            Ok(())
        },
    )?;
    report.at_least("log/verify-chain", 0.6, &ratio, u32::try_from(events)?);
    Ok(())
}

/// Selects the columns that the chain covers, in its order, and hashes each row as it is.
fn select_and_hash(client: &mut postgres::Client) -> anyhow::Result<i64> {
    let sql = "SELECT id::text, schema, record_id::text, revision::text, action, version::text, at::text, \
               payload::text, meta::text, state, hash FROM hashed_events ORDER BY schema, record_id, revision";
    let mut rows = client.query_raw(sql, std::iter::empty::<i32>())?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let mut hasher = Sha256::new();
        for index in 0..9 {
            hasher.update(row.get::<_, &str>(index).as_bytes());
        }
        hasher.update(row.get::<_, &[u8]>(9));
        hasher.update(row.get::<_, &[u8]>(10));
        std::hint::black_box(hasher.finalize());
        count += 1;
    }
    Ok(count)
}
