//! The model: a file of the repository, and what commits do to it.

use diesel::prelude::*;
use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::path::RepoPath;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    /// The files of the latest commit imported.
    files (id) {
        /// A file keeps it when it is renamed.
        id -> Uid,
        /// Bytes: a path need not be UTF-8.
        path -> Binary,
        /// As git prints it: `100644`.
        mode -> Text,
        /// The id of its blob, or of a submodule's commit.
        object -> Text,
        /// How many events it has.
        revision -> BigInt,
    }
}

/// A file, a symbolic link or a submodule.
///
/// From its first commit to its delete it is one record, under whatever names; a file that comes back later is
/// another one. Its revision makes it known without a query whether the copy at hand is fresh.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = files)]
#[evented(actions(Edit, Rename))]
pub(crate) struct File {
    /// A file keeps it when it is renamed.
    pub(crate) id: Id<File>,
    /// Where it is.
    pub(crate) path: RepoPath,
    /// As git prints it: `100644`.
    pub(crate) mode: String,
    /// The id of its blob, or of a submodule's commit.
    pub(crate) object: String,
    /// How many events it has.
    #[evented(revision)]
    pub(crate) revision: i64,
}

/// The file has other content, or another mode.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Edit {
    /// The mode now.
    pub(crate) mode: String,
    /// The object now.
    pub(crate) object: String,
}

impl Action<File> for Edit {
    fn apply(&self, file: &mut File, _: &Context) {
        file.mode.clone_from(&self.mode);
        file.object.clone_from(&self.object);
    }
}

/// The file has another name.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Rename {
    /// Its path now.
    pub(crate) to: RepoPath,
}

impl Action<File> for Rename {
    fn apply(&self, file: &mut File, _: &Context) {
        file.path.clone_from(&self.to);
    }
}
