//! The log stores field by field, so serde's attributes for the whole struct must not hide or reshape a field.

use evented_diesel::Evented;
use serde::{Deserialize, Serialize};

#[derive(Evented, Serialize, Deserialize)]
struct Item {
    id: i32,
    #[serde(skip)]
    a: i32,
    #[serde(default, skip_serializing)]
    b: i32,
    #[serde(skip_deserializing)]
    c: i32,
    #[serde(flatten)]
    d: std::collections::HashMap<String, String>,
    #[serde(with = "numbers")]
    e: i32,
    #[serde(serialize_with = "numbers::serialize", deserialize_with = "numbers::deserialize")]
    f: i32,
}

mod numbers {
    pub fn serialize<S: serde::Serializer>(n: &i32, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i32(*n)
    }
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<i32, D::Error> {
        serde::Deserialize::deserialize(d)
    }
}

fn main() {}
