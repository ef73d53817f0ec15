//! One model at a log: its type forgotten, so that a log that several models share is read once for all of them.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use evented_core::{Fact, KeyValue, Position, StoredEvent, StreamId};

use super::super::lane::Lane;
use super::super::lock;
use super::super::router::{Router, with};
use super::super::states::caught;
use super::super::told::{Interruption, Told, Unreadable};
use super::{Broken, Source};
use crate::log::LogName;
use crate::model::Model;
use crate::statement::{Logged, Spot};

/// Which reading of the log something belongs to: the live one, or that of a subscriber who is still behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Live,
    Behind(u64),
}

/// Of which records a history is wanted: by table, each up to a revision.
pub(crate) type Wanted = Vec<(LogName, Vec<(KeyValue, i64)>)>;

/// One model at a log.
pub(crate) trait Desk: Send {
    /// Its name in the log.
    fn schema(&self) -> &'static str;
    /// Who is still behind.
    fn behind(&mut self) -> Vec<Behind>;
    /// How far the reading for somebody who is behind has come.
    fn read_to(&mut self, id: u64, place: Spot);
    /// Of which records it must be told the history before this event, and those after it.
    fn lacking(&mut self, of: Reading, source: &Source, first: &Logged, rest: &[Logged]) -> Wanted;
    /// Takes a record's history. No for an answer: the whole one is wanted.
    fn learn(&mut self, of: Reading, record: &KeyValue, history: &[StoredEvent]) -> bool;
    /// Takes the next event, and tells what follows from it. It comes back if the record's history must be told first.
    fn take(&mut self, of: Reading, event: Logged) -> Option<Logged>;
    fn take_after_history(&mut self, of: Reading, event: Logged);
    /// The next event is one that cannot be read at all.
    fn broken(&mut self, of: Reading, broken: &Broken);
    /// A transaction is whole.
    fn end(&mut self, of: Reading);
    /// All is told up to a place, between two transactions.
    fn passed(&mut self, at: Position);
    /// Somebody has been told all that the live reading was told.
    fn caught_up(&mut self, id: u64);
    fn interrupt_one(&mut self, id: u64, why: Interruption);
    /// The log does not go on: everyone is told, and it begins anew, in another epoch.
    fn restart(&mut self, why: &Interruption, epoch: u64, at: Position);
}

/// Somebody who is still behind.
pub(crate) struct Behind {
    pub(crate) id: u64,
    /// Where they asked to begin.
    pub(crate) from: Position,
    /// How far the reading for them has come; `None` before it began.
    pub(crate) at: Option<Spot>,
    /// For how many events there is room in their buffer.
    pub(crate) room: usize,
}

pub(crate) struct ModelDesk<M: Model> {
    router: Arc<Mutex<Router<M>>>,
    live: Lane<M>,
    behind: HashMap<u64, (Lane<M>, Option<Spot>)>,
    stream: StreamId,
    epoch: u64,
    records: NonZeroUsize,
}

impl<M: Model> ModelDesk<M> {
    pub(crate) fn new(
        router: Arc<Mutex<Router<M>>>,
        stream: StreamId,
        epoch: u64,
        records: NonZeroUsize,
    ) -> Self {
        let live = Lane::new(records, stream, epoch);
        Self { router, live, behind: HashMap::new(), stream, epoch, records }
    }

    fn lane(&mut self, of: Reading) -> &mut Lane<M> {
        match of {
            Reading::Live => &mut self.live,
            Reading::Behind(id) => {
                let lane = || (Lane::new(self.records, self.stream, self.epoch), None);
                &mut self.behind.entry(id).or_insert_with(lane).0
            }
        }
    }

    fn tell(&self, of: Reading, told: &mut [Told<M>]) {
        if told.is_empty() {
            return;
        }
        // The scopes are found out here, and not where others wait.
        for told in told.iter_mut() {
            if let Told::Fact(fact) = told
                && caught(|| (fact.scopes_before().get(0), fact.scopes_after().get(0))).is_none()
            {
                *told = Told::Unreadable(no_scopes(fact));
            }
        }
        with(&self.router, |router| {
            for told in told {
                match of {
                    Reading::Live => router.tell(told),
                    Reading::Behind(id) => router.tell_behind(id, told),
                }
            }
        });
    }
}

/// What is told of a change of a record that panics where its scopes are looked for.
fn no_scopes<M: Model>(fact: &Fact<M>) -> Unreadable {
    #[derive(Debug, thiserror::Error)]
    #[error("it panics where its scopes are looked for")]
    struct NoScopes;
    let record = fact.key.as_ref().map(M::key_value);
    Unreadable { record, position: fact.position, source: Arc::new(NoScopes) }
}

impl<M: Model> Desk for ModelDesk<M> {
    fn schema(&self) -> &'static str {
        M::SCHEMA
    }

    fn behind(&mut self) -> Vec<Behind> {
        let behind = lock(&self.router).behind();
        self.behind.retain(|id, _| behind.iter().any(|(it, ..)| it == id));
        let at = |id| self.behind.get(&id).and_then(|(_, at)| *at);
        behind.into_iter().map(|(id, from, room)| Behind { id, from, at: at(id), room }).collect()
    }

    fn read_to(&mut self, id: u64, place: Spot) {
        self.lane(Reading::Behind(id));
        if let Some((_, at)) = self.behind.get_mut(&id) {
            *at = Some(place);
        }
    }

    fn lacking(&mut self, of: Reading, source: &Source, first: &Logged, rest: &[Logged]) -> Wanted {
        let rest = rest.iter().filter(|logged| source.is_of(M::SCHEMA, logged));
        self.lane(of).lacking(std::iter::once(first).chain(rest))
    }

    fn learn(&mut self, of: Reading, record: &KeyValue, history: &[StoredEvent]) -> bool {
        self.lane(of).states.learn(record, history)
    }

    fn take(&mut self, of: Reading, event: Logged) -> Option<Logged> {
        let mut told = Vec::new();
        let taken = self.lane(of).take(event, &mut told);
        self.tell(of, &mut told);
        taken
    }

    fn take_after_history(&mut self, of: Reading, event: Logged) {
        let mut told = Vec::new();
        self.lane(of).take_after_history(event, &mut told);
        self.tell(of, &mut told);
    }

    fn broken(&mut self, of: Reading, broken: &Broken) {
        let mut told = Vec::new();
        self.lane(of).broken(broken, &mut told);
        self.tell(of, &mut told);
    }

    fn end(&mut self, of: Reading) {
        let mut told = Vec::new();
        self.lane(of).end(&mut told);
        self.tell(of, &mut told);
    }

    fn passed(&mut self, at: Position) {
        with(&self.router, |router| router.passed(at));
    }

    fn caught_up(&mut self, id: u64) {
        self.behind.remove(&id);
        with(&self.router, |router| router.caught_up(id));
    }

    fn interrupt_one(&mut self, id: u64, why: Interruption) {
        self.behind.remove(&id);
        with(&self.router, |router| router.interrupt_one(id, why));
    }

    fn restart(&mut self, why: &Interruption, epoch: u64, at: Position) {
        with(&self.router, |router| {
            router.interrupt(why);
            router.at = at;
        });
        self.epoch = epoch;
        self.live = Lane::new(self.records, self.stream, epoch);
        self.behind.clear();
    }
}

/// Nothing will be told any more: its feeds end.
impl<M: Model> Drop for ModelDesk<M> {
    fn drop(&mut self) {
        with(&self.router, Router::close);
    }
}
