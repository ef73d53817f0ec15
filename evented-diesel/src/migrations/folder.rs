//! Writes and checks migrations in a folder of Diesel's.

use std::path::{Path, PathBuf};
use std::{fs, io};

use chrono::{TimeDelta, Utc};

use crate::migrations::log_sql::Step;

/// A folder of migrations could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
#[non_exhaustive]
pub struct FolderError {
    /// The path that could not be read or written.
    pub path: PathBuf,
    /// The reason.
    pub error: io::Error,
}

/// A folder of migrations differs from what the library would write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stale {
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A log has a migration that the folder lacks.
    #[error("no migration `…_{name}`: write it with `Migrations::write_to`")]
    Missing {
        /// The name of the migration, without its timestamp.
        name: String,
    },
    /// A migration was changed by hand, or written by another version of the library.
    #[error("{} differs from what the library writes", path.display())]
    Differs {
        /// The path of the file.
        path: PathBuf,
    },
}

pub(super) fn write(steps: Vec<Step>, folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let of = |path: &Path| {
        let path = path.to_owned();
        move |error| FolderError { path, error }
    };
    fs::create_dir_all(folder).map_err(of(folder))?;
    let mut written = Vec::new();
    for (index, Step { name, up, down, .. }) in (0..).zip(steps) {
        if find(folder, &name)?.is_some() {
            continue;
        }
        // The timestamps are a second apart, so that each migration has a version of its own.
        let time = (Utc::now() + TimeDelta::seconds(index)).format("%Y-%m-%d-%H%M%S");
        let path = folder.join(format!("{time}_{name}"));
        fs::create_dir_all(&path).map_err(of(&path))?;
        for (file, text) in [("up.sql", up), ("down.sql", down)] {
            let file = path.join(file);
            fs::write(&file, text).map_err(of(&file))?;
        }
        written.push(path);
    }
    Ok(written)
}

pub(super) fn check(steps: Vec<Step>, folder: &Path) -> Result<(), Stale> {
    for Step { name, up, .. } in steps {
        let Some(path) = find(folder, &name)? else { return Err(Stale::Missing { name }) };
        let path = path.join("up.sql");
        let text = fs::read_to_string(&path).map_err(|error| FolderError { path: path.clone(), error })?;
        if text.trim() != up.trim() {
            return Err(Stale::Differs { path });
        }
    }
    Ok(())
}

fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>, FolderError> {
    let of = |error| FolderError { path: folder.to_owned(), error };
    let suffix = format!("_{name}");
    for entry in fs::read_dir(folder).map_err(of)? {
        let entry = entry.map_err(of)?;
        if entry.file_name().to_string_lossy().ends_with(&suffix) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}
