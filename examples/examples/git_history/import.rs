//! Imports commits as events.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use evented_diesel::prelude::*;
use evented_diesel::{Command, ModelOn};
use indicatif::ProgressBar;
use serde_json::json;

use crate::database::Client;
use crate::history::History;
use crate::log::{Change, Commit, Entry};
use crate::model::{Edit, File, NewFile, Rename};
use crate::path::RepoPath;

/// A transaction ends with the commit in which it reaches this number of events. Each transaction costs a write to the
/// disk, and a commit can change one path or a hundred thousand.
const EVENTS_AT_ONCE: u64 = 1_000;

/// The result of an import.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Every commit, oldest first.
    pub(crate) commits: Vec<Mark>,
    /// How long the import took.
    pub(crate) took: Duration,
}

/// The position at which a commit ends in the log.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// The commit's id.
    pub(crate) commit: String,
    /// The position of the commit's last event; if it changed nothing, of the event before it.
    pub(crate) position: i64,
    /// How many events the log has up to this commit.
    pub(crate) events: u64,
}

impl Imported {
    /// Returns the number of imported events.
    pub(crate) fn events(&self) -> u64 {
        self.commits.last().map_or(0, |last| last.events)
    }
}

/// Imports a history.
pub(crate) fn import<C>(conn: &mut C, mut history: History<'_>, progress: &ProgressBar) -> Result<Imported>
where
    C: Client,
    File: ModelOn<C::Backend>,
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

/// The state of a running import.
#[derive(Default)]
struct Import {
    /// The files after the last commit, by path, as git names them.
    files: HashMap<RepoPath, File>,
    position: i64,
    events: u64,
}

impl Import {
    fn commit<C>(&mut self, conn: &mut C, commit: Commit) -> Result<()>
    where
        C: Client,
        File: ModelOn<C::Backend>,
    {
        let Commit { id, time, author, mut changes } = commit;
        // First the changes that free paths: a path may become free only after another one is gone, for example where a
        // file becomes a folder.
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
                self.position = recorded.log_position();
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
