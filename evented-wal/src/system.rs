//! The identity of the server whose log is read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Identifies a server and its history. A position is not valid on another one.
///
/// Store it with the position, and pass it to [`Config::system`](super::Config::system).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SystemId {
    /// The identifier that the server got when it was initialized. A physical replica has the same one.
    pub id: String,
    /// The timeline of the history. It changes when a replica is promoted or a backup is restored.
    pub timeline: u32,
}

impl fmt::Display for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system {} on timeline {}", self.id, self.timeline)
    }
}
