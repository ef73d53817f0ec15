//! A key may be a type of the user: `key = …` names the underlying type.

use diesel::prelude::*;
use diesel::{deserialize::FromSqlRow, expression::AsExpression};
use evented_diesel::Event;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

macro_rules! key {
    ($name:ident of $inner:ty as $sql:ty) => {
        #[derive(AsExpression, FromSqlRow, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
        #[diesel(sql_type = $sql)]
        pub(crate) struct $name($inner);

        impl<DB: diesel::backend::Backend> diesel::serialize::ToSql<$sql, DB> for $name
        where
            $inner: diesel::serialize::ToSql<$sql, DB>,
        {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, DB>,
            ) -> diesel::serialize::Result {
                self.0.to_sql(out)
            }
        }
        impl<DB: diesel::backend::Backend> diesel::deserialize::FromSql<$sql, DB> for $name
        where
            $inner: diesel::deserialize::FromSql<$sql, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                <$inner>::from_sql(value).map($name)
            }
        }
        impl From<$inner> for $name {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }
        impl From<$name> for $inner {
            fn from(key: $name) -> Self {
                key.0
            }
        }
    };
}

key!(Slug of String as diesel::sql_types::Text);
key!(Number of i64 as diesel::sql_types::BigInt);

diesel::table! {
    essays (slug) {
        slug -> Text,
        text -> Text,
    }
}
diesel::table! {
    bills (number) {
        number -> BigInt,
        amount -> BigInt,
    }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = essays, primary_key(slug))]
struct Essay {
    #[evented(key = String)]
    slug: Slug,
    text: String,
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = bills)]
struct Bill {
    #[evented(id, key = i64)]
    number: Number,
    amount: i64,
}

/// Only compiled: the type is PostgreSQL's. The derive knows only its underlying type.
mod on_postgres {
    use super::*;

    key!(ShelfId of uuid::Uuid as diesel::sql_types::Uuid);

    diesel::table! {
        shelves (id) {
            id -> Uuid,
            width -> Integer,
        }
    }

    #[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
    #[diesel(table_name = shelves)]
    pub(super) struct Shelf {
        #[evented(key = Uuid)]
        id: ShelfId,
        width: i32,
    }

    pub(super) fn widen(shelf: &Shelf, conn: &mut PgConnection) -> Shelf {
        shelf.update(ShelfChanges { width: Some(shelf.width + 1) }).run(conn).unwrap()
    }
}

#[test]
fn they_work() {
    let _ = on_postgres::widen;
    let tables = "CREATE TABLE essays (slug TEXT PRIMARY KEY, text TEXT NOT NULL);
                  CREATE TABLE bills (number INTEGER PRIMARY KEY, amount BIGINT NOT NULL)";
    let conn = &mut super::database(tables, &Migrations::new().log::<Essay>().log::<Bill>());
    let essay = Essay::insert(NewEssay { slug: Slug("on-logs".into()), text: "…".into() }).run(conn).unwrap();
    assert_eq!(Essay::replay(Slug("on-logs".into())).run(conn).unwrap(), Some(essay));
    let bill = Bill::insert(NewBill { amount: 3 }).run(conn).unwrap();
    assert_eq!(bill.number, Number(1));
    let bill = Bill::execute_on(Number(1), BillChanges { amount: Some(4) }).run(conn).unwrap();
    assert_eq!(bill.events().load::<Event<Bill>>(conn).unwrap()[1].record, Number(1));
}
