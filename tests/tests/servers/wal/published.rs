//! Tests publications that contain a table in part, and tables of one name in two schemas.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use evented_diesel::{Error, Evented, EventedDsl as _, Run as _};
use evented_feed::wal::{self, PublishedInPart, required_logs_of, required_table_of};
use evented_feed::{ChangeKind, Hub};
use evented_tests::db::postgres_url;
use evented_tests::models::{NewNote, Note};
use evented_wal::{Config, Slot, WalError};

use super::hub::change;
use super::stage::{PUBLICATION, Stage};

diesel::table! {
    parcels (id) { id -> Integer, weight -> Integer, price -> Integer }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = parcels)]
struct Parcel {
    id: i32,
    weight: i32,
    #[evented(generated)]
    price: i32,
}

const PLAIN: &str = "CREATE TABLE parcels (id int PRIMARY KEY, weight int NOT NULL, price int NOT NULL); \
     ALTER TABLE parcels REPLICA IDENTITY FULL";
const GENERATED: &str = "CREATE TABLE parcels (id int PRIMARY KEY, weight int NOT NULL, \
     price int GENERATED ALWAYS AS (weight * 2) STORED); ALTER TABLE parcels REPLICA IDENTITY FULL";

/// Creates a database with a table and a publication of it, and the slot.
fn stage(table: &str, publication: &str) -> Stage {
    let mut stage = Stage::bare(&postgres_url(), table);
    stage.sql(publication);
    let slot = stage.name.clone();
    stage.run(wal::create_slot(slot)).unwrap();
    stage
}

/// Returns the error of the start of a hub, and the problems that the check finds. They must be the same.
async fn refused(stage: &mut Stage) -> String {
    let config = Config::from_url(&stage.url, Slot::durable(&stage.name), "p").unwrap();
    let error = Hub::on_wal::<Parcel>().spawn(config).await.expect_err("the start is refused").to_string();
    let check = wal::check("p").slot(stage.name.clone()).require(required_table_of::<Parcel>());
    let problems = stage.run(check).unwrap();
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    assert!(error.ends_with(&problem.to_string()), "{error}: {problem}");
    problem.to_string()
}

/// Starts a hub, and checks that it delivers an insert and an update, and that the check finds nothing.
async fn delivers(mut stage: Stage) {
    let check = wal::check("p").slot(stage.name.clone()).require(required_table_of::<Parcel>());
    assert_eq!(stage.run(check).unwrap(), []);
    let config = Config::from_url(&stage.url, Slot::durable(&stage.name), "p").unwrap();
    let hub = Hub::on_wal::<Parcel>().spawn(config).await.unwrap();
    let mut feed = hub.subscribe(Parcel::changes()).unwrap();
    stage.sql("INSERT INTO parcels VALUES (1, 5, 10); UPDATE parcels SET weight = 7");
    assert_eq!(change(&mut feed).await.after(), Some(&Parcel { id: 1, weight: 5, price: 10 }));
    assert_eq!(change(&mut feed).await.after(), Some(&Parcel { id: 1, weight: 7, price: 10 }));
}

#[tokio::test]
async fn a_column_list_without_columns_of_the_model_is_refused() {
    let mut stage = stage(PLAIN, "CREATE PUBLICATION p FOR TABLE parcels (price, id)");
    assert_eq!(
        refused(&mut stage).await,
        "the publication \"p\" leaves out columns of \"parcels\" that are read (weight): run \
         `ALTER PUBLICATION \"p\" DROP TABLE \"parcels\"` and `ALTER PUBLICATION \"p\" ADD TABLE \"parcels\"`"
    );
    stage.sql("ALTER PUBLICATION p DROP TABLE parcels; ALTER PUBLICATION p ADD TABLE parcels");
    delivers(stage).await;
}

#[tokio::test]
async fn a_row_filter_is_refused() {
    let mut stage = stage(PLAIN, "CREATE PUBLICATION p FOR TABLE parcels WHERE (weight > 10)");
    assert_eq!(
        refused(&mut stage).await,
        "the publication \"p\" has the row filter `(weight > 10)` for \"parcels\", which leaves out changes and turns \
         updates into inserts and deletes: run `ALTER PUBLICATION \"p\" DROP TABLE \"parcels\"` and \
         `ALTER PUBLICATION \"p\" ADD TABLE \"parcels\"`"
    );
    // A second publication without a filter publishes all rows.
    stage.sql("CREATE PUBLICATION q FOR TABLE parcels");
    let config = Config::from_url(&stage.url, Slot::durable(&stage.name), "p").unwrap().publication("q");
    Hub::on_wal::<Parcel>().spawn(config).await.unwrap().stop();
    stage.sql("ALTER PUBLICATION p SET TABLE parcels");
    delivers(stage).await;
}

#[tokio::test]
async fn a_publication_without_updates_is_refused() {
    let mut stage = stage(PLAIN, "CREATE PUBLICATION p FOR TABLE parcels WITH (publish = 'insert, delete')");
    let config = Config::from_url(&stage.url, Slot::durable(&stage.name), "p").unwrap();
    let error = Hub::on_wal::<Parcel>().spawn(config).await.expect_err("the start is refused").to_string();
    let step = "ALTER PUBLICATION \"p\" SET (publish = 'insert, update, delete, truncate')";
    assert!(error.ends_with(&format!("run `{step}`")), "{error}");
    stage.sql(step);
    delivers(stage).await;
}

#[tokio::test]
async fn a_generated_column_of_the_model_is_refused() {
    let mut stage = stage(GENERATED, "CREATE PUBLICATION p FOR TABLE parcels");
    let problem = refused(&mut stage).await;
    let what = "the publication \"p\" leaves out generated columns of \"parcels\" that are read (price): ";
    assert!(problem.starts_with(what), "{problem}");
    if stage.text("current_setting('server_version_num')::int >= 180000") == "true" {
        assert!(problem.contains("publish_generated_columns = stored"), "{problem}");
        return;
    }
    let step = "ALTER TABLE \"parcels\" ALTER COLUMN \"price\" DROP EXPRESSION";
    assert!(problem.contains(step), "{problem}");
    stage.sql(step);
    delivers(stage).await;
}

#[tokio::test]
async fn tables_of_a_schema_and_all_tables_are_published_completely() {
    delivers(stage(PLAIN, "CREATE PUBLICATION p FOR ALL TABLES")).await;
    let mut stage = Stage::bare(&postgres_url(), PLAIN);
    if stage.text("current_setting('server_version_num')::int >= 150000") == "true" {
        stage.sql("CREATE PUBLICATION p FOR TABLES IN SCHEMA public");
        let slot = stage.name.clone();
        stage.run(wal::create_slot(slot)).unwrap();
        delivers(stage).await;
    }
}

#[tokio::test]
async fn a_log_that_is_published_in_part_is_refused() {
    let mut stage = super::hub::stage();
    stage.sql("CREATE PUBLICATION p FOR TABLE notes, notes_events (id, record_id, action)");
    let config = Config::from_url(&stage.url, Slot::durable(&stage.name), "p").unwrap();
    let error = Hub::on_wal::<Note>().spawn(config.clone()).await.expect_err("the start is refused");
    let in_part = |text: &str| text.contains("\"notes_events\" that are read (revision, at, meta, state)");
    assert!(in_part(&error.to_string()), "{error}");
    let check = required_logs_of::<Note>().fold(wal::check("p"), wal::Check::require);
    let problems = stage.run(check).unwrap();
    assert!(matches!(&problems[..], [problem] if in_part(&problem.to_string())), "{problems:?}");
    // Without the log there are changes without events.
    stage.sql("ALTER PUBLICATION p DROP TABLE notes_events");
    Hub::on_wal::<Note>().spawn(config).await.unwrap();
}

#[tokio::test]
async fn errors_about_publications_are_typed() {
    let stage = stage(PLAIN, "CREATE PUBLICATION p FOR TABLE parcels (id, weight) WHERE (id > 7)");
    let config = Config::from_url(&stage.url, Slot::durable(&stage.name), "p").unwrap();
    let Err(evented_feed::StartError::Wal(error)) = Hub::on_wal::<Parcel>().spawn(config).await else {
        panic!("the start is refused");
    };
    let filter = PublishedInPart::RowFilter {
        publication: "p".into(),
        table: "parcels".into(),
        filter: "(id > 7)".into(),
    };
    assert_eq!(error, WalError::PublishedInPart(filter));
    let config = Config::from_url(&stage.url, Slot::durable(&stage.name), "p").unwrap();
    let Err(evented_feed::StartError::Wal(error)) = Hub::on_wal::<Note>().spawn(config).await else {
        panic!("the start is refused");
    };
    assert_eq!(error, WalError::MissingTable { table: "\"notes\"".into() });
}

#[tokio::test]
async fn a_table_of_the_same_name_in_another_schema_is_not_delivered() {
    let tables = include_str!("../../../src/models/postgres.sql");
    let logs = evented_tests::db::logs().up_sql(evented_diesel::migrations::Database::Postgres);
    let tenant = |name: &str| {
        format!(
            "CREATE SCHEMA {name}; SET search_path = {name}; {tables}; {logs}; \
             ALTER TABLE notes REPLICA IDENTITY FULL; "
        )
    };
    let mut stage = Stage::new(&format!("{}{}", tenant("tenant_a"), tenant("tenant_b")));
    let url = format!("{}?options=-csearch_path%3Dtenant_a", stage.url);
    let config = Config::from_url(&url, Slot::durable(&stage.name), PUBLICATION).unwrap();
    let hub = Hub::on_wal::<Note>().spawn(config).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();

    stage.sql("INSERT INTO tenant_b.notes (text) VALUES ('b'); TRUNCATE tenant_b.notes RESTART IDENTITY");
    // The same record and the same state, by a command of each tenant, in one transaction.
    let written = stage.conn().transaction::<_, Error, _>(|conn| {
        for (tenant, author) in [("tenant_b", "ben"), ("tenant_a", "ann")] {
            conn.batch_execute(&format!("SET search_path = {tenant}"))?;
            assert_eq!(Note::insert(NewNote { text: "same".into() }).by(author).run(conn)?.id, 1);
        }
        Ok(())
    });
    written.unwrap();
    let insert = change(&mut feed).await;
    assert_eq!((insert.kind(), insert.actor().as_deref()), (ChangeKind::Insert, Some("ann")));
    stage.sql("TRUNCATE tenant_b.notes; DELETE FROM tenant_a.notes");
    assert_eq!(change(&mut feed).await.kind(), ChangeKind::Delete);
    assert!(feed.try_recv().is_err());
}

#[tokio::test]
async fn a_model_without_a_table_on_the_search_path_is_refused() {
    let stage = Stage::new("CREATE SCHEMA tenant_a; CREATE TABLE tenant_a.parcels (id int PRIMARY KEY)");
    let error = Hub::on_wal::<Parcel>().spawn(stage.config()).await.expect_err("there is no table");
    assert!(error.to_string().contains("there is no table \"parcels\" on the `search_path`"), "{error}");
}
