//! Runs git.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A repository, bare or not.
#[derive(Debug)]
pub(crate) struct Repository {
    path: PathBuf,
}

/// The environment variables that would lead git to another repository than the named one. Git sets them for everything
/// that a hook runs.
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
    /// Opens the repository at a path, or the one that contains the path.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let repository = Self { path: path.to_owned() };
        repository.output(["rev-parse", "--git-dir"])?;
        Ok(repository)
    }

    /// Returns the id of the commit that a revision names; `None` if it names no commit.
    pub(crate) fn commit(&self, revision: &str) -> Result<Option<String>> {
        let mut git = self.git();
        git.args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{revision}^{{commit}}"));
        let output = git.stderr(Stdio::null()).output().context("git does not start")?;
        let id = String::from_utf8(output.stdout)?;
        Ok(output.status.success().then(|| id.trim_end().to_owned()))
    }

    /// Whether the repository has any ref, wherever its HEAD points.
    pub(crate) fn has_refs(&self) -> Result<bool> {
        Ok(!self.output(["for-each-ref", "--count=1"])?.is_empty())
    }

    /// Returns how many commits lead to `tip`, by first parents.
    pub(crate) fn count(&self, tip: &str) -> Result<u64> {
        let count = self.output(["rev-list", "--first-parent", "--count", tip])?;
        Ok(String::from_utf8(count)?.trim_end().parse()?)
    }

    /// Returns the tree of a commit: the output of `git ls-tree -rz`.
    pub(crate) fn tree(&self, commit: &str) -> Result<Vec<u8>> {
        // Without `--full-tree`, git would list only the present folder of a working tree.
        self.output(["ls-tree", "-r", "-z", "--full-tree", commit])
    }

    fn output<const N: usize>(&self, args: [&str; N]) -> Result<Vec<u8>> {
        // Git's error messages go to the terminal.
        let output = self.git().args(args).stderr(Stdio::inherit()).output().context("git does not start")?;
        ensure!(output.status.success(), "git {} failed ({})", args.join(" "), output.status);
        Ok(output.stdout)
    }

    /// Returns a git command for this repository, without arguments.
    pub(crate) fn git(&self) -> Command {
        let mut git = Command::new("git");
        for name in ELSEWHERE {
            git.env_remove(name);
        }
        git.args([OsStr::new("--no-pager"), OsStr::new("-C"), self.path.as_os_str()]);
        // Grafts are honoured; suppress the warning that git prints about them.
        git.args(["-c", "advice.graftFileDeprecated=false"]);
        git.stdin(Stdio::null());
        git
    }
}
