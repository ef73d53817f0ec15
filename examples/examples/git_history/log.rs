//! Parses the output of `git log --raw -z`.
//!
//! Every token ends with a NUL, and a path can contain any other byte. A commit is a header in the form of [`FORMAT`],
//! followed by its changes. Each change is a record that begins with a colon, and one or two paths. The record
//! determines what follows it: the parser never interprets a path. Git writes a newline before the first record of a
//! commit.

use std::io::{self, BufRead};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};

use crate::path::RepoPath;

/// The format of a commit's header: its id, its time, and its author, which comes last because it can be any text.
pub(crate) const FORMAT: &str = "tformat:%H %ct %an <%ae>";

/// The last second of the year 9999. Git accepts any number as a time, and SQLite sorts times as text, with four digits
/// for the year.
const LAST_SECOND: i64 = 253_402_300_799;

/// A commit and its changes.
#[derive(Debug, PartialEq)]
pub(crate) struct Commit {
    /// The id of the commit.
    pub(crate) id: String,
    /// The time of the commit, by the committer's clock. The next commit can have an earlier time.
    pub(crate) time: DateTime<Utc>,
    /// The name and address of the author. Bytes that are not UTF-8 are replaced.
    pub(crate) author: String,
    /// The changes, in git's order.
    pub(crate) changes: Vec<Change>,
}

/// The change that a commit made to one path.
#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    /// The path is new.
    Create(RepoPath, Entry),
    /// The content or the mode changed; a file may have become a symbolic link.
    Edit(RepoPath, Entry),
    /// The file moved from the first path to the second; its content may have changed.
    Rename(RepoPath, RepoPath, Entry),
    /// The path was deleted.
    Delete(RepoPath),
}

/// The entry of a path in a tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The mode in octal digits.
    pub(crate) mode: String,
    /// The id of the object.
    pub(crate) object: String,
}

/// Reads the commits of a log, one by one.
#[derive(Debug)]
pub(crate) struct Commits<R> {
    input: R,
    /// The header of the next commit, which the parser has read to find the end of the commit before.
    header: Option<Vec<u8>>,
}

impl<R: BufRead> Commits<R> {
    /// Creates a parser that reads from `input`.
    pub(crate) fn new(input: R) -> Self {
        Self { input, header: None }
    }

    /// Reads the next commit; `None` at the end.
    pub(crate) fn read(&mut self) -> Result<Option<Commit>> {
        let header = match self.header.take() {
            Some(header) => header,
            None => match self.token()? {
                Some(header) => header,
                None => return Ok(None),
            },
        };
        let mut commit = parse_header(&header)?;
        while let Some(token) = self.token()? {
            match token.strip_prefix(b"\n").unwrap_or(&token) {
                [b':', record @ ..] => commit.changes.push(self.change(record)?),
                _ => {
                    self.header = Some(token);
                    break;
                }
            }
        }
        Ok(Some(commit))
    }

    /// Whether another commit follows the one just read.
    pub(crate) fn has_next(&self) -> bool {
        self.header.is_some()
    }

    /// Reads to the end, and discards everything.
    pub(crate) fn skip(&mut self) -> Result<()> {
        io::copy(&mut self.input, &mut io::sink())?;
        Ok(())
    }

    fn change(&mut self, record: &[u8]) -> Result<Change> {
        let wrong = || format!("not a record of git log --raw: {:?}", record.escape_ascii().to_string());
        let text = str::from_utf8(record).with_context(wrong)?;
        let fields: Vec<&str> = text.split(' ').collect();
        let [_, mode, _, object, status] = fields[..] else { bail!(wrong()) };
        let entry = Entry { mode: mode.to_owned(), object: object.to_owned() };
        let path = self.path()?;
        // The status of a rename or a copy contains the similarity in percent: `R087`.
        Ok(match status.get(..1) {
            Some("A") => Change::Create(path, entry),
            Some("M" | "T") => Change::Edit(path, entry),
            Some("D") => Change::Delete(path),
            Some("R") => Change::Rename(path, self.path()?, entry),
            Some("C") => Change::Create(self.path()?, entry),
            _ => bail!(wrong()),
        })
    }

    fn path(&mut self) -> Result<RepoPath> {
        self.token()?.map(RepoPath::new).context("the log ends where a path should follow")
    }

    /// Reads the bytes up to the next NUL.
    fn token(&mut self) -> Result<Option<Vec<u8>>> {
        let mut token = Vec::new();
        self.input.read_until(0, &mut token)?;
        match token.pop() {
            None => Ok(None),
            Some(0) => Ok(Some(token)),
            Some(_) => bail!("the log ends within {:?}", token.escape_ascii().to_string()),
        }
    }
}

fn parse_header(header: &[u8]) -> Result<Commit> {
    let text = String::from_utf8_lossy(header);
    let mut fields = text.splitn(3, ' ');
    let (id, time, author) = (fields.next(), fields.next(), fields.next());
    let (Some(id), Some(time), Some(author)) = (id, time, author) else {
        bail!("not the header of a commit: {text:?}")
    };
    ensure!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "not a commit's id: {id:?}");
    // A broken commit has no time.
    let seconds = time.parse::<u64>().unwrap_or(0);
    let seconds = i64::try_from(seconds).unwrap_or(LAST_SECOND).min(LAST_SECOND);
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    Ok(Commit { id: id.to_owned(), time, author: author.to_owned(), changes: Vec::new() })
}

#[cfg(test)]
mod tests;
