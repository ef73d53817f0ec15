//! `cargo xtask ci`: runs all checks that a change must pass.

use std::env;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use duct::Expression;

use crate::breaks;
use crate::dependencies;
use crate::install;
use crate::layers;
use crate::run::{cargo, root, succeed};
use crate::test;

/// Runs all checks, cheap ones first. Stops at the first failure.
pub(crate) fn run() -> Result<()> {
    let started = Instant::now();
    if env::var_os("EVENTED_TEST_POSTGRES").is_none() {
        install::ensure()?;
    }
    step("formatting", &cargo(["fmt", "--all", "--check"])?)?;
    println!("\n== layers");
    layers::check()?;
    println!("\n== breaks");
    breaks::check(None)?;
    step(
        "lints",
        &cargo(["clippy", "--workspace", "--all-features", "--all-targets", "--", "-D", "warnings"])?,
    )?;
    println!("\n== dependencies of the core");
    dependencies::check_core()?;
    for package in ["evented-diesel", "evented-feed", "evented-react", "evented-live", "evented-cli"] {
        for feature in features(package)? {
            let args = [
                "clippy",
                "-p",
                package,
                "--no-default-features",
                "--features",
                &feature,
                "--",
                "-D",
                "warnings",
            ];
            step(&format!("{package} with {feature} alone"), &cargo(args)?)?;
        }
    }
    let none = ["check", "-p", "evented-core", "-p", "evented-diesel", "-p", "evented-wal"];
    step("the libraries without features", &cargo(none)?)?;
    // What a first program needs, and no more.
    let alone = cargo(["clippy", "-p", "examples", "--examples", "--", "-D", "warnings"])?;
    step("the examples without features", &alone)?;
    let docs =
        cargo(["doc", "--workspace", "--all-features", "--no-deps"])?.env("RUSTDOCFLAGS", "-D warnings");
    step("docs", &docs)?;
    // Hashes and digests must not depend on what another crate of a program switches on.
    for features in SERDE_JSON_FEATURES {
        let args = ["test", "-p", "evented-core", "--features", features, "--test", "the_format"];
        step(&format!("the format with {features}"), &cargo(args)?)?;
    }
    // In the workspace all features are on. This finds problems that only a user of one database would see.
    let alone = cargo(["test", "-p", "evented-diesel", "--features", "sqlite", "--doc"])?;
    step("doc tests with sqlite alone", &alone)?;
    println!("\n== versions");
    dependencies::check_versions()?;
    println!("\n== minimal versions");
    dependencies::check_minimal_versions()?;
    println!("\n== tests");
    test::run(&[])?;
    println!("\nxtask: everything passed in {} s", started.elapsed().as_secs());
    Ok(())
}

/// The features of serde_json that change what it reads or writes. `float_roundtrip` is always on: without it, a float
/// would not come back to the bit.
const SERDE_JSON_FEATURES: [&str; 4] = [
    "serde_json/arbitrary_precision",
    "serde_json/preserve_order",
    "serde_json/raw_value",
    "serde_json/arbitrary_precision,serde_json/preserve_order,serde_json/raw_value",
];

fn step(name: &str, command: &Expression) -> Result<()> {
    println!("\n== {name}");
    succeed(name, command)
}

/// The features of a package that users choose from, read from its manifest so that a new one is checked from its
/// first day.
fn features(package: &str) -> Result<Vec<String>> {
    let manifest = root()?.join(package).join("Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(&manifest)?.parse()?;
    let features = manifest.get("features").and_then(|it| it.as_table()).context("no features to check")?;
    let public = |name: &&String| *name != "default" && !name.starts_with("__");
    Ok(features.keys().filter(public).cloned().collect())
}
