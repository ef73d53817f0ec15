//! Generated code names everything by its full path, so that the user's names cannot shadow anything in it: types,
//! traits, modules or macros.
#![allow(dead_code, reason = "they are only there to be taken for something else")]

struct Result;
struct Option;
struct String;
struct Vec;
struct Box;
struct Some;
struct None;
struct Ok;
struct Err;
struct Uuid;
struct Id;
struct Error;
struct Context;
struct Value;
struct Changeset;
struct Command;
struct Event;
struct External;
struct Fields;
struct ValidationErrors;
struct Retired;
struct DateTime;
struct Utc;
trait Clone {}
trait Default {}
trait Debug {}
trait From {}
trait Into {}
trait TryFrom {}
trait TryInto {}
trait Iterator {}
trait Send {}
trait Sync {}
trait Sized {}
trait Action {}
trait Create {}
trait Evented {}
trait Serialize {}
trait Deserialize {}
mod std {}
mod core {}
mod serde {}
mod serde_json {}
mod evented_diesel {}
mod uuid {}
mod chrono {}
mod sql_types {}
mod names {}

diesel::table! {
    use diesel::sql_types::*;
    use ::evented_diesel::sql_types::{Uid, UtcTime};
    things (id) {
        id -> Uid,
        name -> Text,
        note -> Nullable<Text>,
        parts -> Integer,
        made_at -> UtcTime,
        revision -> Integer,
        by_database -> Integer,
    }
}

#[derive(::evented_diesel::Evented, ::core::clone::Clone, ::core::fmt::Debug, ::core::cmp::PartialEq)]
#[diesel(table_name = things)]
#[evented(
    version = 1,
    actions(Rename),
    retired("lost" = Thing::lost),
    scopes(name = name),
    upcast(0 = Thing::v0),
    check = Thing::valid,
    savepoint(with = Thing::short)
)]
struct Thing {
    id: ::evented_diesel::Id<Thing>,
    #[evented(renamed(from = "title", version = 1))]
    name: ::std::string::String,
    note: ::core::option::Option<::std::string::String>,
    #[evented(skip_insert)]
    parts: i32,
    #[evented(inserted_at)]
    made_at: ::chrono::DateTime<::chrono::Utc>,
    #[evented(revision)]
    revision: i32,
    #[evented(generated)]
    by_database: i32,
}

#[derive(::serde::Serialize, ::serde::Deserialize, ::core::clone::Clone, ::core::fmt::Debug)]
struct Rename;

impl ::evented_diesel::Action<Thing> for Rename {
    fn apply(&self, thing: &mut Thing, _: &::evented_diesel::Context) {
        thing.name.push('!');
    }
}

impl Thing {
    fn valid(&self) -> ::core::result::Result<(), ::evented_diesel::ValidationErrors> {
        ::core::result::Result::Ok(())
    }
    fn short(&self) -> ::evented_diesel::Fields {
        let mut fields = ::evented_diesel::Fields::new();
        fields.set("name", self.name.as_str());
        fields
    }
    fn lost(_: &::evented_diesel::RawPayload, _: &mut Thing, _: &::evented_diesel::Context) {}
    fn v0(_: &mut ::evented_diesel::RawPayload) {}
}

#[test]
fn they_are_left_alone() {
    use ::evented_diesel::Run as _;

    let tables = "CREATE TABLE things (id BLOB PRIMARY KEY, name TEXT NOT NULL, note TEXT, parts INTEGER NOT NULL, \
                  made_at TEXT NOT NULL, revision INTEGER NOT NULL, by_database INTEGER NOT NULL DEFAULT 7)";
    let conn = &mut super::database(tables, &::evented_diesel::migrations::Migrations::new().log::<Thing>());
    let new = NewThing { name: "x".into(), note: ::core::option::Option::None };
    use ::evented_diesel::EventedDsl as _;
    let thing = Thing::insert(new).run(conn).unwrap();
    let thing = thing.rename(Rename).run(conn).unwrap();
    assert_eq!((thing.name.as_str(), thing.revision, thing.by_database), ("x!", 2, 7));
}
