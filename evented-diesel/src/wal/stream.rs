//! From the pieces of a connection to messages; across connections.
//!
//! What has to be right here: nothing that was passed on comes again, nothing is confirmed before the consumer says so,
//! and everything is confirmed once nothing is left to be said.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::decode::{Raw, concerns_all, decode};
use super::transport::Frame;
use super::{DecodeError, Lsn, Message, Relation, Seen};

#[derive(Debug)]
pub(super) struct Stream {
    relations: HashMap<u32, Known>,
    /// The transaction that has begun and not ended.
    open: Option<Open>,
    /// Where the last transaction ended that was passed on as a whole, or that the consumer had before.
    passed_on: Lsn,
    /// What the consumer has confirmed.
    confirmed: Lsn,
    /// Up to where the server has nothing more to say.
    silent: Lsn,
    /// The last silence that was told.
    told: Lsn,
    /// What a piece gave and was not asked for yet.
    ready: VecDeque<Message>,
}

#[derive(Debug)]
struct Known {
    relation: Arc<Relation>,
    /// Whether, and why, it has yet to be told. A table that is described within a transaction that is passed over is
    /// told at the first change that is not.
    untold: Option<Seen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    PassedOn,
    /// The consumer has it already.
    PassedOver,
}

impl Stream {
    /// A stream for a consumer that has handled everything up to `from`.
    pub(super) fn new(from: Lsn) -> Self {
        Self {
            relations: HashMap::new(),
            open: None,
            passed_on: from,
            confirmed: from,
            silent: Lsn::ZERO,
            told: Lsn::ZERO,
            ready: VecDeque::new(),
        }
    }

    /// Where a connection begins: what is before that has come already.
    pub(super) fn start(&self) -> Lsn {
        self.passed_on.max(self.acknowledged())
    }

    /// What the server may forget. Where nothing is pending that is all it has looked at: otherwise it keeps its log for
    /// changes of other tables, and cannot shut down, as it waits for a confirmation that never comes.
    pub(super) fn acknowledged(&self) -> Lsn {
        if self.is_pending() { self.confirmed } else { self.confirmed.max(self.silent) }
    }

    /// What the consumer has confirmed.
    pub(super) fn confirmed(&self) -> Lsn {
        self.confirmed
    }

    /// What has been passed on, or looked at in vain.
    pub(super) fn received(&self) -> Lsn {
        self.passed_on.max(self.silent)
    }

    /// The consumer has handled everything up to here. What it cannot know of it cannot confirm.
    pub(super) fn confirm(&mut self, at: Lsn) {
        self.confirmed = self.confirmed.max(at.min(self.passed_on.max(self.told)));
    }

    /// Whether something was passed on that is not confirmed. A transaction that has only begun is not counted: silence
    /// was before it.
    fn is_pending(&self) -> bool {
        self.confirmed < self.passed_on
    }

    /// The next message, if there is one without reading on.
    pub(super) fn pop(&mut self) -> Option<Message> {
        if let Some(message) = self.ready.pop_front() {
            return Some(message);
        }
        let news = self.silent > self.told.max(self.passed_on);
        if news && self.open.is_none() && !self.is_pending() {
            self.told = self.silent;
            return Some(Message::Idle { at: self.silent });
        }
        None
    }

    /// The connection broke. Half a transaction is to be forgotten.
    pub(super) fn cut(&mut self) {
        if self.open.take() == Some(Open::PassedOn) {
            self.ready.clear();
            self.ready.push_back(Message::Restarted);
        }
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, frame: Frame) -> Result<(), DecodeError> {
        match frame {
            // Within a transaction it only says that the server lives.
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
        // A transaction ends behind its commit: one whose commit is before a known end has ended there at the latest.
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

    /// Tables are described on each connection anew, and whenever the server has looked at them anew.
    fn describe(&mut self, relation: Relation) {
        let (relation, untold) = match self.relations.remove(&relation.oid) {
            None => (Arc::new(relation), Some(Seen::First)),
            Some(known) if *known.relation == relation => (known.relation, known.untold),
            Some(Known { relation: before, untold: None }) => {
                (Arc::new(relation), Some(Seen::Changed { before }))
            }
            // Told is what was passed on last, not what has come in between; and it may be that again.
            Some(Known { untold: Some(Seen::Changed { before }), .. }) if *before == relation => {
                (before, None)
            }
            Some(Known { untold, .. }) => (Arc::new(relation), untold),
        };
        self.relations.insert(relation.oid, Known { relation, untold });
    }

    /// The table of a change; tells it if it has yet to be told.
    fn relation(&mut self, oid: u32, widths: &[usize]) -> Result<Arc<Relation>, DecodeError> {
        let known = self.relations.get_mut(&oid).ok_or(DecodeError::Relation { oid })?;
        let relation = Arc::clone(&known.relation);
        let columns = relation.columns.len();
        if let Some(&found) = widths.iter().find(|&&width| width != columns) {
            return Err(DecodeError::Width { relation: relation.to_string(), columns, found });
        }
        if let Some(seen) = known.untold.take() {
            self.ready.push_back(Message::Relation { relation: Arc::clone(&relation), seen });
        }
        Ok(relation)
    }
}

#[cfg(test)]
mod tests;
