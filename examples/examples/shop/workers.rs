//! Workers: in this process, or in processes of their own.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, bail};
use evented_react::{Worker, WorkerThreads};

use crate::mails::MailService;
use crate::{Conn, day, open, subscribers};

/// The lease of the workers. It is short, so that a run of the check sees many takeovers. Five seconds are the default.
const LEASE: Duration = Duration::from_millis(500);
/// The environment variables with the options of a worker process.
pub const DATABASE: &str = "SHOP_DATABASE";
const MAILS: &str = "SHOP_MAILS";
const NIGHTLY: &str = "SHOP_NIGHTLY";

/// The options of a worker.
#[derive(clap::Args, Clone)]
pub struct Options {
    /// The file of the mail service.
    #[arg(long, value_name = "FILE", env = MAILS)]
    pub mails: PathBuf,
    /// When a day is closed, as an expression of cron, by the clock of Berlin.
    #[arg(long, value_name = "EXPRESSION", env = NIGHTLY, default_value = day::NIGHTLY)]
    pub nightly: String,
}

/// Starts a worker in this process.
pub fn start(database: &str, options: &Options) -> anyhow::Result<WorkerThreads> {
    let mut worker = Worker::<Conn>::new().schedule(day::nightly(&options.nightly)?).lease(LEASE);
    for subscriber in subscribers::all(MailService::new(options.mails.clone())) {
        worker = worker.subscribe(subscriber);
    }
    let database = database.to_owned();
    Ok(worker.start(move || open(&database))?)
}

/// Runs a worker until the standard input ends: the process that has started this one is gone then, too.
pub fn serve(database: &str, options: &Options) -> anyhow::Result<()> {
    let worker = start(database, options)?;
    let (ended, end) = channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(Duration::from_millis(100)) {
        let status = worker.status();
        if !status.running {
            bail!("the worker has ended: {}", status.error.unwrap_or_default());
        }
    }
    Ok(worker.stop(Duration::from_secs(10))?)
}

/// Processes of workers.
pub struct Pool {
    words: Vec<String>,
    database: String,
    options: Options,
    running: Vec<Child>,
}

impl Pool {
    /// Starts processes of this program. With the words as its arguments, the program runs a worker.
    pub fn start(words: &[&str], database: &str, options: Options, count: u64) -> anyhow::Result<Self> {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let mut pool = Self { words, database: database.to_owned(), options, running: Vec::new() };
        for _ in 0..count {
            pool.start_one()?;
        }
        Ok(pool)
    }

    fn start_one(&mut self) -> anyhow::Result<()> {
        let child = Command::new(std::env::current_exe()?)
            .args(&self.words)
            .env(DATABASE, &self.database)
            .env(MAILS, &self.options.mails)
            .env(NIGHTLY, &self.options.nightly)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        self.running.push(child.context("a worker")?);
        Ok(())
    }

    /// Kills a process, without a chance to finish anything, and starts another one.
    pub fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        self.check()?;
        let mut child = self.running.swap_remove(index);
        let killed = child.kill();
        child.wait()?;
        killed?;
        self.start_one()
    }

    /// Checks that all processes run. A worker that fails writes the reason to the standard error.
    pub fn check(&mut self) -> anyhow::Result<()> {
        for child in &mut self.running {
            if let Some(status) = child.try_wait()? {
                bail!("a worker process has stopped: {status}");
            }
        }
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
