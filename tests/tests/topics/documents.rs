//! Tests documents of JSON on every path by which they are written: what is accepted is read back as it was, and what
//! could not be read back is refused before anything is written.

use std::collections::HashSet;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sqlite::Sqlite;
use evented_diesel::sql_types::JsonText;
use evented_diesel::{Action, Context, Evented};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::JsonText;
    documents (id) {
        id -> Integer,
        body -> JsonText,
        tags -> JsonText,
    }
}

/// A set whose order differs each time it is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = JsonText)]
pub(crate) struct Tags(pub(crate) HashSet<String>);

impl ToSql<JsonText, Pg> for Tags {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let value = serde_json::to_value(self)?;
        ToSql::<JsonText, Pg>::to_sql(&value, &mut out.reborrow())
    }
}

impl ToSql<JsonText, Sqlite> for Tags {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(self)?);
        Ok(serialize::IsNull::No)
    }
}

impl<DB: diesel::backend::Backend> FromSql<JsonText, DB> for Tags
where
    Value: FromSql<JsonText, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(serde_json::from_value(Value::from_sql(bytes)?)?)
    }
}

#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = documents)]
#[evented(actions(Wrap))]
pub(crate) struct Document {
    pub(crate) id: i32,
    pub(crate) body: Value,
    #[evented(unordered)]
    pub(crate) tags: Tags,
}

/// Puts the body into a list, and changes it by a document.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Wrap(pub(crate) Value);

impl Action<Document> for Wrap {
    fn apply(&self, document: &mut Document, _: &Context) {
        document.body = json!([self.0]);
    }
}

/// Documents that are hard to keep: deep ones, reserved keys, NUL, large numbers, duplicates of other spellings.
fn document() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        4 => "\\PC{0,8}",
        1 => Just("a\0b".to_owned()),
        1 => Just("$serde_json::private::RawValue".to_owned()),
        1 => Just("$serde_json::private::Number".to_owned()),
        1 => Just("$erased".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no NaN", |it| it.is_finite()).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    (tree, prop_oneof![8 => 0..4_usize, 2 => 90..125_usize])
        .prop_map(|(tree, around)| (0..around).fold(tree, |inner, _| json!([inner])))
}

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "documents"]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "paths_of_documents.rs"]
            mod paths_of_documents;
        }
    )*};
}

settings!(
    sync_sqlite: SyncSqlite,
    async_sqlite: AsyncSqlite,
    sync_postgres: SyncPostgres,
    async_postgres: AsyncPostgres
);
