//! Tests a log over several tables, where the key determines the table of a record.

use evented_diesel::{EventedDsl as _, batch};
use evented_tests::models::shared::{Add, NewParcel, NewTrack, Parcel, Shop, Thing, Track, Visitor};
use uuid::Uuid;

use super::{Db, fresh};

async fn in_shards<const N: usize>(db: &mut Db, shards: [&str; N]) -> [i64; N] {
    let mut counts = [0; N];
    for (count, shard) in counts.iter_mut().zip(shards) {
        *count = db.number(&format!("SELECT count(*) FROM {shard}")).await;
    }
    counts
}

const PARCELS: [&str; 3] = ["parcel_events_0", "parcel_events_1", "parcel_events_2"];

#[tokio::test]
async fn records_spread_over_the_shards_and_each_stays_in_one() {
    let mut db = fresh().await;
    let parcels = (0..60).map(|n| Parcel::insert(NewParcel { name: n.to_string() }));
    let parcels = db.run(batch(parcels)).await.unwrap();
    let first = in_shards(&mut db, PARCELS).await;
    assert!(first.iter().all(|count| *count > 5), "{first:?}");
    for parcel in &parcels {
        db.run(parcel.add(Add(1))).await.unwrap();
    }
    assert_eq!(in_shards(&mut db, PARCELS).await, first.map(|count| 2 * count));
    for shard in PARCELS {
        let halves = format!(
            "SELECT count(*) FROM (SELECT record_id FROM {shard} GROUP BY record_id HAVING count(*) <> 2) t"
        );
        assert_eq!(db.number(&halves).await, 0);
    }
    assert_eq!(db.number("SELECT count(*) FROM parcel_events").await, 120, "the view shows them all");
}

#[tokio::test]
async fn the_shard_of_a_key_never_changes() {
    // The function must be stable: it determines where events that were written years ago are.
    let mut db = fresh().await;
    for (number, shard) in [(1, 2), (2, 1), (3, 0), (4, 2), (5, 1), (6, 0)] {
        let id = Uuid::from_u128(number);
        db.run(Track::insert(NewTrack { name: number.to_string() }).idempotent(id)).await.unwrap();
        let found = format!(
            "SELECT count(*) FROM parcel_events_{shard} WHERE CAST(payload AS TEXT) LIKE '%\"{number}\"%'"
        );
        assert_eq!(db.number(&found).await, 1, "{number}: {:?}", in_shards(&mut db, PARCELS).await);
    }
}

#[tokio::test]
async fn a_function_says_which_shard_a_record_is_in() {
    let mut db = fresh().await;
    for key in ["eu/a", "us/a", "us/b", "elsewhere"] {
        let shop = db.run(Shop::insert(Shop::new(key, key))).await.unwrap();
        db.run(shop.add(Add(1))).await.unwrap();
    }
    let visitors = ["eu/v", "us/v"].map(|key| Visitor::insert(Visitor::new(key, key)));
    db.run(batch(visitors)).await.unwrap();
    assert_eq!(in_shards(&mut db, ["region_events_eu", "region_events_us"]).await, [5, 5]);
    assert_eq!(db.number("SELECT count(*) FROM region_events").await, 10);
    let shops = db.run(Shop::replay("us/b".to_owned())).await.unwrap();
    assert_eq!(shops.map(|shop| shop.value), Some(1));
}

#[tokio::test]
async fn positions_are_those_of_the_whole_log() {
    let mut db = fresh().await;
    let mut last = 0;
    for n in 0..20 {
        let parcel = db.run(Parcel::insert(NewParcel { name: n.to_string() }).recorded()).await.unwrap();
        let track = db.run(Track::insert(NewTrack { name: n.to_string() }).recorded()).await.unwrap();
        let added = db.run(parcel.record.add(Add(1)).recorded()).await.unwrap();
        for position in [parcel.log_position(), track.log_position(), added.log_position()] {
            assert!(position > last, "{position} after {last}");
            last = position;
        }
    }
    assert_eq!(db.run(Parcel::last_position()).await.unwrap(), last);
    assert_eq!(db.run(Track::last_position()).await.unwrap(), last);
    // A batch writes the events of each shard together. Still no position occurs twice, and the positions of a record
    // increase.
    db.run(batch((0..40).map(|n| Parcel::insert(NewParcel { name: n.to_string() })))).await.unwrap();
    assert_eq!(db.number("SELECT count(DISTINCT position) FROM parcel_events").await, 100);
    let falling = "SELECT count(*) FROM parcel_events a, parcel_events b WHERE a.record_id = b.record_id \
                   AND a.schema = b.schema AND a.revision < b.revision AND a.position >= b.position";
    assert_eq!(db.number(falling).await, 0);
}
