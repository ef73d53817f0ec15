//! Runs the command as its users do.

use std::process::Command;

use serde_json::Value;

/// The command, in a setting, on a database.
pub(crate) struct Program {
    pub(crate) setting: &'static str,
    pub(crate) url: Option<String>,
}

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evented-test-admin"));
        command.env("EVENTED_TEST_SETTING", self.setting).env_remove("DATABASE_URL").args(arguments);
        if let Some(url) = &self.url {
            command.env("DATABASE_URL", url);
        }
        let output = command.output().unwrap();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Outcome {
    /// Checks the exit code, and returns the JSON document on standard output. Standard error must be empty.
    #[track_caller]
    pub(crate) fn json(&self, code: i32) -> Value {
        assert_eq!((self.code, self.err.as_str()), (code, ""), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks the exit code, and returns the text on standard output. Standard error must be empty.
    #[track_caller]
    pub(crate) fn text(&self, code: i32) -> &str {
        assert_eq!((self.code, self.err.as_str()), (code, ""), "{self:?}");
        &self.out
    }

    /// Returns the error of a run with `--json`, which must have printed nothing else.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        assert_eq!((self.code, self.out.as_str()), (2, ""), "{self:?}");
        let error: Value =
            serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        error["error"].as_str().unwrap().to_owned()
    }
}
