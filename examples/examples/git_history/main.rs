//! Imports the history of a git repository as events, and checks that every tree can be rebuilt from them.
//!
//! ```text
//! cargo run --release -p examples --features git --example git_history -- <repository>
//! ```
//!
//! Each file is a record: commits create, edit, rename and delete it, with the commit's author and time. Then the
//! program compares the table, as it was at 64 commits and at the tip, with git's trees, byte for byte.
//!
//! With `--watch`, a second thread counts the events of each author during the import, through a hub on the log.
//!
//! `DATABASE_URL` names a PostgreSQL server, where the program creates the schema `git_history` from scratch, or an
//! SQLite file. Default: a temporary file.

mod check;
mod database;
mod git;
mod history;
mod import;
mod log;
mod model;
mod path;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use evented_diesel::ModelOn;
use indicatif::{ProgressBar, ProgressStyle};

use database::{Choice, Client};
use git::Repository;
use history::History;
use import::{Imported, import};
use model::File;
use watch::Watch;

/// Import the history of a git repository as events, and check it against git
#[derive(Parser)]
struct Args {
    /// The repository, bare or not
    repository: PathBuf,
    /// Where the history ends
    #[arg(long, default_value = "HEAD", value_name = "COMMIT")]
    tip: String,
    /// Print the table as it was at a commit, in the format of `git ls-tree -rz`, instead of checking it
    #[arg(long, value_name = "COMMIT")]
    dump: Option<String>,
    /// Count the events of each author while the import runs
    #[arg(long)]
    watch: bool,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let repository = Repository::open(&args.repository)?;
    let choice = Choice::from_env()?;
    match &choice {
        Choice::Postgres(url) => run(&mut database::postgres(url)?, &choice, &repository, &args),
        Choice::Sqlite(file, _folder) => run(&mut database::sqlite(file)?, &choice, &repository, &args),
    }
}

fn run<C>(conn: &mut C, choice: &Choice, repository: &Repository, args: &Args) -> Result<ExitCode>
where
    C: Client,
    File: ModelOn<C::Backend>,
{
    // Resolve the commit before the long part, so that a missing commit is reported early.
    let dump = match &args.dump {
        Some(revision) => {
            let id = repository.commit(revision)?;
            Some(id.with_context(|| format!("{revision} names no commit"))?)
        }
        None => None,
    };
    let watch = if args.watch { Some(Watch::start(choice)?) } else { None };
    let imported = import_all(conn, repository, &args.tip)?;
    if let Some(watch) = watch {
        for (author, events) in watch.finish(imported.events())? {
            eprintln!("{events:>8} {author}");
        }
    }
    match dump {
        Some(commit) => print(conn, &imported, &commit),
        None => compare(conn, repository, &imported),
    }
}

fn import_all<C>(conn: &mut C, repository: &Repository, tip: &str) -> Result<Imported>
where
    C: Client,
    File: ModelOn<C::Backend>,
{
    let Some(tip) = repository.commit(tip)? else {
        // A repository without any commit has an empty history.
        ensure!(
            tip == "HEAD" && !repository.has_refs()?,
            "{tip} names no commit: say with --tip where the history ends"
        );
        return Ok(Imported { commits: Vec::new(), took: Duration::ZERO });
    };
    let count = repository.count(&tip)?;
    let progress = bar(count, "importing")?;
    let imported = import(conn, History::new(repository, &tip)?, &progress)?;
    progress.finish_and_clear();
    let found = imported.commits.len();
    ensure!(u64::try_from(found)? == count, "git counts {count} commits, and its log has {found}");
    Ok(imported)
}

/// Prints the table at a commit, and nothing else.
fn print<C>(conn: &mut C, imported: &Imported, commit: &str) -> Result<ExitCode>
where
    C: Client,
    File: ModelOn<C::Backend>,
{
    let mark = imported.commits.iter().find(|mark| mark.commit == commit);
    let mark = mark.with_context(|| format!("{commit} is not among the first parents of the tip"))?;
    let files = check::table_at(conn, mark.position)?;
    std::io::stdout().lock().write_all(&check::listing(files))?;
    Ok(ExitCode::SUCCESS)
}

fn compare<C>(conn: &mut C, repository: &Repository, imported: &Imported) -> Result<ExitCode>
where
    C: Client,
    File: ModelOn<C::Backend>,
{
    let events = imported.events();
    let count = imported.commits.len();
    println!("imported {count} commits, {events} events: {}", rate(events, imported.took));
    let marks = check::chosen(&imported.commits);
    let progress = bar(u64::try_from(marks.len())?, "checking")?;
    let checked = check::check(conn, repository, &marks, &progress)?;
    progress.finish_and_clear();
    println!(
        "replayed {} tables, {} events: {}",
        checked.commits,
        checked.events,
        rate(checked.events, checked.took)
    );
    println!("checked {} commits, {} paths, {} differ", checked.commits, checked.paths, checked.differ);
    Ok(if checked.differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::cast_precision_loss, reason = "for the eye")]
fn rate(events: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let rate = if events == 0 { 0.0 } else { events as f64 / seconds };
    format!("{seconds:.1} s, {rate:.0} events/s")
}

/// Returns a progress bar, which is shown if standard error is a terminal.
fn bar(commits: u64, what: &'static str) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} commits, {eta} left {msg}")?;
    Ok(ProgressBar::new(commits).with_style(style).with_prefix(what))
}
