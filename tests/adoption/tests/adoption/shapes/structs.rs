//! Embedded structs, serde attributes, fields that are no columns, conversions, times, and errors by field.

use diesel::prelude::*;
use evented_adoption_schema::addresses;
use evented_adoption_tests::structs::*;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, batch};

use super::lives::lives;
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

#[tokio::test]
async fn fields_that_diesel_converts() {
    let mut db = fresh().await;
    let new = |id| NewPrice { id, amount: Cents(250), currency: Currency::Eur, note: None };
    let changes = || PriceChanges { amount: Some(Cents(300)), currency: Some(Currency::Chf), ..Default::default() };
    lives::<Price>(&mut db, "prices", || new(1), changes).await;
    // Enough rows for the statements that take many.
    let made = db.run(batch((0..100).map(|id| Price::insert(new(id))).collect::<Vec<_>>())).await.unwrap();
    let changed = db.run(batch(made.iter().map(|price| price.update(changes())).collect::<Vec<_>>())).await.unwrap();
    assert!(changed.iter().all(|price| price.amount == Cents(300) && price.currency == Currency::Chf));
    assert_eq!(db.number("SELECT count(*) FROM prices WHERE amount = 300 AND currency = 'CHF'").await, 100);
    assert_eq!(db.run(Price::verify_table()).await.unwrap(), []);
    // The log has the form of the module that the field names, in inserts, updates and events of plain SQL.
    db.sql("UPDATE prices SET currency = 'EUR' WHERE id = 2").await;
    db.run(Price::execute_on(2, PriceChanges { note: Some(Some("n".into())), ..Default::default() })).await.unwrap();
    let history = db.run(Price::history(2)).await.unwrap();
    let codes: Vec<_> = history
        .iter()
        .flat_map(|it| it.changeset.iter().filter(|change| change.field == "currency").map(|change| change.to.clone()))
        .collect();
    assert_eq!(serde_json::to_value(codes).unwrap(), serde_json::json!(["e", "c", "e"]));
    let form = serde_json::to_value(changes()).unwrap();
    assert_eq!(form, serde_json::json!({ "amount": 300, "currency": "c" }));
    assert_eq!(serde_json::from_value::<PriceChanges>(form).unwrap().currency, Some(Currency::Chf));
    // A row that the conversion refuses is an error that names what it refused.
    db.sql("UPDATE prices SET currency = 'XYZ' WHERE id = 7").await;
    let error = db.run(Price::execute_on(7, changes())).await.unwrap_err();
    assert!(error.to_string().contains("column `currency`: XYZ is no currency"), "{error}");
}

#[tokio::test]
async fn a_unique_value_that_is_taken_is_an_error_of_its_field() {
    let mut db = fresh().await;
    let new = |email: &str, login: &str| NewAccount { email: email.into(), realm: "r".into(), login: login.into() };
    db.run(Account::insert(new("ann@example.org", "ann"))).await.unwrap();
    let ben = db.run(Account::insert(new("ben@example.org", "ben"))).await.unwrap();

    let fields = |error: &Error| {
        error.field_errors::<Account>().unwrap_or_else(|| panic!("{error}")).to_string()
    };
    let taken = |email: &str| AccountChanges { email: Some(email.into()), ..Default::default() };
    let by_insert = db.run(Account::insert(new("ann@example.org", "anna"))).await.unwrap_err();
    let by_update = db.run(ben.update(taken("ann@example.org"))).await.unwrap_err();
    let by_batch = db.run(batch(vec![ben.update(taken("ann@example.org"))])).await.unwrap_err();
    for error in [by_insert, by_update, by_batch] {
        assert_eq!(fields(&error), "email is taken already");
    }
    let both = db.run(Account::insert(new("eve@example.org", "ann"))).await.unwrap_err();
    let suffix = "is taken already, together with the other fields";
    assert_eq!(fields(&both), format!("realm {suffix}; login {suffix}"));
    assert!(db.run(Account::replay(99)).await.unwrap().is_none());
}

#[tokio::test]
async fn times_of_the_crate_time() {
    use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};
    let mut db = fresh().await;
    let day = Date::from_calendar_date(2026, Month::March, 5).unwrap();
    let nanos = Time::from_hms_nano(23, 30, 15, 123_456_789).unwrap();
    // Another offset, and more digits than a database keeps.
    let due = OffsetDateTime::new_in_offset(day, nanos, UtcOffset::from_hms(2, 0, 0).unwrap());
    let new = || NewVisit { planned: PrimitiveDateTime::new(day, nanos), day, hour: Some(nanos), due };
    let changes = || VisitChanges { hour: Some(None), day: day.next_day(), ..Default::default() };
    lives::<Visit>(&mut db, "visits", new, changes).await;
    let visit = db.run(Visit::insert(new())).await.unwrap();
    assert_eq!(visit.due, due.replace_nanosecond(123_456_000).unwrap());
    assert!(visit.seen_at.is_some_and(|at| at.date() == visit.made_at.date()));
    let history = db.run(Visit::history(visit.id)).await.unwrap();
    let external = history.iter().any(|it| it.event.action() == "external");
    assert!(!external, "what the database keeps is what was recorded");
}
