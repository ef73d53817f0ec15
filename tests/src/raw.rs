//! Plain SQL that goes past the library, in the words of each database.

use evented_diesel::Dialect;
use evented_diesel::migrations::Flavour;
use uuid::Uuid;

use crate::db::Setting;

/// Appends an event to a log whose records have UUIDs, as an older program would have written it. It says the digest of
/// nothing that ever was.
pub async fn append<S: Setting>(
    db: &mut S,
    log: &str,
    record: Uuid,
    (revision, action, version): (i64, &str, i32),
    payload: &serde_json::Value,
) {
    let bytes = |bytes: &str| match S::Backend::FLAVOUR {
        Flavour::Postgres => format!(r"'\x{bytes}'"),
        Flavour::Sqlite => format!("x'{bytes}'"),
    };
    let uuid = |id: Uuid| match S::Backend::FLAVOUR {
        Flavour::Postgres => format!("'{id}'"),
        Flavour::Sqlite => format!("x'{}'", id.simple()),
    };
    let (record, id, state) = (uuid(record), uuid(Uuid::now_v7()), bytes(&"01".repeat(16)));
    let payload = payload.to_string().replace('\'', "''");
    db.sql(&format!(
        "INSERT INTO {log} (record_id, revision, at, version, schema, action, payload, id, state) \
         VALUES ({record}, {revision}, '2026-01-31 12:00:00.000000+00:00', {version}, 'raw', '{action}', \
         '{payload}', {id}, {state})"
    ))
    .await;
}

/// Takes away what keeps a log from being changed, for as long as the test's database lives: what a mistake cannot do,
/// somebody with rights can.
pub async fn open_log<S: Setting>(db: &mut S, log: &str) {
    match S::Backend::FLAVOUR {
        Flavour::Postgres => db.sql(&format!("ALTER TABLE {log} DISABLE TRIGGER append_only")).await,
        Flavour::Sqlite => {
            db.sql(&format!(
                "DROP TRIGGER IF EXISTS {log}_no_update; DROP TRIGGER IF EXISTS {log}_no_delete"
            ))
            .await;
        }
    }
}

/// Changes a log by plain SQL.
pub async fn tamper<S: Setting>(db: &mut S, log: &str, sql: &str) {
    open_log(db, log).await;
    db.sql(sql).await;
}

/// Makes a database refuse rows of a table, or let them in again: each `INSERT`, `UPDATE` and `DELETE` with words that a
/// test can look for.
pub async fn refuse<S: Setting>(db: &mut S, table: &str) {
    match S::Backend::FLAVOUR {
        Flavour::Postgres => {
            let words = format!("no more {table}");
            db.sql(&format!(
                "CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION '{words}'; END $$; \
                 CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION refuse_{table}()"
            ))
            .await;
        }
        Flavour::Sqlite => {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                db.sql(&format!(
                    "CREATE TRIGGER refuse_{table}_{event} BEFORE {event} ON {table} \
                     BEGIN SELECT RAISE(ABORT, 'no more {table}'); END"
                ))
                .await;
            }
        }
    }
}

/// Writes down into a table `said` which columns the updates of a table name, whether they change or not.
pub async fn hear<S: Setting>(db: &mut S, table: &str, columns: &[&str]) {
    db.sql("CREATE TABLE said (named TEXT NOT NULL)").await;
    if S::Backend::FLAVOUR == Flavour::Postgres {
        db.sql(
            "CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO said VALUES (TG_ARGV[0]); RETURN NEW; END $$",
        )
        .await;
    }
    for column in columns {
        let done = match S::Backend::FLAVOUR {
            Flavour::Postgres => format!("FOR EACH ROW EXECUTE FUNCTION say('{column}')"),
            Flavour::Sqlite => format!("BEGIN INSERT INTO said VALUES ('{column}'); END"),
        };
        db.sql(&format!("CREATE TRIGGER say_{column} AFTER UPDATE OF {column} ON {table} {done}")).await;
    }
}
