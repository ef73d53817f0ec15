//! A copy of the last commit to break things in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use duct::Expression;
use tempfile::TempDir;

use crate::run::root;

/// A git worktree of HEAD in a temporary directory, removed on drop.
pub(super) struct Copy {
    root: PathBuf,
    _dir: TempDir,
}

impl Copy {
    pub(super) fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("evented-break-").tempdir()?;
        let copy = Self { root: dir.path().join("tree"), _dir: dir };
        let main = root()?;
        git(&main, ["worktree", "add", "--quiet", "--detach"], &[copy.path(), Path::new("HEAD")])
            .run()
            .context("cannot make a copy of HEAD")?;
        if !git(&main, ["status", "--porcelain"], &[]).read()?.is_empty() {
            println!("xtask: breaking HEAD; what is not committed is not in it");
        }
        Ok(copy)
    }

    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    /// Applies a patch; `false` if it does not fit.
    pub(super) fn apply(&self, patch: &Path) -> Result<bool> {
        let apply = git(self.path(), ["apply", "--whitespace=nowarn"], &[patch]);
        Ok(apply.unchecked().run()?.status.success())
    }

    /// Makes it HEAD again.
    pub(super) fn reset(&self) -> Result<()> {
        git(self.path(), ["reset", "--quiet", "--hard"], &[]).run()?;
        git(self.path(), ["clean", "--quiet", "-d", "--force"], &[]).run()?;
        Ok(())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Ok(main) = root() {
            let remove = git(&main, ["worktree", "remove", "--force"], &[self.path()]);
            // Without the worktree, which is not there if it could not be made, this is no loss.
            let _ = remove.stderr_null().unchecked().run();
        }
    }
}

fn git<const N: usize>(dir: &Path, args: [&str; N], paths: &[&Path]) -> Expression {
    let paths = paths.iter().map(|path| path.as_os_str().to_owned());
    let args: Vec<OsString> = args.into_iter().map(Into::into).chain(paths).collect();
    // From within a git hook, these would turn every command to the hook's checkout.
    let git = duct::cmd("git", args).dir(dir).stdin_null();
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE")
}
