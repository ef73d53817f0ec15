//! Tests the spans of operations, and the events about unusual situations.

use evented_diesel::{EventedDsl as _, Id, batch};
use evented_tests::models::{AddValue, Healed, Item, NewHealed, NewItem, NewStrict, Strict};
use evented_tests::raw::tamper;
use uuid::Uuid;

use super::Db;
use super::super::recorder::{Recorded, Recorder};

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 1, note: None }
}

/// Formats the name, and the fields as `key=value`.
fn lines(recorded: &[Recorded]) -> Vec<String> {
    let line = |it: &Recorded| {
        let fields: Vec<_> = it.fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{} {}", it.name, fields.join(" "))
    };
    recorded.iter().map(line).collect()
}

#[tokio::test]
async fn every_command_has_a_span_that_says_which_record_and_revision() {
    let mut db = Db::new().await;
    let recorder = Recorder::default();
    let _guard = recorder.listen();
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let id = item.id;
    db.run(item.add_value(AddValue(2))).await.unwrap();
    db.run(Item::savepoint(id)).await.unwrap();
    db.run(Item::replay(id)).await.unwrap();
    db.run(Item::history(id)).await.unwrap();
    db.run(item.add_value(AddValue(1)).expecting(1)).await.unwrap_err();
    db.run(batch([item.add_value(AddValue(1))])).await.unwrap();
    db.run(item.delete()).await.unwrap();
    let mut recorded = recorder.taken();
    let events = db.run(Item::history(id)).await.unwrap();
    // The span of a command has the id of its event; that of a handler has it as its cause.
    let named: Vec<_> = recorded.iter_mut().filter_map(|span| span.fields.remove("event")).collect();
    let of = |revision: usize| events[revision - 1].event.id().to_string();
    assert_eq!(named, [of(1), of(2), of(3), of(5)]);
    let spans: Vec<_> = lines(&recorded).into_iter().filter(|line| !line.contains("evented.batch")).collect();
    let found = [
        format!("evented.command action=insert record={id} revision=1 schema=items"),
        format!("evented.command action=add record={id} revision=2 schema=items"),
        format!("evented.command action=savepoint record={id} revision=3 schema=items"),
        format!("evented.replay events=1 record={id} schema=items"),
        format!("evented.history events=3 record={id} schema=items"),
    ];
    assert_eq!(spans[..5], found);
    assert_eq!(spans[5], format!(
        "evented.command action=add error=items {id}: the command expected revision 1, and the record is at revision 3 record={id} schema=items"
    ));
    assert_eq!(spans[6], format!("evented.conflict expected=1 found=3 record={id} schema=items"));
    assert!(lines(&recorded).contains(&"evented.batch commands=1 schema=items".to_owned()));
    assert_eq!(spans.last().unwrap(), &format!("evented.command action=delete record={id} revision=5 schema=items"));
}

#[tokio::test]
async fn drift_is_reported_with_its_columns() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    let healed = db.run(Healed::insert(NewHealed { name: "a".into() })).await.unwrap();
    let strict = db.run(Strict::insert(NewStrict { name: "a".into() })).await.unwrap();
    db.sql("UPDATE items SET value = 9").await;
    db.sql("UPDATE healed SET name = 'by hand'").await;
    db.sql("UPDATE stricts SET name = 'by hand'").await;
    let recorder = Recorder::default();
    let _guard = recorder.listen();
    db.run(item.add_value(AddValue(1))).await.unwrap();
    db.run(healed.update(Default::default())).await.unwrap();
    db.run(strict.update(Default::default())).await.unwrap_err();
    let drift: Vec<_> =
        lines(&recorder.taken()).into_iter().filter(|line| line.starts_with("evented.drift")).collect();
    assert_eq!(drift, [
        format!("evented.drift.adopted columns=[\"value\"] record={} schema=items", item.id),
        format!("evented.drift.healed columns=[\"name\"] record={} schema=healed", healed.id),
        format!("evented.drift.refused columns=[\"name\"] record={} schema=stricts", strict.id),
    ]);
}

#[tokio::test]
async fn a_savepoint_that_is_skipped_is_reported() {
    let mut db = Db::new().await;
    let item = db.run(Item::insert(lamp())).await.unwrap();
    db.run(Item::savepoint(item.id)).await.unwrap();
    tamper(&mut db, "items_events", "UPDATE items_events SET payload = '[]' WHERE action = 'savepoint'").await;
    let recorder = Recorder::default();
    let _guard = recorder.listen();
    db.run(Item::replay(item.id)).await.unwrap();
    let delivered = lines(&recorder.taken());
    assert_eq!(delivered[1], format!("evented.savepoint.passed_over record={} revision=2 schema=items", item.id));
}
