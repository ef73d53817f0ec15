//! Tests the setup that the log needs before it can be read, and its checks, on both kinds of connection.

use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::{Error, RunAsync};
use evented_feed::wal::{self, Problem, SlotHealth, table_of};
use evented_tests::db::postgres_url;
use evented_tests::models::Item;
use evented_wal::{Config, Slot, TableName, Tail, WalError};

use super::resume::received;
use super::stage::{Stage, transaction};

const ODD: &str = "CREATE SCHEMA \"Odd 'one'\"; CREATE TABLE \"Odd 'one'\".\"a \"\"table\"\"\" (id int PRIMARY KEY); \
     CREATE TABLE plain (id int PRIMARY KEY)";

fn odd() -> TableName {
    TableName::from(("Odd 'one'", "a \"table\""))
}

#[test]
fn set_up_can_be_run_again_and_again() {
    let mut stage = Stage::bare(&postgres_url(), ODD);
    let name = stage.name.clone();
    let publication = "it's \"odd\"";
    let create = |tables: Vec<TableName>| wal::create_publication(publication, tables);
    assert_eq!(stage.run(create(vec![odd()])).unwrap(), [odd()]);
    assert_eq!(stage.run(create(vec![odd(), "plain".into()])).unwrap(), [TableName::from("plain")]);
    assert_eq!(stage.run(create(vec![odd(), "plain".into()])).unwrap(), []);

    let made = stage.run(wal::create_slot(&name)).unwrap();
    assert!(made.new);
    let again = stage.run(wal::create_slot(&name)).unwrap();
    assert_eq!((again.at, again.new), (made.at, false));

    assert!(stage.run(wal::drop_slot(&name)).unwrap());
    assert!(!stage.run(wal::drop_slot(&name)).unwrap());
    stage.run(wal::drop_publication(publication)).unwrap();
    stage.run(wal::drop_publication(publication)).unwrap();
    assert_eq!(stage.text("SELECT count(*) FROM pg_publication"), "0");
}

#[tokio::test]
async fn set_up_over_an_async_connection_is_what_a_tail_reads() {
    let mut stage = Stage::bare(&postgres_url(), ODD);
    let mut conn = AsyncPgConnection::establish(&stage.url).await.unwrap();
    RunAsync::run(wal::create_publication("Big, name", [odd()]), &mut conn).await.unwrap();
    RunAsync::run(wal::create_slot(&stage.name), &mut conn).await.unwrap();
    let config = Config::from_url(&stage.url, Slot::durable(&stage.name), "Big, name").unwrap();
    let mut tail = Tail::open(config).await.unwrap();
    stage.sql("INSERT INTO \"Odd 'one'\".\"a \"\"table\"\"\" VALUES (1)");
    assert_eq!(transaction(&mut tail).await.messages.len(), 2);
}

#[test]
fn programs_that_start_at_once_set_up_at_once() {
    let mut stage = Stage::bare(&postgres_url(), ODD);
    let conns: Vec<_> = (0..8).map(|_| stage.connect()).collect();
    std::thread::scope(|scope| {
        for mut conn in conns {
            scope.spawn(move || {
                let publication = wal::create_publication("p", [odd(), "plain".into()]);
                evented_diesel::Run::run(publication, &mut conn).unwrap();
            });
        }
    });
    assert_eq!(stage.text("SELECT count(*) FROM pg_publication_rel"), "2");
}

#[test]
fn the_table_of_a_model_has_its_name() {
    assert_eq!(table_of::<Item>().to_string(), "\"items\"");
}

#[test]
fn a_check_finds_what_is_in_the_way() {
    let mut stage = Stage::bare(
        &postgres_url(),
        "CREATE TABLE keyed (id int PRIMARY KEY); CREATE TABLE keyless (id int); \
         CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL; \
         CREATE TABLE other (id int PRIMARY KEY)",
    );
    let slot = stage.name.clone();
    let check = || {
        wal::check("p").slot(&slot).table("keyed").keyed("keyless").table("whole").keyed("other").table("no")
    };
    let problems = stage.run(check()).unwrap();
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "there is no publication \"p\": create it with `wal::create_publication`, before the slot".to_owned(),
            "the table \"keyed\" has the replica identity DEFAULT, by which the log holds only the key of a row before \
             its change: run `ALTER TABLE \"keyed\" REPLICA IDENTITY FULL`"
                .to_owned(),
            "the table \"keyless\" has the replica identity DEFAULT, by which its rows cannot be updated or deleted \
             while it is published: run `ALTER TABLE \"keyless\" REPLICA IDENTITY FULL`"
                .to_owned(),
            "there is no table \"no\"".to_owned(),
            format!("there is no slot `{slot}`: create it with `wal::create_slot`"),
        ]
    );

    stage.sql("CREATE PUBLICATION p FOR TABLE keyed, keyless WITH (publish = 'insert')");
    stage.sql(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')"));
    let problems = stage.run(check()).unwrap();
    assert!(matches!(problems[0], Problem::Partial { .. }), "{problems:?}");
    let not_published: Vec<_> =
        problems.iter().filter(|problem| matches!(problem, Problem::NotPublished { .. })).collect();
    assert_eq!(not_published.len(), 2, "{problems:?}");
    assert_eq!(
        not_published[0].to_string(),
        "the table \"whole\" is not published: run `ALTER PUBLICATION \"p\" ADD TABLE \"whole\"`"
    );
    let wrong = Problem::WrongSlot {
        slot: slot.clone(),
        what: "plugin",
        found: "test_decoding".into(),
        wanted: "pgoutput".into(),
    };
    assert_eq!(problems.last(), Some(&wrong));
    let error = stage.run(wal::create_slot(&slot)).unwrap_err();
    assert!(
        matches!(&error, Error::Other(error) if matches!(error.downcast_ref(), Some(WalError::WrongSlot { what: "plugin", .. }))),
        "{error}"
    );

    // Run all steps that the problems recommended.
    stage.sql(
        "ALTER TABLE keyed REPLICA IDENTITY FULL; ALTER TABLE keyless REPLICA IDENTITY FULL; CREATE TABLE no (id int); \
         ALTER TABLE no REPLICA IDENTITY FULL; ALTER PUBLICATION p ADD TABLE whole, other, no; \
         ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate')",
    );
    stage.run(wal::drop_slot(&slot)).unwrap();
    stage.run(wal::create_slot(&slot)).unwrap();
    assert_eq!(stage.run(check()).unwrap(), []);
}

#[tokio::test]
async fn the_status_of_a_slot_has_its_reader_and_its_position() {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY)");
    let name = stage.name.clone();
    assert_eq!(stage.run(wal::slot_status("no_such_slot")).unwrap(), None);
    let before = stage.run(wal::slot_status(&name)).unwrap().unwrap();
    assert_eq!((before.active, before.health), (false, SlotHealth::Reserved));
    stage.sql("INSERT INTO t SELECT generate_series(1, 1000)");
    let written = stage.run(wal::position()).unwrap();
    let behind = stage.run(wal::slot_status(&name)).unwrap().unwrap();
    assert!(behind.lag > before.lag && behind.retained > before.retained, "{before:?} {behind:?}");
    assert!(behind.written >= written && behind.confirmed == before.confirmed);

    let mut tail = stage.tail().await;
    let end = transaction(&mut tail).await.end;
    assert!(end <= written);
    tail.confirm(end);
    received(&mut stage, &mut tail, end).await;
    assert!(stage.run(wal::slot_status(&name)).unwrap().unwrap().active);
}
