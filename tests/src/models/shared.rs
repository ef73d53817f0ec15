//! Models that share logs: a log with hashes and links, a log sharded by the key, a log sharded by a function, and a
//! log whose keys the caller provides.
//!
//! Each model has a name and a value, so that one test can run on each of them: see [`Thing`].

use std::fmt::Debug;

use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::{
    Action, Context, Error, Event, EventLog, Evented, EventedBackend, EventedDsl as _, Executor, Id,
    KeyValue, Model, PendingEvent, ValidationErrors,
};
use serde::{Deserialize, Serialize};

mod thing;

pub use thing::{Add, Thing};

/// Returns the SQL that creates the tables and the logs. Only the tests that use them run it, so that the other tests
/// need not wait for it.
#[must_use]
pub fn tables(database: Database) -> String {
    let tables = match database {
        Database::Postgres => include_str!("shared/pg.sql"),
        Database::Sqlite => include_str!("shared/sqlite.sql"),
    };
    format!("{tables}\n{}", logs().up_sql(database))
}

/// Returns the migrations of the logs.
pub fn logs() -> Migrations {
    Migrations::new().event_log::<Board>().event_log::<Parcels>().event_log::<Regions>().event_log::<Names>()
}

pub mod schema {
    macro_rules! tables {
        ($($table:ident: $key:ident $(, $more:ident)?;)*) => {$(
            diesel::table! {
                use diesel::sql_types::*;
                use evented_diesel::sql_types::Uid;
                $table (id) { id -> $key, name -> Text, value -> Integer, $($more -> BigInt,)? }
            }
        )*};
    }
    tables!(
        cards: Uid; remarks: Uid; letters: Uid; meters: Uid; healers: Uid;
        parcels: Uid, revision;
        shops: Text; people: Text; towns: Text;
    );
    diesel::allow_tables_to_appear_in_same_query!(cards, remarks);
}
use schema::{cards, healers, letters, meters, parcels, people, remarks, shops, towns};

/// A log with all features except shards.
#[derive(EventLog, Debug)]
#[event_log(
    table = "events",
    models(Card, Remark(schema = "comments"), Talk, Letter, Memo, Meter, Gauge, Healer, Trace),
    key = Id,
    hashed,
    links(ancestors, replies(Reply)),
    actions(add(aliases("plus")), finish(aliases("complete")))
)]
pub struct Board;

/// The fields of a link.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Reply {
    pub tone: String,
}

/// A log sharded by the key. It has no hashes, so that PostgreSQL writes without a read where possible.
#[derive(EventLog, Debug)]
#[event_log(table = "parcel_events", models(Parcel, Track), shards(3), links(hops))]
pub struct Parcels;

/// A log sharded by a function of the key.
#[derive(EventLog, Debug)]
#[event_log(
    table = "region_events",
    models(Shop, Visitor),
    key = String,
    hashed,
    links(hops),
    shards("eu", "us", by = by_region)
)]
pub struct Regions;

fn by_region(record: &KeyValue) -> usize {
    match record {
        KeyValue::Text(key) if key.starts_with("us/") => 1,
        _ => 0,
    }
}

/// A log whose keys the caller provides.
#[derive(EventLog, Debug)]
#[event_log(table = "name_events", models(Person, Town, Nick), key = String, links(hops))]
pub struct Names;

/// An action of only one model, with an old name in the log's list.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Finish;

impl Action<Card> for Finish {
    fn apply(&self, card: &mut Card, _: &Context) {
        card.value = 100;
    }
}

/// Records the actor.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Sign;

impl Action<Letter> for Sign {
    fn apply(&self, letter: &mut Letter, cx: &Context) {
        letter.name = cx.actor.clone().unwrap_or_default();
    }
}

macro_rules! things {
    ($($(#[$attribute:meta])* $model:ident: $key:ty, $new:ident, $changes:ident $(, $given:ident)?;)*) => {$(
        #[derive(Evented, Clone, Debug, PartialEq)]
        $(#[$attribute])*
        pub struct $model {
            pub id: $key,
            pub name: String,
            #[evented(skip_insert)]
            pub value: i32,
        }
        thing::is_a_thing!($model, $new, $changes $(, $given)?);
    )*};
}

things! {
    #[derive(Queryable, Selectable, Identifiable)]
    #[evented(log(shared = Board), actions(Add, Finish))]
    Card: Id<Card>, NewCard, CardChanges;
    #[derive(Queryable, Selectable, Identifiable)]
    #[evented(log(shared = Board), schema = "comments", actions(Add))]
    Remark: Id<Remark>, NewRemark, RemarkChanges;
    #[evented(log(shared = Board, only), actions(Add))]
    Talk: Id<Talk>, NewTalk, TalkChanges;
    #[derive(Queryable, Selectable, Identifiable)]
    #[evented(log(shared = Board), actions(Add, Sign), before_append = Letter::before_append)]
    Letter: Id<Letter>, NewLetter, LetterChanges;
    #[evented(log(shared = Board, only), actions(Add), before_append = Memo::before_append)]
    Memo: Id<Memo>, NewMemo, MemoChanges;
    #[derive(Queryable, Selectable, Identifiable)]
    #[evented(log(shared = Board), actions(Add), savepoint(every = 3))]
    Meter: Id<Meter>, NewMeter, MeterChanges;
    #[evented(log(shared = Board, only), actions(Add), savepoint(every = 3))]
    Gauge: Id<Gauge>, NewGauge, GaugeChanges;
    #[derive(Queryable, Selectable, Identifiable)]
    #[evented(log(shared = Board), actions(Add), drift = heal)]
    Healer: Id<Healer>, NewHealer, HealerChanges;
    #[evented(log(shared = Board, only), actions(Add))]
    Trace: Id<Trace>, NewTrace, TraceChanges;

    #[evented(log(shared = Parcels, only), actions(Add))]
    Track: Id<Track>, NewTrack, TrackChanges;

    #[derive(Queryable, Selectable, Identifiable)]
    #[evented(log(shared = Regions), actions(Add))]
    Shop: String, NewShop, ShopChanges, id;
    #[evented(log(shared = Regions, only), actions(Add))]
    Visitor: String, NewVisitor, VisitorChanges, id;

    #[derive(Queryable, Selectable, Identifiable)]
    #[diesel(table_name = people)]
    #[evented(log(shared = Names), actions(Add))]
    Person: String, NewPerson, PersonChanges, id;
    #[derive(Queryable, Selectable, Identifiable)]
    #[evented(log(shared = Names), actions(Add))]
    Town: String, NewTown, TownChanges, id;
    #[evented(log(shared = Names, only), actions(Add))]
    Nick: String, NewNick, NickChanges, id;
}

/// A model with a revision column, so that a loaded record is written without a read.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[evented(log(shared = Parcels), actions(Add))]
pub struct Parcel {
    pub id: Id<Parcel>,
    pub name: String,
    #[evented(skip_insert)]
    pub value: i32,
    #[evented(revision)]
    pub revision: i64,
}
thing::is_a_thing!(Parcel, NewParcel, ParcelChanges);

impl Letter {
    async fn before_append<DB: EventedBackend, D: Executor<DB>>(
        draft: &mut PendingEvent<Self>,
        history: &[Event<Self>],
        conn: &mut D,
    ) -> Result<(), Error> {
        before_append(draft, history, conn).await
    }
}

impl Memo {
    async fn before_append<DB: EventedBackend, D: Executor<DB>>(
        draft: &mut PendingEvent<Self>,
        history: &[Event<Self>],
        conn: &mut D,
    ) -> Result<(), Error> {
        before_append(draft, history, conn).await
    }
}

/// The hook. It records its inputs in the event, writes a record of its own, and does what the command's meta requests.
async fn before_append<M: Model<Log = Board>, DB: EventedBackend, D: Executor<DB>>(
    draft: &mut PendingEvent<M>,
    history: &[Event<M>],
    conn: &mut D,
) -> Result<(), Error> {
    let seen: Vec<_> =
        history.iter().map(|event| format!("{} {}", event.revision(), event.action())).collect();
    let wanted = draft.meta.own.clone();
    draft.meta.own.insert("seen".into(), seen.into());
    draft.meta.own.insert("action".into(), draft.action().into());
    draft.meta.own.insert("before".into(), draft.before().is_some().into());
    conn.run(Trace::insert(NewTrace { name: draft.context().event_id.to_string() })).await?;
    if wanted.contains_key("refuse") {
        let mut faults = ValidationErrors::none();
        faults.add("name", "is not wanted");
        return Err(draft.refuse(faults));
    }
    if let (Some(name), Some(payload)) = (wanted.get("rename"), draft.payload.as_object_mut()) {
        payload.insert("name".into(), name.clone());
    }
    if let Some(payload) = wanted.get("payload") {
        draft.payload = payload.clone();
    }
    if let Some(actor) = wanted.get("as") {
        draft.meta.actor = actor.as_str().map(Into::into);
    }
    let linked = history.first().zip(history.last()).filter(|_| wanted.contains_key("link"));
    if let Some((first, last)) = linked {
        draft.link(events_ancestors::table, first.id());
        draft.link_with(events_replies::table, last.id(), &Reply { tone: "hooked".into() });
    }
    if wanted.contains_key("stray") {
        draft.link(events_ancestors::table, uuid::Uuid::now_v7());
    }
    Ok(())
}
