//! Tests rows of the log that are read into types.

use chrono::{DateTime, Utc};
use evented_diesel::{EventedDsl as _, Run};
use evented_feed::wal::ModelColumns;
use evented_tests::models::schema::items;
use evented_tests::models::{AddValue, Item, NewItem};
use evented_wal::{Format, Message, ReadError, Tail};
use uuid::Uuid;

use super::stage::{Stage, transaction};

const TABLES: &str = include_str!("../../../src/models/postgres.sql");

diesel::table! {
    plain (a, b) {
        a -> Integer,
        b -> Text,
        at -> Nullable<Timestamptz>,
        tags -> Array<Nullable<Text>>,
        data -> Jsonb,
        amount -> Numeric,
        id -> Uuid,
        raw -> Bytea,
    }
}

/// A plain Diesel model, whose columns are in another order than in the table.
#[derive(diesel::QueryableByName, diesel::Queryable, Debug, PartialEq)]
#[diesel(table_name = plain)]
struct Plain {
    b: String,
    a: i32,
    at: Option<DateTime<Utc>>,
    tags: Vec<Option<String>>,
    data: serde_json::Value,
    amount: bigdecimal::BigDecimal,
    id: Uuid,
    raw: Vec<u8>,
}

const PLAIN: &str = "CREATE TABLE plain (a int, b text, at timestamptz, tags text[], data jsonb, \
     amount numeric, id uuid, raw bytea, unread aclitem, PRIMARY KEY (a, b))";
const ROW: &str = "INSERT INTO plain VALUES (7, 'b', '2024-02-29 12:00:00.123456+00', '{x,NULL}', '{\"k\": [1]}', \
     12.50, '01890000-0000-7000-8000-000000000001', '\\x00ff', 'postgres=r/postgres')";

#[tokio::test]
async fn a_row_of_any_table_is_read_by_the_names_of_its_columns() {
    use diesel::RunQueryDsl;
    let mut stage = Stage::new(PLAIN);
    let mut tail = stage.tail().await;
    stage.sql(ROW);
    let messages = transaction(&mut tail).await.messages;
    let Some(Message::Insert { relation, new }) = messages.last() else { panic!("{messages:?}") };
    let read: Plain = evented_wal::read(relation, new).unwrap();
    let loaded: Plain = diesel::sql_query("SELECT a, b, at, tags, data, amount, id, raw FROM plain")
        .get_result(stage.conn())
        .unwrap();
    assert_eq!(read, loaded);
    assert_eq!(read.tags, [Some("x".to_owned()), None]);
}

#[tokio::test]
async fn an_evented_model_is_read_wherever_its_columns_are() {
    use diesel::{QueryDsl, RunQueryDsl, SelectableHelper};
    let mut stage = Stage::new(&format!(
        "{TABLES}; {}",
        evented_diesel::migrations::Migrations::new()
            .log::<Item>()
            .up_sql(evented_diesel::migrations::Database::Postgres)
    ));
    stage.sql("ALTER TABLE items ADD unknown text, DROP note; ALTER TABLE items ADD note text");
    let mut tail = stage.tail().await;
    let new = NewItem {
        org_id: evented_diesel::Id::new(Uuid::now_v7()),
        name: "Lamp".into(),
        value: 1,
        note: None,
    };
    let item = Run::run(Item::insert(new), stage.conn()).unwrap();
    let item = Run::run(item.add_value(AddValue(2)), stage.conn()).unwrap();
    let mut read = Vec::new();
    for _ in 0..2 {
        for message in transaction(&mut tail).await.messages {
            if let Message::Insert { relation, new } | Message::Update { relation, new, .. } = message
                && relation.table == "items"
            {
                let places = ModelColumns::<Item>::of(&relation).unwrap();
                read.push(places.read(&relation, &new).unwrap());
            }
        }
    }
    assert_eq!(read[1], item);
    let row: Item = items::table.select(Item::as_select()).first(stage.conn()).unwrap();
    assert_eq!(read[1], row);
    assert_eq!(read[0].value, 1);
}

#[derive(diesel::QueryableByName, Debug)]
#[expect(dead_code, reason = "it is only tried to be read")]
struct Large {
    #[diesel(sql_type = diesel::sql_types::Text)]
    large: String,
}

#[derive(diesel::QueryableByName, Debug)]
#[expect(dead_code, reason = "it is only tried to be read")]
struct Acl {
    #[diesel(sql_type = diesel::sql_types::Text)]
    unread: String,
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let mut stage = Stage::new(&format!(
        "{PLAIN}; CREATE TABLE part (id int PRIMARY KEY, n int, large text); \
         ALTER TABLE part ALTER large SET STORAGE EXTERNAL"
    ));
    let mut tail = stage.tail().await;
    stage.sql(ROW);
    let messages = transaction(&mut tail).await.messages;
    let Some(Message::Insert { relation, new }) = messages.last() else { panic!("{messages:?}") };
    let missing = evented_wal::read::<Large>(relation, new).unwrap_err();
    assert!(matches!(&missing, ReadError::Missing { column, .. } if column == "large"), "{missing}");
    // A type without a binary format.
    let text = evented_wal::read::<Acl>(relation, new).unwrap_err();
    assert!(matches!(&text, ReadError::Text { column, .. } if column == "unread"), "{text}");
    let missing = ModelColumns::<Item>::of(relation).unwrap_err();
    assert!(matches!(&missing, ReadError::Missing { column, .. } if column == "org_id"), "{missing}");

    stage.sql("INSERT INTO part VALUES (1, 1, repeat('x', 10000))");
    stage.sql("UPDATE part SET n = 2");
    transaction(&mut tail).await;
    let messages = transaction(&mut tail).await.messages;
    let Some(Message::Update { relation, new, .. }) = messages.last() else { panic!("{messages:?}") };
    let unchanged = evented_wal::read::<Large>(relation, new).unwrap_err();
    assert!(matches!(&unchanged, ReadError::Unchanged { column, .. } if column == "large"), "{unchanged}");
    assert!(unchanged.to_string().contains("ALTER TABLE public.part REPLICA IDENTITY FULL"), "{unchanged}");

    drop(tail);
    let mut tail = Tail::open(stage.config().format(Format::Text)).await.unwrap();
    let messages = transaction(&mut tail).await.messages;
    let Some(Message::Insert { relation, new }) = messages.last() else { panic!("{messages:?}") };
    assert!(matches!(evented_wal::read::<Plain>(relation, new), Err(ReadError::Text { .. })));
    assert_eq!(new.column(relation, "tags").and_then(evented_wal::Cell::as_text), Some("{x,NULL}"));
}

#[tokio::test]
async fn a_value_of_another_type_is_an_error() {
    let mut stage = Stage::new("CREATE TABLE part (id int PRIMARY KEY, large int)");
    let mut tail = stage.tail().await;
    stage.sql("INSERT INTO part VALUES (1, -1)");
    let messages = transaction(&mut tail).await.messages;
    let Some(Message::Insert { relation, new }) = messages.last() else { panic!("{messages:?}") };
    assert!(matches!(evented_wal::read::<Large>(relation, new), Err(ReadError::Value { .. })));
}
