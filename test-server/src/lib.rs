//! Runs a throwaway PostgreSQL server in a temporary directory.

mod account;
pub mod find;

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use duct::{Expression, Handle};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use account::Account;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);

/// The settings of a [`Cluster`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether a commit waits for the disk. Tests do not need it; a benchmark without it would be misleading.
    pub fsync: bool,
    /// Additional settings of the server: `name=value`.
    pub options: Vec<String>,
    /// Additional environment variables of the server.
    pub env: Vec<(String, String)>,
    /// Returns an error if the caller no longer waits for the server.
    pub interrupted: fn() -> Result<()>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { fsync: false, options: Vec::new(), env: Vec::new(), interrupted: || Ok(()) }
    }
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy)]
pub enum Stop {
    /// The server closes its connections and writes everything to disk.
    Fast,
    /// The server stops at once, as after a crash.
    Immediate,
}

/// A running server. Dropping it stops the server and deletes all of its files.
#[derive(Debug)]
pub struct Cluster {
    server: Handle,
    port: u16,
    bin: PathBuf,
    dir: TempDir,
    account: Option<Account>,
    settings: Settings,
}

impl Cluster {
    /// Creates a new cluster and waits until it accepts connections.
    pub fn start(settings: Settings) -> Result<Self> {
        let bin =
            find::find()?.context("found no PostgreSQL server: install it, or point PG_BIN to its bin")?;
        let account = Account::find()?;
        let dir = temp_dir(settings.fsync, account.as_ref())?;
        initdb(&bin, dir.path(), account.as_ref())?;
        (settings.interrupted)()?;
        let port = free_port()?;
        let server = launch(&settings, port, &bin, dir.path(), account.as_ref())?;
        let mut cluster = Self { server, port, bin, dir, account, settings };
        for _ in 0..3 {
            if cluster.ready()? {
                return Ok(cluster);
            }
            // Another program took the port after it was chosen and before the server bound it.
            cluster.port = free_port()?;
            cluster.launch()?;
        }
        bail!("found no free port for the PostgreSQL server")
    }

    /// Stops the server and waits until it has ended. Its files remain.
    pub fn stop(&mut self, how: Stop) -> Result<()> {
        let signal = match how {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        };
        if let Some(pid) = self.pid() {
            kill_process(pid, signal)?;
        }
        ensure!(self.server.wait_timeout(STOP)?.is_some(), "the PostgreSQL server does not end");
        Ok(())
    }

    /// Starts the server again, at the same address.
    pub fn start_again(&mut self) -> Result<()> {
        self.launch()?;
        ensure!(self.ready()?, "the port {} is taken", self.port);
        Ok(())
    }

    fn launch(&mut self) -> Result<()> {
        self.server = launch(&self.settings, self.port, &self.bin, self.dir.path(), self.account.as_ref())?;
        Ok(())
    }

    fn pid(&self) -> Option<Pid> {
        self.server.pids().first().and_then(|&pid| Pid::from_raw(i32::try_from(pid).ok()?))
    }

    /// Waits until the server accepts connections. Returns `false` if its port was taken.
    fn ready(&self) -> Result<bool> {
        let log = || fs::read_to_string(log_file(self.dir.path())).unwrap_or_default();
        let started = Instant::now();
        while started.elapsed() < START {
            (self.settings.interrupted)()?;
            if self.server.try_wait()?.is_some() {
                let log = log();
                ensure!(log.contains("could not bind"), "the PostgreSQL server did not start:\n{log}");
                return Ok(false);
            }
            // The eighth line is the server's state. `pg_ctl --wait` reads it too.
            let pid_file =
                fs::read_to_string(self.dir.path().join("data/postmaster.pid")).unwrap_or_default();
            if pid_file.lines().nth(7).is_some_and(|state| state.trim() == "ready") {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("the PostgreSQL server is not ready after {START:?}:\n{}", log())
    }

    /// The URL of the superuser's database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The directory of the server's programs.
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// The path of a PostgreSQL program: the one of the server's version, or else the one in PATH.
    pub fn bin(&self, name: &str) -> PathBuf {
        let own = self.bin.join(name);
        if own.exists() { own } else { name.into() }
    }

    /// The directory of the server's files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let (Ok(None), Some(pid)) = (self.server.try_wait(), self.pid()) {
            // An "immediate" shutdown. The files are deleted next, so there is no reason to wait for open connections
            // or a checkpoint.
            let _ = kill_process(pid, Signal::QUIT);
            if !matches!(self.server.wait_timeout(STOP), Ok(Some(_))) {
                let _ = self.server.kill();
                let _ = self.server.wait();
            }
        }
    }
}

fn log_file(dir: &Path) -> PathBuf {
    dir.join("server.log")
}

/// Creates a directory that the server's account owns and can reach.
fn temp_dir(fsync: bool, account: Option<&Account>) -> Result<TempDir> {
    // /tmp is often in memory, where syncing costs nothing. /var/tmp is not.
    let default = if fsync { "/var/tmp" } else { "/tmp" };
    let wanted = env::var_os("TMPDIR").map(PathBuf::from);
    let reachable = |dir: &PathBuf| dir.is_dir() && account.is_none_or(|_| account::all_may_enter(dir));
    let parent = wanted.into_iter().chain([default.into()]).find(reachable);
    let parent = parent.context("found no directory for temporary files")?;
    let dir = tempfile::Builder::new().prefix("evented-pg-").tempdir_in(parent)?;
    if let Some(account) = account {
        chown(dir.path(), Some(account.uid), Some(account.gid))?;
    }
    Ok(dir)
}

fn initdb(bin: &Path, dir: &Path, account: Option<&Account>) -> Result<()> {
    let log = dir.join("initdb.log");
    let data = dir.join("data");
    let how = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"];
    let args = how.into_iter().map(Into::into).chain([data.into_os_string()]);
    let command = duct::cmd(bin.join("initdb"), args.collect::<Vec<_>>()).stdin_null();
    let output = logged(&command, &log, account).unchecked().run()?;
    ensure!(output.status.success(), "initdb failed:\n{}", fs::read_to_string(&log).unwrap_or_default());
    Ok(())
}

/// A port that is currently free.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Starts the server.
fn launch(
    settings: &Settings,
    port: u16,
    bin: &Path,
    dir: &Path,
    account: Option<&Account>,
) -> Result<Handle> {
    let on_off = if settings.fsync { "on" } else { "off" };
    let mut args = vec!["-D".into(), dir.join("data").into_os_string()];
    for option in [
        "listen_addresses=127.0.0.1",
        &format!("port={port}"),
        &format!("unix_socket_directories={}", dir.display()),
        &format!("fsync={on_off}"),
        &format!("full_page_writes={on_off}"),
        "wal_level=logical",
        "max_connections=200",
        "max_prepared_transactions=200",
        "max_replication_slots=60",
        "max_wal_senders=60",
    ] {
        args.extend(["-c".into(), option.into()]);
    }
    for option in &settings.options {
        args.extend(["-c".into(), option.into()]);
    }
    let command = duct::cmd(bin.join("postgres"), args).stdin_null();
    let mut command = logged(&command, &log_file(dir), account);
    for (name, value) in &settings.env {
        command = command.env(name, value);
    }
    Ok(command.unchecked().start()?)
}

/// `command` as the server's account, with its output in `log` and in English.
fn logged(command: &Expression, log: &Path, account: Option<&Account>) -> Expression {
    let account = account.copied();
    let dir = log.parent().unwrap_or(Path::new("/")).to_path_buf();
    let command = command.dir(dir).env("LC_ALL", "C").stderr_to_stdout().stdout_path(log);
    command.before_spawn(move |command| account::detach(command, account))
}
