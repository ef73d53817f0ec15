//! Measures reading the write-ahead log, against `pg_recvlogical`, which decodes nothing, and against a bare `NOTIFY`.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::{EventedDsl as _, Run};
use evented_feed::Hub;
use evented_feed::wal::{ModelColumns, create_publication, table_of};
use evented_wal::{Config, Message, Slot, Tail};

use super::model::{self, Job};
use crate::measure::compare;
use crate::memory::peak_of_this_process;
use crate::report::Report;
use crate::setup::Bench;

const CHANGES: u32 = 500_000;
const MOST_MB: f64 = 64.0;
const WRITES: usize = 2_000;
const PUBLICATION: &str = "bench_jobs";
const NOTIFY: &str =
    "WITH made AS (INSERT INTO jobs_heard VALUES ($1) RETURNING 1) SELECT pg_notify('bench', '') FROM made";

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if bench.wants("listen/tail-one-transaction") {
        let stage = Stage::new(bench, "bench_tail_one")?;
        let insert = format!(
            "INSERT INTO jobs SELECT gen_random_uuid(), n % 100, 'job ' || n, false FROM generate_series(1, {CHANGES}) n"
        );
        stage
            .measure(bench, report, "listen/tail-one-transaction", |conn| Ok(conn.batch_execute(&insert)?))?;
    }
    if bench.wants("listen/tail-many-transactions") {
        let stage = Stage::new(bench, "bench_tail_many")?;
        let url = stage.url.clone();
        stage.measure(bench, report, "listen/tail-many-transactions", |_| many_transactions(bench, &url))?;
    }
    if bench.wants("listen/tail-latency") {
        latency(bench, report)?;
    }
    Ok(())
}

/// Measures transactions of one row each, as fast as the server accepts them.
fn many_transactions(bench: &Bench, url: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("script.sql");
    std::fs::write(
        &file,
        "SET synchronous_commit = off;\nINSERT INTO jobs VALUES (gen_random_uuid(), 1, 'job', false);\n",
    )?;
    let output = Command::new(bench.pg_bin.join("pgbench"))
        .args(["-n", "-M", "prepared", "-c", "10", "-j", "2", "-t", &(CHANGES / 10).to_string(), "-f"])
        .arg(&file)
        .arg(url)
        .output()
        .context("pgbench")?;
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

struct Stage {
    url: String,
    name: String,
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

impl Stage {
    fn new(bench: &Bench, name: &str) -> anyhow::Result<Self> {
        let stage = Self { url: model::postgres(bench, name)?, name: name.to_owned() };
        let mut conn = stage.connect()?;
        conn.batch_execute(&format!(
            "ALTER TABLE jobs REPLICA IDENTITY FULL; DROP PUBLICATION IF EXISTS {PUBLICATION}; \
             SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 'bench_%'"
        ))?;
        create_publication(PUBLICATION, [table_of::<Job>()]).run(&mut conn)?;
        conn.batch_execute(&format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')"))?;
        Ok(stage)
    }

    fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::establish(&self.url)?)
    }

    /// Copies the slot for one reader, and returns the name of the copy.
    fn copy(&self, conn: &mut PgConnection) -> anyhow::Result<String> {
        let copy = format!("bench_{}", uuid::Uuid::now_v7().simple());
        let sql = format!("SELECT pg_copy_logical_replication_slot('{}', '{copy}')", self.name);
        conn.batch_execute(&sql)?;
        Ok(copy)
    }

    fn measure(
        &self,
        bench: &Bench,
        report: &mut Report,
        name: &str,
        write: impl FnOnce(&mut PgConnection) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut conn = self.connect()?;
        write(&mut conn)?;
        conn.batch_execute("CHECKPOINT; SELECT pg_logical_emit_message(true, 'end', '')")?;
        let end: Text =
            diesel::sql_query("SELECT pg_current_wal_insert_lsn()::text AS text").get_result(&mut conn)?;
        let mut other = self.connect()?;
        let mut peak: f64 = 0.0;
        let ratio = compare(
            bench.rounds.min(5),
            || {
                let slot = self.copy(&mut conn)?;
                let output = Command::new(std::env::current_exe()?)
                    .args(["--url", &self.url, "--pg-bin", ".", "--tail", &slot])
                    .output()?;
                let text = String::from_utf8_lossy(&output.stdout);
                let of_child: f64 = text
                    .trim()
                    .parse()
                    .with_context(|| format!("{text}{}", String::from_utf8_lossy(&output.stderr)))?;
                peak = peak.max(of_child);
                Ok(())
            },
            || {
                let slot = self.copy(&mut other)?;
                self.receive(bench, &slot, &end.text)
            },
        )?;
        report.at_least(name, 1.1, &ratio, CHANGES);
        let detail = "the row is the peak of the reading process in MB".to_owned();
        report.row(&format!("{name}-memory"), peak, MOST_MB, "at most", detail);
        self.drop_slots()
    }

    /// Runs PostgreSQL's own client, which discards everything that it receives.
    fn receive(&self, bench: &Bench, slot: &str, end: &str) -> anyhow::Result<()> {
        let output = Command::new(bench.pg_bin.join("pg_recvlogical"))
            .args(["--start", "-f", "/dev/null", "--no-loop", "-o", "proto_version=1"])
            .arg(format!("--dbname={}", self.url))
            .arg(format!("--slot={slot}"))
            .arg(format!("--endpos={end}"))
            .args(["-o", &format!("publication_names={PUBLICATION}")])
            .output()
            .context("pg_recvlogical")?;
        ensure!(output.status.success(), "pg_recvlogical: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Drops all slots after their readers have disconnected.
    fn drop_slots(&self) -> anyhow::Result<()> {
        let mut conn = self.connect()?;
        conn.batch_execute(
            "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots \
             WHERE slot_name LIKE 'bench_%' AND active",
        )?;
        conn.batch_execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 'bench_%'",
        )?;
        Ok(())
    }
}

/// Runs in the child process: reads every change into a job, and prints its peak memory in MB.
pub(crate) fn read_tail(url: &str, slot: &str) -> anyhow::Result<()> {
    let config = Config::from_url(url, Slot::durable(slot), PUBLICATION)?;
    runtime()?.block_on(async {
        let mut tail = Tail::open(config).await?;
        let (mut columns, mut seen) = (None, 0);
        while seen < CHANGES {
            match tail.next().await? {
                Message::Relation { relation, .. } => columns = Some(ModelColumns::<Job>::of(&relation)?),
                Message::Insert { relation, new } => {
                    let columns = columns.as_ref().context("a row of an unknown table")?;
                    std::hint::black_box(columns.read(&relation, &new)?);
                    seen += 1;
                }
                Message::Commit { end, .. } => tail.confirm(end),
                _ => {}
            }
        }
        println!("{}", peak_of_this_process()?);
        Ok(())
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Measures the latency from the statement to the callback, alternately of a change through a hub and of a bare
/// notification.
fn latency(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let stage = Stage::new(bench, "bench_tail_latency")?;
    let config = Config::from_url(&stage.url, Slot::temporary(), PUBLICATION)?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    runtime()?.block_on(async {
        let hub = Hub::on_wal::<Job>().spawn(config).await?;
        let mut feed = hub.subscribe(Job::changes())?;
        let (client, connection) = tokio_postgres::connect(&stage.url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        let insert = client.prepare("INSERT INTO jobs VALUES ($1, 1, 'job', false)").await?;
        client.batch_execute("CREATE TABLE IF NOT EXISTS jobs_heard (id uuid)").await?;
        let notify = client.prepare(NOTIFY).await?;
        let (received, mut hears) = tokio::sync::mpsc::unbounded_channel();
        let (listener, mut listening) = tokio_postgres::connect(&stage.url, tokio_postgres::NoTls).await?;
        tokio::spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|cx| listening.poll_message(cx)).await {
                if matches!(message, tokio_postgres::AsyncMessage::Notification(_)) {
                    let _ = received.send(());
                }
            }
        });
        listener.batch_execute("LISTEN bench").await?;
        for _ in 0..WRITES {
            let id = uuid::Uuid::now_v7();
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&id];
            let start = Instant::now();
            let (written, delivered) = tokio::join!(client.execute(&insert, &values), feed.next());
            written?;
            delivered.context("the hub has stopped")??;
            ours.push(start.elapsed());
            tokio::time::sleep(Duration::from_millis(1)).await;
            let start = Instant::now();
            let (written, delivered) = tokio::join!(client.execute(&notify, &values), hears.recv());
            written?;
            delivered.context("the listener has stopped")?;
            bare.push(start.elapsed());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::Ok(())
    })?;
    ours.sort();
    bare.sort();
    let (mine, theirs) = (ours[WRITES / 2], bare[WRITES / 2]);
    let detail = format!(
        "p50 {mine:.1?} / {theirs:.1?}, p99 {:.1?} / {:.1?}",
        ours[WRITES * 99 / 100],
        bare[WRITES * 99 / 100]
    );
    report.row("listen/tail-latency", mine.as_secs_f64() / theirs.as_secs_f64(), 1.2, "at most", detail);
    stage.drop_slots()
}
