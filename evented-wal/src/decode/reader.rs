//! Reads bytes that may end at any point.

use bytes::{Buf, Bytes};
use chrono::{DateTime, Utc};

use crate::decode::DecodeError;
use crate::lsn::Lsn;

/// The start of PostgreSQL's time scale, the year 2000, in microseconds since 1970.
pub(crate) const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

pub(crate) struct Reader {
    rest: Bytes,
    kind: char,
    length: usize,
}

macro_rules! numbers {
    ($($name:ident: $get:ident),*) => {$(
        pub(crate) fn $name(&mut self, what: &'static str) -> Result<$name, DecodeError> {
            self.rest.$get().map_err(|_| self.short(what))
        }
    )*};
}

impl Reader {
    /// Creates a reader of a message. The first byte is the message's kind.
    pub(crate) fn new(data: Bytes) -> Self {
        let (mut rest, length) = (data.clone(), data.len());
        let kind = rest.try_get_u8().map_or('\0', char::from);
        Self { rest, kind, length }
    }

    pub(crate) fn kind(&self) -> char {
        self.kind
    }

    pub(crate) fn rest(&self) -> usize {
        self.rest.len()
    }

    numbers!(u8: try_get_u8, u16: try_get_u16, u32: try_get_u32, i32: try_get_i32, i64: try_get_i64, u64: try_get_u64);

    pub(crate) fn lsn(&mut self, what: &'static str) -> Result<Lsn, DecodeError> {
        self.u64(what).map(Lsn)
    }

    pub(crate) fn time(&mut self, what: &'static str) -> Result<DateTime<Utc>, DecodeError> {
        let micros = self.i64(what)?;
        let time = micros.checked_add(POSTGRES_EPOCH).and_then(DateTime::from_timestamp_micros);
        time.ok_or(DecodeError::Value { kind: self.kind, what, found: micros })
    }

    /// Reads a string that ends with a zero byte.
    pub(crate) fn name(&mut self, what: &'static str) -> Result<String, DecodeError> {
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or_else(|| self.short(what))?;
        let name = self.rest.split_to(end);
        self.rest.advance(1);
        let text = std::str::from_utf8(&name).map_err(|_| DecodeError::Text { kind: self.kind, what })?;
        Ok(text.to_owned())
    }

    /// Reads bytes that have their length before them. Does not copy them.
    pub(crate) fn sized(&mut self, what: &'static str) -> Result<Bytes, DecodeError> {
        let length = self.u32(what)?;
        self.bytes(length, what)
    }

    pub(crate) fn bytes(&mut self, length: u32, what: &'static str) -> Result<Bytes, DecodeError> {
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(self.rest.split_to(length)),
            _ => Err(self.short(what)),
        }
    }

    /// Checks that no bytes are left.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            rest => Err(DecodeError::Long { kind: self.kind, rest }),
        }
    }

    pub(crate) fn value(&self, what: &'static str, found: u8) -> DecodeError {
        DecodeError::Value { kind: self.kind, what, found: found.into() }
    }

    fn short(&self, what: &'static str) -> DecodeError {
        DecodeError::Short { kind: self.kind, length: self.length, what }
    }
}
