//! A column that a migration adds: events from before it are read with its default.

use evented_adoption_tests::growing::{after, before, forgotten};
use evented_diesel::{EventedDsl, EventedTableDsl};
use evented_diesel::migrations::Migrations;

use super::{Db, fresh};

#[tokio::test]
async fn an_added_column() {
    let mut db = fresh().await;
    db.sql("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT NOT NULL)").await;
    db.sql("INSERT INTO articles (id, title) VALUES (100, 'From before the log')").await;
    db.sql(&Migrations::of::<before::Article>().up_sql(Db::DATABASE)).await;
    if Db::DATABASE == evented_diesel::migrations::Database::Postgres {
        db.sql("CREATE SEQUENCE numbers; ALTER TABLE articles ALTER id SET DEFAULT nextval('numbers')").await;
    }
    // Each event that holds a whole record, and each that holds a part of one.
    let title = |title: &str| before::ArticleChanges { title: Some(title.into()) };
    let inserted = db.run(before::Article::insert(before::NewArticle { title: "One".into() })).await.unwrap();
    let updated = db.run(inserted.update(title("Two"))).await.unwrap();
    db.run(before::Article::savepoint(updated.id)).await.unwrap();
    db.sql(&format!("UPDATE articles SET title = 'By SQL' WHERE id = {}", updated.id)).await;
    db.run(before::Article::execute_on(updated.id, title("Three"))).await.unwrap();
    let deleted = db.run(before::Article::insert(before::NewArticle { title: "Gone".into() })).await.unwrap();
    db.run(EventedDsl::delete(&deleted)).await.unwrap();
    db.run(before::Article::backfill()).await.unwrap();

    db.sql("ALTER TABLE articles ADD COLUMN lang TEXT NOT NULL DEFAULT 'en'").await;
    db.sql("ALTER TABLE articles ADD COLUMN words INTEGER").await;

    let id = inserted.id;
    let history = db.run(after::Article::history(id)).await.unwrap();
    let actions: Vec<&str> = history.iter().map(|it| it.event.action()).collect();
    assert_eq!(actions, ["insert", "update", "savepoint", "external", "update"]);
    for revision in 1..=5 {
        let then = db.run(after::Article::replay(id).at_revision(revision)).await.unwrap().unwrap();
        assert_eq!((then.lang.as_str(), then.words), ("en", None), "at revision {revision}");
    }
    assert_eq!(db.run(after::Article::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(after::Article::verify_replay()).await.unwrap(), []);
    assert_eq!(db.run(after::Article::rebuild()).await.unwrap().updated, 0);

    // The next write of each record appends one event, of the new version.
    for id in [id, 100] {
        let changes = after::ArticleChanges { words: Some(Some(7)), ..Default::default() };
        let changed = db.run(after::Article::execute_on(id, changes)).await.unwrap();
        assert_eq!((changed.lang.as_str(), changed.words), ("en", Some(7)));
        let history = db.run(after::Article::history(id)).await.unwrap();
        let versions: Vec<i32> = history.iter().rev().take(2).map(|it| it.event.version()).collect();
        assert_eq!((versions, history[history.len() - 1].event.action()), (vec![1, 0], "update"));
        assert_eq!(db.run(after::Article::replay(id)).await.unwrap(), Some(changed));
    }
    assert_eq!(db.run(after::Article::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn a_step_that_is_missing_is_named() {
    let mut db = fresh().await;
    db.sql("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT NOT NULL)").await;
    db.sql("INSERT INTO articles (id, title) VALUES (100, 'Old')").await;
    db.sql(&Migrations::of::<before::Article>().up_sql(Db::DATABASE)).await;
    db.run(before::Article::backfill()).await.unwrap();
    let error = db.run(forgotten::Article::replay(100)).await.unwrap_err().to_string();
    assert!(error.contains("articles 100") && error.contains("lang"), "{error}");
    assert!(error.contains("#[evented(added(version = "), "{error}");
}
