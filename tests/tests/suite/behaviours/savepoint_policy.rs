//! Tests automatic savepoints: the library writes one before the write that finds the record at a multiple of the
//! configured number of revisions.

use evented_core::ActionOf;
use evented_diesel::read::{History, Replay};
use evented_diesel::{Command, EventedDsl as _, IntoRecordRef, ModelOn, batch};
use evented_tests::models::shared::{Add, Gauge, Meter, NewMeter, Thing};
use uuid::Uuid;

use super::shared_logs::day;
use super::{Backend, Db, fresh};

async fn actions<M: Thing + ModelOn<Backend>>(db: &mut Db, key: &M::Key) -> Vec<String>
where
    M::Key: IntoRecordRef<M>,
{
    let history = db.run(History::<M>::new(key.clone())).await.unwrap();
    history.iter().map(|entry| entry.event.action().to_owned()).collect()
}

async fn savepoints_come_by_themselves<M>(db: &mut Db)
where
    M: Thing + ModelOn<Backend>,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let made = db.run(Command::<M>::insert(M::new("", "It")).recorded()).await.unwrap();
    let (it, mut at) = (made.record, made.revision);
    let mut revisions = vec![at];
    for n in 2..=8 {
        // The next write may expect the revision that a write returns: no savepoint follows it.
        let command = Command::change(&it, Add(1)).expecting(at).by("user:7").at(day(n));
        let done = db.run(command.recorded()).await.unwrap();
        assert_eq!(i64::from(done.record.value()), n - 1);
        at = done.revision;
        revisions.push(at);
    }
    assert_eq!(revisions, [1, 2, 3, 5, 6, 8, 9, 11]);
    let history = db.run(History::<M>::new(it.key())).await.unwrap();
    let saved = history.iter().filter(|entry| entry.event.action() == "savepoint");
    let saved: Vec<_> =
        saved.map(|entry| (entry.event.revision(), entry.event.actor(), entry.changeset.is_empty())).collect();
    assert_eq!(
        saved,
        [(4, None, true), (7, None, true), (10, None, true)],
        "nobody's doing, and nothing changes"
    );
    assert_eq!(history[3].event.at(), day(4), "it is of the time of the write");
    assert_eq!(db.run(Replay::<M>::new(it.key())).await.unwrap().map(|it| it.value()), Some(7));
    assert_eq!(db.run(History::<M>::recent(it.key())).await.unwrap().len(), 2);
    for (revision, value) in [(3, 2), (4, 2), (5, 3), (10, 6), (11, 7)] {
        let replay = Replay::<M>::new(it.key()).at_revision(revision);
        assert_eq!(db.run(replay).await.unwrap().map(|it| it.value()), Some(value), "at {revision}");
    }

    // A batch has the same effect as its single commands.
    let commands = (0..4).map(|n| match n {
        0 => Command::change(&it, Add(1)).expecting(11),
        1 => Command::change(&it, Add(1)).expecting(12),
        2 => Command::change(&it, M::named("That")).expecting(14),
        _ => Command::change(&it, Add(1)).expecting(15),
    });
    let done = db.run(batch(commands.collect::<Vec<_>>())).await.unwrap();
    assert_eq!(done.iter().map(Thing::value).collect::<Vec<_>>(), [8, 9, 9, 10]);
    assert_eq!(
        actions::<M>(db, &it.key()).await[11..],
        ["add", "savepoint", "add", "update", "savepoint", "add"]
    );

    // An explicit savepoint is an ordinary revision; a refused write leaves no savepoint behind.
    assert_eq!(db.run(Command::savepoint(&it).recorded()).await.unwrap().revision, 18);
    let before = actions::<M>(db, &it.key()).await.len();
    assert!(db.run(Command::change(&it, Add(-99))).await.unwrap_err().validation_errors().is_some());
    assert!(db.run(Command::change(&it, Add(1)).expecting(17)).await.unwrap_err().is_conflict());
    assert_eq!(actions::<M>(db, &it.key()).await.len(), before);
    let again = || Command::change(&it, Add(1)).idempotent(Uuid::from_u128(7)).recorded();
    assert_eq!(db.run(again()).await.unwrap().revision, 20);
    assert_eq!(db.run(again()).await.unwrap().revision, 20);
    // A delete is not preceded by a savepoint.
    db.run(Command::change(&it, Add(1))).await.unwrap();
    assert_eq!(db.run(Command::delete(&it).recorded()).await.unwrap().revision, 22);
    assert_eq!(actions::<M>(db, &it.key()).await[18..], ["savepoint", "add", "add", "delete"]);
}

#[tokio::test]
async fn savepoints_come_before_each_third_write_of_a_row() {
    let mut db = fresh().await;
    savepoints_come_by_themselves::<Meter>(&mut db).await;
}

#[tokio::test]
async fn savepoints_come_before_each_third_write_of_a_log_alone() {
    let mut db = fresh().await;
    savepoints_come_by_themselves::<Gauge>(&mut db).await;
}

#[tokio::test]
async fn a_savepoint_that_is_due_holds_what_was_adopted_before() {
    let mut db = fresh().await;
    let meter = db.run(Meter::insert(NewMeter { name: "Meter".into() })).await.unwrap();
    db.run(meter.add(Add(1))).await.unwrap();
    db.sql("UPDATE meters SET value = 40").await;
    let done = db.run(meter.add(Add(1)).recorded()).await.unwrap();
    assert_eq!((done.revision, done.record.value), (5, 41));
    assert_eq!(actions::<Meter>(&mut db, &meter.id).await, ["insert", "add", "external", "savepoint", "add"]);
    assert_eq!(db.run(Meter::replay(meter.id)).await.unwrap(), Some(done.record));
}
