//! Saves: the row is made equal to a copy of its record.

use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Id, Outcome};
use evented_tests::models::shared::{self, Thing as _};
use evented_tests::models::*;
use uuid::Uuid;

use super::{Db, fresh};

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::from_u128(1)), name: "lamp".into(), value: 1, note: Some("n".into()) }
}

#[tokio::test]
async fn what_differs_is_updated_and_nothing_else() {
    let mut db = Db::new().await;
    let made = db.run(Item::insert(lamp())).await.unwrap();
    let mut copy = made.clone();
    (copy.name, copy.note) = ("desk".into(), None);
    let saved = db.run(copy.save().by("ann")).await.unwrap();
    let Outcome::Changed(saved) = saved else { panic!("{saved:?}") };
    assert_eq!((saved.name.as_str(), saved.note.as_deref(), saved.value), ("desk", None, 1));
    let history = db.run(Item::history(made.id)).await.unwrap();
    let event = &history[1].event;
    assert_eq!((event.action(), event.actor().as_deref()), ("update", Some("ann")));
    let payload: ItemChanges = event.payload().unwrap();
    assert_eq!((payload.name.as_deref(), &payload.note, payload.value), (Some("desk"), &Some(None), None));

    // The copy is the same but for its time, which no update changes.
    assert_eq!(db.run(copy.save()).await.unwrap(), Outcome::Kept(saved.clone()));
    assert_eq!(db.run(saved.save()).await.unwrap(), Outcome::Kept(saved.clone()));
    assert_eq!(db.run(Item::history(made.id)).await.unwrap().len(), 2);

    // An older copy changes back what has changed, unless it expects a revision.
    let error = db.run(made.save().expecting(1)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 2, .. }), "{error:?}");
    let back = db.run(made.save().expecting(2)).await.unwrap().into_record();
    assert_eq!((back.name.as_str(), back.note.as_deref()), ("lamp", Some("n")));
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Item::verify_replay()).await.unwrap(), []);
}

#[tokio::test]
async fn rules_drift_and_records_that_are_gone() {
    let mut db = Db::new().await;
    let made = db.run(Item::insert(lamp())).await.unwrap();
    let mut copy = made.clone();
    copy.value = -1;
    assert!(matches!(db.run(copy.save()).await, Err(Error::Invalid { .. })));
    // What plain SQL changed is adopted, and differs.
    db.sql("UPDATE items SET name = 'other', value = 9").await;
    copy.value = 9;
    let saved = db.run(copy.save()).await.unwrap();
    assert!(matches!(&saved, Outcome::Changed(item) if item.name == "lamp" && item.value == 9), "{saved:?}");
    let history = db.run(Item::history(made.id)).await.unwrap();
    let actions: Vec<_> = history.iter().map(|entry| entry.event.action().to_owned()).collect();
    assert_eq!(actions, ["insert", "external", "update"]);
    db.run(made.delete()).await.unwrap();
    assert!(matches!(db.run(copy.save()).await, Err(Error::Deleted { .. })));
    let mut never = made;
    never.id = Id::new(Uuid::from_u128(9));
    assert!(matches!(db.run(never.save()).await, Err(Error::NotFound { .. })));
    assert_eq!(db.run(Item::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn every_kind_of_key_and_log() {
    let mut db = fresh().await;
    let mut note = db.run(Note::insert(NewNote { text: "a".into() })).await.unwrap();
    note.text = "b".into();
    assert!(matches!(db.run(note.save()).await.unwrap(), Outcome::Changed(it) if it == note));
    let mut counter = db.run(Counter::insert(NewCounter { count: 1 })).await.unwrap();
    counter.count = 5;
    let saved = db.run(counter.save()).await.unwrap().into_record();
    assert_eq!((saved.count, saved.revision), (5, 2));
    assert!(matches!(db.run(saved.save()).await.unwrap(), Outcome::Kept(_)));
    macro_rules! things {
        ($($model:ident),*) => {$({
            let mut thing = db.run(shared::$model::insert(shared::$model::new("a", "a"))).await.unwrap();
            thing.name = "b".into();
            let saved = db.run(thing.save()).await.unwrap();
            assert!(matches!(&saved, Outcome::Changed(it) if it.name() == "b"), "{saved:?}");
            assert!(matches!(db.run(saved.record().save()).await.unwrap(), Outcome::Kept(_)));
            assert_eq!(db.run(shared::$model::verify_table()).await.unwrap(), []);
        })*};
    }
    things!(Card, Letter, Parcel, Shop, Town);
}
