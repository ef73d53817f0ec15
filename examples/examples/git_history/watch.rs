//! Counts the events of each author while the import runs.

use evented_diesel::EventedDsl as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_feed::{Feed, Hub, Interruption, RecvError};

use crate::database::Choice;
use crate::model::File;

/// The number of events of each author.
pub(crate) type Counts = BTreeMap<String, u64>;

/// A hub on the log, and a thread that counts the changes that it delivers.
pub(crate) struct Watch {
    /// The total number of events; unknown while the import runs.
    expected: Arc<AtomicU64>,
    counting: JoinHandle<Result<Counts>>,
}

impl Watch {
    /// Starts to count the events that are written from now on.
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
        // Subscribe before anything is written.
        let feed = hub.subscribe(File::changes())?;
        let counting = std::thread::spawn(move || count(&hub, feed, &until));
        Ok(Self { expected, counting })
    }

    /// Waits until `events` events are counted, and returns the counts.
    pub(crate) fn finish(self, events: u64) -> Result<Counts> {
        self.expected.store(events, Ordering::SeqCst);
        self.counting.join().map_err(|_| anyhow!("the watcher panicked"))?
    }
}

fn count(hub: &Hub, mut feed: Feed<File>, expected: &AtomicU64) -> Result<Counts> {
    let (mut counts, mut seen) = (Counts::new(), 0);
    while seen < expected.load(Ordering::SeqCst) {
        match feed.recv_timeout(Duration::from_millis(20)) {
            Ok(change) => {
                *counts.entry(change.actor().unwrap_or_default()).or_default() += 1;
                seen += 1;
            }
            // A large commit does not fit into the buffer. Nothing is lost: the subscription resumes from there.
            Err(RecvError::Interrupted(Interruption::Lagged { resume_from })) => {
                feed = hub.subscribe_from(File::changes(), resume_from)?;
            }
            Err(RecvError::Timeout) => {}
            Err(other) => return Err(other.into()),
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
