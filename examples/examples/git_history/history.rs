//! The commits of a repository, read as git finds them.
//!
//! Whatever somebody has configured, for himself or in the repository, the history is the same: each setting that
//! would change what is read here is overridden.

use std::io::BufReader;
use std::process::{Child, ChildStdout, Stdio};

use anyhow::{Context, Result, bail};

use crate::git::Repository;
use crate::log::{Commit, Commits, FORMAT};

/// How the history is asked for, but for the format, the renames and the commits.
const LOG: [&str; 20] = [
    "--first-parent",
    "--reverse",
    // One record for each path, also of a merge, which is compared with its first parent, and of the first commit.
    "--raw",
    "-z",
    "--no-abbrev",
    "--diff-merges=first-parent",
    "--root",
    // How many files are compared for renames.
    "-l1000",
    // Submodules whatever .gitmodules says, the whole tree whatever folder this is, git's own order of paths.
    "--ignore-submodules=none",
    "--no-relative",
    "-O/dev/null",
    // Nothing but what the format asks for.
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

/// Which deleted and created files of a commit are one file renamed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Renames {
    /// Those half alike, as git does by default.
    Similar,
    /// Those with the same content. Contents need not be read for it, and a partial clone lacks them.
    Same,
}

/// The commits that lead to one, by first parents, the oldest first.
#[derive(Debug)]
pub(crate) struct History<'r> {
    repository: &'r Repository,
    tip: String,
    renames: Renames,
    log: Log,
    /// The last commit read.
    last: Option<String>,
}

impl<'r> History<'r> {
    /// The history of a commit, given by its id.
    pub(crate) fn new(repository: &'r Repository, tip: &str) -> Result<Self> {
        let (tip, renames) = (tip.to_owned(), Renames::Similar);
        let log = Log::start(repository, renames, None, &tip)?;
        Ok(Self { repository, tip, renames, log, last: None })
    }

    /// The next commit; `None` at the end.
    pub(crate) fn read(&mut self) -> Result<Option<Commit>> {
        let commit = self.log.commits.read();
        // A commit is known to be whole if another one follows, or if git says that this was all.
        if !self.log.commits.has_next() {
            // Git does not end before somebody has read what it says.
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
            // A partial clone would fetch content after content for it, each by itself.
            Renames::Similar => git.arg("--find-renames=50%").env("GIT_NO_LAZY_FETCH", "1"),
            Renames::Same => git.arg("--find-renames=100%"),
        };
        git.arg(tip).args(after.map(|after| format!("^{after}"))).arg("--");
        let mut child = git.stdout(Stdio::piped()).spawn().context("git does not start")?;
        let output = child.stdout.take().context("git has no output")?;
        Ok(Self { child, commits: Commits::new(BufReader::new(output)) })
    }
}
