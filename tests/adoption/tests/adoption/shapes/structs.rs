//! Embedded structs, serde attributes, fields that are no columns.

use diesel::prelude::*;
use evented_adoption_schema::addresses;
use evented_adoption_tests::structs::*;
use evented_diesel::EventedDsl as _;

use super::{Db, fresh};

#[tokio::test]
async fn an_embedded_struct_and_a_field_that_is_no_column() {
    let mut db = fresh().await;
    let new = NewAddress {
        name: "Ann".into(),
        street: "High Street".into(),
        city: None,
        secret: "s3cret".into(),
    };
    let made: Address = db.run(Address::insert(new)).await.unwrap();
    assert_eq!(made.place, Place { street: "High Street".into(), city: None });
    let changes = AddressChanges { city: Some(Some("Bern".into())), ..AddressChanges::default() };
    let changed = db.run(made.update(changes)).await.unwrap();
    assert_eq!(changed.place.city.as_deref(), Some("Bern"));
    assert!(changed.seen_at.is_some() && changed.seen_at >= made.seen_at);
    // The log has what serde leaves out of the API's form.
    let replayed = db.run(Address::replay(changed.id)).await.unwrap().unwrap();
    assert_eq!((replayed.secret.as_str(), &replayed), ("s3cret", &changed));
    // Diesel's own reading fills the expression.
    let read: Vec<Address> = db.load(addresses::table.select(Address::as_select())).await;
    assert_eq!((read.len(), read[0].is_named, changed.is_named), (1, true, false));
    let fields: Vec<String> = db
        .run(Address::history(changed.id))
        .await
        .unwrap()
        .iter()
        .flat_map(|it| it.changeset.iter().map(|change| change.field.to_owned()).collect::<Vec<_>>())
        .collect();
    assert_eq!(fields, ["name", "street", "secret", "seen_at", "city", "seen_at"]);
    let _ = Db::DATABASE;
}
