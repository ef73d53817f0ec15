//! Tests hashes: the hash of each event of a hashed log can be computed again from the stored columns.

use chrono::{DateTime, Utc};
use diesel::QueryDsl;
use evented_core::{Chained, EventHash};
use evented_diesel::{Digest, EventedDsl as _, Id, Json, KeyValue, batch};
use evented_tests::models::shared::{
    Add, Card, Gauge, Healer, Letter, Memo, Meter, NewCard, NewGauge, NewHealer, NewLetter, NewMeter,
    NewTalk, Shop, Talk, Thing, Visitor, events, region_events,
};
use evented_tests::raw;
use serde_json::json;
use uuid::Uuid;

use super::shared_logs::everything_works;
use super::{Db, fresh};

/// The stored columns of an event, with its hash.
type Stored<K> =
    (String, K, i64, String, (i16, bool), DateTime<Utc>, String, String, Id<()>, Vec<u8>, Vec<u8>);

macro_rules! stored {
    ($db:expr, $log:ident, $key:ty, $value:expr) => {{
        let columns = (
            $log::schema,
            $log::record_id,
            $log::revision,
            $log::action,
            ($log::version, $log::given_id),
            $log::at,
            $log::payload,
            $log::meta,
            $log::id,
            $log::state,
            $log::hash,
        );
        let query = $log::table.select(columns).order(($log::schema, $log::record_id, $log::revision));
        let rows: Vec<Stored<$key>> = $db.load(query).await;
        let rows = rows
            .into_iter()
            .map(|(a, key, c, d, e, f, g, h, i, j, k)| (a, $value(key), c, d, e, f, g, h, i, j, k));
        rows.collect::<Vec<Stored<KeyValue>>>()
    }};
}

/// Returns how many events have the hash that follows from their columns and the event before.
fn unbroken(rows: &[Stored<KeyValue>]) -> Result<usize, String> {
    let mut before: Option<((String, KeyValue), i64, EventHash)> = None;
    for (schema, record, revision, action, (version, given_id), at, payload, meta, id, state, hash) in rows {
        let of_record = (schema.clone(), record.clone());
        let previous = before.take().filter(|(last, ..)| *last == of_record);
        let follows = previous.as_ref().map_or(1, |(_, revision, _)| revision + 1);
        if *revision != follows {
            return Err(format!("{schema} {record}: revision {revision} where {follows} should be"));
        }
        let (payload, meta) = (Json::from_text(payload.clone()), Json::from_text(meta.clone()));
        let chained = Chained {
            id: id.uuid(),
            given_id: *given_id,
            schema,
            record,
            revision: *revision,
            action,
            version: i32::from(*version),
            at: *at,
            payload: &payload,
            meta: Some(&meta),
            state: &Digest::from_slice(state).ok_or("no digest")?,
        };
        let made = chained.hash(previous.as_ref().map(|(.., hash)| hash));
        if made.as_bytes()[..] != hash[..] {
            return Err(format!("{schema} {record}: the hash of event {revision} ({action})"));
        }
        before = Some((of_record, *revision, made));
    }
    Ok(rows.len())
}

/// Asserts that no chain of any hashed log is broken, and returns the number of events.
pub(super) async fn chains_hold(db: &mut Db) -> usize {
    let board = stored!(db, events, Id<()>, |key: Id<()>| KeyValue::Uuid(key.uuid()));
    let regions = stored!(db, region_events, String, KeyValue::Text);
    unbroken(&board).unwrap() + unbroken(&regions).unwrap()
}

#[tokio::test]
async fn every_command_chains_its_event_to_the_one_before() {
    let mut db = fresh().await;
    everything_works::<Card>(&mut db).await;
    everything_works::<Talk>(&mut db).await;
    everything_works::<Letter>(&mut db).await;
    everything_works::<Memo>(&mut db).await;
    everything_works::<Healer>(&mut db).await;
    let traces = db.number("SELECT count(*) FROM events WHERE schema = 'traces'").await;
    assert_eq!(chains_hold(&mut db).await as i64, 70 + traces);
}

#[tokio::test]
async fn a_record_that_is_made_again_goes_on_with_its_chain() {
    let mut db = fresh().await;
    everything_works::<Shop>(&mut db).await;
    everything_works::<Visitor>(&mut db).await;
    assert_eq!(chains_hold(&mut db).await, 32);
    for key in ["eu/x", "us/x"] {
        for _ in 0..2 {
            let shop = db.run(Shop::insert(Shop::new(key, key))).await.unwrap();
            db.run(shop.add(Add(1))).await.unwrap();
            db.run(batch([shop.add(Add(1)), shop.delete()])).await.unwrap();
            // Also within a batch.
            let visitor = batch([Visitor::insert(Visitor::new(key, key))]);
            let visitor = db.run(visitor).await.unwrap().remove(0);
            db.run(batch([visitor.delete()])).await.unwrap();
        }
    }
    assert_eq!(chains_hold(&mut db).await, 32 + 2 * 2 * 6);
}

#[tokio::test]
async fn what_is_adopted_or_healed_is_chained() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() })).await.unwrap();
    db.sql("UPDATE cards SET value = 40").await;
    db.run(card.add(Add(2))).await.unwrap();
    db.sql("UPDATE cards SET value = 50").await;
    db.run(batch([card.add(Add(1)), card.add(Add(1))])).await.unwrap();
    db.sql("UPDATE cards SET value = 60").await;
    db.run(Card::savepoint(&card)).await.unwrap();
    db.sql("UPDATE cards SET value = 70").await;
    db.run(card.delete()).await.unwrap();
    let card = db.run(Card::insert(NewCard { name: "Card".into() })).await.unwrap();
    db.sql("DELETE FROM cards").await;
    assert!(db.run(card.add(Add(1))).await.unwrap_err().is_missing());
    let healer = db.run(Healer::insert(NewHealer { name: "Healer".into() })).await.unwrap();
    db.sql("UPDATE healers SET value = 40").await;
    db.run(healer.add(Add(1)).by("user:7")).await.unwrap();
    db.sql("UPDATE healers SET value = 50").await;
    db.run(healer.delete()).await.unwrap();
    assert_eq!(chains_hold(&mut db).await, 10 + 2 + 3);
}

#[tokio::test]
async fn the_savepoints_of_a_policy_are_chained() {
    let mut db = fresh().await;
    let meter = db.run(Meter::insert(NewMeter { name: "Meter".into() })).await.unwrap();
    let gauge = db.run(Gauge::insert(NewGauge { name: "Gauge".into() })).await.unwrap();
    for _ in 0..5 {
        db.run(meter.add(Add(1))).await.unwrap();
        db.run(gauge.add(Add(1))).await.unwrap();
    }
    db.run(batch((0..5).map(|_| meter.add(Add(1))))).await.unwrap();
    db.run(batch((0..5).map(|_| gauge.add(Add(1))))).await.unwrap();
    db.run(meter.delete()).await.unwrap();
    db.run(gauge.delete()).await.unwrap();
    let saved = db.number("SELECT count(*) FROM events WHERE action = 'savepoint'").await;
    assert!(saved >= 6, "{saved}");
    assert_eq!(chains_hold(&mut db).await as i64, 2 * 12 + saved);
}

#[tokio::test]
async fn meta_and_time_are_part_of_what_is_hashed() {
    let mut db = fresh().await;
    let at = super::shared_logs::day(1) + chrono::TimeDelta::nanoseconds(1_999);
    let command = Letter::insert(NewLetter { name: "\u{1F980} \"quoted\" \\".into() }).at(at).by("user:7");
    let meta = json!({ "float": 1.5, "big": u64::MAX, "nested": { "z": [1, null], "a": "\u{0007}" } });
    let letter = db.run(command.meta(meta).correlate(Uuid::now_v7())).await.unwrap();
    db.run(letter.add(Add(1)).caused_by(letter.id.uuid())).await.unwrap();
    let talk = db.run(Talk::insert(NewTalk { name: "1e400 and 0.1".into() }).meta(json!(0.1))).await.unwrap();
    db.run(talk.delete().by("user:8").at(at)).await.unwrap();
    // A leap second is the second after it, in the hash as in the column.
    let leap = chrono::NaiveTime::from_num_seconds_from_midnight_opt(86_399, 1_500_000_000).unwrap();
    let leap = chrono::NaiveDate::from_ymd_opt(2016, 12, 31).unwrap().and_time(leap).and_utc();
    let letter = db.run(Letter::insert(NewLetter { name: "leap".into() }).at(leap)).await.unwrap();
    let history = db.run(Letter::history(&letter)).await.unwrap();
    assert_eq!(history[0].event.at().to_rfc3339(), "2017-01-01T00:00:00.500+00:00");
    chains_hold(&mut db).await;
}

#[tokio::test]
async fn an_event_that_was_changed_breaks_its_chain() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() })).await.unwrap();
    db.run(card.add(Add(2))).await.unwrap();
    db.run(card.add(Add(3))).await.unwrap();
    chains_hold(&mut db).await;
    raw::tamper(&mut db, "events", "UPDATE events SET payload = '3' WHERE revision = 2").await;
    let rows = stored!(db, events, Id<()>, |key: Id<()>| KeyValue::Uuid(key.uuid()));
    assert!(unbroken(&rows).unwrap_err().contains("event 2 (add)"));
}
