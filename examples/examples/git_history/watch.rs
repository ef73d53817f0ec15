//! Who writes how much, counted beside the import while it runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::listen::{Feed, Hub, Interruption};

use crate::database::Choice;
use crate::model::File;

/// How many events each author has written.
pub(crate) type Counts = BTreeMap<String, u64>;

/// A hub on the log, and somebody who counts what it tells.
pub(crate) struct Watch {
    /// How many events there will have been; unknown while the import runs.
    expected: Arc<AtomicU64>,
    counting: JoinHandle<Result<Counts>>,
}

impl Watch {
    /// Begins with what is written from now on.
    pub(crate) fn start(choice: &Choice) -> Result<Self> {
        let hub = match choice {
            Choice::Postgres(url) => {
                let url = url.clone();
                Hub::of::<File>().start(move || {
                    let mut conn = PgConnection::establish(&url).map_err(anyhow::Error::from)?;
                    conn.batch_execute("SET search_path TO git_history")?;
                    anyhow::Ok(conn)
                })?
            }
            Choice::Sqlite(file, _) => {
                let file = file.clone();
                Hub::of::<File>().start(move || SqliteConnection::establish(&file))?
            }
        };
        let expected = Arc::new(AtomicU64::new(u64::MAX));
        let until = Arc::clone(&expected);
        // Before anything is written.
        let feed = hub.subscribe(File::changes())?;
        let counting = std::thread::spawn(move || count(&hub, feed, &until));
        Ok(Self { expected, counting })
    }

    /// What was counted, once all of so many events are.
    pub(crate) fn finish(self, events: u64) -> Result<Counts> {
        self.expected.store(events, Ordering::SeqCst);
        self.counting.join().map_err(|_| anyhow!("the watcher panicked"))?
    }
}

fn count(hub: &Hub, mut feed: Feed<File>, expected: &AtomicU64) -> Result<Counts> {
    let (mut counts, mut seen) = (Counts::new(), 0);
    while seen < expected.load(Ordering::SeqCst) {
        match feed.recv_timeout(Duration::from_millis(20)) {
            Ok(Ok(change)) => {
                *counts.entry(change.actor().unwrap_or_default()).or_default() += 1;
                seen += 1;
            }
            // A large commit is more than a buffer: nothing is lost, and reading goes on from there.
            Ok(Err(Interruption::Lagged { resume_from })) => {
                feed = hub.subscribe_from(File::changes(), resume_from)?;
            }
            Ok(Err(other)) => return Err(other.into()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(anyhow!("the hub was stopped")),
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use evented_diesel::prelude::*;

    use super::*;
    use crate::database;

    #[test]
    fn every_event_is_counted_once_though_the_buffer_is_smaller() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("watched.db").to_string_lossy().into_owned();
        let mut conn = database::sqlite(&file).expect("a database");
        let watch = Watch::start(&Choice::Sqlite(file, None)).expect("a watch");
        let authors = ["ann", "bob", "cid"];
        let inserts = (0..6_000_usize).map(|number| {
            let new = crate::model::NewFile {
                path: crate::path::RepoPath::new(format!("file {number}").into_bytes()),
                mode: "100644".to_owned(),
                object: "0".repeat(40),
            };
            File::insert(new).by(authors[number % 3])
        });
        batch(inserts).run(&mut conn).expect("written");
        let counts = watch.finish(6_000).expect("counted");
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), authors.map(|author| (author.to_owned(), 2_000)));
    }
}
