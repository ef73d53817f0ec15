//! Tests the output for plain SQL, and that nothing is left behind, on the server of `EVENTED_TEST_POSTGRES`.

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;

use super::*;

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    found: String,
}

fn text(conn: &mut PgConnection, sql: &str) -> String {
    diesel::sql_query(sql).get_result::<Found>(conn).unwrap().found
}

/// Creates the test's own schema, with tables in it.
fn schema(name: &str) -> (String, PgConnection) {
    let url = std::env::var("EVENTED_TEST_POSTGRES").expect("EVENTED_TEST_POSTGRES; or `cargo xtask test`");
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute(&format!(
        "SET client_min_messages = warning;
         DROP SCHEMA IF EXISTS {name} CASCADE;
         CREATE SCHEMA {name};
         SET search_path = {name};
         CREATE TABLE items (id int PRIMARY KEY, name text, made date);
         CREATE TABLE keyless (name text);"
    ))
    .unwrap();
    (url, conn)
}

/// Returns the output for some transactions, without their numbers and times.
fn printed(url: &str, setup: &Setup, transactions: usize, write: impl FnOnce()) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut out = Vec::new();
    runtime.block_on(async {
        let mut tail = open(url, setup).await.unwrap();
        write();
        for _ in 0..transactions {
            let whole = async { while !step(&mut tail, &mut out).await.unwrap() {} };
            tokio::time::timeout(std::time::Duration::from_secs(60), whole).await.expect("in time");
        }
    });
    let out = String::from_utf8(out).unwrap();
    let line = |line: &str| {
        if line.starts_with("transaction ") { "transaction\n".into() } else { format!("{line}\n") }
    };
    out.lines().map(line).collect()
}

const SQL: [&str; 4] = [
    "INSERT INTO items VALUES (1, 'Lamp', '2024-02-29'), (2, 'Ben''s chair', NULL)",
    "BEGIN; UPDATE items SET name = 'Desk lamp' WHERE id = 1; UPDATE items SET id = 3 WHERE id = 2; COMMIT",
    "DELETE FROM items WHERE id = 3",
    "TRUNCATE items",
];

#[test]
fn plain_sql_is_shown_with_old_and_new_values() {
    let (url, mut conn) = schema("evented_wal_tail_whole");
    let tables = ["items", "keyless"].map(|table| format!("evented_wal_tail_whole.{table}"));
    let mut notes = Vec::new();
    let setup = Setup::make(&mut conn, &tables, true, &mut notes).unwrap();
    assert_eq!(String::from_utf8(notes).unwrap(), "");
    let shown = printed(&url, &setup, 6, || {
        SQL.iter().for_each(|sql| conn.batch_execute(sql).unwrap());
        conn.batch_execute("INSERT INTO keyless VALUES ('a')").unwrap();
        conn.batch_execute("UPDATE keyless SET name = 'b'").unwrap();
    });
    let expected = "transaction
  insert S.items
    is  id: '1', name: 'Lamp', made: '2024-02-29'
  insert S.items
    is  id: '2', name: 'Ben''s chair', made: NULL
transaction
  update S.items
    was id: '1', name: 'Lamp', made: '2024-02-29'
    is  id: '1', name: 'Desk lamp', made: '2024-02-29'
  update S.items
    was id: '2', name: 'Ben''s chair', made: NULL
    is  id: '3', name: 'Ben''s chair', made: NULL
transaction
  delete S.items
    was id: '3', name: 'Ben''s chair', made: NULL
transaction
  truncate S.items
transaction
  insert S.keyless
    is  name: 'a'
transaction
  update S.keyless
    was name: 'a'
    is  name: 'b'
";
    assert_eq!(shown, expected.replace("S.", "evented_wal_tail_whole."));

    let publication = setup.publication().to_owned();
    setup.undo(&mut conn).unwrap();
    let left = format!("SELECT count(*)::text AS found FROM pg_publication WHERE pubname = '{publication}'");
    assert_eq!(text(&mut conn, &left), "0");
    let identities = "SELECT string_agg(relreplident::text, '') AS found FROM pg_class
        WHERE relnamespace = 'evented_wal_tail_whole'::regnamespace AND relkind = 'r'";
    assert_eq!(text(&mut conn, identities), "dd");
    conn.batch_execute("DROP SCHEMA evented_wal_tail_whole CASCADE").unwrap();
}

#[test]
fn without_whole_rows_the_key_is_what_is_known() {
    let (url, mut conn) = schema("evented_wal_tail_keys");
    let items = "evented_wal_tail_keys.items".to_owned();
    let mut notes = Vec::new();
    let setup = Setup::make(&mut conn, &[items], false, &mut notes).unwrap();
    let notes = String::from_utf8(notes).unwrap();
    assert!(notes.contains("REPLICA IDENTITY FULL"), "{notes}");
    let shown = printed(&url, &setup, 3, || SQL[..3].iter().for_each(|sql| conn.batch_execute(sql).unwrap()));
    let expected = "transaction
  insert S.items
    is  id: '1', name: 'Lamp', made: '2024-02-29'
  insert S.items
    is  id: '2', name: 'Ben''s chair', made: NULL
transaction
  update S.items
    is  id: '1', name: 'Desk lamp', made: '2024-02-29'
  update S.items
    was id: '2'
    is  id: '3', name: 'Ben''s chair', made: NULL
transaction
  delete S.items
    was id: '3'
";
    assert_eq!(shown, expected.replace("S.", "evented_wal_tail_keys."));
    setup.undo(&mut conn).unwrap();
    conn.batch_execute("DROP SCHEMA evented_wal_tail_keys CASCADE").unwrap();
}

#[test]
fn what_would_do_harm_or_is_not_there_is_refused() {
    let (_, mut conn) = schema("evented_wal_tail_refused");
    let mut refused = |table: &str| {
        let table = format!("evented_wal_tail_refused.{table}");
        let refused = Setup::make(&mut conn, &[table], false, &mut Vec::new()).err();
        refused.expect("an error").to_string()
    };
    // If this table were published, its rows could no longer be updated.
    let keyless = refused("keyless");
    assert!(keyless.contains("cannot be updated or deleted while it is published"), "{keyless}");
    let missing = refused("nothing");
    assert!(missing.contains("there is no table"), "{missing}");
    conn.batch_execute("DROP SCHEMA evented_wal_tail_refused CASCADE").unwrap();
}
