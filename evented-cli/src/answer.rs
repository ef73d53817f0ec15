//! The answers of the commands, and how they are printed.

use std::io::Write;
use std::process::ExitCode;

use crate::failure;
use crate::failure::Failure;
use crate::screen::Screen;

/// An answer: a JSON document for scripts, a text for people, and an exit code.
pub(super) trait Answer: Send {
    /// Returns the answer as one JSON document.
    fn json(&self) -> serde_json::Result<String>;
    /// Returns the answer as text for people, without the final line break.
    fn text(&self, screen: &Screen) -> String;
    /// Whether the exit code is 0: no check found anything, and no work remains.
    fn is_well(&self) -> bool {
        true
    }
    /// The errors of the parts that failed, while the other parts were done.
    fn failures(&self) -> &[Failure] {
        &[]
    }
}

/// Prints the answer, and returns the program's exit code.
pub(super) fn finish(answer: Result<Box<dyn Answer>, Failure>, json: bool) -> ExitCode {
    let rendered = answer.and_then(|answer| {
        let text = if json {
            answer.json().map_err(|error| Failure::new(error.to_string()))?
        } else {
            answer.text(&Screen::of_stdout())
        };
        print(&text)?;
        Ok(answer)
    });
    let answer = match rendered {
        Ok(answer) => answer,
        Err(failure) => {
            failure.say(json);
            return failure::code();
        }
    };
    for failure in answer.failures() {
        failure.say(json);
    }
    if !answer.failures().is_empty() {
        failure::code()
    } else if answer.is_well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

/// Prints a text to standard output. A reader that closes the pipe early, as `head` does, is not a failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(error.to_string())),
        _ => Ok(()),
    }
}
