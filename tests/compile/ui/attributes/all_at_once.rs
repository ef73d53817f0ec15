//! Faults of every kind in one struct: all are reported, so that nobody mends them one by one.

use evented_diesel::Evented;
use serde::{Deserialize, Serialize};

#[derive(Evented, Serialize, Deserialize)]
#[diesel(table_name = "items")]
#[evented(version = 2, drift = adpot, actions(Filter, Close, Shut(name = "close")))]
#[evented(savepoint(evry = 3), scopes(org = ogr_id), upcast(2 = f))]
struct Item {
    #[evented(id)]
    id: Option<i32>,
    #[evented(id)]
    other_id: i32,
    org_id: i32,
    #[evented(renamed(from = "title", version = 3))]
    #[serde(skip)]
    name: String,
    #[diesel(embed)]
    place: (i32, i32),
    #[evented(revision)]
    revision: String,
    #[evented(updated_at, skip_insert)]
    updated_at: String,
}

fn main() {}
