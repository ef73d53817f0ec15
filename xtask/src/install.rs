//! What the tests need from the system: a PostgreSQL server to run, and libpq to link.

use std::env;

use anyhow::{Result, bail};

use crate::postgres::find;
use crate::run::succeed;

/// Makes sure that tests can be linked and, if `server`, that a PostgreSQL server can be started.
///
/// To be called before the first build: the build script of `pq-sys` remembers where libpq was.
pub(crate) fn ensure(server: bool) -> Result<()> {
    let mut missing = Vec::new();
    if server && find::find()?.is_none() {
        missing.push("postgresql");
    }
    if !libpq_links()? {
        missing.push("libpq-dev");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(" ");
    let Some(become_root) = apt() else {
        bail!(
            "the tests need these packages of your system, by Debian's names: {missing}\n\
             A server outside of the usual places is found with PG_BIN=<directory of initdb and postgres>, \
             a libpq with PQ_LIB_DIR=<directory of libpq>."
        );
    };
    let install = format!("apt-get update && apt-get install -y --no-install-recommends {missing}");
    println!("xtask: installing what the tests need: {become_root}sh -c '{install}'");
    let words = become_root.split_whitespace().chain(["env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c"]);
    let words: Vec<&str> = words.chain([install.as_str()]).collect();
    let [program, args @ ..] = words.as_slice() else { bail!("an empty command") };
    succeed("the installation of the packages", &duct::cmd(*program, args))
}

/// The words before a command that make it run as root; `None` without apt-get or the right to use it.
fn apt() -> Option<&'static str> {
    duct::cmd!("apt-get", "--version").stdout_null().stderr_null().run().ok()?;
    if rustix::process::geteuid().is_root() {
        return Some("");
    }
    duct::cmd!("sudo", "-n", "true").stdout_null().stderr_null().run().ok()?;
    Some("sudo -n ")
}

/// Asks the linker: neither headers nor a `libpq.so.5` alone would do.
fn libpq_links() -> Result<bool> {
    if env::var_os("PQ_LIB_DIR").is_some() {
        return Ok(true);
    }
    let dir = tempfile::tempdir()?;
    let mut args = ["-x", "c", "-", "-o"].map(Into::into).to_vec();
    args.push(dir.path().join("probe").into_os_string());
    // Where `pq-sys` looks, too.
    if let Ok(libs) = duct::cmd!("pg_config", "--libdir").stderr_null().read() {
        args.push(format!("-L{libs}").into());
    }
    args.push("-lpq".into());
    let link = duct::cmd("cc", args).stdin_bytes("int main(void) { return 0; }");
    Ok(link.stdout_null().stderr_null().run().is_ok())
}
