//! Processes of workers: this test program, which runs one ignored test.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use evented_react::{From, Worker};
use evented_react_tests::{Kit, post_counts};

const TARGET: &str = "EVENTED_WORKER_TARGET";

/// The lease of the workers. It is short, so that a test sees many takeovers.
pub(crate) const LEASE: Duration = Duration::from_millis(400);

/// Runs a worker until the process is killed.
pub(crate) async fn serve<C: Kit>() {
    let Ok(url) = std::env::var(TARGET) else { return };
    let _worker = C::start(worker(), &url).await;
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

/// Processes of workers on one database.
pub(crate) struct Workers {
    test: &'static str,
    url: String,
    count: usize,
    running: Vec<Child>,
    dice: u64,
}

impl Workers {
    /// Starts processes. `test` is the path of the ignored test.
    pub(crate) fn start(test: &'static str, url: &str, count: usize) -> Self {
        let mut workers =
            Self { test, url: url.to_owned(), count, running: Vec::new(), dice: 0x2545_f491_4f6c_dd1d };
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
