//! The columns of a board.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use evented_live as live;
use serde::{Deserialize, Serialize};

/// What is to be done with an item: the column that it is in.
#[derive(AsExpression, FromSqlRow, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[diesel(sql_type = Text)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Todo,
    Doing,
    Done,
}

/// Two states are equal exactly if their names in the database are.
impl live::Value for State {}

impl State {
    /// All states, in the order of the columns.
    pub const ALL: [Self; 3] = [Self::Todo, Self::Doing, Self::Done];

    /// The name in the database and in JSON, which is the label of the column on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Doing => "doing",
            Self::Done => "done",
        }
    }
}

impl<DB: Backend> ToSql<Text, DB> for State
where
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.name().to_sql(out)
    }
}

impl<DB: Backend> FromSql<Text, DB> for State
where
    String: FromSql<Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let name = String::from_sql(value)?;
        let state = Self::ALL.into_iter().find(|state| state.name() == name);
        state.ok_or_else(|| format!("`{name}` is no state").into())
    }
}
