//! Why the command could not do what it was asked for.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;

use super::render::harmless;
use crate::error::Error;

/// A reason, in words.
#[derive(Debug)]
#[cfg_attr(not(feature = "wal"), allow(unreachable_pub, reason = "in a signature that it brings"))]
pub struct Failure(pub(super) String);

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// Says it on standard error.
    pub(super) fn say(&self, json: bool) {
        let text = if json {
            serde_json::json!({ "error": self.0 }).to_string()
        } else {
            format!("error: {}", harmless(&self.0))
        };
        // Nobody is left to tell if this fails.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// The exit code of misuse and of failure.
pub(super) fn code() -> ExitCode {
    ExitCode::from(2)
}

/// Arguments that cannot be read; or a call for help, which is no failure.
pub(super) fn of_arguments(error: &clap::Error) -> ExitCode {
    let helps = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !helps && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        Failure::new(text.strip_prefix("error: ").unwrap_or(&text).trim()).say(true);
        return code();
    }
    let _ = error.print();
    if helps { ExitCode::SUCCESS } else { code() }
}
