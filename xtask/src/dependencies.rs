//! What the crates depend on: the core alone on pure code, and all of them on versions that are really enough.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, root, succeed};

/// Crates that know the time, random numbers, a runtime or a database. The core depends on none of them, directly or not.
const IMPURE: [&str; 12] = [
    "async-channel",
    "diesel",
    "fastrand",
    "getrandom",
    "iana-time-zone",
    "js-sys",
    "libc",
    "libsqlite3-sys",
    "mio",
    "rand",
    "tokio",
    "wasm-bindgen",
];

/// The packages that users depend on.
const PUBLISHED: [&str; 7] = [
    "evented-core",
    "evented-derive",
    "evented-diesel",
    "evented-wal",
    "evented-feed",
    "evented-react",
    "evented-cli",
];

/// Where a library has no system below it.
const WASM: &str = "wasm32-unknown-unknown";

/// Checks that the core is pure: by its dependencies, and by a build for a target without a system.
pub(crate) fn check_core() -> Result<()> {
    let tree = cargo(["tree", "-p", "evented-core", "-e", "normal", "--prefix", "none"])?.read()?;
    let used: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let impure: Vec<_> = IMPURE.iter().filter(|name| used.contains(name)).collect();
    if !impure.is_empty() {
        bail!(
            "evented-core depends on {impure:?}, and it may know no clock, random numbers, runtime or database"
        );
    }
    println!("evented-core depends on pure crates alone");
    if !has_target(WASM) {
        return skip(
            "a build of evented-core for WebAssembly",
            "the target wasm32-unknown-unknown is not installed",
        );
    }
    let build = cargo(["check", "-p", "evented-core", "--target", WASM])?;
    succeed("evented-core for WebAssembly", &build)
}

/// The checks that need a tool, a toolchain or a target which not every machine has. What is missing is reported.
pub(crate) fn check_versions() -> Result<()> {
    let minimum = minimum_rust()?;
    if has_toolchain(&minimum) {
        let toolchain = format!("+{minimum}");
        let args =
            published([toolchain.as_str(), "check", "--all-features", "--target-dir", "target/minimum-rust"]);
        succeed("the oldest Rust", &rustup_cargo(args)?)?;
    } else {
        skip("the oldest Rust", &format!("the toolchain {minimum} is not installed"))?;
    }
    if has_subcommand("deny") {
        succeed(
            "licences and duplicates",
            &cargo(["deny", "--all-features", "check", "licenses", "bans", "sources"])?,
        )?;
    } else {
        skip("licences and duplicates", "cargo-deny is not installed")?;
    }
    // Nothing is released yet: there is no version to compare with before the first one.
    if has_subcommand("semver-checks") {
        skip("compatibility", "no version is released to compare with")
    } else {
        skip("compatibility", "cargo-semver-checks is not installed, and no version is released")
    }
}

/// Builds the crates with the oldest versions of their direct dependencies that their manifests allow. It needs a
/// nightly toolchain, for the flag of cargo that selects them.
pub(crate) fn check_minimal_versions() -> Result<()> {
    if !has_toolchain("nightly") {
        return skip("minimal versions", "no nightly toolchain is installed");
    }
    let lock = LockFile::keep()?;
    // Without the registry, neither the versions nor their sources are known.
    match failure(["+nightly", "update", "-Z", "direct-minimal-versions"])? {
        Some(why) if why.contains("failed to select a version") => {
            bail!("the minimal versions of the manifests contradict each other: {why}")
        }
        Some(why) => return skip("minimal versions", &why),
        None => {}
    }
    if let Some(why) = failure(["fetch"])? {
        return skip("minimal versions", &why);
    }
    let args = published(["check", "--all-features", "--target-dir", "target/minimal-versions"]);
    let checked = succeed("minimal versions", &cargo(args)?);
    drop(lock);
    checked
}

/// Runs cargo; the last line that it printed if it failed.
fn failure<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Option<String>> {
    let done = rustup_cargo(args)?.stdout_null().stderr_capture().unchecked().run()?;
    if done.status.success() {
        return Ok(None);
    }
    let printed = String::from_utf8_lossy(&done.stderr);
    let last = printed.lines().rev().find(|line| !line.trim().is_empty());
    Ok(Some(last.unwrap_or("cargo failed").trim().to_owned()))
}

/// The lock file as it is, put back at the end.
struct LockFile {
    path: PathBuf,
    text: Vec<u8>,
}

impl LockFile {
    fn keep() -> Result<Self> {
        let path = root()?.join("Cargo.lock");
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, text })
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.text) {
            eprintln!("xtask: {} could not be put back: {error}", self.path.display());
        }
    }
}

fn skip(what: &str, why: &str) -> Result<()> {
    println!("skipped: {what}: {why}");
    Ok(())
}

fn published<'a>(args: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    args.into_iter().chain(PUBLISHED.into_iter().flat_map(|package| ["-p", package])).collect()
}

/// The version of Rust that the manifest promises.
fn minimum_rust() -> Result<String> {
    let manifest: toml::Table = fs::read_to_string(root()?.join("Cargo.toml"))?.parse()?;
    let version = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package"))
        .and_then(|package| package.get("rust-version"))
        .and_then(toml::Value::as_str);
    Ok(version.context("the workspace names no rust-version")?.to_owned())
}

/// The cargo that takes a toolchain: the one that runs this program is of one toolchain alone.
fn rustup_cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<duct::Expression> {
    let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    Ok(duct::cmd("cargo", args).dir(root()?).env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN"))
}

fn has_toolchain(name: &str) -> bool {
    let args = ["run", name, "cargo", "--version"];
    duct::cmd("rustup", args)
        .stdout_null()
        .stderr_null()
        .unchecked()
        .run()
        .is_ok_and(|it| it.status.success())
}

fn has_target(name: &str) -> bool {
    let folder = duct::cmd!("rustc", "--print", "target-libdir", "--target", name).stderr_null().read();
    folder.is_ok_and(|folder| Path::new(&folder).is_dir())
}

fn has_subcommand(name: &str) -> bool {
    cargo([name, "--version"])
        .and_then(|command| Ok(command.stdout_null().stderr_null().unchecked().run()?))
        .is_ok_and(|it| it.status.success())
}
