//! Runs every Rust block of the book and of the README as a doc test of this package.
//!
//! `cargo test -p evented-tests --doc` runs them. A block includes [`setup`] with a hidden line. Add a line below for
//! each new chapter.

/// The code that the blocks share: `docs/setup.rs`.
#[allow(missing_docs, reason = "the book is its documentation")]
pub mod setup {
    include!("../../docs/setup.rs");
}

/// Puts each text on its own item, which exists only while doc tests are collected.
macro_rules! texts {
    ($($name:ident: $path:literal),* $(,)?) => {$(
        #[cfg(doctest)]
        #[doc = include_str!($path)]
        mod $name {}
    )*};
}

texts! {
    readme: "../../README.md",
    introduction: "../../docs/src/introduction.md",
    getting_started: "../../docs/src/getting-started.md",
    coming_from_diesel: "../../docs/src/coming-from-diesel.md",
    actions: "../../docs/src/actions.md",
    checks: "../../docs/src/checks.md",
    keys: "../../docs/src/keys.md",
    reading: "../../docs/src/reading.md",
    versions: "../../docs/src/versions.md",
    savepoints: "../../docs/src/savepoints.md",
    drift: "../../docs/src/drift.md",
    what_plain_sql_did: "../../docs/src/what-plain-sql-did.md",
    triggers: "../../docs/src/triggers.md",
    batches: "../../docs/src/batches.md",
    many_rows: "../../docs/src/many-rows.md",
    upserts: "../../docs/src/upserts.md",
    defaults: "../../docs/src/defaults.md",
    asynchronous: "../../docs/src/async.md",
    errors: "../../docs/src/errors.md",
    migrations: "../../docs/src/migrations.md",
    listening: "../../docs/src/listening.md",
    write_ahead_log: "../../docs/src/write-ahead-log.md",
    live_values: "../../docs/src/live-values.md",
    trees: "../../docs/src/trees.md",
    subscribing_to_values: "../../docs/src/subscribing-to-values.md",
    to_the_browser: "../../docs/src/to-the-browser.md",
    reacting: "../../docs/src/reacting.md",
    projections: "../../docs/src/projections.md",
    domain_events: "../../docs/src/domain-events.md",
    effects: "../../docs/src/effects.md",
    delayed_events: "../../docs/src/delayed-events.md",
    workers: "../../docs/src/workers.md",
    once: "../../docs/src/once.md",
    shared_logs: "../../docs/src/shared-logs.md",
    links: "../../docs/src/links.md",
    log_only: "../../docs/src/log-only.md",
    before_append: "../../docs/src/before-append.md",
    append_only: "../../docs/src/append-only.md",
    hashed_logs: "../../docs/src/hashed-logs.md",
    verification: "../../docs/src/verification.md",
    backfill: "../../docs/src/backfill.md",
    rebuild: "../../docs/src/rebuild.md",
    log_formats: "../../docs/src/log-formats.md",
    admin: "../../docs/src/admin.md",
    the_format: "../../docs/src/the-format.md",
    column_types: "../../docs/src/column-types.md",
    differences_from_spector: "../../docs/src/differences-from-spector.md",
}
