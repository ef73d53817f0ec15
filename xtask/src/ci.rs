//! `cargo xtask ci`: everything a change has to pass.

use std::env;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use duct::Expression;

use crate::install;
use crate::run::{cargo, root, succeed};
use crate::test;

/// Runs all checks; the cheap ones first, and the first failure ends it.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    if env::var_os("EVENTED_TEST_POSTGRES").is_none() {
        install::ensure()?;
    }
    step("formatting", &cargo(["fmt", "--all", "--check"])?)?;
    step("lints", &cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?)?;
    let alone = ["check", "-p", "evented-diesel", "--no-default-features"];
    step("evented-diesel without features", &cargo(alone)?)?;
    for feature in features()? {
        let args = alone.into_iter().chain(["--features", &feature]);
        step(&format!("evented-diesel with {feature} alone"), &cargo(args)?)?;
    }
    let docs = cargo(["doc", "--workspace", "--no-deps"])?.env("RUSTDOCFLAGS", "-D warnings");
    step("docs", &docs)?;
    // In the workspace every feature is on; what only a user of one database would meet shows here.
    let alone = cargo(["test", "-p", "evented-diesel", "--features", "sqlite", "--doc"])?;
    step("doc tests with sqlite alone", &alone)?;
    println!("\n== tests");
    test::run(&[])?;
    println!("\nxtask: everything passed in {} s", started.elapsed().as_secs());
    Ok(())
}

fn step(name: &str, command: &Expression) -> Result<()> {
    println!("\n== {name}");
    succeed(name, command)
}

/// The features of evented-diesel that users choose from, read from its manifest so that a new one is
/// checked from its first day.
fn features() -> Result<Vec<String>> {
    let manifest = root()?.join("evented-diesel/Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(&manifest)?.parse()?;
    let features = manifest.get("features").and_then(|it| it.as_table()).context("no features to check")?;
    let public = |name: &&String| *name != "default" && !name.starts_with("__");
    Ok(features.keys().filter(public).cloned().collect())
}
