//! `cargo xtask fuzz`: looks for inputs that the core does not handle.

use std::fs;

use anyhow::Result;

use crate::run::{root, succeed};

/// The targets, in `fuzz/targets`.
const TARGETS: [&str; 4] = ["position", "payload", "metadata", "proof"];

/// What libFuzzer needs to see which code an input reaches. The crates have no unsafe code, so no sanitizer is needed.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Ccodegen-units=1 --cfg fuzzing";

/// Fuzzes one target or all targets, each for some seconds. New inputs that reach new code are kept in `fuzz/corpus`.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<()> {
    let root = root()?;
    for target in TARGETS.into_iter().filter(|name| target.is_none_or(|target| target == *name)) {
        let corpus = root.join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus)?;
        let seeds = root.join("evented-core/tests/seeds").join(target);
        let manifest = root.join("fuzz/Cargo.toml");
        let time = format!("-max_total_time={seconds}");
        let fuzz = duct::cmd!(
            "rustup",
            "run",
            "nightly",
            "cargo",
            "run",
            "--release",
            "--quiet",
            // With a target, the flags do not reach build scripts.
            "--target",
            "host-tuple",
            "--manifest-path",
            manifest,
            "--bin",
            target,
            "--",
            corpus,
            seeds,
            time,
            "-print_final_stats=1",
            "-max_len=4096",
            "-timeout=10"
        );
        succeed(target, &fuzz.env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", root.join("target/fuzz")))?;
    }
    Ok(())
}
