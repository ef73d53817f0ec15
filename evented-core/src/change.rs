//! Changes as a subscriber receives them: one change of one record.

use std::fmt;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Changeset, Evented, FieldError, Json, Meta, Position, Scope, ScopeKeys};

/// A change of a record, as one subscriber sees it.
///
/// The same change can be an update to one subscriber and an [`Enter`](ChangeKind::Enter) to another. It does not
/// contain what the subscriber may not see.
pub struct Change<M: Evented> {
    kind: ChangeKind,
    before: Option<Arc<RecordState<M>>>,
    after: Option<Arc<RecordState<M>>>,
    /// The part of the event that the subscriber may see; `None` if that is the whole event.
    part: Option<Box<ChangeEvent>>,
    raw_change: Arc<RawChange<M>>,
}

/// A record before or after a change, and the scopes that it is in.
#[derive(Debug)]
pub struct RecordState<M> {
    record: M,
    /// Computed at the first use.
    scopes: OnceLock<ScopeKeys>,
}

impl<M: Evented> RecordState<M> {
    /// Creates a state from a record.
    pub fn new(record: M) -> Self {
        Self { record, scopes: OnceLock::new() }
    }

    /// The record in this state.
    pub fn record(&self) -> &M {
        &self.record
    }

    /// The scopes that the record is in.
    pub fn scopes(&self) -> &ScopeKeys {
        self.scopes.get_or_init(|| Scope::keys_of(&self.record))
    }
}

/// What a change is to the subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The record was created.
    Insert,
    /// The record was updated. The set of changed fields is empty if an action changed none.
    Update,
    /// The record was deleted.
    Delete,
    /// The record was outside the channel, or hidden from the subscriber, and is now visible in the channel.
    Enter,
    /// The record left the channel, or is now hidden from the subscriber.
    Leave,
    /// `TRUNCATE` emptied the whole table. Only the WAL reports it.
    Truncate,
    /// The columns of the table changed. Only the WAL reports it.
    SchemaChanged,
}

/// The transaction that a change belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// The transaction's number; from the WAL, its lower 32 bits. 0 on SQLite, which numbers no transactions.
    pub id: i64,
    /// The position of the commit in the WAL. 0 if the source is a log.
    pub commit: u64,
    /// The index of the change among the changes of the transaction that the source has read, from 0.
    pub index: u64,
    /// Whether this is the last change of the transaction. On SQLite: whether the source has delivered everything
    /// that was committed.
    pub last: bool,
}

/// The event that recorded a change.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeEvent {
    /// The event's id.
    pub id: Uuid,
    /// The event's revision: its number in the record's history, from 1.
    pub revision: i64,
    /// The action's name in the log.
    pub action: String,
    /// When the event happened.
    pub at: DateTime<Utc>,
    /// Actor, cause, correlation and the caller's own entries, as stored; `None` if there are none.
    pub meta: Option<Json>,
}

impl ChangeEvent {
    /// The event for a subscriber that sees one side of the change only: action and actor, without the other
    /// metadata.
    fn outside(&self) -> Self {
        let actor = self.meta.as_ref().and_then(Meta::actor_of);
        let meta = Meta { actor, ..Meta::default() }.to_json().ok().flatten();
        Self { meta, action: self.action.clone(), ..*self }
    }

    /// Actor, cause, correlation and the caller's own entries. Empty if the event has none.
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.meta.as_ref().map(Meta::from_json).unwrap_or_default()
    }
}

/// A change as its source read it, before any channel or policy filtered it.
#[derive(Debug)]
pub struct RawChange<M: Evented> {
    /// The record's key; `None` for a change of the whole table.
    pub key: Option<M::Key>,
    /// The record before the change; `None` if it did not exist.
    pub before: Option<Arc<RecordState<M>>>,
    /// The record after the change; `None` if it no longer exists.
    pub after: Option<Arc<RecordState<M>>>,
    /// The kind of a change of the whole table; `None` for a change of a record.
    pub table: Option<ChangeKind>,
    /// The position of the change in the stream.
    pub position: Position,
    /// The transaction that the change belongs to.
    pub transaction: Transaction,
    /// The event that recorded the change, if known. A change by plain SQL has none.
    pub event: Option<ChangeEvent>,
}

impl<M: Evented> RawChange<M> {
    /// The scopes that the record was in before the change.
    pub fn scopes_before(&self) -> &ScopeKeys {
        scopes(&self.before)
    }

    /// The scopes that the record is in after the change.
    pub fn scopes_after(&self) -> &ScopeKeys {
        scopes(&self.after)
    }

    /// What the change is to a subscriber that may see these sides of it; `None` if the subscriber sees no change.
    #[must_use]
    pub fn kind(&self, sees_before: bool, sees_after: bool) -> Option<ChangeKind> {
        if self.table.is_some() {
            return self.table;
        }
        let sees_before = sees_before && self.before.is_some();
        let sees_after = sees_after && self.after.is_some();
        match (self.before.is_some(), self.after.is_some()) {
            (false, _) if sees_after => Some(ChangeKind::Insert),
            (_, false) if sees_before => Some(ChangeKind::Delete),
            _ => match (sees_before, sees_after) {
                (true, true) => Some(ChangeKind::Update),
                (false, true) => Some(ChangeKind::Enter),
                (true, false) => Some(ChangeKind::Leave),
                (false, false) => None,
            },
        }
    }

    /// The change for a subscriber that may see these sides of it; `None` if the subscriber sees no change.
    ///
    /// `sees_before` says whether the subscriber may see the record before the change, `sees_after` whether it may
    /// see the record after it.
    #[must_use]
    pub fn seen(self: &Arc<Self>, sees_before: bool, sees_after: bool) -> Option<Change<M>> {
        let kind = self.kind(sees_before, sees_after)?;
        let is_outside = matches!(kind, ChangeKind::Enter | ChangeKind::Leave);
        let part = self.event.as_ref().filter(|event| is_outside && event.meta.is_some());
        Some(Change {
            kind,
            before: if sees_before { self.before.clone() } else { None },
            after: if sees_after { self.after.clone() } else { None },
            part: part.map(|event| Box::new(event.outside())),
            raw_change: Arc::clone(self),
        })
    }
}

impl<M: Evented> Change<M> {
    /// The model's name in the log.
    #[must_use]
    pub fn schema(&self) -> &'static str {
        M::SCHEMA
    }

    /// What the change is to this subscriber.
    #[must_use]
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// The record's key; `None` for a change of the whole table.
    #[must_use]
    pub fn key(&self) -> Option<&M::Key> {
        self.raw_change.key.as_ref()
    }

    /// The record before the change; `None` if it did not exist or the subscriber may not see it.
    #[must_use]
    pub fn before(&self) -> Option<&M> {
        self.before.as_deref().map(RecordState::record)
    }

    /// The record after the change; `None` if it no longer exists or the subscriber may not see it.
    #[must_use]
    pub fn after(&self) -> Option<&M> {
        self.after.as_deref().map(RecordState::record)
    }

    /// A copy of [`after`](Self::after).
    #[must_use]
    pub fn into_after(self) -> Option<M> {
        self.after().map(M::copy)
    }

    /// The fields that differ, with their values before and after the change. A side that the subscriber may not see
    /// counts as no record.
    ///
    /// # Errors
    ///
    /// A field whose value has no JSON form.
    pub fn changeset(&self) -> Result<Changeset, FieldError> {
        Changeset::between(self.before(), self.after())
    }

    /// The position of the change in the stream. A subscriber can resume after it.
    #[must_use]
    pub fn position(&self) -> Position {
        self.raw_change.position
    }

    /// The transaction that the change belongs to.
    #[must_use]
    pub fn transaction(&self) -> Transaction {
        self.raw_change.transaction
    }

    /// The event that recorded the change, if known. If the record [enters](ChangeKind::Enter) or
    /// [leaves](ChangeKind::Leave), the event has the action and the actor only; its other metadata goes to
    /// subscribers that see both sides.
    #[must_use]
    pub fn event(&self) -> Option<&ChangeEvent> {
        self.part.as_deref().or(self.raw_change.event.as_ref())
    }

    /// The action's name in the log, if an event recorded the change.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        self.event().map(|event| event.action.as_str())
    }

    /// The actor of the event, if one was recorded.
    #[must_use]
    pub fn actor(&self) -> Option<String> {
        self.event()?.meta().actor
    }

    /// The scopes that the record is in now and was not in before, as far as the subscriber sees it. Each is given by
    /// its names and fields, as in [`Evented::SCOPES`].
    pub fn entered(&self) -> impl Iterator<Item = &'static [(&'static str, &'static str)]> + '_ {
        moved::<M>(scopes(&self.after), scopes(&self.before))
    }

    /// The scopes that the record was in before and is not in now, as far as the subscriber sees it.
    pub fn left(&self) -> impl Iterator<Item = &'static [(&'static str, &'static str)]> + '_ {
        moved::<M>(scopes(&self.before), scopes(&self.after))
    }
}

fn scopes<M: Evented>(side: &Option<Arc<RecordState<M>>>) -> &ScopeKeys {
    side.as_ref().map_or(&ScopeKeys::NONE, |side| side.scopes())
}

/// The scopes that are in the first list and not, with the same values, in the second.
fn moved<'a, M: Evented>(
    here: &'a ScopeKeys,
    there: &'a ScopeKeys,
) -> impl Iterator<Item = &'static [(&'static str, &'static str)]> + 'a {
    let differs = move |index: &usize| {
        let key = here.get(*index);
        key.is_some() && key != there.get(*index)
    };
    (0..M::SCOPES.len()).filter(differs).filter_map(|index| M::SCOPES.get(index).copied())
}

impl<M: Evented> Clone for Change<M> {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            before: self.before.clone(),
            after: self.after.clone(),
            part: self.part.clone(),
            raw_change: Arc::clone(&self.raw_change),
        }
    }
}

// Shows only what the subscriber may see.
impl<M: Evented + fmt::Debug> fmt::Debug for Change<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("kind", &self.kind)
            .field("before", &self.before())
            .field("after", &self.after())
            .field("event", &self.event())
            .field("position", &self.position())
            .field("transaction", &self.transaction())
            .finish()
    }
}
