//! A type of the user's that says nothing of how the database compares it.

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_live::LiveDsl;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) { id -> Uid, state -> Text }
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
struct State(String);

impl<DB: diesel::backend::Backend> diesel::serialize::ToSql<diesel::sql_types::Text, DB> for State
where
    String: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB: diesel::backend::Backend> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for State
where
    String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        String::from_sql(bytes).map(Self)
    }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = items)]
#[evented(live)]
struct Item {
    id: Id<Item>,
    state: State,
}

fn main() {
    let _ = Item::live().filter(|i| i.state.eq(State("open".into())));
    let _ = Item::live().order(|i| i.state.asc());
}
