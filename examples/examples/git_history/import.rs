//! From commits to events.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use evented_diesel::prelude::*;
use evented_diesel::{Command, Rows};
use indicatif::ProgressBar;
use serde_json::json;

use crate::database::Database;
use crate::history::History;
use crate::log::{Change, Commit, Entry};
use crate::model::{Edit, File, NewFile, Rename};
use crate::path::RepoPath;

/// A transaction ends with the commit in which it reaches so many events: each costs a write to the disk, and a
/// commit may change one path or a hundred thousand.
const EVENTS_AT_ONCE: u64 = 1_000;

/// What an import did.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Every commit, the oldest first.
    pub(crate) commits: Vec<Mark>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Where a commit ends in the log.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// The commit's id.
    pub(crate) commit: String,
    /// The position of its last event; of the one before it, if it changed nothing.
    pub(crate) position: i64,
    /// How many events there are up to here.
    pub(crate) events: u64,
}

impl Imported {
    /// How many events there are.
    pub(crate) fn events(&self) -> u64 {
        self.commits.last().map_or(0, |last| last.events)
    }
}

/// Imports a history.
pub(crate) fn import<C>(conn: &mut C, mut history: History<'_>, progress: &ProgressBar) -> Result<Imported>
where
    C: Database,
    File: Rows<C::Backend>,
{
    let started = Instant::now();
    let mut import = Import::default();
    let mut commits = Vec::new();
    let mut more = true;
    while more {
        let enough = import.events + EVENTS_AT_ONCE;
        more = conn.transaction::<_, anyhow::Error, _>(|conn| {
            while import.events < enough {
                let Some(commit) = history.read()? else { return Ok(false) };
                let id = commit.id.clone();
                import.commit(conn, commit).with_context(|| format!("commit {id}"))?;
                commits.push(Mark { commit: id, position: import.position, events: import.events });
                progress.inc(1);
                progress.set_message(format!("{} events", import.events));
            }
            Ok(true)
        })?;
    }
    Ok(Imported { commits, took: started.elapsed() })
}

/// An import in the making.
#[derive(Default)]
struct Import {
    /// The files after the last commit: git names them by path.
    files: HashMap<RepoPath, File>,
    position: i64,
    events: u64,
}

impl Import {
    fn commit<C>(&mut self, conn: &mut C, commit: Commit) -> Result<()>
    where
        C: Database,
        File: Rows<C::Backend>,
    {
        let Commit { id, time, author, mut changes } = commit;
        // First what makes room: a path may be free only once another has gone, as where a file becomes a folder.
        changes.sort_by_key(|change| match change {
            Change::Delete(_) => 0,
            Change::Rename(..) => 1,
            Change::Edit(..) => 2,
            Change::Create(..) => 3,
        });
        for change in changes {
            let mut run = |command: Command<File>| {
                let command = command.by(&author).at(time).meta(json!({ "commit": id }));
                let recorded = command.recorded().run(conn)?;
                self.position = recorded.position;
                self.events += 1;
                anyhow::Ok(recorded.record)
            };
            match change {
                Change::Delete(path) => {
                    run(take(&mut self.files, &path)?.delete())?;
                }
                Change::Rename(from, to, entry) => {
                    let mut file = take(&mut self.files, &from)?;
                    file = run(file.rename(Rename { to: to.clone() }))?;
                    if (&file.mode, &file.object) != (&entry.mode, &entry.object) {
                        file = run(edit(&file, entry))?;
                    }
                    put(&mut self.files, to, file)?;
                }
                Change::Edit(path, entry) => {
                    let file = take(&mut self.files, &path)?;
                    put(&mut self.files, path, run(edit(&file, entry))?)?;
                }
                Change::Create(path, Entry { mode, object }) => {
                    let file = run(File::insert(NewFile { path: path.clone(), mode, object }))?;
                    put(&mut self.files, path, file)?;
                }
            }
        }
        Ok(())
    }
}

fn edit(file: &File, Entry { mode, object }: Entry) -> Command<File> {
    file.edit(Edit { mode, object })
}

fn take(files: &mut HashMap<RepoPath, File>, path: &RepoPath) -> Result<File> {
    files
        .remove(path)
        .with_context(|| format!("git changes {path}, which is not there: would git fsck pass?"))
}

fn put(files: &mut HashMap<RepoPath, File>, path: RepoPath, file: File) -> Result<()> {
    let before = files.insert(path, file);
    let doubled = |file: File| anyhow!("git makes {} a second time: would git fsck pass?", file.path);
    before.map_or(Ok(()), |before| Err(doubled(before)))
}
