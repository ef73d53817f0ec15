//! Structs as applications have them: embedded, with serde attributes, with fields that are no columns.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use evented_adoption_schema::{accounts, addresses, prices};
use evented_diesel::Evented;
use serde::{Deserialize, Serialize};

// `print-schema` has no type for a point in time that both databases have.
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::UtcTime;
    visits (id) {
        id -> Integer,
        planned -> Timestamp,
        day -> Date,
        hour -> Nullable<Time>,
        made_at -> Timestamp,
        seen_at -> Nullable<UtcTime>,
        due -> UtcTime,
    }
}

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

/// An amount that Diesel writes and reads as a number, by conversions of the application.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Cents(pub i64);

impl From<Cents> for i64 {
    fn from(cents: Cents) -> Self {
        cents.0
    }
}

impl From<i64> for Cents {
    fn from(cents: i64) -> Self {
        Self(cents)
    }
}

/// A text that may be none of the known ones. The type has no form of serde's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Currency {
    Eur,
    Chf,
}

/// A text that is read by Diesel's `Queryable`, without a `FromSql` of its own.
#[derive(Debug)]
pub struct CurrencyText(String);

impl<DB> Queryable<diesel::sql_types::Text, DB> for CurrencyText
where
    DB: diesel::backend::Backend,
    String: diesel::deserialize::FromStaticSqlRow<diesel::sql_types::Text, DB>,
{
    type Row = String;
    fn build(row: String) -> diesel::deserialize::Result<Self> {
        Ok(Self(row))
    }
}

/// The form of a currency in the log.
pub mod currency_code {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Currency;

    pub fn serialize<S: Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match currency {
            Currency::Eur => "e",
            Currency::Chf => "c",
        })
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "e" => Ok(Currency::Eur),
            "c" => Ok(Currency::Chf),
            other => Err(D::Error::custom(format!("{other} is no code of a currency"))),
        }
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        format!("{currency:?}").to_uppercase()
    }
}

impl TryFrom<CurrencyText> for Currency {
    type Error = String;
    fn try_from(CurrencyText(text): CurrencyText) -> Result<Self, String> {
        match text.as_str() {
            "EUR" => Ok(Self::Eur),
            "CHF" => Ok(Self::Chf),
            _ => Err(format!("{text} is no currency")),
        }
    }
}

#[derive(Evented, Queryable, Selectable, Insertable, Clone, Debug, PartialEq)]
#[diesel(table_name = prices)]
pub struct Price {
    #[evented(given)]
    pub id: i32,
    #[diesel(serialize_as = i64, deserialize_as = i64)]
    pub amount: Cents,
    #[diesel(serialize_as = String, deserialize_as = CurrencyText)]
    #[evented(with = currency_code)]
    pub currency: Currency,
    pub note: Option<String>,
}

/// Several unique columns.
#[derive(Evented, Queryable, Selectable, Debug, PartialEq)]
#[diesel(table_name = accounts)]
pub struct Account {
    pub id: i32,
    #[diesel(column_name = mail)]
    pub email: String,
    pub realm: String,
    pub login: String,
}

/// Times of the crate `time`.
#[derive(Evented, Queryable, Selectable, Debug, PartialEq)]
#[diesel(table_name = visits)]
pub struct Visit {
    pub id: i32,
    pub planned: time::PrimitiveDateTime,
    pub day: time::Date,
    pub hour: Option<time::Time>,
    #[evented(inserted_at)]
    pub made_at: time::PrimitiveDateTime,
    #[evented(updated_at)]
    pub seen_at: Option<time::OffsetDateTime>,
    pub due: time::OffsetDateTime,
}
