//! A field's type has a serde form, which the log keeps.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteValue};
use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        colour -> Text,
    }
}

#[derive(AsExpression, FromSqlRow, Clone, Debug)]
#[diesel(sql_type = Text)]
struct Colour(String);

impl ToSql<Text, Sqlite> for Colour {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        ToSql::<Text, Sqlite>::to_sql(&self.0, out)
    }
}
impl FromSql<Text, Sqlite> for Colour {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        <String as FromSql<Text, Sqlite>>::from_sql(value).map(Colour)
    }
}

#[derive(Evented, Clone)]
struct Item {
    id: Id<Item>,
    colour: Colour,
}

fn main() {}
