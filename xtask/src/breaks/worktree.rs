//! A checkout of the last commit in its own directory, which holds the sources to break.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use duct::Expression;
use tempfile::TempDir;

use crate::run::root;

/// A git worktree of HEAD in a temporary directory. Dropping it removes the directory.
pub(super) struct Worktree {
    root: PathBuf,
    _dir: TempDir,
}

impl Worktree {
    pub(super) fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("evented-break-").tempdir()?;
        let worktree = Self { root: dir.path().join("tree"), _dir: dir };
        let main = root()?;
        git(&main, ["worktree", "add", "--quiet", "--detach"], &[worktree.path(), Path::new("HEAD")])
            .run()
            .context("cannot make a worktree of HEAD")?;
        if !git(&main, ["status", "--porcelain"], &[]).read()?.is_empty() {
            println!("xtask: breaking HEAD; what is not committed is not in it");
        }
        Ok(worktree)
    }

    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    /// The hash of the commit that is checked out.
    pub(super) fn commit(&self) -> Result<String> {
        Ok(git(self.path(), ["rev-parse", "HEAD"], &[]).read()?)
    }

    /// Overwrites these files with these texts.
    pub(super) fn write(&self, texts: &BTreeMap<&str, String>) -> Result<()> {
        for (file, text) in texts {
            fs::write(self.path().join(file), text).with_context(|| format!("cannot write {file}"))?;
        }
        Ok(())
    }

    /// Resets the worktree to HEAD.
    pub(super) fn reset(&self) -> Result<()> {
        git(self.path(), ["reset", "--quiet", "--hard"], &[]).run()?;
        git(self.path(), ["clean", "--quiet", "-d", "--force"], &[]).run()?;
        Ok(())
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        if let Ok(main) = root() {
            let remove = git(&main, ["worktree", "remove", "--force"], &[self.path()]);
            // Fails if the worktree was never created, which does no harm.
            let _ = remove.stderr_null().unchecked().run();
        }
    }
}

fn git<const N: usize>(dir: &Path, args: [&str; N], paths: &[&Path]) -> Expression {
    let paths = paths.iter().map(|path| path.as_os_str().to_owned());
    let args: Vec<OsString> = args.into_iter().map(Into::into).chain(paths).collect();
    // Within a git hook, these variables would redirect every command to the hook's checkout.
    let git = duct::cmd("git", args).dir(dir).stdin_null();
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE")
}
