//! Keys of two columns in a log with hashes, shards and links, and in a model without a table.

use evented_adoption_tests::logs::*;
use evented_diesel::verify::LogChecks as _;
use evented_diesel::{Error, EventedDsl, EventedTableDsl, batch};

use super::lives::lives;
use super::fresh;

#[tokio::test]
async fn a_log_with_shards() {
    let mut db = fresh().await;
    for region in ["north", "south/west", "50%"] {
        let new = || NewTrip { region: region.into(), number: 7, load: 1 };
        lives::<Trip>(&mut db, "trips", new, || TripChanges { load: Some(2) }).await;
    }
    let many = (0..60).map(|number| Trip::insert(NewTrip { region: "east".into(), number, load: 0 }));
    db.run(batch(many.collect::<Vec<_>>())).await.unwrap();
    for shard in 0..3 {
        assert!(db.number(&format!("SELECT count(*) FROM trip_events_{shard}")).await > 5, "shard {shard}");
    }
    assert_eq!(db.run(Trip::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(TripEvents::verify_chain()).await.unwrap(), []);
}

#[tokio::test]
async fn a_model_without_a_table() {
    let mut db = fresh().await;
    let new = || NewDraft { region: "a/b".into(), number: -1, load: 1 };
    let draft = db.run(Draft::insert(new())).await.unwrap();
    let changed = db.run(draft.update(DraftChanges { load: Some(2) })).await.unwrap();
    assert_eq!(db.run(Draft::replay(("a/b".to_owned(), -1))).await.unwrap(), Some(changed.clone()));
    let again = db.run(Draft::insert(new())).await.unwrap_err();
    assert!(matches!(again, Error::Exists { .. }), "{again}");
    db.run(Draft::savepoint(("a/b".to_owned(), -1))).await.unwrap();
    db.run(changed.delete()).await.unwrap();
    assert_eq!(db.run(Draft::history(("a/b".to_owned(), -1))).await.unwrap().len(), 4);
    assert_eq!(db.run(TripEvents::verify_chain()).await.unwrap(), []);
}

#[tokio::test]
async fn links_between_events() {
    let mut db = fresh().await;
    let new = NewTrip { region: "n/w".into(), number: 1, load: 1 };
    let first = db.run(Trip::insert(new).recorded()).await.unwrap();
    let change = first.record.update(TripChanges { load: Some(2) });
    let second = db.run(change.link(trip_events_hops::table, first.event_id).recorded()).await.unwrap();
    let history = db.run(Trip::history(("n/w".to_owned(), 1))).await.unwrap();
    let linked = db.run(history[1].event.linked(trip_events_hops::table)).await.unwrap();
    assert_eq!((second.revision, linked.len(), linked[0].event.id()), (2, 1, first.event_id));
    assert_eq!(linked[0].event.record, ("n/w".to_owned(), 1));
    // An event of another record, though it has one part of the key in common.
    let other = db.run(Trip::insert(NewTrip { region: "n/w".into(), number: 2, load: 1 })).await.unwrap();
    let error = db.run(other.delete().link(trip_events_hops::table, first.event_id)).await.unwrap_err();
    assert!(error.to_string().contains("n%2Fw/2"), "{error}");
}
