//! Tests the write-ahead log over TLS: the authentication of the server and of the reader.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use evented_test_server::{Cluster, Settings, Stop};
use evented_wal::{Config, Slot, Tail, WalError};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::stage::{PUBLICATION, Stage, transaction};

const TABLE: &str = "CREATE TABLE t (n int PRIMARY KEY)";

/// A certificate authority, and the certificates that it has issued, in files.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = folder.join(format!("{name}.crt"));
        std::fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Issues a certificate and a key, for the server `localhost` or for a client named `name`.
    fn issue(&self, folder: &Path, name: &str, for_what: ExtendedKeyUsagePurpose) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.push(for_what);
        let key = KeyPair::generate().unwrap();
        let files = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        std::fs::write(&files.0, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }
}

/// Starts a server with TLS that requires a certificate of the role `certified`. Returns it with its authority and a
/// folder for files.
///
/// `None` if the installed server was built without TLS.
fn server() -> Option<(Cluster, Authority, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let mut cluster = Cluster::start(Settings::default()).unwrap();
    let data = cluster.dir().join("data");
    let owner = std::fs::metadata(&data).unwrap();
    let (certificate, key) = authority.issue(&data, "server", ExtendedKeyUsagePurpose::ServerAuth);
    let trusted = data.join("trusted.crt");
    std::fs::copy(&authority.certificate, &trusted).unwrap();
    for file in [&certificate, &key, &trusted] {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
        chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let access =
        "hostssl all certified all cert\nhostssl all encrypted all trust\nhost all postgres all trust\n";
    std::fs::write(data.join("pg_hba.conf"), access).unwrap();
    let settings =
        "ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\nssl_ca_file = 'trusted.crt'\n";
    std::fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
    cluster.stop(Stop::Fast).unwrap();
    match cluster.start_again() {
        Err(error) if error.to_string().contains("not supported by this build") => {
            println!("skipped: {error}");
            None
        }
        started => Some((started.map(|()| cluster).unwrap(), authority, folder)),
    }
}

#[tokio::test]
async fn the_server_is_verified_as_the_url_states() {
    let Some((cluster, authority, folder)) = server() else { return };
    let mut stage = Stage::on(&cluster.url(), TABLE);
    stage.sql("CREATE ROLE encrypted LOGIN REPLICATION; CREATE ROLE certified LOGIN REPLICATION");
    let stranger = Authority::new(folder.path(), "stranger");
    let port = cluster.url().rsplit_once(':').unwrap().1.split_once('/').unwrap().0.to_owned();
    let open = async |host: &str, user: &str, parameters: &str| {
        let pairs = format!("host={host} port={port} user={user} dbname={} {parameters}", stage.name);
        let config = Config::from_url(&pairs, Slot::durable(&stage.name), PUBLICATION).unwrap();
        Tail::open(config.connect_timeout(std::time::Duration::from_secs(30))).await.map(drop)
    };
    let ours = format!("sslrootcert={}", authority.certificate.display());
    let theirs = format!("sslrootcert={}", stranger.certificate.display());

    // `sslmode=require` and the default encrypt without verification of the server. A connection without encryption is
    // refused.
    open("127.0.0.1", "encrypted", "sslmode=require").await.unwrap();
    open("127.0.0.1", "encrypted", "").await.unwrap();
    let refused = open("127.0.0.1", "encrypted", "sslmode=disable").await.unwrap_err();
    assert!(matches!(refused, WalError::Authentication { .. }), "{refused:?}");

    // `verify-ca` checks the authority, and `verify-full` also the host name.
    open("localhost", "encrypted", &format!("sslmode=verify-ca {ours}")).await.unwrap();
    open("localhost", "encrypted", &format!("sslmode=verify-full {ours}")).await.unwrap();
    for (host, parameters) in [
        ("localhost", format!("sslmode=verify-ca {theirs}")),
        ("localhost", format!("sslmode=verify-full {theirs}")),
        ("127.0.0.1", format!("sslmode=verify-full {ours}")),
        ("localhost", "sslmode=verify-full".to_owned()),
    ] {
        let refused = open(host, "encrypted", &parameters).await.unwrap_err();
        assert!(matches!(refused, WalError::Tls { .. }), "{host} {parameters}: {refused:?}");
    }

    // The client can also authenticate with a certificate.
    let refused = open("127.0.0.1", "certified", "sslmode=require").await.unwrap_err();
    assert!(matches!(refused, WalError::Authentication { .. }), "{refused:?}");
    let (certificate, key) = authority.issue(folder.path(), "certified", ExtendedKeyUsagePurpose::ClientAuth);
    let shown = format!("sslmode=require sslcert={} sslkey={}", certificate.display(), key.display());
    open("127.0.0.1", "certified", &shown).await.unwrap();
}

#[tokio::test]
async fn changes_come_over_tls() {
    let Some((cluster, authority, _folder)) = server() else { return };
    let mut stage = Stage::on(&cluster.url(), TABLE);
    stage.sql("CREATE ROLE encrypted LOGIN REPLICATION");
    let url = stage.url.replace("postgres@127.0.0.1", "encrypted@localhost");
    let url = format!("{url}?sslmode=verify-full&sslrootcert={}", authority.certificate.display());
    let config = Config::from_url(&url, Slot::durable(&stage.name), PUBLICATION).unwrap();
    let mut tail = Tail::open(config).await.unwrap();
    for n in 0..100 {
        stage.sql(&format!("INSERT INTO t VALUES ({n})"));
        assert_eq!(transaction(&mut tail).await.messages.len(), 1 + usize::from(n == 0));
    }
}
