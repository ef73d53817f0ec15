//! A derive sees types as they are written, so the fields that the library fills have types that it knows.

use std::time::SystemTime;

use chrono::{DateTime, Local, Utc};
use evented_diesel::Evented;

type Time = DateTime<Utc>;

#[derive(Evented)]
struct Item {
    id: i32,
    #[evented(revision)]
    revision: u32,
    #[evented(inserted_at)]
    inserted_at: Time,
    #[evented(updated_at)]
    updated_at: Option<DateTime<Utc>>,
}

#[derive(Evented)]
struct User {
    id: i32,
    #[evented(revision)]
    revision: Option<i64>,
    #[evented(inserted_at)]
    inserted_at: DateTime<Local>,
    #[evented(updated_at)]
    updated_at: SystemTime,
}

fn main() {}
