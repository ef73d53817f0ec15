//! The tables of logs.

use super::{Screen, harmless, plain};
use crate::cli::answer::Answer;
use crate::cli::commands::migrations::{Done, Form};

impl Answer for Done {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        match self {
            Self::Written { written } if written.is_empty() => "nothing is missing".to_owned(),
            Self::Written { written } => {
                written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n")
            }
            Self::Checked { reason: None, .. } => "the folder is current".to_owned(),
            Self::Checked { reason: Some(reason), .. } => harmless(reason),
            Self::Printed { sql } => sql.trim_end().to_owned(),
            Self::Status { logs } => {
                let rows = logs.iter().map(|log| {
                    let state = match (log.state, log.form) {
                        (Form::Current, _) => "current".to_owned(),
                        (Form::Missing, _) => "missing".to_owned(),
                        (Form::Old, form) => format!("old, of form {}", form.unwrap_or_default()),
                        (Form::Newer, form) => {
                            format!("newer than this program, of form {}", form.unwrap_or_default())
                        }
                    };
                    [plain(&log.log), state]
                });
                screen.table(["log", "state"], rows)
            }
            Self::Upgraded { steps } if steps.is_empty() => "every log is current".to_owned(),
            Self::Upgraded { steps } => steps.join("\n"),
        }
    }

    fn is_well(&self) -> bool {
        match self {
            Self::Checked { current, .. } => *current,
            Self::Status { logs } => logs.iter().all(|log| log.state == Form::Current),
            Self::Written { .. } | Self::Printed { .. } | Self::Upgraded { .. } => true,
        }
    }
}
