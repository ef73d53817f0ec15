//! Installs what the tests need from the system: a PostgreSQL server. (Both client libraries are built from source.)

use anyhow::{Result, bail};

use crate::run::succeed;
use evented_test_server::find;

/// Ensures that a PostgreSQL server can be started: finds one, or installs it.
pub(crate) fn ensure() -> Result<()> {
    if find::find()?.is_some() {
        return Ok(());
    }
    let Some(become_root) = apt() else {
        bail!(
            "the tests need a PostgreSQL server: install your system's package (`postgresql` by Debian's name), or \
             name the directory of `initdb` and `postgres` by PG_BIN=<directory>"
        );
    };
    // Most container images leave out translations. A test needs the translations of the server's messages.
    let install = "apt-get update && apt-get install -y --no-install-recommends \
                   -o \"Dpkg::Options::=--path-include=/usr/share/locale/*/LC_MESSAGES/postgres-*.mo\" postgresql";
    println!("xtask: installing what the tests need: {become_root}sh -c '{install}'");
    let words = become_root.split_whitespace().chain(["env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c"]);
    let words: Vec<&str> = words.chain([install]).collect();
    let [program, args @ ..] = words.as_slice() else { bail!("an empty command") };
    succeed("the installation of the packages", &duct::cmd(*program, args))
}

/// Installs a browser and its WebDriver for the tests of pages, where that is possible. Without them those tests are left out.
pub(crate) fn browser() {
    let has = |program: &str| duct::cmd!(program, "--version").stdout_null().stderr_null().run().is_ok();
    if has("chromedriver") && has("chromium") {
        return;
    }
    let installed = apt().is_some_and(|become_root| {
        let install = "apt-get update && apt-get install -y --no-install-recommends chromium chromium-driver";
        println!("xtask: installing a browser for the tests of pages: {become_root}sh -c '{install}'");
        let words =
            become_root.split_whitespace().chain(["env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c"]);
        let words: Vec<&str> = words.chain([install]).collect();
        let [program, args @ ..] = words.as_slice() else { return false };
        duct::cmd(*program, args).run().is_ok()
    });
    if !installed {
        println!(
            "xtask: there is no chromedriver, and it could not be installed: the tests of pages are left out"
        );
    }
}

/// The words to put before a command so that it runs as root; `None` without apt-get or without permission to use it.
fn apt() -> Option<&'static str> {
    duct::cmd!("apt-get", "--version").stdout_null().stderr_null().run().ok()?;
    if rustix::process::geteuid().is_root() {
        return Some("");
    }
    duct::cmd!("sudo", "-n", "true").stdout_null().stderr_null().run().ok()?;
    Some("sudo -n ")
}
