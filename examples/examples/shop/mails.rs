//! A mail service, which is outside of the database: a file that several processes write.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

/// A mail service. It keeps what it was asked for, a line each: the key, the order and the customer.
#[derive(Clone)]
pub struct MailService {
    file: PathBuf,
}

/// What the service was asked to send.
pub struct Request {
    /// The service sends one mail for each key.
    pub key: String,
    pub order: i32,
    pub customer: String,
}

impl MailService {
    /// Creates the service with its file.
    pub fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// Asks for a mail. The first attempt for a customer whose name begins with `B` has no answer.
    pub fn send(&self, request: &Request, attempt: u32) -> io::Result<()> {
        // A service needs some time, so a kill also hits effects that have begun.
        std::thread::sleep(Duration::from_millis(2));
        let mut file = OpenOptions::new().append(true).create(true).open(&self.file)?;
        let Request { key, order, customer } = request;
        // One write: lines of several processes do not mix.
        file.write_all(format!("{key}\t{order}\t{customer}\n").as_bytes())?;
        if attempt == 1 && customer.starts_with('B') {
            return Err(io::Error::other("the mail service gave no answer"));
        }
        Ok(())
    }

    /// Returns everything that the service was asked for, in its order.
    pub fn requests(&self) -> anyhow::Result<Vec<Request>> {
        let read = |line: &str| {
            let mut words = line.split('\t').map(str::to_owned);
            let (key, order, customer) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
            Some(Request { key, order, customer })
        };
        let text = std::fs::read_to_string(&self.file)?;
        text.lines().map(|line| read(line).with_context(|| format!("`{line}` is no request"))).collect()
    }

    /// Returns the mails that the service has sent: one for each key.
    pub fn sent(&self) -> anyhow::Result<BTreeMap<String, Request>> {
        Ok(self.requests()?.into_iter().map(|request| (request.key.clone(), request)).collect())
    }
}
