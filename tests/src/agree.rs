//! Whether log and rows agree: what must hold after whatever a test did.

use std::fmt::Debug;

use evented_diesel::read::{History, LastPosition, TableAt};
use evented_diesel::{Digest, EventLog, Evented, KeyValue, Rows, Target};

use crate::db::Setting;

/// Asserts that the log has no hole, that these are the rows it replays to and no others, and that each event's digest
/// is that of the state it led to.
///
/// # Panics
///
/// If anything of that is not so.
pub async fn agree<S: Setting, M>(db: &mut S, rows: Vec<M>)
where
    M: Rows<S::Backend> + PartialEq + Debug,
{
    let log = <M::Log as EventLog>::NAME.table;
    // Other models of a shared log may have records of the same keys.
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
        records.sort_by_key(|record| M::key_value(record.key()));
        records
    };
    let (rows, replayed) = (sorted(rows), sorted(replayed));
    let keys = |records: &[M]| records.iter().map(|it| M::key_value(it.key())).collect::<Vec<KeyValue>>();
    assert_eq!(keys(&rows), keys(&replayed), "{log}: a row without a log, or a live log without its row");
    for (row, replayed) in rows.iter().zip(&replayed) {
        assert_eq!(row, replayed, "{log}: a row that is not as the log says");
    }
    for row in &rows {
        vouched(db, row).await;
    }
}

/// Asserts that each event of a record says the digest of the state it led to, and the last one that of the row.
///
/// # Panics
///
/// If it is not so.
pub async fn vouched<S: Setting, M: Rows<S::Backend>>(db: &mut S, row: &M) {
    let record = M::key_value(row.key());
    let history = History::new(ByKey(row.key().clone()));
    let history = db.run::<History<M>>(history).await.expect("a history");
    for entry in &history {
        let digest = entry.after.as_ref().map_or(Digest::NOTHING, |state| digest_of(state));
        let (revision, action) = (entry.event.revision(), entry.event.action());
        if entry.event.stored.version == M::VERSION {
            assert_eq!(
                entry.event.stored.state, digest,
                "{record}: the digest of event {revision} ({action})"
            );
        }
    }
    let last = history.last().expect("a row has a history");
    assert_eq!(
        last.event.stored.state,
        digest_of(row),
        "{record}: the last event does not vouch for the row"
    );
}

fn digest_of<M: Evented>(state: &M) -> Digest {
    state.state_digest().expect("a state with a digest")
}

struct ByKey<K>(K);

impl<M: Evented> evented_diesel::IntoTarget<M> for ByKey<M::Key> {
    fn into_target(self) -> Target<M> {
        Target::by_key(self.0)
    }
}
