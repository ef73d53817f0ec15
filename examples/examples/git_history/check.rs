//! Rebuilds trees from events, and compares them with git's trees.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use evented_diesel::prelude::*;
use evented_diesel::{ModelOn, read::TableAt};
use indicatif::ProgressBar;

use crate::database::Client;
use crate::git::Repository;
use crate::import::Mark;
use crate::model::File;

/// How many commits the program checks besides the tip.
const COMMITS: usize = 64;
/// How many differing paths of a commit the program prints.
const NAMED: usize = 5;

/// The result of a check.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// How many commits were checked.
    pub(crate) commits: usize,
    /// How many paths git listed in these commits.
    pub(crate) paths: usize,
    /// How many paths differ. A path at the tip can count twice: in the log and in the table.
    pub(crate) differ: usize,
    /// How many events were replayed.
    pub(crate) events: u64,
    /// How long the replays took.
    pub(crate) took: Duration,
}

/// Returns the commits to check: evenly spaced, from the first to the last.
pub(crate) fn chosen(commits: &[Mark]) -> Vec<&Mark> {
    let last = commits.len().saturating_sub(1);
    let mut indices: Vec<usize> = (0..=COMMITS).map(|step| step * last / COMMITS).collect();
    indices.dedup();
    indices.into_iter().filter_map(|index| commits.get(index)).collect()
}

/// Compares the table as it was after each of these commits with the commit's tree, and the present table with the tree
/// of the last commit.
pub(crate) fn check<C>(
    conn: &mut C,
    repository: &Repository,
    marks: &[&Mark],
    progress: &ProgressBar,
) -> Result<Checked>
where
    C: Client,
    File: ModelOn<C::Backend>,
{
    let mut checked = Checked { commits: marks.len(), ..Checked::default() };
    for mark in marks {
        let started = Instant::now();
        let files = table_at(conn, mark.position).with_context(|| format!("commit {}", mark.commit))?;
        checked.took += started.elapsed();
        checked.events += mark.events;
        let tree = repository.tree(&mark.commit)?;
        checked.paths += entries(&tree).count();
        checked.differ += compare(&mark.commit, &listing(files), &tree, progress);
        progress.inc(1);
    }
    if let Some(tip) = marks.last() {
        let rows = listing(conn.rows()?);
        checked.differ += compare(&tip.commit, &rows, &repository.tree(&tip.commit)?, progress);
    }
    Ok(checked)
}

/// Returns every file as it was when the log had reached `position`.
pub(crate) fn table_at<C>(conn: &mut C, position: i64) -> Result<Vec<File>>
where
    C: Client,
    File: ModelOn<C::Backend>,
{
    let mut table: TableAt<File> = File::table_at(position);
    let mut files = Vec::new();
    while let Some(page) = table.page().run(conn)? {
        files.extend(page);
    }
    Ok(files)
}

/// Lists files as `git ls-tree -rz` does. Its order, folder by folder, is the byte order of the whole paths.
pub(crate) fn listing(mut files: Vec<File>) -> Vec<u8> {
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut bytes = Vec::new();
    for file in files {
        let kind = if file.mode == "160000" { "commit" } else { "blob" };
        bytes.extend_from_slice(format!("{} {kind} {}\t", file.mode, file.object).as_bytes());
        bytes.extend_from_slice(file.path.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// Returns how many paths differ, and prints some of them.
fn compare(commit: &str, ours: &[u8], gits: &[u8], progress: &ProgressBar) -> usize {
    if ours == gits {
        return 0;
    }
    let differing = differing(ours, gits);
    progress.suspend(|| {
        match differing.len() {
            0 => eprintln!("commit {commit}: the same paths in another order: would git fsck pass?"),
            count => eprintln!("commit {commit}: {count} paths differ"),
        }
        for path in differing.iter().take(NAMED) {
            eprintln!("    {}", path.escape_ascii());
        }
    });
    // The same paths in another order also count as a difference.
    differing.len().max(1)
}

/// Returns the entries that are not the same in two lists.
fn differing<'l>(ours: &'l [u8], gits: &'l [u8]) -> Vec<&'l [u8]> {
    let mut counts: BTreeMap<&[u8], i32> = BTreeMap::new();
    for entry in entries(ours) {
        *counts.entry(entry).or_default() += 1;
    }
    for entry in entries(gits) {
        *counts.entry(entry).or_default() -= 1;
    }
    let uneven = counts.into_iter().filter(|(_, count)| *count != 0);
    let mut paths: Vec<&[u8]> =
        uneven.map(|(entry, _)| entry.splitn(2, |byte| *byte == b'\t').last().unwrap_or(entry)).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn entries(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == 0).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(count: usize) -> Vec<Mark> {
        (0..count).map(|index| Mark { commit: index.to_string(), position: 0, events: 0 }).collect()
    }

    #[test]
    fn sixty_four_commits_and_the_tip_are_chosen() {
        for (count, expected) in [(0, 0), (1, 1), (2, 2), (64, 64), (65, 65), (66, 65), (100_000, 65)] {
            let marks = marks(count);
            let chosen = chosen(&marks);
            assert_eq!(chosen.len(), expected, "of {count}");
            assert_eq!(chosen.last().map(|it| &it.commit), marks.last().map(|it| &it.commit));
            assert_eq!(chosen.first().map(|it| &it.commit), marks.first().map(|it| &it.commit));
        }
    }

    fn list(entries: &[&str]) -> Vec<u8> {
        entries.iter().flat_map(|entry| [entry.as_bytes(), b"\0"].concat()).collect()
    }

    #[test]
    fn differences_are_counted_by_path() {
        let (a, b) = ("100644 blob aa\ta", "100644 blob bb\tb\tb");
        let gits = list(&[a, b]);
        assert_eq!(differing(&gits, &gits), Vec::<&[u8]>::new());
        assert_eq!(differing(b"", &gits), [&b"a"[..], b"b\tb"]);
        assert_eq!(differing(&list(&[a, "100755 blob bb\tb\tb"]), &gits), [b"b\tb"]);
        let hidden = ProgressBar::hidden();
        assert_eq!(compare("c", &gits, &gits, &hidden), 0);
        assert_eq!(compare("c", &list(&[b, a]), &gits, &hidden), 1, "in another order");
    }
}
