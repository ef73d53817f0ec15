//! Tests the pages of the examples `board` and `live` in a browser: headless Chromium, through its WebDriver.
//!
//! `cargo xtask test` installs the browser where it can. Without it, the tests of pages are left out, and say so.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod browser;
mod cards;
mod kills;
mod lists;
mod random;
mod server;
mod tickets;
mod windows;
