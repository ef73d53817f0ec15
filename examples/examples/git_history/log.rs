//! Reading what `git log --raw -z` prints.
//!
//! Everything ends with a NUL, and a path may hold any other byte. A commit is a header, as [`FORMAT`] asks for it,
//! and then its changes, each a record that begins with a colon and one or two paths. What comes next is told from
//! the record: a path is never looked at to find out what it is. Before the first record of a commit git puts a
//! newline.

use std::io::{self, BufRead};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};

use crate::path::RepoPath;

/// The header of a commit: its id, its time and its author, who may have any name and comes last.
pub(crate) const FORMAT: &str = "tformat:%H %ct %an <%ae>";

/// The end of the year 9999: git takes any number for a time, and SQLite sorts times as text, by four digits of year.
const LAST_SECOND: i64 = 253_402_300_799;

/// A commit and what it changed.
#[derive(Debug, PartialEq)]
pub(crate) struct Commit {
    /// Its id.
    pub(crate) id: String,
    /// When it was committed, by the committer's clock. The next one may be earlier.
    pub(crate) time: DateTime<Utc>,
    /// Name and address. Bytes that are not UTF-8 are replaced.
    pub(crate) author: String,
    /// The changes, as git orders them.
    pub(crate) changes: Vec<Change>,
}

/// What a commit did to one path.
#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    /// There was nothing at this path.
    Create(RepoPath, Entry),
    /// Other content or another mode; what was a file may be a symbolic link now.
    Edit(RepoPath, Entry),
    /// Another path, with other content perhaps.
    Rename(RepoPath, RepoPath, Entry),
    /// It is gone.
    Delete(RepoPath),
}

/// What a tree says of a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// Its mode in octal digits.
    pub(crate) mode: String,
    /// The id of its object.
    pub(crate) object: String,
}

/// The commits of a log, one by one.
#[derive(Debug)]
pub(crate) struct Commits<R> {
    input: R,
    /// The header of the next commit, which ended the one before.
    header: Option<Vec<u8>>,
}

impl<R: BufRead> Commits<R> {
    /// Reads from here.
    pub(crate) fn new(input: R) -> Self {
        Self { input, header: None }
    }

    /// The next commit; `None` at the end.
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

    /// Whether the commit just read was followed by another one.
    pub(crate) fn has_next(&self) -> bool {
        self.header.is_some()
    }

    /// Reads on to the end, whatever comes.
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
        // A rename or a copy says by how many percent the contents are alike: `R087`.
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

    /// The bytes up to the next NUL.
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
    // A broken commit has no time at all.
    let seconds = time.parse::<u64>().unwrap_or(0);
    let seconds = i64::try_from(seconds).unwrap_or(LAST_SECOND).min(LAST_SECOND);
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    Ok(Commit { id: id.to_owned(), time, author: author.to_owned(), changes: Vec::new() })
}

#[cfg(test)]
mod tests;
