//! The book and the README: every Rust block of theirs is a doc test of this package.
//!
//! `cargo test -p evented-tests --doc` runs them. A block takes in [`setup`] by a hidden line; a new chapter gets a
//! line below.

/// What the blocks share: `docs/setup.rs`.
#[allow(missing_docs, reason = "the book is its documentation")]
pub mod setup {
    include!("../../docs/setup.rs");
}

/// Each text on an item of its own, which exists only where doc tests are looked for.
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
    batches: "../../docs/src/batches.md",
    asynchronous: "../../docs/src/async.md",
    errors: "../../docs/src/errors.md",
    migrations: "../../docs/src/migrations.md",
    listening: "../../docs/src/listening.md",
    write_ahead_log: "../../docs/src/write-ahead-log.md",
    shared_logs: "../../docs/src/shared-logs.md",
    links: "../../docs/src/links.md",
    log_only: "../../docs/src/log-only.md",
    prepare: "../../docs/src/prepare.md",
    append_only: "../../docs/src/append-only.md",
    hashed_logs: "../../docs/src/hashed-logs.md",
    verification: "../../docs/src/verification.md",
    bring_up: "../../docs/src/bring-up.md",
    rebuild: "../../docs/src/rebuild.md",
    log_formats: "../../docs/src/log-formats.md",
    operators: "../../docs/src/operators.md",
    column_types: "../../docs/src/column-types.md",
    not_carried_over: "../../docs/src/not-carried-over.md",
}
