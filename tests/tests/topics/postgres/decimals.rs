//! Numbers that a column stores with more digits than they were written with.

use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
use evented_diesel::{Evented, EventedDsl as _, EventedTableDsl as _, batch};
use rust_decimal::Decimal;

use super::Db;

diesel::table! {
    prices (id) { id -> Integer, amount -> Numeric, discount -> Nullable<Numeric> }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = prices)]
struct Price {
    id: i32,
    amount: Decimal,
    discount: Option<Decimal>,
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[tokio::test]
async fn trailing_zeros_are_no_change() {
    let mut db = Db::new().await;
    db.sql("CREATE TABLE prices (id SERIAL PRIMARY KEY, amount NUMERIC(12, 2) NOT NULL, discount NUMERIC(12, 4))").await;
    db.run(Migrations::of::<Price>()).await.unwrap();
    let new = |amount: &str| Price::insert(NewPrice { amount: decimal(amount), discount: Some(decimal("0.1")) });
    let mut prices = vec![db.run(new("19.9")).await.unwrap()];
    prices.extend(db.run(batch([new("20"), new("0"), new("-1.50")])).await.unwrap());
    for price in &prices {
        let more = PriceChanges { amount: Some(price.amount + decimal("1.100")), ..PriceChanges::default() };
        db.run(price.update(more)).await.unwrap();
        let actions: Vec<_> = db.run(Price::history(price)).await.unwrap();
        let actions: Vec<_> = actions.iter().map(|entry| entry.event.action().to_owned()).collect();
        assert_eq!(actions, ["insert", "update"]);
    }
    assert_eq!(db.run(Price::adopt()).await.unwrap().recorded(), 0);
    assert_eq!(db.run(Price::verify_table()).await.unwrap(), []);
}
