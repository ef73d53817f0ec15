//! Tests the messages for each kind of change.

use evented_wal::{Config, Format, Message, Seen, Slot, Tail};

use super::stage::{PUBLICATION, Stage, lines, next, transaction};

fn text(stage: &Stage) -> Config {
    stage.config().format(Format::Text)
}

#[tokio::test]
async fn an_insert_an_update_and_a_delete_come_in_one_transaction() {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY, name text)");
    let mut tail = Tail::open(text(&stage)).await.unwrap();
    stage.sql(
        "INSERT INTO t VALUES (1, 'a'), (2, NULL); UPDATE t SET name = 'it''s' WHERE id = 2; DELETE FROM t WHERE id = 1",
    );
    let transaction = transaction(&mut tail).await;
    assert_eq!(
        lines(&transaction.messages),
        [
            "first public.t",
            "insert public.t (id: '1', name: 'a')",
            "insert public.t (id: '2', name: NULL)",
            "update public.t (id: '2', name: 'it''s')",
            "delete public.t key (id: '1', name: NULL)",
        ]
    );
    assert!(transaction.commit < transaction.end);
}

#[tokio::test]
async fn a_full_replica_identity_contains_the_row_before() {
    let mut stage = Stage::new("CREATE TABLE t (id int, name text); ALTER TABLE t REPLICA IDENTITY FULL");
    let mut tail = Tail::open(text(&stage)).await.unwrap();
    stage.sql("INSERT INTO t VALUES (1, 'a'); UPDATE t SET name = 'b'; DELETE FROM t");
    assert_eq!(
        lines(&transaction(&mut tail).await.messages)[2..],
        ["update public.t (id: '1', name: 'a') (id: '1', name: 'b')", "delete public.t (id: '1', name: 'b')"]
    );
}

#[tokio::test]
async fn a_change_of_the_key_contains_the_old_key() {
    let mut stage = Stage::new("CREATE TABLE t (a int, b text, c text, PRIMARY KEY (a, b))");
    let mut tail = Tail::open(text(&stage)).await.unwrap();
    stage
        .sql("INSERT INTO t VALUES (1, 'x', 'c'); UPDATE t SET c = 'd'; UPDATE t SET b = 'y'; DELETE FROM t");
    assert_eq!(
        lines(&transaction(&mut tail).await.messages)[2..],
        [
            "update public.t (a: '1', b: 'x', c: 'd')",
            "update public.t key (a: '1', b: 'x', c: NULL) (a: '1', b: 'y', c: 'd')",
            "delete public.t key (a: '1', b: 'y', c: NULL)",
        ]
    );
}

#[tokio::test]
async fn emptied_tables_come_together() {
    let mut stage = Stage::new(
        "CREATE TABLE s (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, s int REFERENCES s);",
    );
    let mut tail = Tail::open(text(&stage)).await.unwrap();
    stage.sql("TRUNCATE s CASCADE");
    stage.sql("TRUNCATE t RESTART IDENTITY");
    let first = lines(&transaction(&mut tail).await.messages);
    assert_eq!(first, ["first public.s", "first public.t", "truncate public.s, public.t true false"]);
    assert_eq!(lines(&transaction(&mut tail).await.messages), ["truncate public.t false true"]);
}

#[tokio::test]
async fn a_large_value_that_was_not_touched_comes_from_the_row_before_or_not_at_all() {
    let mut stage = Stage::new(
        "CREATE TABLE part (id int PRIMARY KEY, n int, large text); \
         ALTER TABLE part ALTER large SET STORAGE EXTERNAL; \
         CREATE TABLE whole (LIKE part INCLUDING ALL); ALTER TABLE whole REPLICA IDENTITY FULL",
    );
    let mut tail = Tail::open(text(&stage)).await.unwrap();
    for table in ["part", "whole"] {
        stage.sql(&format!("INSERT INTO {table} VALUES (1, 1, repeat('x', 10000))"));
        stage.sql(&format!("UPDATE {table} SET n = 2"));
    }
    let mut updates = Vec::new();
    for _ in 0..4 {
        updates.push(transaction(&mut tail).await.messages.pop().unwrap());
    }
    let shown = lines(&updates);
    assert_eq!(shown[1], "update public.part (id: '1', n: '2', large: (unchanged))");
    let large = "x".repeat(10_000);
    assert_eq!(
        shown[3],
        format!(
            "update public.whole (id: '1', n: '1', large: '{large}') (id: '1', n: '2', large: '{large}')"
        )
    );
}

#[tokio::test]
async fn a_table_that_changes_within_a_transaction_is_described_again() {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY)");
    let mut tail = Tail::open(text(&stage)).await.unwrap();
    stage.sql(
        "INSERT INTO t VALUES (1); ALTER TABLE t ADD name text; INSERT INTO t VALUES (2, 'b'); \
         ALTER TABLE t RENAME name TO title; INSERT INTO t VALUES (3, 'c'); ALTER TABLE t DROP title; \
         INSERT INTO t VALUES (4)",
    );
    // A statement that does not change the table's columns produces no message.
    stage.sql("ANALYZE t");
    stage.sql(
        "INSERT INTO t VALUES (5); ALTER TABLE t ALTER id TYPE bigint; UPDATE t SET id = 6 WHERE id = 5",
    );
    let messages = transaction(&mut tail).await.messages;
    assert_eq!(
        lines(&messages),
        [
            "first public.t",
            "insert public.t (id: '1')",
            "changed public.t",
            "insert public.t (id: '2', name: 'b')",
            "changed public.t",
            "insert public.t (id: '3', title: 'c')",
            "changed public.t",
            "insert public.t (id: '4')",
        ]
    );
    let Message::Relation { relation, seen: Seen::Changed { before } } = &messages[4] else {
        panic!("{messages:?}")
    };
    assert_eq!((before.columns[1].name.as_str(), relation.columns[1].name.as_str()), ("name", "title"));
    let second = lines(&transaction(&mut tail).await.messages);
    assert_eq!(second[0], "insert public.t (id: '5')");
    assert!(second.contains(&"changed public.t".to_owned()), "{second:?}");
    assert_eq!(second.last().unwrap(), "update public.t key (id: '5') (id: '6')");
}

#[tokio::test]
async fn what_was_rolled_back_does_not_come() {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY)");
    let mut tail = Tail::open(text(&stage)).await.unwrap();
    stage.sql("BEGIN; INSERT INTO t VALUES (1); ROLLBACK");
    stage.sql(
        "BEGIN; INSERT INTO t VALUES (2); SAVEPOINT a; INSERT INTO t VALUES (3); SAVEPOINT b; \
         INSERT INTO t VALUES (4); ROLLBACK TO b; INSERT INTO t VALUES (5); ROLLBACK TO a; \
         INSERT INTO t VALUES (6); COMMIT",
    );
    assert_eq!(
        lines(&transaction(&mut tail).await.messages),
        ["first public.t", "insert public.t (id: '2')", "insert public.t (id: '6')"]
    );
}

#[tokio::test]
async fn transactions_come_whole_and_in_the_order_of_their_commits() {
    let stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY)");
    let mut tail = Tail::open(text(&stage)).await.unwrap();
    let (mut one, mut two) = (stage.connect(), stage.connect());
    use diesel::connection::SimpleConnection;
    one.batch_execute("BEGIN; INSERT INTO t VALUES (1)").unwrap();
    two.batch_execute("BEGIN; INSERT INTO t VALUES (10)").unwrap();
    one.batch_execute("INSERT INTO t VALUES (2)").unwrap();
    two.batch_execute("INSERT INTO t VALUES (20); COMMIT").unwrap();
    one.batch_execute("COMMIT").unwrap();
    let first = transaction(&mut tail).await;
    assert_eq!(lines(&first.messages)[1..], ["insert public.t (id: '10')", "insert public.t (id: '20')"]);
    let second = transaction(&mut tail).await;
    assert_eq!(lines(&second.messages), ["insert public.t (id: '1')", "insert public.t (id: '2')"]);
    assert!(first.end <= second.commit);
}

#[tokio::test]
async fn a_message_of_a_program_comes_with_its_transaction_or_at_once() {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY)");
    let mut tail = stage.tail().await;
    stage.sql("BEGIN; SELECT pg_logical_emit_message(false, 'p', 'now'); ROLLBACK");
    stage.sql("SELECT pg_logical_emit_message(true, 'q', 'then')");
    let logical = loop {
        match next(&mut tail).await {
            Message::Idle { .. } => {}
            other => break other,
        }
    };
    assert!(
        matches!(&logical, Message::Logical { prefix, content, transactional: false, .. }
            if prefix == "p" && content == "now"),
        "{logical:?}"
    );
    let messages = transaction(&mut tail).await.messages;
    assert!(
        matches!(messages.as_slice(), [Message::Logical { prefix, content, transactional: true, .. }]
            if prefix == "q" && content == "then"),
        "{messages:?}"
    );
}

#[tokio::test]
async fn text_is_the_same_whatever_the_database_is_set_to() {
    let mut stage = Stage::new(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, day date, f float8, b bytea, i interval)",
    );
    let name = stage.name.clone();
    for setting in [
        "datestyle = 'German'",
        "timezone = 'Asia/Tokyo'",
        "extra_float_digits = -5",
        "bytea_output = 'escape'",
        "intervalstyle = 'iso_8601'",
    ] {
        stage.sql(&format!("ALTER DATABASE {name} SET {setting}"));
    }
    let mut tail = Tail::open(text(&stage)).await.unwrap();
    stage.sql(
        "SET timezone = 'UTC'; INSERT INTO t VALUES (1, '2024-02-29 12:00:00', '2024-02-29', 0.1::float8 + 0.2::float8, '\\x00ff', \
         '1 day 2 hours')",
    );
    assert_eq!(
        lines(&transaction(&mut tail).await.messages)[1],
        "insert public.t (id: '1', at: '2024-02-29 12:00:00+00', day: '2024-02-29', f: '0.30000000000000004', \
         b: '\\x00ff', i: '1 day 02:00:00')"
    );
}

#[tokio::test]
async fn a_temporary_slot_begins_now_and_leaves_nothing() {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY)");
    stage.sql("INSERT INTO t VALUES (1)");
    let config = Config::from_url(&stage.url, Slot::temporary(), PUBLICATION).unwrap().format(Format::Text);
    let mut tail = Tail::open(config).await.unwrap();
    stage.sql("INSERT INTO t VALUES (2)");
    let transaction = transaction(&mut tail).await;
    assert!(tail.start() < transaction.end);
    assert_eq!(lines(&transaction.messages)[1..], ["insert public.t (id: '2')"]);
    drop(tail);
    let slots = format!("SELECT count(*) FROM pg_replication_slots WHERE database = '{}'", stage.name);
    while stage.text(&slots) != "1" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_may_be_read_in_a_task() {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY)");
    let config = text(&stage);
    let task = tokio::spawn(async move {
        let mut tail = Tail::open(config).await.unwrap();
        transaction(&mut tail).await
    });
    stage.sql("INSERT INTO t VALUES (1)");
    assert_eq!(task.await.unwrap().messages.len(), 2);
}
