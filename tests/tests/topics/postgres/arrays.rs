//! Tests rows that are written as arrays, one for each column, and rows that cannot be.

use std::io::Write as _;

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, IsNull, Output, ToSql, WriteTuple};
use diesel::sql_types::{Integer, Nullable, Record};
use evented_diesel::migrations::Migrations;
use evented_diesel::{Error, Evented, EventedDsl as _, EventedTableDsl as _, Id, batch};
use evented_tests::models::columns::{Mood, MoodType};
use evented_tests::models::{NewNote, Note};
use evented_tests::watch::Watch;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Db;

/// A composite type.
#[derive(Debug, Clone, Copy, Default, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "spot"))]
pub struct SpotType;

/// A type whose oid is looked up within its schema.
#[derive(Debug, Clone, Copy, Default, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "int4", schema = "pg_catalog"))]
pub struct CountType;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = SpotType)]
struct Spot(i32, Option<Mood>);

/// The bytes contain the oid of the enum's type.
type Fields = (Integer, Nullable<MoodType>);

impl ToSql<SpotType, Pg> for Spot {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        WriteTuple::<Fields>::write_tuple(&(self.0, self.1), &mut out.reborrow())
    }
}
impl FromSql<SpotType, Pg> for Spot {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let (number, mood) = FromSql::<Record<Fields>, Pg>::from_sql(value)?;
        Ok(Self(number, mood))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = CountType)]
struct Count(i32);

impl ToSql<CountType, Pg> for Count {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.0.to_be_bytes())?;
        Ok(IsNull::No)
    }
}
impl FromSql<CountType, Pg> for Count {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<Integer, Pg>::from_sql(value).map(Self)
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    plain (id) {
        id -> Uid,
        name -> Text,
        note -> Nullable<Text>,
        code -> Bpchar,
        price -> Nullable<Numeric>,
        at -> Timestamptz,
        bytes -> Nullable<Binary>,
        document -> Jsonb,
        shout -> Text,
        number -> Integer,
    }
}

/// A model with types that every PostgreSQL database has.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = plain)]
struct Plain {
    id: Id<Plain>,
    name: String,
    note: Option<String>,
    code: String,
    price: Option<BigDecimal>,
    at: DateTime<Utc>,
    bytes: Option<Vec<u8>>,
    document: serde_json::Value,
    #[evented(generated)]
    shout: String,
    #[evented(generated)]
    number: i32,
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    use evented_tests::models::columns::MoodType;
    use super::{CountType, SpotType};
    named (id) {
        id -> Uid,
        mood -> MoodType,
        before -> Nullable<MoodType>,
        spot -> Nullable<SpotType>,
        count -> CountType,
    }
}

/// A model with types that have only a name.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = named)]
struct Named {
    id: Id<Named>,
    mood: Mood,
    before: Option<Mood>,
    spot: Option<Spot>,
    count: Count,
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    tagged (id) {
        id -> Uid,
        tags -> Array<Text>,
        numbers -> Nullable<Array<Nullable<Integer>>>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    use super::SpotType;
    spotted (id) {
        id -> Uid,
        spot -> Nullable<SpotType>,
    }
}

/// A model with a type within another type.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = spotted)]
struct Spotted {
    id: Id<Spotted>,
    spot: Option<Spot>,
}

/// A model with a column that is itself an array.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = tagged)]
struct Tagged {
    id: Id<Tagged>,
    tags: Vec<String>,
    numbers: Option<Vec<Option<i32>>>,
}

const TABLES: &str = "
    CREATE TYPE mood AS ENUM ('calm', 'very happy');
    CREATE TYPE spot AS (number INTEGER, mood mood);
    CREATE TABLE plain (
        id UUID PRIMARY KEY, name TEXT NOT NULL, note VARCHAR(40), code CHAR(5) NOT NULL, price NUMERIC(12, 2),
        at TIMESTAMPTZ NOT NULL, bytes BYTEA, document JSONB NOT NULL,
        shout TEXT NOT NULL GENERATED ALWAYS AS (upper(left(name, 20))) STORED, number INTEGER NOT NULL DEFAULT 7
    );
    CREATE TABLE named (
        id UUID PRIMARY KEY, mood mood NOT NULL, before mood, spot spot, count INTEGER NOT NULL
    );
    CREATE TABLE spotted (id UUID PRIMARY KEY, spot spot);
    CREATE TABLE tagged (id UUID PRIMARY KEY, tags TEXT[] NOT NULL, numbers INTEGER[])";

async fn fresh() -> Db {
    let mut db = Db::new().await;
    db.sql(TABLES).await;
    let logs = Migrations::new().log::<Plain>().log::<Named>().log::<Spotted>().log::<Tagged>();
    db.sql(&logs.up_sql(Db::DATABASE)).await;
    db
}

fn new_plain(number: i64) -> NewPlain {
    let odd = number % 2 == 1;
    NewPlain {
        name: format!("plain {number}, \\ \"{{NULL}}\" 🦀"),
        note: odd.then(|| if number % 3 == 0 { String::new() } else { "NULL".into() }),
        code: "a  bc".into(),
        price: (number % 3 == 0).then(|| BigDecimal::new(number.into(), 2)),
        at: DateTime::from_timestamp(1_700_000_000 + number, 0).unwrap(),
        bytes: (!odd).then(|| vec![0, 255, b'"', b','][..usize::try_from(number % 5).unwrap().min(4)].to_vec()),
        document: if odd { json!({ "number": number }) } else { json!(null) },
    }
}

fn new_named(number: i32) -> NewNamed {
    let odd = number % 2 == 1;
    let before = (number % 3 == 1).then_some(Mood::VeryHappy);
    NewNamed {
        mood: if odd { Mood::Calm } else { Mood::VeryHappy },
        before,
        spot: odd.then_some(Spot(number, before)),
        count: Count(number),
    }
}

fn new_tagged(number: i32) -> NewTagged {
    NewTagged {
        tags: (0..number % 3).map(|tag| format!("tag {tag}")).collect(),
        numbers: (number % 2 == 0).then(|| vec![Some(number), None]),
    }
}

/// Returns how many statements inserted rows, as arrays and as values.
fn inserts(watch: &Watch, table: &str) -> (usize, usize) {
    let sent = watch.taken();
    let rows: Vec<_> = sent.iter().filter(|it| it.starts_with(&format!("INSERT INTO \"{table}\" "))).collect();
    let arrays = rows.iter().filter(|it| it.contains("unnest($1)")).count();
    (arrays, rows.len() - arrays)
}

#[tokio::test]
async fn rows_written_as_arrays_are_what_they_would_be_as_values() {
    let mut db = fresh().await;
    let watch = db.watch();
    let mut made = Vec::new();
    // Single rows are written as values.
    for number in 0..20 {
        made.push(db.run(Plain::insert(new_plain(number))).await.unwrap());
    }
    assert_eq!(inserts(&watch, "plain").0, 0);
    made.extend(db.run(batch((20..300).map(|number| Plain::insert(new_plain(number))))).await.unwrap());
    assert_eq!(inserts(&watch, "plain"), (1, 0));
    assert_eq!(made[299].code, "a  bc");
    assert_eq!((made[20].shout.as_str(), made[20].number), ("PLAIN 20, \\ \"{NULL}\"", 7));
    let rows = plain::table.order(plain::at).select(Plain::as_select());
    assert_eq!(db.load(rows).await, made);

    db.sql("DELETE FROM plain").await;
    assert_eq!(db.run(Plain::rebuild()).await.unwrap().inserted, 300);
    assert_eq!(inserts(&watch, "plain"), (1, 0));
    assert_eq!(db.load(rows).await, made);
    assert_eq!(db.run(Plain::verify_table()).await.unwrap(), []);
}

#[tokio::test]
async fn enums_composites_and_what_else_has_only_a_name_are_asked_for_where_there_are_many() {
    let mut db = fresh().await;
    let watch = db.watch();
    let few = db.run(batch((0..20).map(|number| Named::insert(new_named(number))))).await.unwrap();
    assert_eq!(inserts(&watch, "named").0, 0, "it would take longer to ask");
    let many = db.run(batch((20..200).map(|number| Named::insert(new_named(number))))).await.unwrap();
    assert_eq!(inserts(&watch, "named"), (1, 0));
    let rows = named::table.order(named::count).select(Named::as_select());
    let made = [few, many].concat();
    assert_eq!(db.load(rows).await, made);

    db.sql("DELETE FROM named").await;
    assert_eq!(db.run(Named::rebuild()).await.unwrap().inserted, 200);
    assert_eq!(db.load(rows).await, made);
    assert_eq!(inserts(&watch, "named"), (1, 0));
}

#[tokio::test]
async fn a_type_that_the_first_row_does_not_show_makes_values_of_them() {
    let mut db = fresh().await;
    let spots = (0..100).map(|number| (number > 0).then_some(Spot(number, Some(Mood::Calm))));
    let made = db.run(batch(spots.map(|spot| Spotted::insert(NewSpotted { spot })))).await.unwrap();
    db.sql("DELETE FROM spotted").await;
    let watch = db.watch();
    assert_eq!(db.run(Spotted::rebuild()).await.unwrap().inserted, 100);
    assert_eq!(inserts(&watch, "spotted").0, 0);
    assert_eq!(db.load(spotted::table.order(spotted::id).select(Spotted::as_select())).await, made);
}

#[tokio::test]
async fn arrays_within_rows_come_as_values() {
    let mut db = fresh().await;
    let watch = db.watch();
    let made = db.run(batch((0..200).map(|number| Tagged::insert(new_tagged(number))))).await.unwrap();
    db.sql("DELETE FROM tagged").await;
    assert_eq!(db.run(Tagged::rebuild()).await.unwrap().inserted, 200);
    let (arrays, values) = inserts(&watch, "tagged");
    assert_eq!(arrays, 0);
    assert!(values > 0);
    let mut rows: Vec<Tagged> = db.load(tagged::table.select(Tagged::as_select())).await;
    rows.sort_by_key(|row| made.iter().position(|it| it.id == row.id));
    assert_eq!(rows, made);
}

#[tokio::test]
async fn large_rows_come_few_at_a_time() {
    let mut db = fresh().await;
    let name = "long ".repeat(300_000);
    let new = (0..7).map(|number| NewPlain { name: name.clone(), ..new_plain(number) });
    let made = db.run(batch(new.map(Plain::insert))).await.unwrap();
    db.sql("DELETE FROM plain").await;
    let watch = db.watch();
    assert_eq!(db.run(Plain::rebuild()).await.unwrap().inserted, 7);
    assert_eq!(inserts(&watch, "plain"), (3, 0));
    let rows = plain::table.order(plain::at).select(Plain::as_select());
    assert_eq!(db.load(rows).await, made);
}

#[tokio::test]
async fn keys_of_the_database_are_given_back_to_it() {
    let mut db = fresh().await;
    let mut made = Vec::new();
    for number in 0..70 {
        made.push(db.run(Note::insert(NewNote { text: format!("note {number}") })).await.unwrap());
    }
    db.sql("DELETE FROM notes").await;
    let watch = db.watch();
    assert_eq!(db.run(Note::rebuild()).await.unwrap().inserted, 70);
    assert_eq!(inserts(&watch, "notes"), (1, 0));
    let rows = evented_tests::models::schema::notes::table.order(evented_tests::models::schema::notes::id);
    assert_eq!(db.load::<Note, _>(rows).await, made);
}

#[tokio::test]
async fn a_refused_row_leaves_no_other_row() {
    let mut db = fresh().await;
    db.run(batch((0..100).map(|number| Plain::insert(new_plain(number))))).await.unwrap();
    db.sql("DELETE FROM plain; ALTER TABLE plain ADD CONSTRAINT not_this CHECK (name NOT LIKE 'plain 57%')").await;
    let error = db.run(Plain::rebuild()).await.unwrap_err();
    assert!(matches!(error, Error::Constraint { .. }), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM plain").await, 0);
}
