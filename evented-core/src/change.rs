//! What a listener is told: one change of one record.

use std::fmt;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Changeset, Evented, FieldError, Json, Meta, Position, Scope, ScopeKeys};

/// A change of a record, as one listener sees it.
///
/// The same change can be an update to one listener and an [`Enter`](ChangeKind::Enter) to another: what a listener may
/// not see is not in it.
pub struct Change<M: Evented> {
    kind: ChangeKind,
    before: Option<Arc<Moment<M>>>,
    after: Option<Arc<Moment<M>>>,
    /// What is told of the event, where that is not all of it.
    part: Option<Box<ChangeEvent>>,
    fact: Arc<Fact<M>>,
}

/// A record as it was at some moment, and the scopes that it was in.
#[derive(Debug)]
pub struct Moment<M> {
    record: M,
    /// Found out when they are first asked for.
    scopes: OnceLock<ScopeKeys>,
}

impl<M: Evented> Moment<M> {
    /// A record as it is now.
    pub fn new(record: M) -> Self {
        Self { record, scopes: OnceLock::new() }
    }

    /// The record.
    pub fn record(&self) -> &M {
        &self.record
    }

    /// The scopes that it is in.
    pub fn scopes(&self) -> &ScopeKeys {
        self.scopes.get_or_init(|| Scope::keys_of(&self.record))
    }
}

/// What a change is to the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The record is new.
    Insert,
    /// Some of its fields changed; or none, if an action left all as they were.
    Update,
    /// It is gone.
    Delete,
    /// It was elsewhere, or hidden, and is now where the listener listens.
    Enter,
    /// It is now elsewhere, or hidden from the listener.
    Leave,
    /// The whole table was emptied by `TRUNCATE`. Told by the WAL alone.
    Truncate,
    /// The table has other columns than before. Told by the WAL alone.
    SchemaChanged,
}

/// The transaction of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// Its number, in the write-ahead log the lower 32 bits of it; 0 on SQLite, which numbers none.
    pub id: i64,
    /// Where it was committed, in the WAL; 0 where the source is a log.
    pub commit: u64,
    /// The place of the change among those of the transaction that the source has read, from 0 on.
    pub index: u64,
    /// Whether it is the last one. On SQLite, whether all that was committed is told with it.
    pub last: bool,
}

/// The event that a change was recorded as.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeEvent {
    /// Its id.
    pub id: Uuid,
    /// Its place in the record's history.
    pub revision: i64,
    /// The action's name in the log.
    pub action: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Actor, cause, correlation and the caller's own entries, as stored.
    pub meta: Option<Json>,
}

impl ChangeEvent {
    /// What may be told of it to somebody who sees one side of the record alone: who did what, and not what they noted.
    fn outside(&self) -> Self {
        let actor = self.meta.as_ref().and_then(Meta::actor_of);
        let meta = Meta { actor, ..Meta::default() }.to_json();
        Self { meta, action: self.action.clone(), ..*self }
    }

    /// Actor, cause, correlation and the caller's own entries.
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.meta.as_ref().map(Meta::from_json).unwrap_or_default()
    }
}

/// A change as its source knows it, before it is told to anyone.
#[derive(Debug)]
pub struct Fact<M: Evented> {
    /// The record; `None` for what concerns the whole table.
    pub key: Option<M::Key>,
    /// The record as it was; `None` if there was none.
    pub before: Option<Arc<Moment<M>>>,
    /// The record as it is; `None` if there is none any more.
    pub after: Option<Arc<Moment<M>>>,
    /// For what concerns the whole table: what it is.
    pub table: Option<ChangeKind>,
    /// Its place in the stream.
    pub position: Position,
    /// Its transaction.
    pub transaction: Transaction,
    /// The event it was recorded as, where that is known: a change by plain SQL has none.
    pub event: Option<ChangeEvent>,
}

impl<M: Evented> Fact<M> {
    /// The scopes that the record was in.
    pub fn scopes_before(&self) -> &ScopeKeys {
        scopes(&self.before)
    }

    /// The scopes that it is in.
    pub fn scopes_after(&self) -> &ScopeKeys {
        scopes(&self.after)
    }

    /// What the change is to somebody who sees these two sides of it; `None` if that is nothing.
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

    /// The change as somebody sees it who sees these two sides of it; `None` if that is nothing.
    ///
    /// `sees_before` and `sees_after` say whether the record as it was, and as it is, may be seen.
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
            fact: Arc::clone(self),
        })
    }
}

impl<M: Evented> Change<M> {
    /// The model's name in the log.
    #[must_use]
    pub fn schema(&self) -> &'static str {
        M::SCHEMA
    }

    /// What it is to this listener.
    #[must_use]
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// The record's key; `None` for what concerns the whole table.
    #[must_use]
    pub fn key(&self) -> Option<&M::Key> {
        self.fact.key.as_ref()
    }

    /// The record as it was, as far as the listener may see it.
    #[must_use]
    pub fn before(&self) -> Option<&M> {
        self.before.as_deref().map(Moment::record)
    }

    /// The record as it is, as far as the listener may see it.
    #[must_use]
    pub fn after(&self) -> Option<&M> {
        self.after.as_deref().map(Moment::record)
    }

    /// [`after`](Self::after), to keep.
    #[must_use]
    pub fn into_after(self) -> Option<M> {
        self.after().cloned()
    }

    /// The fields that differ, with their values before and after, as far as the listener may see both.
    ///
    /// # Errors
    ///
    /// A field whose value has no JSON form.
    pub fn changes(&self) -> Result<Changeset, FieldError> {
        Changeset::between(self.before(), self.after())
    }

    /// Its place in the stream: reading can go on after it.
    #[must_use]
    pub fn position(&self) -> Position {
        self.fact.position
    }

    /// Its transaction.
    #[must_use]
    pub fn transaction(&self) -> Transaction {
        self.fact.transaction
    }

    /// The event it was recorded as, where that is known. Of one by which a record [enters](ChangeKind::Enter) or
    /// [leaves](ChangeKind::Leave) it says who did what; its other metadata is for those who see both sides.
    #[must_use]
    pub fn event(&self) -> Option<&ChangeEvent> {
        self.part.as_deref().or(self.fact.event.as_ref())
    }

    /// The action's name in the log, where it was recorded.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        self.event().map(|event| event.action.as_str())
    }

    /// Who did it, where that was recorded.
    #[must_use]
    pub fn actor(&self) -> Option<String> {
        self.event()?.meta().actor
    }

    /// The scopes, by their names and fields as in [`Evented::SCOPES`], that the record is in now and was not before, as far
    /// as the listener sees it.
    pub fn entered(&self) -> impl Iterator<Item = &'static [(&'static str, &'static str)]> + '_ {
        moved::<M>(scopes(&self.after), scopes(&self.before))
    }

    /// The scopes that it was in before and is not in now, as far as the listener sees it.
    pub fn left(&self) -> impl Iterator<Item = &'static [(&'static str, &'static str)]> + '_ {
        moved::<M>(scopes(&self.before), scopes(&self.after))
    }
}

fn scopes<M: Evented>(side: &Option<Arc<Moment<M>>>) -> &ScopeKeys {
    side.as_ref().map_or(&ScopeKeys::NONE, |moment| moment.scopes())
}

/// The scopes that are in the first list, with these values, and not in the second.
fn moved<'a, M: Evented>(
    here: &'a ScopeKeys,
    there: &'a ScopeKeys,
) -> impl Iterator<Item = &'static [(&'static str, &'static str)]> + 'a {
    let differs = move |place: &usize| {
        let key = here.get(*place);
        key.is_some() && key != there.get(*place)
    };
    (0..M::SCOPES.len()).filter(differs).filter_map(|place| M::SCOPES.get(place).copied())
}

impl<M: Evented> Clone for Change<M> {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            before: self.before.clone(),
            after: self.after.clone(),
            part: self.part.clone(),
            fact: Arc::clone(&self.fact),
        }
    }
}

// Of what is told, and of nothing else.
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
