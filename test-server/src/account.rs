//! The account that the server runs under: PostgreSQL refuses to run as root.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// An account without privileges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The account to switch to; `None` unless the process runs as root.
    pub(super) fn find() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let account = ["postgres", "nobody"].into_iter().find_map(Self::named);
        account.map(Some).context("PostgreSQL does not run as root, and there is no user postgres or nobody")
    }

    fn named(name: &str) -> Option<Self> {
        let id = |what| duct::cmd!("id", what, name).stderr_null().read().ok()?.parse().ok();
        Some(Self { uid: id("-u")?, gid: id("-g")? })
    }
}

/// Makes a command run as `account` and in its own process group, so that a Ctrl-C in the terminal does not reach it.
/// The server must outlive the tests that use it, and the `Cluster` stops it.
pub(super) fn detach(command: &mut Command, account: Option<Account>) -> io::Result<()> {
    command.process_group(0);
    if let Some(Account { uid, gid }) = account {
        // This also drops the supplementary groups of root.
        command.uid(uid).gid(gid);
    }
    Ok(())
}

/// Whether every account can enter `dir`.
pub(super) fn all_may_enter(dir: &Path) -> bool {
    let Ok(dir) = dir.canonicalize() else { return false };
    dir.ancestors().all(|dir| dir.metadata().is_ok_and(|meta| meta.mode() & 0o001 != 0))
}
