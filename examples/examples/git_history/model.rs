//! The model: a file of the repository, and the actions of commits on it.

use diesel::prelude::*;
use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::path::RepoPath;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    /// The files of the latest commit imported.
    files (id) {
        /// The key of the file, which does not change when the file is renamed.
        id -> Uid,
        /// The path, as bytes: it need not be UTF-8.
        path -> Binary,
        /// The mode as git prints it: `100644`, for example.
        mode -> Text,
        /// The id of the file's blob, or of a submodule's commit.
        object -> Text,
        /// The number of events of the file.
        revision -> BigInt,
    }
}

/// A file, a symbolic link or a submodule.
///
/// From its first commit to its deletion, a file is one record, under all its names. A file that is added again later
/// is another record. The revision shows without a query whether a copy in memory is current.
#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = files)]
#[evented(actions(Edit, Rename))]
pub(crate) struct File {
    /// The key of the file, which does not change when the file is renamed.
    pub(crate) id: Id<File>,
    /// The path of the file.
    pub(crate) path: RepoPath,
    /// The mode as git prints it: `100644`, for example.
    pub(crate) mode: String,
    /// The id of the file's blob, or of a submodule's commit.
    pub(crate) object: String,
    /// The number of events of the file.
    #[evented(revision)]
    pub(crate) revision: i64,
}

/// Changes the content or the mode of the file.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Edit {
    /// The new mode.
    pub(crate) mode: String,
    /// The id of the new object.
    pub(crate) object: String,
}

impl Action<File> for Edit {
    fn apply(&self, file: &mut File, _: &Context) {
        file.mode.clone_from(&self.mode);
        file.object.clone_from(&self.object);
    }
}

/// Renames the file.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Rename {
    /// The new path.
    pub(crate) to: RepoPath,
}

impl Action<File> for Rename {
    fn apply(&self, file: &mut File, _: &Context) {
        file.path.clone_from(&self.to);
    }
}
