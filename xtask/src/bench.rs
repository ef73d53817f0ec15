//! `cargo xtask bench`: runs the benchmarks against a server with `fsync` on.

use std::ffi::OsString;
use std::path::{Path, absolute};

use anyhow::Result;

use crate::install;
use crate::run::{cargo, succeed};
use crate::test::settings;
use evented_test_server::Cluster;

/// Runs one suite, or all suites.
pub(crate) fn run(suite: Option<&str>, json: Option<&Path>) -> Result<()> {
    install::ensure()?;
    let cluster = Cluster::start(settings(true))?;
    // The results depend on this disk.
    println!("xtask: PostgreSQL keeps its files in {} (TMPDIR moves them)", cluster.dir().display());
    let mut args: Vec<OsString> =
        ["run", "--release", "-p", "evented-benches", "--"].map(Into::into).to_vec();
    args.extend(suite.map(Into::into));
    if let Some(file) = json {
        // cargo runs in the root of the workspace, but the path is relative to the caller's directory.
        args.extend(["--json".into(), absolute(file)?.into_os_string()]);
    }
    let command =
        cargo(args)?.env("EVENTED_BENCH_POSTGRES", cluster.url()).env("EVENTED_PG_BIN", cluster.bin_dir());
    succeed("the benchmark", &command)
}
