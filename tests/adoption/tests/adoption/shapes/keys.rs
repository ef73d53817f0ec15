//! Who gives a key, and which texts are keys.

use evented_adoption_tests::keys::*;
use evented_diesel::{Evented, EventedDsl as _, KeyValue, batch};

use super::fresh;

/// Keys that the caller gives are inserted together.
#[tokio::test]
async fn a_batch_of_given_keys() {
    let mut db = fresh().await;
    let inserts = (0..500).map(|n| ShopLimit::insert(NewShopLimit { shop_id: n, most: 1 }));
    assert_eq!(db.run(batch(inserts.collect::<Vec<_>>())).await.unwrap().len(), 500);
    assert_eq!(db.number("SELECT count(*) FROM shop_limits_events").await, 500);
    // One that exists already undoes the batch.
    let inserts = [600, 7].map(|n| ShopLimit::insert(NewShopLimit { shop_id: n, most: 1 }));
    let error = db.run(batch(inserts.into_iter().collect::<Vec<_>>())).await.unwrap_err();
    assert!(error.to_string().contains("shop_limits 7"), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM shop_limits").await, 500);
}

#[test]
fn one_record_has_one_key() {
    let text = |text: &str| KeyValue::Text(text.into());
    assert_eq!(ShopUser::key_from(text("12/7")), Some((12, 7)));
    for other in ["12", "12/7/1", "012/7", "12/x", "12/ 7", "", "/", "12%2F7"] {
        assert_eq!(ShopUser::key_from(text(other)), None, "{other}");
    }
    assert_eq!(Setting::key_value(&("a/b%".into(), -3, true, vec![0, 255])), text("a%2Fb%25/-3/true/00ff"));
    assert_eq!(Note::key_from(KeyValue::Int(-1)), None, "the newtype refuses it");

}
