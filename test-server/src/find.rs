//! Finds the programs of a PostgreSQL server.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Directories with one sub-directory for each version: the directory, the prefix of the sub-directory's name, and
/// the path of the programs in it.
const VERSIONED: [(&str, &str, &str); 6] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The directory with `initdb`, `postgres` and `pg_ctl`; `None` if there is none.
pub fn find() -> Result<Option<PathBuf>> {
    if let Some(given) = env::var_os("PG_BIN").map(PathBuf::from) {
        ensure!(usable(&given), "PG_BIN={} holds no working PostgreSQL server", given.display());
        return Ok(Some(given));
    }
    let candidates: Vec<_> = candidates().into_iter().filter(|dir| usable(dir)).collect();
    // A wrapper script may choose another version for each program, or depend on its caller.
    let real = candidates.iter().find(|dir| !is_script(&dir.join("postgres")));
    Ok(real.or(candidates.first()).cloned())
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for dir in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        // The target of a link may have more of the programs than were linked.
        let real = dir.join("postgres").canonicalize().ok();
        dirs.extend(real.and_then(|postgres| Some(postgres.parent()?.to_path_buf())));
        dirs.push(dir);
    }
    dirs.extend(duct::cmd!("pg_config", "--bindir").stderr_null().read().ok().map(PathBuf::from));
    for (parent, prefix, bin) in VERSIONED {
        dirs.extend(versions(Path::new(parent), prefix).into_iter().map(|dir| dir.join(bin)));
    }
    dirs.push("/usr/local/pgsql/bin".into());
    dirs
}

/// The sub-directories of `parent` whose names start with `prefix`, highest version first.
fn versions(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let rest = name.strip_prefix(prefix)?.trim_start_matches('@');
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            // A name without a version ("latest") sorts after those with a version.
            Some((digits.parse().unwrap_or(0), entry.path()))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, dir)| dir).collect()
}

fn usable(dir: &Path) -> bool {
    let complete = ["initdb", "postgres", "pg_ctl"].iter().all(|name| dir.join(name).is_file());
    complete && duct::cmd!(dir.join("postgres"), "--version").stdout_null().stderr_null().run().is_ok()
}

fn is_script(program: &Path) -> bool {
    let mut start = [0; 2];
    File::open(program).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"#!"
}
