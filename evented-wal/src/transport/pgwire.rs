//! Implements [`Transport`] with the crate `pgwire-replication`.

use std::time::Duration;

use chrono::DateTime;
use pgwire_replication::{
    Lsn as WireLsn, PgWireError, Publication, ReplicationClient, ReplicationConfig, ReplicationEvent,
    SslMode, TlsConfig,
};

use crate::config::{Target, Tls, TlsMode};
use crate::decode::POSTGRES_EPOCH;
use crate::decode::Raw;
use crate::error::ServerError;
use crate::lsn::Lsn;
use crate::transport::{Failure, Frame, Row, Transport};

pub(crate) struct Pgwire(ReplicationClient);

impl Transport for Pgwire {
    async fn connect(target: &Target) -> Result<Self, Failure> {
        ReplicationClient::connect_gated(config(target)).await.map(Self).map_err(failure)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, Failure> {
        let rows = self.0.simple_query(sql).await.map_err(failure)?;
        let text = |value: bytes::Bytes| String::from_utf8_lossy(&value).into_owned();
        Ok(rows.into_iter().map(|row| row.into_iter().map(|value| value.map(text)).collect()).collect())
    }

    async fn start(&mut self) -> Result<(), Failure> {
        self.0.start().await.map_err(failure)?;
        self.0.wait_started().await.map_err(failure)
    }

    async fn next(&mut self) -> Result<Frame, Failure> {
        match self.0.recv().await {
            Ok(Some(event)) => frame(event),
            Ok(None) => Err(Failure::Io("the stream has ended".to_owned())),
            Err(error) => Err(failure(error)),
        }
    }

    fn confirm(&self, at: Lsn) {
        self.0.update_applied_lsn(WireLsn(at.0));
    }
}

fn config(target: &Target) -> ReplicationConfig {
    // Quoted, because the server would otherwise convert the names to lower case and split them at commas.
    let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
    let mut config = ReplicationConfig::new(
        &target.host,
        &target.user,
        &target.password,
        &target.database,
        quoted(&target.slot),
        Publication::from_iter(target.publications.iter().map(quoted)),
    )
    .with_port(target.port)
    .with_start_lsn(WireLsn(target.start.0))
    .with_ack_lsn(WireLsn(target.confirmed.0))
    .with_buffer_size(target.buffer)
    .with_binary(target.binary)
    .with_options(&target.options)
    .with_application_name(&target.application_name)
    .with_max_message_size(target.max_message)
    .with_status_interval(target.status_interval)
    // The client must not send messages of its own on a silent connection. The server asks for one after half of its
    // timeout, and this shows the client that the connection is alive.
    .with_wakeup_interval(target.idle_timeout.max(Duration::from_secs(1)));
    config.tls = tls(&target.tls);
    config
}

fn tls(tls: &Tls) -> TlsConfig {
    let mode = match tls.mode {
        TlsMode::Disable => SslMode::Disable,
        TlsMode::Prefer => SslMode::Prefer,
        TlsMode::Require => SslMode::Require,
        // The crate's own mode for `verify-ca` also checks the name, although it should not, and reports a different
        // error.
        TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::VerifyFull,
    };
    TlsConfig {
        mode,
        ca_pem_path: tls.root_certificates.clone(),
        sni_hostname: None,
        client_cert_pem_path: tls.certificate.clone(),
        client_key_pem_path: tls.key.clone(),
    }
}

fn frame(event: ReplicationEvent) -> Result<Frame, Failure> {
    Ok(match event {
        ReplicationEvent::XLogData { data, .. } => Frame::Data(data),
        ReplicationEvent::KeepAlive { wal_end, .. } => Frame::KeepAlive { end: Lsn(wal_end.0) },
        ReplicationEvent::Begin { final_lsn, xid, commit_time_micros } => {
            let at = commit_time_micros.checked_add(POSTGRES_EPOCH).and_then(DateTime::from_timestamp_micros);
            let at = at.ok_or_else(|| Failure::Protocol(format!("{commit_time_micros} is no time")))?;
            Frame::Decoded(Raw::Begin { commit: Lsn(final_lsn.0), at, xid })
        }
        ReplicationEvent::Commit { lsn, end_lsn, .. } => {
            Frame::Decoded(Raw::Commit { commit: Lsn(lsn.0), end: Lsn(end_lsn.0) })
        }
        ReplicationEvent::Message { transactional, lsn, prefix, content } => {
            Frame::Decoded(Raw::Logical { prefix, content, transactional, at: Lsn(lsn.0) })
        }
        // The stream stops only if an end position was requested, which it never is.
        ReplicationEvent::StoppedAt { .. } => return Err(Failure::Io("the stream has ended".to_owned())),
    })
}

fn failure(error: PgWireError) -> Failure {
    match error {
        PgWireError::Server(text) => Failure::Server(server_error(&text)),
        PgWireError::Auth(message) => Failure::Auth(message),
        PgWireError::Tls(message) => Failure::Tls(message),
        PgWireError::Protocol(message) => Failure::Protocol(message),
        PgWireError::MessageTooLarge { payload_bytes, limit_bytes } => {
            Failure::TooLarge { size: payload_bytes, limit: limit_bytes }
        }
        // A network failure, a failure of the task that reads the socket, or a task that has already ended.
        other => Failure::Io(other.to_string()),
    }
}

/// Parses the server's error. The crate returns it as one text with the code at its end.
fn server_error(text: &str) -> ServerError {
    let parts = text.strip_suffix(')').and_then(|text| text.rsplit_once(" (SQLSTATE "));
    let (message, code) = parts.unwrap_or((text, ""));
    ServerError { code: code.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_at_the_end_of_the_text() {
        let error = server_error("the slot \"x (y)\" is busy (SQLSTATE 55006)");
        assert_eq!(error.code, "55006");
        assert_eq!(error.message, "the slot \"x (y)\" is busy");
        assert_eq!(server_error("no code (at all)").code, "");
    }
}
