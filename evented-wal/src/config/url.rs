//! Parses a URL in the way that libpq and diesel-async do.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Config as Parsed, Host, SslMode};

use crate::config::{Config, Format, Slot, Tls, TlsMode};

/// Why a [`Config`] could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL cannot be parsed.
    #[error("the URL is invalid: {0}")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A required part is missing.
    #[error("the URL has no {0}")]
    Missing(&'static str),
    /// More than one host. Each server has its own log.
    #[error("the URL names several hosts; the log is read from one")]
    Hosts,
    /// A value that the parameter does not accept.
    #[error("`{parameter}` cannot be `{value}`")]
    Value {
        /// The parameter's name.
        parameter: String,
        /// The value that it was set to.
        value: String,
    },
    /// A name that a slot cannot have.
    #[error(
        "`{0}` cannot be the name of a slot: only lower-case letters, digits and underscores are allowed, at most 63"
    )]
    SlotName(String),
}

/// The parameters that tokio-postgres does not support, or does not support all values of.
#[derive(Default)]
struct Encryption {
    mode: Option<String>,
    root_certificates: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Encryption {
    /// The field for a parameter's value; `None` if the parameter is not one of these.
    fn field(&mut self, parameter: &str) -> Option<&mut Option<String>> {
        match parameter {
            "sslmode" => Some(&mut self.mode),
            "sslrootcert" => Some(&mut self.root_certificates),
            "sslcert" => Some(&mut self.certificate),
            "sslkey" => Some(&mut self.key),
            _ => None,
        }
    }

    /// Removes these parameters from a URL or from `key=value` pairs, and stores their values.
    fn take(&mut self, url: &str) -> String {
        let Some((address, query)) = url.split_once('?').filter(|_| url.contains("://")) else {
            if url.contains("://") {
                return url.to_owned();
            }
            return self.take_from(url, " ", |value| value.trim_matches('\'').to_owned());
        };
        let decode = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
        let rest = self.take_from(query, "&", decode);
        if rest.is_empty() { address.to_owned() } else { format!("{address}?{rest}") }
    }

    fn take_from(&mut self, text: &str, between: &str, decode: impl Fn(&str) -> String) -> String {
        let others = text.split(between).filter(|part| {
            let Some((name, value)) = part.split_once('=') else { return true };
            match self.field(name) {
                Some(field) => {
                    *field = Some(decode(value));
                    false
                }
                None => true,
            }
        });
        others.collect::<Vec<_>>().join(between)
    }

    fn tls(self, default: TlsMode) -> Result<Tls, ConfigError> {
        let mode = match self.mode.as_deref() {
            None => default,
            Some("disable") => TlsMode::Disable,
            // `allow` and `prefer` encrypt the connection if the server can.
            Some("allow" | "prefer") => TlsMode::Prefer,
            Some("require") => TlsMode::Require,
            Some("verify-ca") => TlsMode::VerifyCa,
            Some("verify-full") => TlsMode::VerifyFull,
            Some(other) => {
                return Err(ConfigError::Value { parameter: "sslmode".into(), value: other.to_owned() });
            }
        };
        Ok(Tls {
            mode,
            root_certificates: self.root_certificates.map(PathBuf::from),
            certificate: self.certificate.map(PathBuf::from),
            key: self.key.map(PathBuf::from),
        })
    }
}

pub(crate) fn read(url: &str, slot: Slot, publications: Vec<String>) -> Result<Config, ConfigError> {
    let mut encryption = Encryption::default();
    let rest = encryption.take(url);
    let parsed: Parsed = rest.parse().map_err(|error| ConfigError::Url(Box::new(error)))?;
    let host = match (parsed.get_hostaddrs(), parsed.get_hosts()) {
        ([], []) => return Err(ConfigError::Missing("host")),
        ([address], [] | [_]) => address.to_string(),
        ([], [Host::Tcp(host)]) => host.clone(),
        #[cfg(unix)]
        ([], [Host::Unix(path)]) => path.to_string_lossy().into_owned(),
        _ => return Err(ConfigError::Hosts),
    };
    // A local socket cannot be encrypted, so a default must not require encryption.
    let default = match parsed.get_ssl_mode() {
        SslMode::Disable => TlsMode::Disable,
        _ if host.starts_with('/') => TlsMode::Disable,
        _ => TlsMode::Prefer,
    };
    let user = parsed.get_user().ok_or(ConfigError::Missing("user"))?.to_owned();
    let name = slot.name();
    let letters = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if name.is_empty() || name.len() > 63 || !letters {
        return Err(ConfigError::SlotName(name.to_owned()));
    }
    Ok(Config {
        port: parsed.get_ports().first().copied().unwrap_or(5432),
        password: String::from_utf8_lossy(parsed.get_password().unwrap_or_default()).into_owned(),
        database: parsed.get_dbname().unwrap_or(&user).to_owned(),
        options: parsed.get_options().map(str::to_owned),
        application_name: parsed.get_application_name().unwrap_or("evented").to_owned(),
        tls: encryption.tls(default)?,
        host,
        user,
        slot,
        publications,
        format: Format::default(),
        from: None,
        system: None,
        buffer: 256,
        max_message: 1 << 30,
        status_interval: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(30),
        reconnect_timeout: None,
        required: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Result<Config, ConfigError> {
        read(url, Slot::durable("a_slot"), vec!["p".into()])
    }

    #[test]
    fn a_url_has_what_libpq_has() {
        let config = config(
            "postgres://us%40er:pa%2Fss@db.example:5433/shop?sslmode=verify-full&options=-csearch_path%3Dx\
             &sslrootcert=%2Fetc%2Fca.pem",
        )
        .unwrap();
        assert_eq!((config.host.as_str(), config.port), ("db.example", 5433));
        assert_eq!((config.user.as_str(), config.password.as_str()), ("us@er", "pa/ss"));
        assert_eq!(config.database, "shop");
        assert_eq!(config.options.as_deref(), Some("-csearch_path=x"));
        assert_eq!(config.tls.mode, TlsMode::VerifyFull);
        assert_eq!(config.tls.root_certificates.as_deref(), Some("/etc/ca.pem".as_ref()));
    }

    #[test]
    fn pairs_do_as_well() {
        let config = config("host=db user=me sslmode=disable dbname=shop").unwrap();
        assert_eq!((config.host.as_str(), config.database.as_str()), ("db", "shop"));
        assert_eq!(config.tls.mode, TlsMode::Disable);
    }

    #[test]
    fn a_socket_needs_no_encryption() {
        let config = config("postgres://me@%2Fvar%2Frun/shop").unwrap();
        assert_eq!(config.host, "/var/run");
        assert_eq!(config.tls.mode, TlsMode::Disable);
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert!(matches!(config("postgres://db/shop"), Err(ConfigError::Missing("user"))));
        assert!(matches!(config("postgres://me@a,b/shop"), Err(ConfigError::Hosts)));
        assert!(matches!(config("postgres://me@a/shop?sslmode=maybe"), Err(ConfigError::Value { .. })));
        assert!(matches!(config("postgres://me@a:x/shop"), Err(ConfigError::Url(_))));
        for name in ["", "Big", "with space", "q\"uote", &"x".repeat(64)] {
            let config = read("postgres://me@a/shop", Slot::durable(name), vec![]);
            assert!(matches!(config, Err(ConfigError::SlotName(_))), "{name}");
        }
    }

    #[test]
    fn nobody_sees_the_password() {
        let config = config("postgres://me:secret@a/shop").unwrap();
        assert!(!format!("{config:?}").contains("secret"));
    }
}
