//! Reading bytes that may end at any place.

use bytes::{Buf, Bytes};
use chrono::{DateTime, Utc};

use super::{DecodeError, Lsn};

/// Where PostgreSQL begins to count time: the year 2000, in microseconds since 1970.
pub(in crate::wal) const EPOCH: i64 = 946_684_800_000_000;

pub(super) struct Reader {
    rest: Bytes,
    kind: char,
    length: usize,
}

macro_rules! numbers {
    ($($name:ident: $get:ident),*) => {$(
        pub(super) fn $name(&mut self, what: &'static str) -> Result<$name, DecodeError> {
            self.rest.$get().map_err(|_| self.short(what))
        }
    )*};
}

impl Reader {
    /// A message; its first byte says of which kind it is.
    pub(super) fn new(data: Bytes) -> Self {
        let (mut rest, length) = (data.clone(), data.len());
        let kind = rest.try_get_u8().map_or('\0', char::from);
        Self { rest, kind, length }
    }

    pub(super) fn kind(&self) -> char {
        self.kind
    }

    pub(super) fn rest(&self) -> usize {
        self.rest.len()
    }

    numbers!(u8: try_get_u8, u16: try_get_u16, u32: try_get_u32, i32: try_get_i32, i64: try_get_i64, u64: try_get_u64);

    pub(super) fn lsn(&mut self, what: &'static str) -> Result<Lsn, DecodeError> {
        self.u64(what).map(Lsn)
    }

    pub(super) fn time(&mut self, what: &'static str) -> Result<DateTime<Utc>, DecodeError> {
        let micros = self.i64(what)?;
        let time = micros.checked_add(EPOCH).and_then(DateTime::from_timestamp_micros);
        time.ok_or(DecodeError::Value { kind: self.kind, what, found: micros })
    }

    /// A text that ends with a zero byte.
    pub(super) fn name(&mut self, what: &'static str) -> Result<String, DecodeError> {
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or_else(|| self.short(what))?;
        let name = self.rest.split_to(end);
        self.rest.advance(1);
        let text = std::str::from_utf8(&name).map_err(|_| DecodeError::Text { kind: self.kind, what })?;
        Ok(text.to_owned())
    }

    /// Bytes after their number. They are not copied.
    pub(super) fn sized(&mut self, what: &'static str) -> Result<Bytes, DecodeError> {
        let length = self.u32(what)?;
        self.bytes(length, what)
    }

    pub(super) fn bytes(&mut self, length: u32, what: &'static str) -> Result<Bytes, DecodeError> {
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(self.rest.split_to(length)),
            _ => Err(self.short(what)),
        }
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            rest => Err(DecodeError::Long { kind: self.kind, rest }),
        }
    }

    pub(super) fn value(&self, what: &'static str, found: u8) -> DecodeError {
        DecodeError::Value { kind: self.kind, what, found: found.into() }
    }

    fn short(&self, what: &'static str) -> DecodeError {
        DecodeError::Short { kind: self.kind, length: self.length, what }
    }
}
