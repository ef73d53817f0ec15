//! Structs as applications have them: embedded, with serde attributes, with fields that are no columns.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use evented_adoption_schema::addresses;
use evented_diesel::Evented;
use serde::{Deserialize, Serialize};

/// Two columns as one struct.
#[derive(Queryable, Selectable, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[diesel(table_name = addresses)]
pub struct Place {
    pub street: String,
    pub city: Option<String>,
}

#[derive(Evented, Queryable, Selectable, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[diesel(table_name = addresses)]
pub struct Address {
    pub id: i32,
    #[serde(rename = "called")]
    pub name: String,
    #[diesel(embed)]
    #[evented(embed(street: String, city: Option<String>))]
    pub place: Place,
    /// Not for the API; recorded all the same.
    #[serde(skip)]
    #[evented(skip_update)]
    pub secret: String,
    #[evented(updated_at)]
    pub seen_at: Option<NaiveDateTime>,
    /// What the application adds after it has read the row.
    #[diesel(select_expression = addresses::name.is_not_null())]
    #[diesel(select_expression_type = diesel::dsl::IsNotNull<addresses::name>)]
    #[evented(skip)]
    pub is_named: bool,
}
