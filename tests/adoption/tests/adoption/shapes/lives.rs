//! The life of a record, by every command, read and check.

use std::fmt::Debug;

use evented_adoption_tests::keys::*;
use evented_diesel::{Error, EventedDsl, EventedTableDsl, IntoRecordRef, KeySource, ModelOn, WithTable, batch};

use super::{Backend, Db, fresh};

/// Runs every command and every read on one record. `table` is the model's table.
pub(super) async fn lives<M>(db: &mut Db, table: &str, new: impl Fn() -> M::New, changes: impl Fn() -> M::Changes)
where
    M: WithTable + ModelOn<Backend> + PartialEq + Debug,
    M::Key: IntoRecordRef<M>,
{
    let made = db.run(M::insert(new()).by("ann").recorded()).await.unwrap();
    assert_eq!(made.revision, 1);
    let key = made.record.key();
    assert_eq!(M::key_from(M::key_value(&key)), Some(key.clone()));

    let changed = db.run(made.record.update(changes())).await.unwrap();
    assert_ne!(changed, made.record);
    let history = db.run(M::history(key.clone())).await.unwrap();
    assert_eq!(history.iter().map(|it| it.event.action().to_owned()).collect::<Vec<_>>(), ["insert", "update"]);
    assert_eq!(history[0].event.record, key);
    assert_eq!(db.run(M::replay(key.clone())).await.unwrap().as_ref(), Some(&changed));
    assert_eq!(db.run(M::replay(key.clone()).at_revision(1)).await.unwrap(), Some(made.record));
    db.run(M::savepoint(key.clone())).await.unwrap();
    assert_eq!(db.run(M::recent_events(key.clone())).await.unwrap().len(), 1);

    // Plain SQL takes the row away, and what the log knows brings it back.
    db.sql(&format!("DELETE FROM {table}")).await;
    assert_eq!(db.run(M::verify_table()).await.unwrap().len(), 1);
    assert_eq!(db.run(M::materialize(key.clone())).await.unwrap(), changed);
    db.sql(&format!("DELETE FROM {table}")).await;
    let rebuilt = db.run(M::rebuild()).await.unwrap();
    assert_eq!((rebuilt.inserted, rebuilt.updated, rebuilt.removed), (1, 0, 0));
    assert_eq!(db.run(M::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(M::verify(key.clone())).await.unwrap(), []);
    assert_eq!(db.run(M::verify_replay()).await.unwrap(), []);

    db.run(M::delete_by(key.clone())).await.unwrap();
    assert_eq!(db.number(&format!("SELECT count(*) FROM {table}")).await, 0);
    assert!(matches!(db.run(M::replay(key.clone())).await, Err(Error::Deleted { .. })));

    let several = db.run(batch(vec![M::insert(new())])).await.unwrap();
    let again = several[0].key();
    let position = db.run(M::last_position()).await.unwrap();
    let mut at = M::table_at(position);
    assert_eq!(db.run(at.page()).await.unwrap().unwrap(), several);
    if M::KEY_SOURCE == KeySource::Caller {
        assert_eq!(again, key);
        let error = db.run(M::insert(new())).await.unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert!(error.to_string().contains(&M::key_value(&key).to_string()), "{error}");
    }
    db.run(batch(vec![EventedDsl::update(&several[0], changes())])).await.unwrap();
    db.run(batch(vec![M::delete_by(again)])).await.unwrap();
    assert_eq!(db.number(&format!("SELECT count(*) FROM {table}")).await, 0);
    assert_eq!(db.run(M::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn a_key_of_two_columns() {
    let mut db = fresh().await;
    let new = || NewShopUser { shop_id: 12, user_id: -7, role: "clerk".into(), note: None };
    let changes = || ShopUserChanges { role: Some("chief".into()), note: Some(Some("since May".into())) };
    lives::<ShopUser>(&mut db, "shop_users", new, changes).await;
}

#[tokio::test]
async fn a_key_of_four_columns() {
    let mut db = fresh().await;
    for (scope, active, digest) in [("a/b%", true, vec![0, 255]), ("", false, vec![])] {
        let new = || NewSetting { scope: scope.into(), day: -3, active, digest: digest.clone(), value: 1 };
        lives::<Setting>(&mut db, "settings", new, || SettingChanges { value: Some(2) }).await;
    }
}

#[tokio::test]
async fn an_integer_that_the_caller_gives() {
    let mut db = fresh().await;
    let new = || NewShopLimit { shop_id: 12, most: 5 };
    lives::<ShopLimit>(&mut db, "shop_limits", new, || ShopLimitChanges { most: Some(6) }).await;
}

#[tokio::test]
async fn a_small_integer_that_the_database_makes() {
    let mut db = fresh().await;
    let new = || NewLevel { name: "low".into() };
    lives::<Level>(&mut db, "levels", new, || LevelChanges { name: Some("high".into()) }).await;
}

#[tokio::test]
async fn a_truth_value() {
    let mut db = fresh().await;
    for on in [true, false] {
        let new = || NewFlag { on, name: "lamp".into() };
        lives::<Flag>(&mut db, "flags", new, || FlagChanges { name: Some("fan".into()) }).await;
    }
}

#[tokio::test]
async fn bytes() {
    let mut db = fresh().await;
    let new = || NewBlob { hash: vec![0, 1, 254, 255], name: "a".into() };
    lives::<Blob>(&mut db, "blobs", new, || BlobChanges { name: Some("b".into()) }).await;
}

#[tokio::test]
async fn newtypes() {
    let mut db = fresh().await;
    let new = || NewNote { text: "one".into() };
    lives::<Note>(&mut db, "memos", new, || NoteChanges { text: Some("two".into()) }).await;
    let new = || NewToken { name: "one".into() };
    lives::<Token>(&mut db, "tokens", new, || TokenChanges { name: Some("two".into()) }).await;
}

#[tokio::test]
async fn keys_of_every_kind_in_one_log() {
    let mut db = fresh().await;
    let new = || NewMember { team_id: 1, person_id: "ann/1".into(), rank: 1 };
    lives::<Member>(&mut db, "members", new, || MemberChanges { rank: Some(2) }).await;
    let new = || InsertLimit { shop_id: 12, most: 5 };
    lives::<Limit>(&mut db, "shop_limits", new, || UpdateLimit { most: Some(6) }).await;
    let log = "SELECT count(*) FROM mixed_events WHERE record_id = ";
    assert!(db.number(&format!("{log}'1/ann%2F1' AND schema = 'members'")).await > 3);
    assert!(db.number(&format!("{log}'12' AND schema = 'limits'")).await > 3);
    use evented_diesel::verify::LogChecks as _;
    assert_eq!(db.run(MixedEvents::verify_chain()).await.unwrap(), []);
}
