//! Whose log it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A server, and its history. A position means nothing on another one.
///
/// Keep it with the position, and give it to [`Config::system`](super::Config::system).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct System {
    /// The number that the server was given when it was made. A physical replica has the same.
    pub id: String,
    /// Which of its histories: it is another one after a replica was promoted, or a backup restored.
    pub timeline: u32,
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system {} on timeline {}", self.id, self.timeline)
    }
}
