//! A key of two columns in a log with hashes, shards and links, with and without a table of its own.

use diesel::prelude::*;
use evented_diesel::{EventLog, Evented};

pub mod schema {
    diesel::table! {
        trips (region, number) {
            region -> Text,
            number -> Integer,
            load -> Integer,
        }
    }
}
use schema::trips;

#[derive(Debug, EventLog)]
#[event_log(table = "trip_events", key = String, hashed, shards(3), links(hops), models(Trip, Draft))]
pub struct TripEvents;

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = trips, primary_key(region, number))]
#[evented(log(shared = TripEvents))]
pub struct Trip {
    pub region: String,
    pub number: i32,
    pub load: i32,
}

/// The log is its only store.
#[derive(Evented, Clone, Debug, PartialEq)]
#[diesel(primary_key(region, number))]
#[evented(log(shared = TripEvents, only))]
pub struct Draft {
    pub region: String,
    pub number: i32,
    pub load: i32,
}
