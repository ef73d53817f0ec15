//! Asking git.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A repository, bare or not.
#[derive(Debug)]
pub(crate) struct Repository {
    path: PathBuf,
}

/// What would lead git to another repository than the one named. A hook sets these for all it runs.
const ELSEWHERE: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
];

impl Repository {
    /// The repository at a path, or around it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let repository = Self { path: path.to_owned() };
        repository.output(["rev-parse", "--git-dir"])?;
        Ok(repository)
    }

    /// The id of the commit that a revision names; `None` if it names none.
    pub(crate) fn commit(&self, revision: &str) -> Result<Option<String>> {
        let mut git = self.git();
        git.args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{revision}^{{commit}}"));
        let output = git.stderr(Stdio::null()).output().context("git does not start")?;
        let id = String::from_utf8(output.stdout)?;
        Ok(output.status.success().then(|| id.trim_end().to_owned()))
    }

    /// Whether anything is in it, wherever its HEAD points.
    pub(crate) fn has_refs(&self) -> Result<bool> {
        Ok(!self.output(["for-each-ref", "--count=1"])?.is_empty())
    }

    /// How many commits lead to one, by first parents.
    pub(crate) fn count(&self, tip: &str) -> Result<u64> {
        let count = self.output(["rev-list", "--first-parent", "--count", tip])?;
        Ok(String::from_utf8(count)?.trim_end().parse()?)
    }

    /// The tree of a commit: `git ls-tree -rz`.
    pub(crate) fn tree(&self, commit: &str) -> Result<Vec<u8>> {
        // In a folder of a working tree git would list that folder only.
        self.output(["ls-tree", "-r", "-z", "--full-tree", commit])
    }

    fn output<const N: usize>(&self, args: [&str; N]) -> Result<Vec<u8>> {
        // What git has to complain about goes to the terminal.
        let output = self.git().args(args).stderr(Stdio::inherit()).output().context("git does not start")?;
        ensure!(output.status.success(), "git {} failed ({})", args.join(" "), output.status);
        Ok(output.stdout)
    }

    /// Git, in this repository, about to be told what to do.
    pub(crate) fn git(&self) -> Command {
        let mut git = Command::new("git");
        for name in ELSEWHERE {
            git.env_remove(name);
        }
        git.args([OsStr::new("--no-pager"), OsStr::new("-C"), self.path.as_os_str()]);
        // Grafts are honoured, and need not be mentioned each time.
        git.args(["-c", "advice.graftFileDeprecated=false"]);
        git.stdin(Stdio::null());
        git
    }
}
