//! The admin command on records whose keys have several columns.

use std::process::Command;

use evented_adoption_tests::keys::{NewSetting, NewShopUser, Setting, ShopUser, ShopUserChanges};
use evented_adoption_tests::logs::{Draft, NewDraft};
use evented_diesel::{Evented as _, EventedDsl as _, EventedTableDsl as _};

/// Runs the command, and returns its exit code and what it printed.
fn run(url: &str, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evented-adoption-admin"));
    let output = command.env("DATABASE_URL", url).args(arguments).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(printed).unwrap())
}

/// A record by its key as the log has it: `shop_users 12/-7`.
macro_rules! reads_and_repairs {
    ($setting:ty) => {{
        let mut db = <$setting>::new().await;
        db.sql(&crate::tables::sql(<$setting>::DATABASE)).await;
        let new = NewShopUser { shop_id: 12, user_id: -7, role: "clerk".into(), note: None };
        let user = db.run(ShopUser::insert(new).by("ann")).await.unwrap();
        db.run(user.update(ShopUserChanges { role: Some("chief".into()), note: None })).await.unwrap();
        let new = NewSetting { scope: "a/b%".into(), day: 3, active: true, digest: vec![1, 255], value: 1 };
        let setting = db.run(Setting::insert(new)).await.unwrap();
        db.run(Draft::insert(NewDraft { region: "a".into(), number: 1, load: 2 })).await.unwrap();
        let url = db.url.clone();

        let (code, printed) = run(&url, &["log", "shop_users", "12/-7"]);
        assert!(code == 0 && printed.contains("chief") && printed.contains("ann"), "{code}: {printed}");
        let key = Setting::key_value(&setting.key()).to_string();
        let (code, printed) = run(&url, &["show", "settings", &key, "--json"]);
        assert!(code == 0 && printed.contains(&key), "{code}: {printed}");
        let (code, printed) = run(&url, &["show", "drafts", "a/1", "--json"]);
        assert!(code == 0 && printed.contains("\"load\""), "{code}: {printed}");

        db.sql("UPDATE shop_users SET role = 'nobody'").await;
        let (code, printed) = run(&url, &["verify", "shop_users"]);
        assert!(code == 1 && printed.contains("12/-7"), "{code}: {printed}");
        db.sql("DELETE FROM shop_users").await;
        let (code, printed) = run(&url, &["verify", "shop_users", "12/-7"]);
        assert!(code == 1 && printed.contains("12/-7"), "{code}: {printed}");
        let (code, printed) = run(&url, &["rebuild", "shop_users"]);
        assert_eq!(code, 0, "{printed}");
        assert_eq!(
            db.number("SELECT count(*) FROM shop_users WHERE shop_id = 12 AND role = 'chief'").await,
            1
        );
        assert_eq!(db.run(ShopUser::verify_table()).await.unwrap(), []);

        // What is no key of the model is an error that says what one looks like.
        for wrong in ["12", "12/x", "12/7/1", "", "12/99999999999"] {
            let (code, printed) = run(&url, &["log", "shop_users", wrong]);
            assert!(
                code == 2 && printed.contains("shop_users") && !printed.contains("panicked"),
                "{code}: {printed}"
            );
        }
        let (code, printed) = run(&url, &["log", "shop_users", "12/8"]);
        assert!(code != 0 && printed.contains("12/8"), "{code}: {printed}");
    }};
}

#[tokio::test]
async fn on_sqlite() {
    reads_and_repairs!(evented_tests::db::SyncSqlite);
}

#[tokio::test]
async fn on_postgres() {
    reads_and_repairs!(evented_tests::db::SyncPostgres);
}
