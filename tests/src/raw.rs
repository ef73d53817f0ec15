//! Changes databases by plain SQL, without the library, in the dialect of each database.

use evented_diesel::migrations::Database;
use evented_diesel::spi::SqlTypes;
use uuid::Uuid;

use crate::db::Setting;

/// Returns a UUID as a literal.
#[must_use]
pub fn uuid_literal(database: Database, id: Uuid) -> String {
    match database {
        Database::Postgres => format!("'{id}'"),
        Database::Sqlite => format!("x'{}'", id.simple()),
    }
}

/// Appends an event to the log of one model whose records have UUIDs, as an older program would have written it. Its digest matches no
/// state.
pub async fn append<S: Setting>(
    db: &mut S,
    log: &str,
    record: Uuid,
    (revision, action, version): (i64, &str, i32),
    payload: &serde_json::Value,
) {
    let bytes = |bytes: &str| match S::Backend::DATABASE {
        Database::Postgres => format!(r"'\x{bytes}'"),
        Database::Sqlite => format!("x'{bytes}'"),
    };
    let uuid = |id: Uuid| uuid_literal(S::Backend::DATABASE, id);
    let (record, id, state) = (uuid(record), uuid(Uuid::now_v7()), bytes(&"01".repeat(16)));
    let payload = payload.to_string().replace('\'', "''");
    db.sql(&format!(
        "INSERT INTO {log} (record_id, revision, at, version, action, payload, id, state) \
         VALUES ({record}, {revision}, '2026-01-31 12:00:00.000000+00:00', {version}, '{action}', \
         '{payload}', {id}, {state})"
    ))
    .await;
}

/// Removes the protection of a log against changes, for the lifetime of the test's database. The protection prevents
/// mistakes, but not changes by a user with enough rights.
pub async fn open_log<S: Setting>(db: &mut S, log: &str) {
    match S::Backend::DATABASE {
        Database::Postgres => db.sql(&format!("ALTER TABLE {log} DISABLE TRIGGER append_only")).await,
        Database::Sqlite => {
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

/// Makes a database refuse every `INSERT`, `UPDATE` and `DELETE` on a table, with a message that a test can check for,
/// or accept them again.
pub async fn refuse<S: Setting>(db: &mut S, table: &str) {
    match S::Backend::DATABASE {
        Database::Postgres => {
            let words = format!("no more {table}");
            db.sql(&format!(
                "CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION '{words}'; END $$; \
                 CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION refuse_{table}()"
            ))
            .await;
        }
        Database::Sqlite => {
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

/// Records in a table `said` which columns the updates of a table name, changed or not.
pub async fn hear<S: Setting>(db: &mut S, table: &str, columns: &[&str]) {
    db.sql("CREATE TABLE said (named TEXT NOT NULL)").await;
    if S::Backend::DATABASE == Database::Postgres {
        db.sql(
            "CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO said VALUES (TG_ARGV[0]); RETURN NEW; END $$",
        )
        .await;
    }
    for column in columns {
        let done = match S::Backend::DATABASE {
            Database::Postgres => format!("FOR EACH ROW EXECUTE FUNCTION say('{column}')"),
            Database::Sqlite => format!("BEGIN INSERT INTO said VALUES ('{column}'); END"),
        };
        db.sql(&format!("CREATE TRIGGER say_{column} AFTER UPDATE OF {column} ON {table} {done}")).await;
    }
}
