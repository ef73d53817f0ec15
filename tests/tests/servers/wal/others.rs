//! Tests a hub on the write-ahead log with a table that only other programs write, and that has no log.

use diesel::prelude::*;
use evented_diesel::{Error, Evented, EventedDsl as _, Run};
use evented_feed::{Change, ChangeKind, Feed, Hub};

use super::stage::Stage;

diesel::table! {
    orders (id) { id -> Integer, shop -> Text, amount -> Integer, note -> Nullable<Text> }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = orders)]
#[evented(scopes(shop = shop))]
struct Order {
    id: i32,
    shop: String,
    amount: i32,
    note: Option<String>,
}

const TABLE: &str = "CREATE TABLE orders (id int PRIMARY KEY, shop text NOT NULL, amount int NOT NULL, note text); \
     ALTER TABLE orders REPLICA IDENTITY FULL";

async fn change(feed: &mut Feed<Order>) -> Change<Order> {
    let delivered = tokio::time::timeout(std::time::Duration::from_secs(60), feed.next()).await;
    delivered.expect("in time").expect("a change").expect("no error")
}

#[tokio::test]
async fn a_table_without_a_log_is_delivered_by_scope_and_policy() {
    let mut stage = Stage::new(TABLE);
    let hub = Hub::on_wal::<Order>().spawn(stage.config()).await.unwrap();
    let mut north = hub.subscribe(Order::changes().scope(Order::SHOP.eq("north"))).unwrap();
    let mut large = hub.subscribe(Order::changes().allowed_by(|order: &Order| order.amount >= 100)).unwrap();
    stage.sql("INSERT INTO orders VALUES (1, 'north', 5, NULL), (2, 'south', 500, 'urgent')");
    stage.sql(
        "UPDATE orders SET amount = 200; UPDATE orders SET shop = 'south' WHERE id = 1; DELETE FROM orders",
    );

    use ChangeKind::{Delete, Enter, Insert, Leave, Update};
    let order = |id, shop: &str, amount, note: Option<&str>| {
        Some(Order { id, shop: shop.to_owned(), amount, note: note.map(str::to_owned) })
    };
    let insert = change(&mut north).await;
    assert_eq!((insert.kind(), insert.after().cloned()), (Insert, order(1, "north", 5, None)));
    assert_eq!((insert.event(), insert.action(), insert.actor()), (None, None, None));
    let update = change(&mut north).await;
    assert_eq!((update.kind(), update.before().cloned()), (Update, order(1, "north", 5, None)));
    assert_eq!(update.changeset().unwrap().get("amount").unwrap().to, 200);
    assert_eq!(change(&mut north).await.kind(), Leave);

    let mut delivered = Vec::new();
    for _ in 0..6 {
        let change = change(&mut large).await;
        delivered.push((change.kind(), *change.key().unwrap()));
    }
    assert_eq!(delivered, [(Insert, 2), (Enter, 1), (Update, 2), (Update, 1), (Delete, 2), (Delete, 1)]);
}

#[tokio::test]
async fn its_rows_and_the_changes_after_them_fit_together() {
    let mut stage = Stage::new(TABLE);
    let hub = Hub::on_wal::<Order>().spawn(stage.config()).await.unwrap();
    let feed = hub.subscribe(Order::changes()).unwrap();
    stage.sql("INSERT INTO orders VALUES (1, 'north', 1, NULL)");
    let mut other = stage.connect();
    let mut reading = stage.conn().build_transaction().repeatable_read();
    let (seen, rows) = reading
        .run::<_, Error, _>(|conn| {
            let seen = Order::read_point().run(conn)?;
            diesel::sql_query("INSERT INTO orders VALUES (2, 'north', 2, NULL)").execute(&mut other)?;
            Ok((seen, orders::table.select(Order::as_select()).load(conn)?))
        })
        .unwrap();
    assert_eq!(rows.iter().map(|order| order.id).collect::<Vec<_>>(), [1]);
    assert_eq!(change(&mut feed.after(seen)).await.key(), Some(&2));
}
