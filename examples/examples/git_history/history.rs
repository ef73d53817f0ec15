//! Reads the commits of a repository from git.
//!
//! The history does not depend on the configuration of the user or of the repository: the program overrides each
//! setting that would change what it reads.

use std::io::BufReader;
use std::process::{Child, ChildStdout, Stdio};

use anyhow::{Context, Result, bail};

use crate::git::Repository;
use crate::log::{Commit, Commits, FORMAT};

/// The arguments of `git log`, except the format, the renames and the commits.
const LOG: [&str; 20] = [
    "--first-parent",
    "--reverse",
    // One record for each path, also for a merge, which is compared with its first parent, and for the first commit.
    "--raw",
    "-z",
    "--no-abbrev",
    "--diff-merges=first-parent",
    "--root",
    // The limit of files that git compares for renames.
    "-l1000",
    // Include submodules regardless of .gitmodules, the whole tree regardless of the folder, and keep git's own order
    // of paths.
    "--ignore-submodules=none",
    "--no-relative",
    "-O/dev/null",
    // Print only what the format requests.
    "--encoding=UTF-8",
    "--no-color",
    "--no-decorate",
    "--no-notes",
    "--no-show-signature",
    "--no-mailmap",
    "--no-ext-diff",
    "--no-textconv",
    "--no-graph",
];

/// Which pairs of deleted and created files of a commit count as a rename.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Renames {
    /// Files that are at least 50 % alike, git's default.
    Similar,
    /// Files with the same content. Git need not read the contents for this, which a partial clone lacks.
    Same,
}

/// The commits that lead to a commit, by first parents, oldest first.
#[derive(Debug)]
pub(crate) struct History<'r> {
    repository: &'r Repository,
    tip: String,
    renames: Renames,
    log: Log,
    /// The id of the last commit read.
    last: Option<String>,
}

impl<'r> History<'r> {
    /// Opens the history of a commit, given by its id.
    pub(crate) fn new(repository: &'r Repository, tip: &str) -> Result<Self> {
        let (tip, renames) = (tip.to_owned(), Renames::Similar);
        let log = Log::start(repository, renames, None, &tip)?;
        Ok(Self { repository, tip, renames, log, last: None })
    }

    /// Reads the next commit; `None` at the end.
    pub(crate) fn read(&mut self) -> Result<Option<Commit>> {
        let commit = self.log.commits.read();
        // A commit is known to be complete if another one follows, or if git exits successfully.
        if !self.log.commits.has_next() {
            // Git does not exit before its output has been read.
            self.log.commits.skip()?;
            let status = self.log.child.wait()?;
            if !status.success() && self.renames == Renames::Similar {
                eprintln!(
                    "git cannot read all contents: from here on, a renamed file is one with the same content"
                );
                self.renames = Renames::Same;
                self.log = Log::start(self.repository, self.renames, self.last.as_deref(), &self.tip)?;
                return self.read();
            }
            if !status.success() {
                bail!("git log failed ({status})");
            }
        }
        if let Ok(Some(commit)) = &commit {
            self.last = Some(commit.id.clone());
        }
        commit
    }
}

/// A running `git log`.
#[derive(Debug)]
struct Log {
    child: Child,
    commits: Commits<BufReader<ChildStdout>>,
}

impl Log {
    fn start(repository: &Repository, renames: Renames, after: Option<&str>, tip: &str) -> Result<Self> {
        let mut git = repository.git();
        git.arg("log").args(LOG).arg(format!("--format={FORMAT}"));
        match renames {
            // A partial clone would fetch each content separately for this.
            Renames::Similar => git.arg("--find-renames=50%").env("GIT_NO_LAZY_FETCH", "1"),
            Renames::Same => git.arg("--find-renames=100%"),
        };
        git.arg(tip).args(after.map(|after| format!("^{after}"))).arg("--");
        let mut child = git.stdout(Stdio::piped()).spawn().context("git does not start")?;
        let output = child.stdout.take().context("git has no output")?;
        Ok(Self { child, commits: Commits::new(BufReader::new(output)) })
    }
}
