//! The tables of subscribers: how they are created.

use evented_diesel::migrations::{Database, Migrations, TableSet};

/// Adds the tables of subscribers to the migrations of an application.
///
/// ```
/// use evented_diesel::migrations::Migrations;
/// use evented_react::MigrationsExt as _;
///
/// let tables = Migrations::new().react();      // beside `.log::<Item>()` of each model
/// # let _ = tables;
/// ```
pub trait MigrationsExt {
    /// Adds the tables of subscribers: `evented_subscribers`, `evented_parts`, `evented_cursors`, `evented_deferred`,
    /// `evented_workers` and `evented_schedules`.
    fn react(self) -> Migrations;
}

impl MigrationsExt for Migrations {
    fn react(self) -> Migrations {
        self.tables(TableSet { name: "evented_subscribers", sql })
    }
}

/// Returns the SQL that creates the tables, and the SQL that drops them. Times are milliseconds since 1970 by the clock of
/// the database.
fn sql(database: Database) -> (String, String) {
    let (big, uuid, strict) = match database {
        Database::Postgres => ("BIGINT", "UUID", ""),
        Database::Sqlite => ("INTEGER", "BLOB", " STRICT"),
    };
    // Cursors move often: with room on each page, a move needs no new entry in an index.
    let roomy = if database == Database::Postgres { " WITH (fillfactor = 20)" } else { "" };
    let mut create = String::new();
    for (table, columns) in TABLES {
        let options = if table == "evented_cursors" { roomy } else { "" };
        let columns = columns.replace("{big}", big).replace("{uuid}", uuid);
        create.push_str(&format!("CREATE TABLE \"{table}\" ({columns}){options}{strict};\n"));
    }
    create.push_str(INDEXES);
    let drop = TABLES.iter().rev().map(|(table, _)| format!("DROP TABLE \"{table}\";\n")).collect();
    (create, drop)
}

/// The tables, with their columns.
const TABLES: [(&str, &str); 6] = [
    (
        "evented_subscribers",
        r#"
    "name" TEXT NOT NULL PRIMARY KEY,
    "version" INTEGER NOT NULL,
    "digest" TEXT NOT NULL,
    "declared_parts" INTEGER NOT NULL,
    "parts" INTEGER NOT NULL,
    "division" INTEGER NOT NULL DEFAULT 0,
    "earlier" TEXT,
    "paused" INTEGER NOT NULL DEFAULT 0,
    "stalled" TEXT,
    "inputs" TEXT NOT NULL DEFAULT '',
    "home" {big} NOT NULL DEFAULT 0,
    "registered_at" {big} NOT NULL
"#,
    ),
    (
        "evented_parts",
        r#"
    "subscriber" TEXT NOT NULL REFERENCES "evented_subscribers" ON DELETE CASCADE,
    "part" INTEGER NOT NULL,
    "owner" {uuid},
    "fence" {big} NOT NULL DEFAULT 0,
    "marked" TEXT,
    "begun" INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY ("subscriber", "part")
"#,
    ),
    (
        "evented_cursors",
        r#"
    "subscriber" TEXT NOT NULL REFERENCES "evented_subscribers" ON DELETE CASCADE,
    "part" INTEGER NOT NULL,
    "stream" TEXT NOT NULL,
    "txid" {big} NOT NULL,
    "position" {big} NOT NULL,
    "anchor" {big} NOT NULL,
    PRIMARY KEY ("subscriber", "part", "stream")
"#,
    ),
    (
        "evented_deferred",
        r#"
    "subscriber" TEXT NOT NULL REFERENCES "evented_subscribers" ON DELETE CASCADE,
    "part" INTEGER NOT NULL,
    "number" {big} NOT NULL,
    "stream" TEXT NOT NULL,
    "txid" {big} NOT NULL,
    "position" {big} NOT NULL,
    "input" INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "error" TEXT,
    "retry_at" {big},
    "deferred_at" {big} NOT NULL,
    "of_parts" INTEGER,
    "of_part" INTEGER,
    PRIMARY KEY ("subscriber", "part", "number")
"#,
    ),
    (
        "evented_workers",
        r#"
    "worker" {uuid} NOT NULL,
    "subscriber" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "host" TEXT NOT NULL,
    "pid" {big} NOT NULL,
    "started_at" {big} NOT NULL,
    "seen_at" {big} NOT NULL,
    PRIMARY KEY ("worker", "subscriber")
"#,
    ),
    (
        "evented_schedules",
        r#"
    "name" TEXT NOT NULL PRIMARY KEY,
    "version" INTEGER NOT NULL,
    "cron" TEXT NOT NULL,
    "zone" TEXT NOT NULL,
    "next_due" {big},
    "last_due" {big}
"#,
    ),
];

const INDEXES: &str = r#"CREATE INDEX "evented_deferred_key" ON "evented_deferred" ("subscriber", "part", "key", "number");
CREATE INDEX "evented_deferred_due" ON "evented_deferred" ("subscriber", "part", "retry_at");
"#;
