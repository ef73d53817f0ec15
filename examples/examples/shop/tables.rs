//! The tables of the shop.

use diesel::connection::SimpleConnection;
use evented_diesel::DomainEvents;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;
use evented_react::MigrationsExt as _;

use crate::model::{Item, Order};
use crate::{Conn, KEY};

/// Creates the tables: of the application, of the logs of its models, of the bus, and of subscribers.
pub fn create(conn: &mut Conn) -> anyhow::Result<()> {
    conn.batch_execute(&format!(
        "CREATE TABLE items (id {KEY}, name TEXT NOT NULL, stock INTEGER NOT NULL);
         CREATE TABLE orders (id {KEY}, customer TEXT NOT NULL, item_id INTEGER NOT NULL, count INTEGER NOT NULL,
             total INTEGER NOT NULL, day DATE NOT NULL);
         CREATE INDEX orders_day ON orders (day);
         CREATE TABLE invoices (number {KEY}, order_id INTEGER NOT NULL, total INTEGER NOT NULL);
         CREATE TABLE days (day DATE PRIMARY KEY, orders BIGINT NOT NULL, total BIGINT NOT NULL);"
    ))?;
    Migrations::new().log::<Item>().log::<Order>().bus::<DomainEvents>().react().run(conn)?;
    Ok(())
}
