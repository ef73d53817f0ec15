//! Faults of domain events.

use evented_diesel::{DomainEvent, RawPayload};
use serde::{Deserialize, Serialize};

fn step(_: &mut RawPayload) {}

#[derive(DomainEvent, Serialize, Deserialize)]
struct Nameless {
    order: i32,
}

#[derive(DomainEvent, Serialize, Deserialize)]
#[domain_event(name = "", key = odrer, aliases("a", "a"), verison = 1)]
struct Misspelled {
    order: i32,
}

#[derive(DomainEvent, Serialize, Deserialize)]
#[domain_event(name = "placed", version = 2, upcast(0 = step, 0 = step, 2 = step))]
struct Unreached {
    order: i32,
}

#[derive(DomainEvent, Serialize, Deserialize)]
#[domain_event(name = "generic")]
struct Generic<T> {
    order: T,
}

#[derive(DomainEvent, Serialize, Deserialize)]
#[domain_event(name = "keyed", key = at)]
struct KeyedByNoKey {
    at: f64,
}

#[derive(DomainEvent)]
#[domain_event(name = "unstorable")]
struct WithoutSerde {
    order: i32,
}

fn main() {}
