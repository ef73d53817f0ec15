//! Verifies that every change to any column of any event of a small log is found, and its record named.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::Run;
use evented_diesel::checkpoints::Checkpointed;
use evented_diesel::verify::{Finding, LogChecks};

use super::models::{fill, fresh, hashed::Hashed};
use crate::report::Report;
use crate::setup::Bench;

const TASKS: i64 = 3;
const UPDATES: u32 = 3;

/// One change of an event for each column.
const CHANGES: [&str; 14] = [
    "id = gen_random_uuid()",
    "schema = 'others'",
    "record_id = gen_random_uuid()",
    "revision = revision + 10",
    "action = 'other'",
    "version = version + 1",
    "payload = '{\"name\":\"other\"}'",
    "meta = '{\"actor\":\"other\"}'",
    "at = at + interval '1 microsecond'",
    "state = '\\x00000000000000000000000000000000'",
    "hash = '\\x0000000000000000000000000000000000000000000000000000000000000000'",
    "given_id = NOT given_id",
    "position = position + 1000",
    "txid = txid + 1000",
];

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("log/tamper") {
        return Ok(());
    }
    let url = fresh(bench, "bench_log_tamper")?;
    let mut conn = PgConnection::establish(&url)?;
    fill(&mut conn, TASKS, UPDATES)?;
    conn.batch_execute("ALTER TABLE hashed_events DISABLE TRIGGER append_only")?;
    conn.batch_execute("ALTER TABLE hashed_events ALTER position DROP IDENTITY")?;
    anyhow::ensure!(Hashed::checkpoint().run(&mut conn)?.is_some());
    let mut tally = Tally::default();
    for nth in 0..TASKS * i64::from(UPDATES + 1) {
        let event = format!(
            "ctid = (SELECT ctid FROM hashed_events ORDER BY record_id, revision OFFSET {nth} LIMIT 1)"
        );
        for change in CHANGES {
            tally.attempt(&mut conn, &format!("UPDATE hashed_events SET {change} WHERE {event}"))?;
        }
        tally.attempt(&mut conn, &format!("DELETE FROM hashed_events WHERE {event}"))?;
        // Delete the tail of a record, from this event on; the whole record, if the event is its first.
        tally.attempt(
            &mut conn,
            &format!(
                "DELETE FROM hashed_events d USING (SELECT record_id, revision FROM hashed_events WHERE {event}) e \
                 WHERE d.record_id = e.record_id AND d.revision >= e.revision"
            ),
        )?;
        // Swap the event with the next event of its record, or insert it again at the end.
        tally.attempt(
            &mut conn,
            &format!(
                "CREATE TEMP TABLE this ON COMMIT DROP AS SELECT record_id, revision FROM hashed_events WHERE {event}; \
                 UPDATE hashed_events e SET revision = -1 FROM this t WHERE (e.record_id, e.revision) = (t.record_id, t.revision); \
                 UPDATE hashed_events e SET revision = t.revision FROM this t \
                 WHERE e.record_id = t.record_id AND e.revision = CASE t.revision WHEN {last} THEN 1 ELSE t.revision + 1 END; \
                 UPDATE hashed_events e SET revision = CASE t.revision WHEN {last} THEN 1 ELSE t.revision + 1 END FROM this t \
                 WHERE e.record_id = t.record_id AND e.revision = -1",
                last = UPDATES + 1
            ),
        )?;
        tally.attempt(
            &mut conn,
            &format!(
                "INSERT INTO hashed_events (position, record_id, revision, at, version, schema, action, payload, id, state, hash) \
                 SELECT 100000, record_id, {next}, at, version, schema, action, payload, gen_random_uuid(), state, hash \
                 FROM hashed_events WHERE {event}",
                next = UPDATES + 2
            ),
        )?;
    }
    let Tally { tried, missed } = tally;
    let found = tried - missed.len();
    let detail = format!("{found} of {tried} changes were found; missed: {missed:?}");
    report.row("log/tamper-found", found as f64 / tried as f64, 1.0, "at least", detail);
    Ok(())
}

#[derive(Default)]
struct Tally {
    tried: usize,
    missed: Vec<String>,
}

impl Tally {
    /// Changes the log, runs the checks, and rolls the change back.
    fn attempt(&mut self, conn: &mut PgConnection, sql: &str) -> anyhow::Result<()> {
        conn.batch_execute("BEGIN")?;
        conn.batch_execute(sql)?;
        let chain: Vec<Finding> = Hashed::verify_chain().run(conn)?;
        let roots = Hashed::verify_checkpoints().run(conn)?;
        conn.batch_execute("ROLLBACK")?;
        self.tried += 1;
        // A checkpoint names how many events are missing; a chain names the record and its first bad event.
        let named = chain.iter().all(|finding| finding.revision.is_some());
        let delivered = !chain.is_empty() || !roots.holds();
        if !(named && delivered) {
            self.missed.push(sql.to_owned());
        }
        Ok(())
    }
}
