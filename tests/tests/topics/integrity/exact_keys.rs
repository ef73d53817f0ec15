//! Keys that the database takes for equal and that differ.

use evented_diesel::migrations::Database;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _};
use evented_tests::models::{NewPage, Page, Visit};

use super::Db;

/// Tables in which `a` is `A`: by a collation, or by the type of the column.
fn tables() -> &'static [(&'static str, &'static str)] {
    match Db::DATABASE {
        Database::Sqlite => &[
            ("collation NOCASE", "CREATE TABLE pages (path TEXT COLLATE NOCASE PRIMARY KEY, title TEXT NOT NULL, views BIGINT NOT NULL)"),
            ("collation NOCASE", "CREATE TABLE pages (path TEXT COLLATE NOCASE PRIMARY KEY, title TEXT NOT NULL, views BIGINT NOT NULL) WITHOUT ROWID"),
        ],
        Database::Postgres => &[
            (
                "collation equal",
                "CREATE COLLATION equal (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
                 CREATE TABLE pages (path TEXT COLLATE equal PRIMARY KEY, title TEXT NOT NULL, views BIGINT NOT NULL)",
            ),
        ],
    }
}

#[tokio::test]
async fn one_row_has_one_history() {
    for (reason, table) in tables() {
        let mut db = Db::new().await;
        db.sql("DROP TABLE pages").await;
        db.sql(table).await;
        let page = |path: &str| NewPage { path: path.into(), title: path.into() };
        let made = db.run(Page::insert(page("a"))).await.unwrap();
        let made = db.run(made.visit(Visit { times: 1 })).await.unwrap();

        // Whoever writes `A` learns that the row is `a`.
        let asked = || Page::execute_on("A".to_owned(), Visit { times: 1 });
        for command in [asked(), asked().expecting(1), Page::delete_by("A".to_owned())] {
            let error = db.run(command).await.unwrap_err();
            assert!(matches!(&error, Error::OtherKey { found, .. } if found == "a"), "{error:?}");
        }
        let error = db.run(Page::insert(page("A"))).await.unwrap_err();
        assert!(matches!(error, Error::OtherKey { .. } | Error::Constraint { .. }), "{error:?}");
        let error = db.run(evented_diesel::batch([asked()])).await.unwrap_err();
        let Error::Batch { error, .. } = error else { panic!("{error:?}") };
        assert!(matches!(*error, Error::OtherKey { .. }), "{error:?}");
        assert_eq!(db.number("SELECT count(DISTINCT record_id) FROM pages_events").await, 1);
        let made = db.run(made.visit(Visit { times: 1 })).await.unwrap();
        assert_eq!(made.views, 2);
        let error = db.run(Page::upsert(page("A")).set(Visit { times: 1 })).await.unwrap_err();
        assert!(matches!(error, Error::OtherKey { .. }), "{error:?}");
        // Also where `A` had a row before.
        db.run(made.delete()).await.unwrap();
        let upper = db.run(Page::insert(page("A"))).await.unwrap();
        db.run(upper.delete()).await.unwrap();
        let lower = db.run(Page::insert(page("a"))).await.unwrap();
        let error = db.run(Page::delete_by("A".to_owned())).await.unwrap_err();
        assert!(matches!(&error, Error::OtherKey { found, .. } if found == "a"), "{error:?}");
        assert_eq!(db.run(Page::history(&lower)).await.unwrap().len(), 5);

        // What would compare the whole table is refused, and says why.
        for error in [
            db.run(Page::verify_table()).await.unwrap_err(),
            db.run(Page::rebuild()).await.unwrap_err(),
            db.run(Page::adopt()).await.unwrap_err(),
            db.run(Page::backfill()).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::InexactKey { .. }), "{error:?}");
            assert!(error.to_string().contains(&format!("the column `path` has the {reason}")), "{error}");
        }
    }
}
