//! Processes of workers: this test program, which runs one ignored test.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use evented_diesel::prelude::*;
use evented_react::{Change, Delivery, Effect, Failure, From, Subscriber, Worker};
use evented_react_tests::{Comment, Kit, post_counts};

const TARGET: &str = "EVENTED_WORKER_TARGET";
const LETTERS: &str = "EVENTED_WORKER_LETTERS";

/// The lease of the workers. It is short, so that a test sees many takeovers.
pub(crate) const LEASE: Duration = Duration::from_millis(400);

/// Runs a worker until the process is killed.
pub(crate) async fn serve<C: Kit>() {
    let Ok(url) = std::env::var(TARGET) else { return };
    let worker = match std::env::var(LETTERS) {
        Ok(path) => sender(Path::new(&path)),
        Err(_) => worker(),
    };
    let _worker = C::start(worker, &url).await;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // A process whose parent was killed ends, too.
        if std::os::unix::process::parent_id() == 1 {
            std::process::exit(1);
        }
    }
}

/// Creates a worker that records comments, and counts them.
pub(crate) fn worker<C: Kit>() -> Worker<C> {
    let audit = C::recorder("audit").from(From::Beginning);
    Worker::new().subscribe(audit).subscribe(post_counts()).lease(LEASE).concurrency(2)
}

/// Creates a worker whose effect writes a line into a file.
pub(crate) fn sender<C: Kit>(path: &Path) -> Worker<C> {
    let letters = Subscriber::new("letters").effect(Comment::changes(), Letters(path.to_owned()));
    Worker::new().subscribe(letters.from(From::Beginning)).lease(LEASE).concurrency(2)
}

/// An effect that writes a line into a file: the key of the delivery, the event, and the idempotency key.
struct Letters(PathBuf);

impl Effect<Change<Comment>> for Letters {
    fn run(&self, change: Delivery<'_, Change<Comment>>) -> Result<(), Failure> {
        // A kill must hit effects that have begun.
        std::thread::sleep(Duration::from_millis(10));
        let mut file = OpenOptions::new().append(true).create(true).open(&self.0)?;
        // One write: lines of several processes do not mix.
        file.write_all(
            format!("{} {} {}\n", change.key(), change.id(), change.idempotency_key()).as_bytes(),
        )?;
        Ok(())
    }
}

/// Processes of workers on one database.
pub(crate) struct Workers {
    test: &'static str,
    url: String,
    count: usize,
    /// The file of the effects; `None` for workers with handlers.
    letters: Option<PathBuf>,
    running: Vec<Child>,
    dice: u64,
}

impl Workers {
    /// Starts processes. `test` is the path of the ignored test.
    pub(crate) fn start(test: &'static str, url: &str, count: usize) -> Self {
        Self::of(test, url, count, None)
    }

    /// Starts processes with effects that write into a file.
    pub(crate) fn start_senders(test: &'static str, url: &str, count: usize, letters: &Path) -> Self {
        Self::of(test, url, count, Some(letters.to_owned()))
    }

    fn of(test: &'static str, url: &str, count: usize, letters: Option<PathBuf>) -> Self {
        let (url, running, dice) = (url.to_owned(), Vec::new(), 0x2545_f491_4f6c_dd1d);
        let mut workers = Self { test, url, count, letters, running, dice };
        workers.fill();
        workers
    }

    fn below(&mut self, end: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % end
    }

    /// Starts processes in the place of those that have ended.
    pub(crate) fn fill(&mut self) {
        self.running.retain_mut(|child| child.try_wait().expect("a process").is_none());
        while self.running.len() < self.count {
            let (_, test) = self.test.split_once("::").expect("a path");
            let child = Command::new(std::env::current_exe().expect("a program"))
                .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
                .env(TARGET, &self.url)
                .envs(self.letters.as_ref().map(|path| (LETTERS, path)))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            self.running.push(child.expect("a process"));
        }
    }

    /// Kills a process after a random time.
    pub(crate) fn kill_one(&mut self) {
        let micros = 20_000 + self.below(180_000);
        std::thread::sleep(Duration::from_micros(micros));
        let index = usize::try_from(self.below(self.running.len() as u64)).expect("an index");
        let mut child = self.running.swap_remove(index);
        child.kill().expect("a kill");
        child.wait().expect("an end");
    }

    /// Stops a process, and lets it go on after a time.
    pub(crate) fn stop_one(&mut self, time: Duration) {
        let micros = 20_000 + self.below(100_000);
        std::thread::sleep(Duration::from_micros(micros));
        let index = usize::try_from(self.below(self.running.len() as u64)).expect("an index");
        let pid = self.running[index].id().to_string();
        let signal = |name: &str| {
            let done = Command::new("kill").args([name, &pid]).status().expect("a signal");
            assert!(done.success());
        };
        signal("-STOP");
        std::thread::sleep(time);
        signal("-CONT");
    }

    pub(crate) fn end(mut self) {
        self.kill_all();
    }

    fn kill_all(&mut self) {
        for mut child in self.running.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.kill_all();
    }
}
