//! Processes of workers: this program, started with the command `worker`.

use std::process::{Child, Command};
use std::time::Duration;

use anyhow::Context;
use evented_react::Worker;

use crate::database;
use crate::model::post_counts;

/// Runs a worker until the process is killed.
pub fn serve(database: &str) -> anyhow::Result<()> {
    let database = database.to_owned();
    let worker = Worker::new().subscribe(post_counts()).lease(Duration::from_secs(1));
    let _worker = worker.start(move || database::open(&database))?;
    loop {
        std::thread::park();
    }
}

/// Several processes of workers.
pub struct Pool {
    database: String,
    running: Vec<Child>,
}

impl Pool {
    /// Starts the processes.
    pub fn start(database: &str, count: usize) -> anyhow::Result<Self> {
        let mut pool = Self { database: database.to_owned(), running: Vec::new() };
        for _ in 0..count {
            let child = pool.one()?;
            pool.running.push(child);
        }
        Ok(pool)
    }

    fn one(&self) -> anyhow::Result<Child> {
        let program = std::env::current_exe()?;
        Command::new(program).args(["worker", "--database", &self.database]).spawn().context("a worker")
    }

    /// Kills the process that has run longest, without a chance to finish anything, and starts another one.
    pub fn kill_one(&mut self) -> anyhow::Result<()> {
        let mut oldest = self.running.remove(0);
        let killed = oldest.kill();
        oldest.wait()?;
        killed?;
        let child = self.one()?;
        self.running.push(child);
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for child in &mut self.running {
            // The program ends: there is nobody to tell.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
