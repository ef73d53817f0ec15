//! Feeds from PostgreSQL's write-ahead log, of records whose keys have several columns or are of unusual types.

mod postgres {
    use std::time::Duration;

    use evented_adoption_tests::keys::*;
    use evented_diesel::{Evented as _, EventedDsl as _, KeyValue, Model};
    use evented_feed::wal::tables_of;
    use evented_feed::{Feed, Hub};
    use evented_tests::db::{AsyncPostgres, Db, Face, SyncPostgres};

    const LONG: Duration = Duration::from_secs(60);

    /// Receives changes of these keys by these actions, in this order. A change by plain SQL has no action.
    fn receives<M: Model>(feed: &mut Feed<M>, changes: &[(M::Key, Option<&str>)]) {
        for (key, action) in changes {
            let change = tokio::task::block_in_place(|| feed.recv_timeout(LONG)).unwrap();
            assert_eq!((change.key(), change.action()), (Some(key), *action));
        }
    }

    async fn changes_arrive<Conn: Face<Backend = diesel::pg::Pg>>(mut db: Db<Conn>) {
        db.sql(&crate::tables::sql(Db::<Conn>::DATABASE)).await;
        for table in ["shop_users", "settings", "flags", "blobs", "levels"] {
            db.sql(&format!("ALTER TABLE {table} REPLICA IDENTITY FULL")).await;
        }
        let tables = tables_of::<ShopUser>().into_iter().chain(tables_of::<Setting>());
        let tables = tables.chain(tables_of::<Flag>()).chain(tables_of::<Blob>()).chain(tables_of::<Level>());
        let hub = Hub::on_wal::<ShopUser>().and::<Setting>().and::<Flag>().and::<Blob>().and::<Level>();
        let hub = db.tailing_hub(hub, tables.collect()).await;
        let mut users = hub.subscribe(ShopUser::changes()).unwrap();
        let mut one = hub.subscribe(ShopUser::changes().record((1, 2))).unwrap();
        let mut shop = hub.subscribe(ShopUser::changes().scope(ShopUser::SHOP.eq(1))).unwrap();
        let mut settings = hub.subscribe(Setting::changes()).unwrap();
        let mut flags = hub.subscribe(Flag::changes()).unwrap();
        let mut blobs = hub.subscribe(Blob::changes()).unwrap();
        let mut levels = hub.subscribe(Level::changes()).unwrap();

        let new = |shop_id, user_id| NewShopUser { shop_id, user_id, role: "clerk".into(), note: None };
        let made = db.run(ShopUser::insert(new(1, 2))).await.unwrap();
        db.run(ShopUser::insert(new(2, 2))).await.unwrap();
        db.run(ShopUser::insert(new(1, 3))).await.unwrap();
        db.run(made.promote(Promote)).await.unwrap();
        // A write that the library did not make is a change, too.
        db.sql("UPDATE shop_users SET note = 'by SQL' WHERE shop_id = 1 AND user_id = 2").await;
        db.run(made.delete()).await.unwrap();
        let insert = Some("insert");
        let (first, promoted) = (((1, 2), insert), ((1, 2), Some("promote")));
        let (by_sql, deleted) = (((1, 2), None), ((1, 2), Some("delete")));
        receives(&mut users, &[first, ((2, 2), insert), ((1, 3), insert), promoted, by_sql, deleted]);
        receives(&mut one, &[first, promoted, by_sql, deleted]);
        receives(&mut shop, &[first, ((1, 3), insert), promoted, by_sql, deleted]);

        let setting =
            NewSetting { scope: "a/b%".into(), day: -3, active: true, digest: vec![0, 255], value: 1 };
        let setting = db.run(Setting::insert(setting)).await.unwrap();
        receives(&mut settings, &[(setting.key(), insert)]);
        db.run(Flag::insert(NewFlag { on: true, name: "lamp".into() })).await.unwrap();
        receives(&mut flags, &[(true, insert)]);
        let blob = db.run(Blob::insert(NewBlob { hash: vec![0, 1, 254], name: "a".into() })).await.unwrap();
        receives(&mut blobs, &[(blob.hash, insert)]);
        let level = db.run(Level::insert(NewLevel { name: "low".into() })).await.unwrap();
        receives(&mut levels, &[(level.id, insert)]);
        assert_eq!(ShopUser::key_value(&(1, 2)), KeyValue::Text("1/2".into()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn changes_have_their_events_blocking() {
        changes_arrive(SyncPostgres::new().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn changes_have_their_events_async() {
        changes_arrive(AsyncPostgres::new().await).await;
    }
}
