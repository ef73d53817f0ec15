//! Tests the events of a shared log as Diesel queries: a query returns only the events of its model.

use diesel::associations::GroupedBy;
use diesel::prelude::*;
use evented_diesel::{Event, EventedDsl as _};
use evented_tests::models::shared::schema::{cards, people, remarks, shops, towns};
use evented_tests::models::shared::{
    Add, Card, NewCard, NewPerson, NewRemark, NewShop, NewTalk, NewTown, Person, Remark, Shop, Talk, Town,
    events, name_events, region_events, tables,
};

use super::{Db, load};

fn actions<M: evented_diesel::Model>(events: &[Event<M>]) -> Vec<&str> {
    events.iter().map(Event::action).collect()
}

async fn fresh() -> Db {
    let mut db = Db::new().await;
    db.sql(&tables(Db::DATABASE)).await;
    db
}

/// Creates a person and a town of the same name, with two and three events.
async fn york(db: &mut Db) -> (Person, Town) {
    let person =
        db.run(Person::insert(NewPerson { id: "york".into(), name: "Mr York".into() })).await.unwrap();
    let town = db.run(Town::insert(NewTown { id: "york".into(), name: "York".into() })).await.unwrap();
    db.run(Town::savepoint(&town)).await.unwrap();
    (db.run(person.add(Add(1))).await.unwrap(), db.run(town.add(Add(2))).await.unwrap())
}

#[tokio::test]
async fn a_join_finds_the_events_of_its_model_only() {
    let mut db = fresh().await;
    let (person, town) = york(&mut db).await;
    let of_person: Vec<(Event<Person>, Person)> = load!(
        name_events::table
            .inner_join(people::table)
            .order(name_events::position)
            .select((Event::<Person>::as_select(), Person::as_select())),
        &mut db.conn
    );
    let found: Vec<_> = of_person.iter().map(|(event, it)| (event.action(), it)).collect();
    assert_eq!(found, [("insert", &person), ("add", &person)]);
    let of_town: Vec<(Event<Town>, Town)> = load!(
        towns::table
            .inner_join(name_events::table)
            .order(name_events::revision)
            .select((Event::<Town>::as_select(), Town::as_select())),
        &mut db.conn
    );
    let found: Vec<_> = of_town.iter().map(|(event, it)| (event.action(), it)).collect();
    assert_eq!(found, [("insert", &town), ("savepoint", &town), ("add", &town)]);
    let left: Vec<(String, Option<String>)> = load!(
        name_events::table
            .left_join(towns::table)
            .order(name_events::position)
            .select((name_events::schema, towns::name.nullable())),
        &mut db.conn
    );
    let with_town: Vec<_> = left.iter().map(|(schema, name)| (schema.as_str(), name.as_deref())).collect();
    let york = Some("York");
    assert_eq!(
        with_town,
        [("people", None), ("towns", york), ("towns", york), ("people", None), ("towns", york)]
    );
    let right: Vec<(String, Option<i64>)> = load!(
        towns::table
            .left_join(name_events::table)
            .filter(name_events::action.eq("add"))
            .select((towns::name, name_events::revision.nullable())),
        &mut db.conn
    );
    assert_eq!(right, [("York".to_owned(), Some(3))]);
}

#[tokio::test]
async fn a_join_works_with_ids_and_over_shards() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() })).await.unwrap();
    let card = db.run(card.add(Add(1))).await.unwrap();
    let remark = db.run(Remark::insert(NewRemark { name: "Remark".into() })).await.unwrap();
    let joined: Vec<(Card, Event<Card>)> = load!(
        cards::table
            .inner_join(events::table)
            .order(events::position)
            .select((Card::as_select(), Event::<Card>::as_select())),
        &mut db.conn
    );
    assert_eq!(
        joined.iter().map(|(it, event)| (it, event.revision())).collect::<Vec<_>>(),
        [(&card, 1), (&card, 2)]
    );
    let joined: Vec<(Remark, Event<Remark>)> = load!(
        events::table.inner_join(remarks::table).select((Remark::as_select(), Event::<Remark>::as_select())),
        &mut db.conn
    );
    assert_eq!(
        joined.iter().map(|(it, event)| (it, event.action())).collect::<Vec<_>>(),
        [(&remark, "insert")]
    );
    for id in ["eu/a", "us/a"] {
        db.run(Shop::insert(NewShop { id: id.into(), name: id.into() })).await.unwrap();
    }
    let joined: Vec<(String, Event<Shop>)> = load!(
        shops::table
            .inner_join(region_events::table)
            .order(shops::id)
            .select((shops::id, Event::<Shop>::as_select())),
        &mut db.conn
    );
    let found: Vec<_> = joined.iter().map(|(id, event)| (id.as_str(), event.record.as_str())).collect();
    assert_eq!(found, [("eu/a", "eu/a"), ("us/a", "us/a")]);
}

#[tokio::test]
async fn the_events_of_a_record_are_its_models() {
    let mut db = fresh().await;
    let (person, town) = york(&mut db).await;
    let of_person: Vec<Event<Person>> = load!(person.events(), &mut db.conn);
    assert_eq!(actions(&of_person), ["insert", "add"]);
    let of_town: Vec<Event<Town>> =
        load!(town.events().filter(name_events::action.ne("insert")), &mut db.conn);
    assert_eq!(actions(&of_town), ["savepoint", "add"]);
    let talk = db.run(Talk::insert(NewTalk { name: "Talk".into() })).await.unwrap();
    let of_talk: Vec<Event<Talk>> = load!(talk.events(), &mut db.conn);
    assert_eq!(actions(&of_talk), ["insert"]);
    let shop = db.run(Shop::insert(NewShop { id: "us/a".into(), name: "A".into() })).await.unwrap();
    let of_shop: Vec<Event<Shop>> = load!(shop.events(), &mut db.conn);
    assert_eq!(actions(&of_shop), ["insert"]);
}

#[tokio::test]
async fn events_that_belong_to_a_record_are_its_models() {
    let mut db = fresh().await;
    let (person, town) = york(&mut db).await;
    let of_person: Vec<Event<Person>> = load!(
        Event::<Person>::belonging_to(&person)
            .order(name_events::revision)
            .select(Event::<Person>::as_select()),
        &mut db.conn
    );
    assert_eq!(actions(&of_person), ["insert", "add"]);
    let towns = vec![town];
    let of_towns: Vec<Event<Town>> = load!(
        Event::<Town>::belonging_to(&towns).order(name_events::revision).select(Event::<Town>::as_select()),
        &mut db.conn
    );
    assert_eq!(actions(&of_towns), ["insert", "savepoint", "add"]);
    assert_eq!(of_towns.grouped_by(&towns)[0].len(), 3);
}
