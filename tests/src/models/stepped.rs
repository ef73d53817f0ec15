//! A model with several schema versions.

use diesel::prelude::*;
use evented_diesel::{Action, Context, Evented, Id, RawPayload};
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    stepped (id) {
        id -> Uid,
        path -> Text,
        count -> Integer,
    }
}

/// A model in which each migration step leaves its mark on the payload.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = stepped)]
#[evented(version = 3, actions(Walk), upcast(0 = Stepped::to_1, 1 = Stepped::to_2, 2 = Stepped::to_3))]
pub struct Stepped {
    pub id: Id<Stepped>,
    #[evented(renamed(from = "way", version = 2))]
    pub path: String,
    pub count: i32,
}

impl Stepped {
    fn mark(attrs: &mut RawPayload, field: &str, step: &str) {
        if let Some(path) = attrs.get(field).and_then(|path| path.as_str()) {
            let path = format!("{path}{step}");
            attrs.set(field, path);
        }
    }
    fn to_1(attrs: &mut RawPayload) {
        Self::mark(attrs, "way", "→1");
    }
    fn to_2(attrs: &mut RawPayload) {
        // The field already has its new name here.
        Self::mark(attrs, "path", "→2");
    }
    fn to_3(attrs: &mut RawPayload) {
        Self::mark(attrs, "path", "→3");
        // An update contains only the changed fields; a record from before version 3 had no count.
        if ["insert", "savepoint"].contains(&attrs.action()) && attrs.version_in(0..=2) {
            attrs.set("count", 7);
        }
    }
}

/// Appends to the path.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Walk {
    pub path: String,
}

impl Action<Stepped> for Walk {
    fn apply(&self, stepped: &mut Stepped, _: &Context) {
        stepped.path = format!("{} {}", stepped.path, self.path);
    }
}
