//! Models with a column of every type: one set for each database.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteValue};
use serde::{Deserialize, Serialize};

pub mod pg;
pub mod sqlite;

/// PostgreSQL's own type for a [`Mood`].
#[derive(Debug, Clone, Copy, Default, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "mood"))]
pub struct MoodType;

/// An enum of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = MoodType)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    #[default]
    Calm,
    /// The name in the database contains a space.
    VeryHappy,
}

impl Mood {
    fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::VeryHappy => "very happy",
        }
    }

    fn named(name: &str) -> deserialize::Result<Self> {
        match name {
            "calm" => Ok(Self::Calm),
            "very happy" => Ok(Self::VeryHappy),
            other => Err(format!("`{other}` is no mood").into()),
        }
    }
}

impl ToSql<MoodType, Pg> for Mood {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, self.name().as_bytes())?;
        Ok(IsNull::No)
    }
}
impl FromSql<MoodType, Pg> for Mood {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Self::named(std::str::from_utf8(value.as_bytes())?)
    }
}
impl ToSql<Text, Sqlite> for Mood {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.name());
        Ok(IsNull::No)
    }
}
impl FromSql<Text, Sqlite> for Mood {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Self::named(&<String as FromSql<Text, Sqlite>>::from_sql(value)?)
    }
}
