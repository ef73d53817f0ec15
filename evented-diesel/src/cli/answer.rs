//! What a command answers, and how it is told.

use std::io::Write;
use std::process::ExitCode;

use super::failure::{self, Failure};
use super::render::Screen;

/// An answer: a JSON document for scripts, a text for people, and an exit code.
pub(super) trait Answer: Send {
    /// As one JSON document.
    fn json(&self) -> serde_json::Result<String>;
    /// As people read it, without the last end of line.
    fn text(&self, screen: &Screen) -> String;
    /// Whether it is good news.
    fn is_well(&self) -> bool {
        true
    }
    /// What could not be done, while the rest was.
    fn failures(&self) -> &[Failure] {
        &[]
    }
}

/// Tells it, and gives the program's exit code.
pub(super) fn finish(answer: Result<Box<dyn Answer>, Failure>, json: bool) -> ExitCode {
    let told = answer.and_then(|answer| {
        let text = if json {
            answer.json().map_err(|error| Failure::new(error.to_string()))?
        } else {
            answer.text(&Screen::of_stdout())
        };
        print(&text)?;
        Ok(answer)
    });
    let answer = match told {
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

/// A reader that has seen enough, as `head` has, is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(error.to_string())),
        _ => Ok(()),
    }
}
