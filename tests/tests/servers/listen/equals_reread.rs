//! Tests that a list that is updated from a feed equals the list that is read again.

use evented_diesel::EventedDsl as _;
use std::collections::BTreeMap;

use evented_feed::{ChangeKind, Hub};
use evented_tests::models::schema::items;
use evented_tests::models::{AddValue, Item, ItemChanges};

use super::{change, lamp, org};
use crate::kill::Dice;
use diesel::prelude::*;

macro_rules! equal {
    ($($test:ident: $db:ident, $postgres:literal;)*) => {$(
        #[tokio::test]
        async fn $test() {
            use evented_tests::db::$db as Db;
            for seed in 1..=6 {
                let mut dice = Dice::new(seed);
                let mut db = Db::new().await;
                let mut other = db.connect().await;
                let hub = db.hub(Hub::of::<Item>()).await;
                let (ours, theirs) = (org(), org());
                let mut known: Vec<Item> = Vec::new();
                for _ in 0..5 {
                    known.push(db.run(Item::insert(lamp(ours))).await.unwrap());
                }
                let feed = hub.subscribe(Item::changes().scope(Item::ORG.eq(ours))).unwrap();
                // Another connection writes between the subscription and the read.
                known[0] = other.run(known[0].add_value(AddValue(1))).await.unwrap();
                db.begin().await;
                if $postgres {
                    db.sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await;
                }
                let seen = db.run(Item::read_point()).await.unwrap();
                known[1] = other.run(known[1].add_value(AddValue(2))).await.unwrap();
                let rows: Vec<Item> = db.load(items::table.filter(items::org_id.eq(ours)).select(Item::as_select())).await;
                db.rollback().await;
                let mut list: BTreeMap<_, Item> = rows.into_iter().map(|item| (item.id.uuid(), item)).collect();
                let mut feed = feed.after(seen);

                for _ in 0..60 {
                    let writer = if dice.below(2) == 0 { &mut db } else { &mut other };
                    let place = dice.below(known.len() as u64) as usize;
                    match dice.below(6) {
                        0 => known.push(writer.run(Item::insert(lamp(if dice.below(2) == 0 { ours } else { theirs }))).await.unwrap()),
                        1 if known.len() > 1 => drop(writer.run(known.swap_remove(place).delete()).await.unwrap()),
                        2 => {
                            let org_id = Some(if dice.below(2) == 0 { ours } else { theirs });
                            let moved = known[place].update(ItemChanges { org_id, ..Default::default() });
                            known[place] = writer.run(moved).await.unwrap();
                        }
                        _ => known[place] = writer.run(known[place].add_value(AddValue(1))).await.unwrap(),
                    }
                }
                let last = db.run(Item::insert(lamp(ours)).recorded()).await.unwrap();
                loop {
                    let change = change(&mut feed).await;
                    let id = change.key().unwrap().uuid();
                    match change.kind() {
                        ChangeKind::Insert | ChangeKind::Enter => {
                            assert!(list.insert(id, change.into_after().unwrap()).is_none(), "seed {seed}");
                        }
                        ChangeKind::Update => {
                            let before = list.insert(id, change.after().unwrap().clone());
                            assert_eq!(before.as_ref(), change.before(), "seed {seed}");
                        }
                        ChangeKind::Delete | ChangeKind::Leave => {
                            assert_eq!(list.remove(&id).as_ref(), change.before(), "seed {seed}");
                        }
                        other => panic!("{other:?}"),
                    }
                    if id == last.record.id.uuid() {
                        break;
                    }
                }
                let rows: Vec<Item> = db.load(items::table.filter(items::org_id.eq(ours)).select(Item::as_select())).await;
                let rows: BTreeMap<_, Item> = rows.into_iter().map(|item| (item.id.uuid(), item)).collect();
                assert_eq!(list, rows, "seed {seed}");
            }
        }
    )*};
}

equal! {
    a_list_on_sync_sqlite: SyncSqlite, false;
    a_list_on_async_sqlite: AsyncSqlite, false;
    a_list_on_sync_postgres: SyncPostgres, true;
    a_list_on_async_postgres: AsyncPostgres, true;
}
