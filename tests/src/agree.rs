//! Checks that log and rows agree. This must hold after everything that a test does.

use std::fmt::Debug;

use evented_diesel::read::{History, LastPosition, TableAt};
use evented_diesel::{Digest, EventLog, Evented, KeyValue, ModelOn, RecordRef};

use crate::db::Setting;

/// Asserts that the log has no gap, that it replays to exactly these rows, and that the digest of each event matches
/// the state after the event.
///
/// # Panics
///
/// If one of the conditions does not hold.
pub async fn agree<S: Setting, M>(db: &mut S, rows: Vec<M>)
where
    M: ModelOn<S::Backend> + PartialEq + Debug,
{
    let log = <M::Log as EventLog>::NAME.table;
    // Other models of a shared log may have records with the same keys.
    let of_model = if M::Log::SHARED { format!("WHERE schema = '{}'", M::SCHEMA) } else { String::new() };
    let holes = format!(
        "SELECT count(*) FROM (SELECT record_id FROM {log} {of_model} GROUP BY record_id \
         HAVING count(*) <> max(revision) OR min(revision) <> 1) holes"
    );
    assert_eq!(db.number(&holes).await, 0, "{log}: records with a hole in their revisions");

    let position = db.run(LastPosition::<M>::new()).await.expect("the last position");
    let mut table = TableAt::<M>::new(position).page_size(500);
    let mut replayed = Vec::new();
    while let Some(page) = db.run(table.page()).await.expect("a page") {
        replayed.extend(page);
    }
    let sorted = |mut records: Vec<M>| {
        records.sort_by_key(|record| M::key_value(&record.key()));
        records
    };
    let (rows, replayed) = (sorted(rows), sorted(replayed));
    let keys = |records: &[M]| records.iter().map(|it| M::key_value(&it.key())).collect::<Vec<KeyValue>>();
    assert_eq!(keys(&rows), keys(&replayed), "{log}: a row without a log, or a live log without its row");
    for (row, replayed) in rows.iter().zip(&replayed) {
        assert_eq!(row, replayed, "{log}: a row that is not as the log says");
    }
    for row in &rows {
        agrees(db, row).await;
    }
}

/// Asserts that the digest of each event of a record matches the state after the event, and that the last digest
/// matches the row.
///
/// # Panics
///
/// If a digest does not match.
pub async fn agrees<S: Setting, M: ModelOn<S::Backend>>(db: &mut S, row: &M) {
    let record = M::key_value(&row.key());
    let history = History::new(ByKey(row.key()));
    let history = db.run::<History<M>>(history).await.expect("a history");
    for entry in &history {
        let digest = entry.after.as_ref().map_or(Digest::NOTHING, |state| digest_of(state));
        let (revision, action) = (entry.event.revision(), entry.event.action());
        if entry.event.version() == M::VERSION {
            assert_eq!(entry.event.state(), digest, "{record}: the digest of event {revision} ({action})");
        }
    }
    let last = history.last().expect("a row has a history");
    assert_eq!(last.event.state(), digest_of(row), "{record}: the last event does not vouch for the row");
}

fn digest_of<M: Evented>(state: &M) -> Digest {
    state.state_digest().expect("a state with a digest")
}

struct ByKey<K>(K);

impl<M: Evented> evented_diesel::IntoRecordRef<M> for ByKey<M::Key> {
    fn into_record_ref(self) -> RecordRef<M> {
        RecordRef::by_key(self.0)
    }
}
