//! Many records with keys of two columns: batches, joins, feeds, scopes, and rows that plain SQL wrote.

use diesel::prelude::*;
use evented_adoption_schema::shop_users;
use evented_adoption_tests::keys::{
    NewShopUser, Promote, ShopUser, ShopUserChanges, shop_users_events,
};
use evented_diesel::{Error, Event, EventedDsl, EventedTableDsl, KeyValue, batch};
use evented_diesel::verify::Issue;
use evented_feed::Hub;
use evented_tests::agree::agree;
use std::time::Duration;

use super::fresh;

fn new(shop_id: i32, user_id: i32) -> NewShopUser {
    NewShopUser { shop_id, user_id, role: "clerk".into(), note: None }
}

#[tokio::test]
async fn many_in_a_batch() {
    let mut db = fresh().await;
    let pairs: Vec<(i32, i32)> = (0..700).map(|n| (n % 20, n)).collect();
    let inserts = pairs.iter().map(|(shop, user)| ShopUser::insert(new(*shop, *user)));
    let made = db.run(batch(inserts.collect::<Vec<_>>())).await.unwrap();
    assert_eq!(made.iter().map(EventedKey::pair).collect::<Vec<_>>(), pairs);
    let changes = || ShopUserChanges { role: Some("chief".into()), note: None };
    let changed = made.iter().map(|it| it.update(changes()));
    assert!(db.run(batch(changed.collect::<Vec<_>>())).await.unwrap().iter().all(|it| it.role == "chief"));
    let gone = made.iter().skip(10).map(EventedDsl::delete);
    db.run(batch(gone.collect::<Vec<_>>())).await.unwrap();
    let rows: Vec<ShopUser> = db.load(shop_users::table.select(ShopUser::as_select())).await;
    assert_eq!(rows.len(), 10);
    agree(&mut db, rows).await;
    assert_eq!(db.run(ShopUser::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn many_by_a_filter() {
    let mut db = fresh().await;
    let pairs: Vec<(i32, i32)> = (0..300).map(|n| (n % 12, n)).collect();
    db.run(batch(pairs.iter().map(|(shop, user)| ShopUser::insert(new(*shop, *user))).collect::<Vec<_>>()))
        .await
        .unwrap();
    let changes = ShopUserChanges { role: Some("chief".into()), note: None };
    let chiefs = db.run(ShopUser::update_where(shop_users::shop_id.ge(9), changes).records()).await.unwrap();
    let mut expected: Vec<_> = pairs.into_iter().filter(|(shop, _)| *shop >= 9).collect();
    expected.sort_unstable();
    assert_eq!(chiefs.iter().map(EventedKey::pair).collect::<Vec<_>>(), expected);
    let mut chunks = ShopUser::execute_where(shop_users::role.eq("clerk"), Promote).in_chunks(100);
    let mut sizes = Vec::new();
    while let Some(records) = db.run(chunks.page()).await.unwrap() {
        sizes.push(records);
    }
    assert_eq!(sizes, [100, 100, 25]);
    assert_eq!(db.run(ShopUser::delete_where(shop_users::user_id.lt(290))).await.unwrap(), 290);
    assert_eq!(db.run(ShopUser::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(ShopUser::verify_replay()).await.unwrap(), []);
}

trait EventedKey {
    fn pair(&self) -> (i32, i32);
}
impl EventedKey for ShopUser {
    fn pair(&self) -> (i32, i32) {
        (self.shop_id, self.user_id)
    }
}

/// The log orders keys as text, and the table as numbers.
#[tokio::test]
async fn rows_and_log_in_different_orders() {
    let mut db = fresh().await;
    let inserts = (0..300).map(|n| ShopUser::insert(new(n / 7, 300 - n)));
    db.run(batch(inserts.collect::<Vec<_>>())).await.unwrap();
    db.sql("DELETE FROM shop_users WHERE shop_id = 10").await;
    db.sql("UPDATE shop_users SET role = 'nobody' WHERE shop_id = 2").await;
    db.sql("INSERT INTO shop_users (shop_id, user_id, role) VALUES (1000, 1, 'x'), (9, 1000, 'y')").await;
    let findings = db.run(ShopUser::verify_table()).await.unwrap();
    let count = |wanted: fn(&Issue) -> bool| findings.iter().filter(|it| wanted(&it.issue)).count();
    assert_eq!(count(|it| matches!(it, Issue::RowMissing)), 7);
    assert_eq!(count(|it| matches!(it, Issue::Row { .. })), 7);
    assert_eq!(count(|it| matches!(it, Issue::RowWithoutEvents)), 2);
    assert!(findings.iter().any(|it| it.record == KeyValue::Text("1000/1".into())));
    assert_eq!(findings.len(), 16);
    let rebuilt = db.run(ShopUser::rebuild()).await.unwrap();
    assert_eq!((rebuilt.inserted, rebuilt.updated, rebuilt.removed), (7, 7, 2));
    assert_eq!(db.run(ShopUser::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn rows_from_before_the_log() {
    let mut db = fresh().await;
    for n in 0..25 {
        db.sql(&format!("INSERT INTO shop_users (shop_id, user_id, role) VALUES ({n}, {}, 'old')", 100 - n)).await;
    }
    let mut backfill = ShopUser::backfill().chunk(10);
    let mut records = 0;
    while let Some(done) = db.run(backfill.page()).await.unwrap() {
        records += done.records;
    }
    assert_eq!(records, 25);
    assert_eq!(db.run(ShopUser::backfill().remaining()).await.unwrap(), 0);
    let promoted = db.run(ShopUser::execute_on((3, 97), Promote)).await.unwrap();
    assert_eq!(promoted.role, "admin");
    // A change by plain SQL is taken in by the next write.
    db.sql("UPDATE shop_users SET note = 'by hand' WHERE shop_id = 3").await;
    let again = db.run(promoted.update(ShopUserChanges { role: Some("chief".into()), note: None })).await.unwrap();
    assert_eq!((again.role.as_str(), again.note.as_deref()), ("chief", Some("by hand")));
    let actions: Vec<String> =
        db.run(ShopUser::history((3, 97))).await.unwrap().iter().map(|it| it.event.action().to_owned()).collect();
    assert_eq!(actions, ["external", "promote", "external", "update"]);
}

#[tokio::test]
async fn the_log_in_diesel_queries() {
    let mut db = fresh().await;
    let one = db.run(ShopUser::insert(new(1, 2))).await.unwrap();
    db.run(one.promote(Promote).by("ann")).await.unwrap();
    db.run(ShopUser::insert(new(12, 2))).await.unwrap();
    let events: Vec<Event<ShopUser>> = db.load(one.events()).await;
    assert_eq!(events.iter().map(|it| it.action().to_owned()).collect::<Vec<_>>(), ["insert", "promote"]);
    assert_eq!(events[1].record, (1, 2));
    let joined = shop_users_events::table
        .inner_join(shop_users::table)
        .filter(shop_users_events::action.eq("insert"))
        .order(shop_users::shop_id)
        .select((shop_users::shop_id, shop_users::user_id, shop_users_events::record_id));
    let joined: Vec<(i32, i32, String)> = db.load(joined).await;
    assert_eq!(joined, [(1, 2, "1/2".to_owned()), (12, 2, "12/2".to_owned())]);
    let other_way = shop_users::table
        .left_join(shop_users_events::table)
        .filter(shop_users::role.eq("admin"))
        .select(shop_users_events::action.nullable())
        .order(shop_users_events::position);
    let other_way: Vec<Option<String>> = db.load(other_way).await;
    assert_eq!(other_way, [Some("insert".to_owned()), Some("promote".to_owned())]);
}

#[tokio::test]
async fn a_repeated_command_and_conflicts() {
    let mut db = fresh().await;
    let id = uuid::Uuid::now_v7();
    let one = db.run(ShopUser::insert(new(1, 2)).idempotent(id).recorded()).await.unwrap();
    let same = db.run(ShopUser::insert(new(1, 2)).idempotent(id).recorded()).await.unwrap();
    assert_eq!((one.revision, one.event_id), (same.revision, same.event_id));
    let late = db.run(one.record.promote(Promote).expecting(7)).await.unwrap_err();
    assert!(matches!(late, Error::Conflict { found: 1, .. }), "{late}");
    assert!(late.to_string().starts_with("shop_users 1/2: "), "{late}");
    let nobody = db.run(ShopUser::execute_on((7, 7), Promote)).await.unwrap_err();
    assert_eq!(nobody.to_string(), "shop_users 7/7: there is no such record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_of_one_record_and_of_one_part() {
    let mut db = fresh().await;
    let hub = db.hub(Hub::of::<ShopUser>()).await;
    let mut one = hub.subscribe(ShopUser::changes().record((1, 2))).unwrap();
    let mut shop = hub.subscribe(ShopUser::changes().scope(ShopUser::SHOP.eq(1))).unwrap();
    let long = Duration::from_secs(60);
    let made = db.run(ShopUser::insert(new(1, 2))).await.unwrap();
    db.run(ShopUser::insert(new(1, 3))).await.unwrap();
    db.run(ShopUser::insert(new(2, 2))).await.unwrap();
    db.run(made.promote(Promote)).await.unwrap();
    for role in ["clerk", "admin"] {
        let change = tokio::task::block_in_place(|| one.recv_timeout(long)).unwrap();
        assert_eq!((change.key(), change.after().map(|it| it.role.as_str())), (Some(&(1, 2)), Some(role)));
    }
    for key in [(1, 2), (1, 3), (1, 2)] {
        let change = tokio::task::block_in_place(|| shop.recv_timeout(long)).unwrap();
        assert_eq!(change.key(), Some(&key));
    }
}
