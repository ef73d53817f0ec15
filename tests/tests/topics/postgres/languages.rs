//! Tests the lock errors of a server with messages in another language than English.

use evented_diesel::{Error, EventedDsl as _};
use evented_tests::models::racing::{Advance, NewRacer, Racer};

use super::super::translated::{ALWAYS, LOCALES, Server, skip};
use super::{Db, waits};

async fn racer(db: &mut Db) -> Racer {
    db.run(Racer::insert(NewRacer { count: 0, note: None })).await.unwrap()
}

/// Opens a further connection with messages in the language of `locale`.
async fn speaking(db: &Db, locale: &str) -> Db {
    let mut db = db.connect().await;
    db.sql(&format!("SET lc_messages = '{locale}'")).await;
    db
}

/// Runs SQL that fails, and returns the error as the library converts it for a caller of plain Diesel.
async fn failing(db: &mut Db, sql: &str) -> Error {
    Error::from(db.try_sql(sql).await.unwrap_err())
}

/// Returns the message of the server.
fn said(error: &Error) -> String {
    match error {
        Error::SerializationFailure { source, .. } | Error::Busy { source, .. } | Error::Database { error: source, .. } => {
            source.to_string()
        }
        other => other.to_string(),
    }
}

/// Makes two transactions wait for each other.
async fn a_deadlock(db: &mut Db, locale: &str) -> Error {
    let (one, two) = (racer(db).await, racer(db).await);
    let (mut patient, mut victim) = (speaking(db, locale).await, speaking(db, locale).await);
    // A transaction that waits for this time checks for a deadlock, and fails if there is one.
    patient.sql("SET deadlock_timeout = '60s'").await;
    victim.sql("SET deadlock_timeout = '10ms'").await;
    let pid = patient.number("SELECT pg_backend_pid()").await;
    patient.begin().await;
    victim.begin().await;
    patient.run(one.advance(Advance(1))).await.unwrap();
    victim.run(two.advance(Advance(10))).await.unwrap();
    let command = two.advance(Advance(1));
    let waiting = tokio::spawn(async move {
        patient.run(command).await.unwrap();
        patient.commit().await;
    });
    waits(db, pid).await;
    let error = victim.run(one.advance(Advance(10))).await.unwrap_err();
    victim.rollback().await;
    waiting.await.unwrap();
    // The advice of the error works: run the same again, in a new transaction.
    victim.begin().await;
    let two = victim.run(two.advance(Advance(10))).await.unwrap();
    let one = victim.run(one.advance(Advance(10))).await.unwrap();
    victim.commit().await;
    assert_eq!((one.count, two.count), (11, 11));
    error
}

/// Makes a writer find its record locked, in each way in which it does not wait forever.
async fn locked_out(db: &mut Db, locale: &str) -> Vec<Error> {
    let racer = racer(db).await;
    let mut writer = speaking(db, locale).await;
    // The server has a separate message for a name with a schema.
    let schema = db.url.split("search_path%3D").nth(1).unwrap();
    let with_schema = format!("DO $$ BEGIN LOCK TABLE {schema}.racers IN SHARE MODE NOWAIT; END $$");
    db.begin().await;
    db.sql("UPDATE racers SET note = note").await;
    writer.sql("SET lock_timeout = '10ms'").await;
    let errors = vec![
        writer.run(racer.advance(Advance(1))).await.unwrap_err(),
        failing(&mut writer, "SELECT FROM racers FOR UPDATE NOWAIT").await,
        failing(&mut writer, "DO $$ BEGIN LOCK TABLE racers IN SHARE MODE NOWAIT; END $$").await,
        failing(&mut writer, &with_schema).await,
    ];
    db.rollback().await;
    assert_eq!(writer.run(racer.advance(Advance(1))).await.unwrap().count, 1);
    errors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_are_recognized_in_every_language() {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let mut db = Db::on(|| server.cluster.url()).await;
    let mut english = speaking(&db, "C").await;
    let division = said(&failing(&mut english, "SELECT 1 / 0").await);
    let mut spoken = Vec::new();
    for locale in LOCALES {
        let mut other = db.connect().await;
        if let Err(error) = other.try_sql(&format!("SET lc_messages = '{locale}'")).await {
            return skip(&format!("the server does not take the locale {locale}: {error}"));
        }
        if said(&failing(&mut other, "SELECT 1 / 0").await) != division {
            spoken.push(locale);
        }
    }
    if let Some(missing) = ALWAYS.iter().find(|it| !spoken.contains(it)) {
        return skip(&format!(
            "the server has no catalogue of messages for {missing} (share/locale/*/LC_MESSAGES/postgres-*.mo)"
        ));
    }
    eprintln!("the server speaks {}", spoken.join(", "));
    let mut wrong = Vec::new();
    for locale in ["C"].into_iter().chain(spoken) {
        let error = a_deadlock(&mut db, locale).await;
        if !error.is_retryable() || !matches!(error, Error::SerializationFailure { .. }) {
            wrong.push(format!("{locale}: {}", said(&error)));
        }
        for error in locked_out(&mut db, locale).await {
            if !error.is_retryable() || !matches!(error, Error::Busy { .. }) {
                wrong.push(format!("{locale}: {}", said(&error)));
            }
        }
        // A similar message that the server's user raised: a retry would not help.
        let mut other = speaking(&db, locale).await;
        for raised in [
            "'tasks wait for each other' USING DETAIL = E'Task 3 waits for task 4.\\nTask 4 waits for task 3.'",
            "'deadlock detected' USING HINT = 'Tasks wait for each other.'",
            "'the table is locked by the archive'",
            "'the archive says: could not obtain lock on relation \"racers\"'",
        ] {
            let error = failing(&mut other, &format!("DO $$ BEGIN RAISE {raised}; END $$")).await;
            if error.is_retryable() {
                wrong.push(format!("{locale}, raised: {}", said(&error)));
            }
        }
    }
    assert!(wrong.is_empty(), "not as it should be:\n{}", wrong.join("\n"));
}
