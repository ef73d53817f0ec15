//! Runs the inputs that fuzzing has kept. `cargo xtask fuzz` looks for more.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod fuzzed;

use std::path::Path;

fn each(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("a folder of seeds") {
        check(&std::fs::read(entry.expect("a seed").path()).expect("a file"));
        count += 1;
    }
    assert!(count > 0, "no seeds in {}", folder.display());
}

#[test]
fn positions() {
    each("position", fuzzed::position);
}

#[test]
fn payloads() {
    each("payload", fuzzed::payload);
}

#[test]
fn metadata() {
    each("metadata", fuzzed::metadata);
}

#[test]
fn proofs() {
    each("proof", fuzzed::proof);
}
