//! What the compiler says of wrong uses: each file in `ui/` is one, and the `.stderr` beside it says the message.
//!
//! `TRYBUILD=overwrite cargo test -p evented-tests --test ui` records the messages anew, and
//! `cargo test -p evented-tests --test ui -- ui trybuild=name.rs` runs those of one name.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "tests")]

use std::env;
use std::process::Command;

/// The compiler whose messages are recorded. Others word some of them in other ways.
const RECORDED: &str = "rustc 1.95.";

#[test]
fn ui() {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("a compiler").stdout;
    let version = String::from_utf8_lossy(&version);
    if !version.starts_with(RECORDED) {
        println!("skipped: the messages are those of {RECORDED}x, and this is {}", version.trim());
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*/*.rs");
}
