//! Sets up the databases to measure on.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use evented_diesel::migrations::{Database, Migrations};

use crate::model::{POSTGRES, Task};

/// The arguments of a run.
pub(crate) struct Bench {
    pub(crate) url: String,
    pub(crate) pg_bin: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) suite: String,
    /// How many minutes each run of a long comparison takes.
    pub(crate) minutes: f64,
}

impl Bench {
    /// Whether the arguments select a comparison.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.suite)
    }

    /// Creates a separate schema with new tables, and returns the URL of the schema.
    pub(crate) fn fresh(&self, schema: &str) -> anyhow::Result<String> {
        fresh(&self.url, schema)
    }

    /// Returns the transactions per second of a pgbench script.
    pub(crate) fn pgbench(&self, url: &str, script: &str, clients: u32, seconds: u32) -> anyhow::Result<f64> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("script.sql");
        std::fs::write(&file, script)?;
        let output = Command::new(self.pg_bin.join("pgbench"))
            .args(["-n", "-M", "prepared", "-T", &seconds.to_string(), "-c", &clients.to_string()])
            .args(["-j", &clients.min(2).to_string(), "-f"])
            .arg(&file)
            .arg(url)
            .output()
            .context("pgbench")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.with_context(|| format!("pgbench said: {text}"))
    }
}

/// Creates a schema with new tables, and returns the URL of the schema.
pub(crate) fn fresh(url: &str, schema: &str) -> anyhow::Result<String> {
    let mut conn = PgConnection::establish(url)?;
    conn.batch_execute(&format!(
        "SET client_min_messages = warning; DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; \
         SET search_path = {schema}; {POSTGRES}; {log}",
        log = Migrations::new().log::<Task>().up_sql(Database::Postgres),
    ))?;
    Ok(format!("{url}?options=-csearch_path%3D{schema}"))
}
