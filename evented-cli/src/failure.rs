//! The reason why a command failed.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::screen::harmless;
use evented_diesel::Error;

/// The reason of a failure, as text.
#[derive(Debug)]
#[cfg_attr(not(feature = "wal"), allow(unreachable_pub, reason = "in a signature that it brings"))]
pub struct Failure(pub(super) String);

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// Prints the reason on standard error.
    pub(super) fn say(&self, json: bool) {
        let text = if json {
            serde_json::json!({ "error": self.0 }).to_string()
        } else {
            format!("error: {}", harmless(&self.0))
        };
        // If this write fails, there is no other output to report it on.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// Returns the exit code for invalid arguments and for failures: 2.
pub(super) fn code() -> ExitCode {
    ExitCode::from(2)
}

/// Reports arguments that cannot be parsed, or prints the help, which is not a failure.
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
