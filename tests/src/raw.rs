//! Changes databases by plain SQL, without the library, in the dialect of each database.

use evented_diesel::migrations::Database;
use evented_diesel::spi::SqlTypes;
use evented_diesel::{EventedDsl as _, Id, ModelOn};
use uuid::Uuid;

use crate::db::Setting;
use crate::models::{AddValue, Item, NewItem};

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

/// Creates an item with a history of this many events: each adds 1 to its value.
///
/// # Panics
///
/// If the item cannot be written.
pub async fn long_item<S: Setting>(db: &mut S, events: i64) -> Item
where
    Item: ModelOn<S::Backend>,
{
    let new = NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 0, note: None };
    let item = db.run(Item::insert(new)).await.expect("the item is inserted");
    let item = db.run(item.add_value(AddValue(1))).await.expect("the item is changed");
    let (id, numbers) = match S::Backend::DATABASE {
        Database::Postgres => ("gen_random_uuid()", format!("SELECT generate_series(3, {events}) AS n")),
        Database::Sqlite => (
            "randomblob(16)",
            format!(
                "WITH RECURSIVE s(n) AS (SELECT 3 UNION ALL SELECT n + 1 FROM s WHERE n < {events}) SELECT n FROM s"
            ),
        ),
    };
    db.sql(&format!(
        "INSERT INTO items_events (txid, revision, at, record_id, version, given_id, action, payload, meta, id, state) \
         SELECT e.txid, s.n, e.at, e.record_id, e.version, e.given_id, e.action, e.payload, e.meta, {id}, e.state \
         FROM items_events e, ({numbers}) s WHERE e.revision = 2 ORDER BY s.n"
    ))
    .await;
    item
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

/// Makes a database suppress every row of one kind of statement on a table, without an error.
pub async fn suppress<S: Setting>(db: &mut S, table: &str, statement: &str) {
    instead_of_each(db, table, statement, "").await;
}

/// Makes a database run another statement instead of each `DELETE` of a row.
pub async fn delete_softly<S: Setting>(db: &mut S, table: &str, instead: &str) {
    instead_of_each(db, table, "DELETE", instead).await;
}

async fn instead_of_each<S: Setting>(db: &mut S, table: &str, statement: &str, instead: &str) {
    let name = format!("instead_of_{statement}_{table}");
    let run = if instead.is_empty() { String::new() } else { format!("{instead};") };
    let sql = match S::Backend::DATABASE {
        Database::Postgres => format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {run} RETURN NULL; END $$; \
             CREATE TRIGGER instead BEFORE {statement} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
        ),
        Database::Sqlite => format!(
            "CREATE TRIGGER {name} BEFORE {statement} ON {table} BEGIN {run} SELECT RAISE(IGNORE); END"
        ),
    };
    db.sql(&sql).await;
}

/// Makes a database write a column of new rows in lower case.
pub async fn lower<S: Setting>(db: &mut S, table: &str, column: &str) {
    let sql = match S::Backend::DATABASE {
        Database::Postgres => format!(
            "CREATE FUNCTION lower_{table}() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.{column} := lower(NEW.{column}); RETURN NEW; END $$; \
             CREATE TRIGGER lower BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION lower_{table}()"
        ),
        Database::Sqlite => format!(
            "CREATE TRIGGER lower_{table} AFTER INSERT ON {table} BEGIN \
             UPDATE {table} SET {column} = lower({column}) WHERE {column} = NEW.{column}; END"
        ),
    };
    db.sql(&sql).await;
}

/// Makes a trigger that gives each new row of a table another id.
pub async fn renumber<S: Setting>(db: &mut S, table: &str) {
    let sql = match S::Backend::DATABASE {
        Database::Postgres => format!(
            "CREATE FUNCTION renumber_{table}() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.id := gen_random_uuid(); RETURN NEW; END $$; \
             CREATE TRIGGER renumber BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION renumber_{table}()"
        ),
        Database::Sqlite => format!(
            "CREATE TRIGGER renumber_{table} AFTER INSERT ON {table} BEGIN \
             UPDATE {table} SET id = randomblob(16) WHERE id = NEW.id; END"
        ),
    };
    db.sql(&sql).await;
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
