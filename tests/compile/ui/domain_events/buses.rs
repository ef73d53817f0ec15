//! Faults of buses.

use evented_diesel::Bus;

#[derive(Bus)]
struct WithoutTable;

#[derive(Bus)]
#[bus(table = "shop.events")]
struct Qualified;

#[derive(Bus)]
#[bus(table = "events")]
struct WithFields {
    name: String,
}

fn main() {}
