//! Converts the frames of a connection to messages, across reconnects.
//!
//! It guarantees that a message that was delivered does not come again, that no position is confirmed before the
//! consumer confirms it, and that everything is confirmed once nothing is left to deliver.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::decode::DecodeError;
use crate::decode::{Raw, concerns_all, decode};
use crate::lsn::Lsn;
use crate::message::{Message, Seen};
use crate::relation::Relation;
use crate::transport::Frame;

#[derive(Debug)]
pub(crate) struct Stream {
    relations: HashMap<u32, Known>,
    /// The transaction that has begun and not ended.
    open: Option<Open>,
    /// The end of the last transaction that was delivered completely, or that the consumer had handled before.
    passed_on: Lsn,
    /// The position that the consumer has confirmed.
    confirmed: Lsn,
    /// The position up to which the server has no further changes.
    silent: Lsn,
    /// The position of the last `Idle` message that was delivered.
    reported: Lsn,
    /// Decoded messages that have not been delivered yet.
    ready: VecDeque<Message>,
}

#[derive(Debug)]
struct Known {
    relation: Arc<Relation>,
    /// Why the table must still be described to the consumer; `None` if it has been. A table that is described within
    /// a skipped transaction is described to the consumer at the next change that is not skipped.
    unreported: Option<Seen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    PassedOn,
    /// The consumer has handled the transaction already.
    PassedOver,
}

impl Stream {
    /// Creates a stream for a consumer that has handled everything up to `from`.
    pub(crate) fn new(from: Lsn) -> Self {
        Self {
            relations: HashMap::new(),
            open: None,
            passed_on: from,
            confirmed: from,
            silent: Lsn::ZERO,
            reported: Lsn::ZERO,
            ready: VecDeque::new(),
        }
    }

    /// The position at which a connection begins. Everything before it has been delivered.
    pub(crate) fn start(&self) -> Lsn {
        self.passed_on.max(self.acknowledged())
    }

    /// The position up to which the server may discard its log. If no delivered transaction is unconfirmed, this is
    /// everything that the server has read. Otherwise the server would keep its log because of changes of other
    /// tables, and could not shut down, because it would wait for a confirmation that never comes.
    pub(crate) fn acknowledged(&self) -> Lsn {
        if self.is_pending() { self.confirmed } else { self.confirmed.max(self.silent) }
    }

    /// The position that the consumer has confirmed.
    pub(crate) fn confirmed(&self) -> Lsn {
        self.confirmed
    }

    /// The position up to which all changes have been delivered.
    pub(crate) fn received(&self) -> Lsn {
        self.passed_on.max(self.silent)
    }

    /// Records that the consumer has handled everything up to `at`, but at most up to the last position that it has
    /// received.
    pub(crate) fn confirm(&mut self, at: Lsn) {
        self.confirmed = self.confirmed.max(at.min(self.passed_on.max(self.reported)));
    }

    /// Whether a delivered transaction is not confirmed yet. A transaction that has only begun does not count,
    /// because the idle position was before it.
    fn is_pending(&self) -> bool {
        self.confirmed < self.passed_on
    }

    /// The next message; `None` if the next frame must be read first.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        if let Some(message) = self.ready.pop_front() {
            return Some(message);
        }
        let news = self.silent > self.reported.max(self.passed_on);
        if news && self.open.is_none() && !self.is_pending() {
            self.reported = self.silent;
            return Some(Message::Idle { at: self.silent });
        }
        None
    }

    /// Handles a broken connection. The consumer must discard the open transaction.
    pub(crate) fn cut(&mut self) {
        if self.open.take() == Some(Open::PassedOn) {
            self.ready.clear();
            self.ready.push_back(Message::Restarted);
        }
    }

    /// Handles the next frame.
    pub(crate) fn take(&mut self, frame: Frame) -> Result<(), DecodeError> {
        match frame {
            // Within a transaction a keep-alive only shows that the server is alive.
            Frame::KeepAlive { end } if self.open.is_none() => {
                self.silent = self.silent.max(end);
                Ok(())
            }
            Frame::KeepAlive { .. } => Ok(()),
            Frame::Data(data) => self.data(data),
            Frame::Decoded(raw) => self.message(raw),
        }
    }

    fn data(&mut self, data: Bytes) -> Result<(), DecodeError> {
        if self.open == Some(Open::PassedOver) && !concerns_all(&data) {
            return Ok(());
        }
        self.message(decode(data)?)
    }

    fn message(&mut self, raw: Raw) -> Result<(), DecodeError> {
        let message = match raw {
            Raw::Begin { commit, at, xid } => return self.begin(commit, Message::Begin { xid, commit, at }),
            Raw::Commit { commit, end } => return self.commit(commit, end),
            Raw::Relation(relation) => {
                self.describe(relation);
                return Ok(());
            }
            Raw::Other => return Ok(()),
            Raw::Logical { prefix, content, transactional, at } => {
                if self.open != Some(Open::PassedOver) {
                    self.ready.push_back(Message::Logical { prefix, content, transactional, at });
                }
                return Ok(());
            }
            _ if self.open.is_none() => {
                return Err(DecodeError::Order("a change outside of a transaction"));
            }
            _ if self.open == Some(Open::PassedOver) => return Ok(()),
            Raw::Insert { relation, new } => {
                Message::Insert { relation: self.relation(relation, &[new.cells().len()])?, new }
            }
            Raw::Update { relation, old, new } => {
                let old_width = old.as_ref().map_or(new.cells().len(), |old| old.tuple().cells().len());
                let relation = self.relation(relation, &[new.cells().len(), old_width])?;
                Message::Update { relation, old, new }
            }
            Raw::Delete { relation, old } => {
                Message::Delete { relation: self.relation(relation, &[old.tuple().cells().len()])?, old }
            }
            Raw::Truncate { relations, cascade, restart_identity } => {
                let relations = relations.into_iter().map(|oid| self.relation(oid, &[]));
                let relations = relations.collect::<Result<_, _>>()?;
                Message::Truncate { relations, cascade, restart_identity }
            }
        };
        self.ready.push_back(message);
        Ok(())
    }

    fn begin(&mut self, commit: Lsn, message: Message) -> Result<(), DecodeError> {
        if self.open.is_some() {
            return Err(DecodeError::Order("a transaction begins within another"));
        }
        // The end of a transaction is after its commit. If its commit is before a known end, the transaction ended
        // there at the latest.
        if commit < self.passed_on {
            self.open = Some(Open::PassedOver);
        } else {
            self.open = Some(Open::PassedOn);
            self.ready.push_back(message);
        }
        Ok(())
    }

    fn commit(&mut self, commit: Lsn, end: Lsn) -> Result<(), DecodeError> {
        match self.open.take() {
            Some(Open::PassedOn) => {
                self.passed_on = self.passed_on.max(end);
                self.ready.push_back(Message::Commit { commit, end });
            }
            Some(Open::PassedOver) => {}
            None => return Err(DecodeError::Order("a transaction ends that has not begun")),
        }
        Ok(())
    }

    /// Stores the description of a table. The server describes tables again on each connection, and when it has
    /// reloaded them.
    fn describe(&mut self, relation: Relation) {
        let (relation, unreported) = match self.relations.remove(&relation.oid) {
            None => (Arc::new(relation), Some(Seen::First)),
            Some(known) if *known.relation == relation => (known.relation, known.unreported),
            Some(Known { relation: before, unreported: None }) => {
                (Arc::new(relation), Some(Seen::Changed { before }))
            }
            // `before` is the description that was last delivered, not one received in between. The table may match
            // it again.
            Some(Known { unreported: Some(Seen::Changed { before }), .. }) if *before == relation => {
                (before, None)
            }
            Some(Known { unreported, .. }) => (Arc::new(relation), unreported),
        };
        self.relations.insert(relation.oid, Known { relation, unreported });
    }

    /// The table of a change. Queues its description first, if the consumer must still receive it.
    fn relation(&mut self, oid: u32, widths: &[usize]) -> Result<Arc<Relation>, DecodeError> {
        let known = self.relations.get_mut(&oid).ok_or(DecodeError::Relation { oid })?;
        let relation = Arc::clone(&known.relation);
        let columns = relation.columns.len();
        if let Some(&found) = widths.iter().find(|&&width| width != columns) {
            return Err(DecodeError::Width { relation: relation.to_string(), columns, found });
        }
        if let Some(seen) = known.unreported.take() {
            self.ready.push_back(Message::Relation { relation: Arc::clone(&relation), seen });
        }
        Ok(relation)
    }
}

#[cfg(test)]
mod stream_tests;
