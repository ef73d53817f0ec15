//! Starts a server with messages in every language that PostgreSQL is translated into.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use evented_test_server::{Cluster, Settings};
use tempfile::TempDir;

/// A locale for each language that PostgreSQL's server was translated into between versions 13 and 18.
pub(crate) const LOCALES: [&str; 16] = [
    "de_DE.UTF-8",
    "es_ES.UTF-8",
    "fr_FR.UTF-8",
    "id_ID.UTF-8",
    "it_IT.UTF-8",
    "ja_JP.UTF-8",
    "ka_GE.UTF-8",
    "ko_KR.UTF-8",
    "pl_PL.UTF-8",
    "pt_BR.UTF-8",
    "ru_RU.UTF-8",
    "sv_SE.UTF-8",
    "tr_TR.UTF-8",
    "uk_UA.UTF-8",
    "zh_CN.UTF-8",
    "zh_TW.UTF-8",
];

/// Locales that every version from 13 to 18 has: one with Latin letters, and two whose sentences have another word
/// order.
pub(crate) const ALWAYS: [&str; 3] = ["de_DE.UTF-8", "ja_JP.UTF-8", "zh_CN.UTF-8"];

/// The paths of the locale that comes with the C library.
const PLAIN: [&str; 2] = ["/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"];

/// A server that knows [`LOCALES`], whatever locales the system has.
pub(crate) struct Server {
    /// The server.
    pub(crate) cluster: Cluster,
    /// Kept for its `Drop`.
    _locales: TempDir,
}

impl Server {
    /// Starts the server; the error names what is missing.
    ///
    /// `gettext` finds a catalogue by the name of the locale alone. A link from the locale's name to the plain locale
    /// of the C library is enough: no locale must be generated, and no package installed.
    pub(crate) fn start() -> Result<Self, String> {
        let plain = PLAIN.into_iter().map(Path::new).find(|it| it.is_dir());
        let plain = plain.ok_or_else(|| format!("there is no locale at {}", PLAIN.join(" or ")))?;
        let locales = tempfile::tempdir().map_err(|error| error.to_string())?;
        // The server may run under another account.
        fs::set_permissions(locales.path(), Permissions::from_mode(0o755))
            .map_err(|error| error.to_string())?;
        for locale in LOCALES {
            symlink(plain, locales.path().join(locale)).map_err(|error| error.to_string())?;
        }
        let path = locales.path().to_string_lossy().into_owned();
        // `LANGUAGE` would take precedence over the locale.
        let env = vec![("LOCPATH".to_owned(), path), ("LANGUAGE".to_owned(), String::new())];
        let cluster = Cluster::start(Settings { env, ..Settings::default() });
        Ok(Self { cluster: cluster.map_err(|error| format!("{error:#}"))?, _locales: locales })
    }
}

/// Prints that a test cannot run here. With `CI` in the environment, it fails.
pub(crate) fn skip(why: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
    assert!(!is_ci, "the test of a server in other languages cannot run: {why}");
    eprintln!("SKIPPED: the test of a server in other languages cannot run: {why}");
}
