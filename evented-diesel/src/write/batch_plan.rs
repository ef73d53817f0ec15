//! Plans a batch: its events in order, and the final state of each row.

use std::collections::HashMap;

use evented_core::{
    Context, Create, Digest, FieldDigests, Json, KeySource, KeyValue, decide_change, decide_create, names,
};
use uuid::Uuid;

use crate::domain::{Publication, Publishing};
use crate::error::{Error, Subject};
use crate::model::{Model, Record};
use crate::statements::Append;
use crate::write::append_event::{EventContent, Head, empty_payload, next_event};
use crate::write::command::{Command, Kind};
use crate::write::savepoint;

/// The state of one of the batch's records during planning.
pub(crate) struct Working<M> {
    /// The digests of the row before the batch; `None` for a new record.
    pub(crate) original: Option<FieldDigests>,
    /// The record after the commands so far; `None` once it is deleted.
    pub(crate) state: Option<M>,
    pub(crate) digests: Option<FieldDigests>,
    /// The head of the record's history.
    pub(crate) head: Head,
    /// The index of the last command on the record.
    pub(crate) last: usize,
}

/// An event of the batch.
pub(crate) struct Planned {
    pub(crate) cx: Context,
    pub(crate) record: KeyValue,
    /// The head that the event follows.
    pub(crate) head: Head,
    pub(crate) action: &'static str,
    pub(crate) payload: Json,
    pub(crate) meta: Option<Json>,
    pub(crate) state: Digest,
    /// The domain events that are published with the event.
    pub(crate) published: Vec<Publication>,
}

/// Everything that the batch writes.
pub(crate) struct Plan<M> {
    pub(crate) events: Vec<Planned>,
    pub(crate) records: HashMap<KeyValue, Working<M>>,
    /// The result of each command.
    pub(crate) results: Vec<M>,
}

/// Decides on each command in turn; `None` if the batch must run its commands one by one.
pub(crate) fn plan<M: Model>(
    commands: &[Command<M>],
    records: HashMap<KeyValue, Working<M>>,
) -> Result<Option<Plan<M>>, Error> {
    let mut plan = Plan { events: Vec::new(), records, results: Vec::new() };
    for (index, command) in commands.iter().enumerate() {
        let cx = command.options.context::<M>();
        let done = match &command.kind {
            Kind::Insert(new) => plan.insert(index, new, &cx, command),
            Kind::Change(target, _) | Kind::Delete(target) | Kind::Savepoint(target) => {
                plan.change(index, &Record::new(target.key().clone()), &cx, command)
            }
        };
        match done {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(source) => return Err(Error::Batch { index, error: Box::new(source) }),
        }
    }
    Ok(Some(plan))
}

impl<M: Model> Plan<M> {
    fn insert(
        &mut self,
        last: usize,
        new: &M::New,
        cx: &Context,
        command: &Command<M>,
    ) -> Result<bool, Error> {
        if !new.left_to_database().is_empty() {
            return Ok(false);
        }
        let key = match (new.key(), M::KEY_SOURCE) {
            (Some(key), _) => key,
            (None, KeySource::Library) => match M::make_key(cx.event_id) {
                Some(key) => key,
                None => return Ok(false),
            },
            // The database makes the key, or the error says that there is none.
            (None, _) => return Ok(false),
        };
        let value = M::key_value(&key);
        let name = Subject::Record { schema: M::SCHEMA, key: value.clone() };
        if self.records.contains_key(&value) {
            return Ok(false);
        }
        let mut draft =
            decide_create::<M>(new, key, cx).map_err(|reason| Error::undecided(name.clone(), reason))?;
        draft.after.set_revision(1);
        let state = draft.digests.state(M::DIGEST_ORDER);
        let change = Publishing::new(draft.action, cx.actor.as_deref(), None, Some(&draft.after));
        let published = command.options.publications(&name, cx, &command.options.meta, &change)?;
        self.results.push(draft.after.copy());
        let working = Working {
            original: None,
            state: Some(draft.after),
            digests: Some(draft.digests),
            head: Head::NONE,
            last,
        };
        self.records.insert(value.clone(), working);
        let meta = command.options.meta.to_json().map_err(|error| Error::encode(name, error))?;
        self.event(cx, &value, (draft.action, draft.payload, state), meta, published);
        Ok(true)
    }

    fn change(
        &mut self,
        last: usize,
        record: &Record<M>,
        cx: &Context,
        command: &Command<M>,
    ) -> Result<bool, Error> {
        let Some(working) = self.records.get_mut(&record.value) else { return Ok(false) };
        let Some(before) = working.state.take() else { return Ok(false) };
        command.options.check_expected(record, working.head.revision)?;
        if savepoint::is_due::<M>(working.head) && !matches!(command.kind, Kind::Delete(_)) {
            let body = (names::SAVEPOINT, savepoint::payload(record, &before)?, record.digest(&before)?);
            let cx = Context::new(cx.at, Uuid::now_v7(), None, cx.version);
            self.event(&cx, &record.value, body, None, Vec::new());
        }
        let Some(working) = self.records.get_mut(&record.value) else { return Ok(false) };
        let revision = working.head.revision.saturating_add(1);
        let options = &command.options;
        let publications = |action, after: Option<&M>| {
            let change = Publishing::new(action, cx.actor.as_deref(), Some(&before), after);
            options.publications(&record.name(), cx, &options.meta, &change)
        };
        let (action, payload, state, published) = match &command.kind {
            Kind::Change(_, change) => {
                let mut draft = decide_change(&before, change.as_ref(), cx)
                    .map_err(|reason| Error::undecided(record.name(), reason))?;
                draft.after.set_revision(revision);
                let state = draft.digests.state(M::DIGEST_ORDER);
                let published = publications(draft.action, Some(&draft.after))?;
                self.results.push(draft.after.copy());
                working.state = Some(draft.after);
                working.digests = Some(draft.digests);
                (draft.action, draft.payload, state, published)
            }
            Kind::Delete(_) => {
                let published = publications(names::DELETE, None)?;
                self.results.push(before);
                working.digests = None;
                (names::DELETE, empty_payload(), Digest::NOTHING, published)
            }
            Kind::Insert(_) | Kind::Savepoint(_) => return Ok(false),
        };
        working.last = last;
        let meta = record.meta(&command.options.meta)?;
        self.event(cx, &record.value, (action, payload, state), meta, published);
        Ok(true)
    }

    /// Adds the next event of a record.
    fn event(
        &mut self,
        cx: &Context,
        record: &KeyValue,
        (action, payload, state): (&'static str, Json, Digest),
        meta: Option<Json>,
        published: Vec<Publication>,
    ) {
        let Some(working) = self.records.get_mut(record) else { return };
        let planned = Planned {
            cx: cx.clone(),
            record: record.clone(),
            head: working.head,
            action,
            payload,
            meta,
            state,
            published,
        };
        working.head = Head::after(&planned.append::<M>());
        self.events.push(planned);
    }
}

impl Planned {
    pub(crate) fn revision(&self) -> i64 {
        self.head.revision.saturating_add(1)
    }

    pub(crate) fn append<M: Model>(&self) -> Append<'_> {
        let content = EventContent {
            action: self.action,
            payload: &self.payload,
            state: &self.state,
            // A command whose event id the caller chose is not planned.
            given_id: false,
        };
        next_event::<M>(&self.cx, &self.record, self.head, content, self.meta.as_ref())
    }
}
