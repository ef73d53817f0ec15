//! Names that the application has already.

use evented_adoption_tests::names::fixed::{Fixed, NewFixed, Rewrite};
use evented_adoption_tests::names::*;
use evented_diesel::EventedDsl;

use super::fresh;

#[tokio::test]
async fn the_applications_own_names_stay() {
    let mut db = fresh().await;
    // Its tables have the log of another model of the same table.
    let memo = db.run(Memo::insert(MemoInput { text: "one".into() })).await.unwrap();
    assert_eq!(memo.delete(), "the application's own");
    assert_eq!(<Memo as Crud>::update(memo.id(), "form"), format!("{}: form", memo.id()));
    let patch = MemoPatch { text: Some("two".into()) };
    let memo = db.run(EventedDsl::update(&memo, patch)).await.unwrap();
    let memo = db.run(memo.stamp(Touch)).await.unwrap();
    assert_eq!(memo.text(), "…");
    let memo = db.run(Memo::execute_on(&memo, Clear)).await.unwrap();
    assert_eq!(memo.text(), "");
    db.run(EventedDsl::delete(&memo)).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM memos").await, 0);
}

#[tokio::test]
async fn a_model_without_an_update() {
    let mut db = fresh().await;
    let fixed = db.run(Fixed::insert(NewFixed { text: "one".into() })).await.unwrap();
    let fixed = db.run(fixed.rewrite(Rewrite("two".into()))).await.unwrap();
    assert_eq!(db.run(Fixed::replay(fixed.id)).await.unwrap(), Some(fixed));
}
