//! Renders the state of the log tables.

use crate::answer::Answer;
use crate::commands::migrations::Done;
use crate::screen::{Screen, harmless, plain};
use evented_diesel::migrations::LogState;

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
                    let state = match log.state {
                        LogState::Current => "current".to_owned(),
                        LogState::Missing => "missing".to_owned(),
                        LogState::Older { found } => format!("older: format {found}"),
                        LogState::Newer { found } => format!("newer than this program: format {found}"),
                        other => format!("{other:?}"),
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
            Self::Status { logs } => logs.iter().all(|log| log.state == LogState::Current),
            Self::Written { .. } | Self::Printed { .. } | Self::Upgraded { .. } => true,
        }
    }
}
