//! Reads the rows of queries.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use evented_core::live::{Fill, LiveModel, QueryId, Row, Target, Wanted};
use evented_core::{KeyValue, Position};
use evented_diesel::spi::{
    EventedBackend, Executor, LiveFill, MOST_HIDDEN, SourceLog, live_fill, live_records, live_siblings,
    marker,
};
use evented_diesel::{Error, LiveOn, Model};

use crate::error::LiveError;
use crate::reader::{Job, Reader, Running};
use crate::shared::{Shared, lock};
use crate::snapshot::wait_until_visible;

/// What was read for a query, with the position behind the read.
pub(crate) struct Arrived<M: LiveModel> {
    pub(crate) id: QueryId,
    pub(crate) generation: u64,
    pub(crate) read: Result<(Fill<M>, Position), LiveError>,
}

/// Whose read it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// The values of a model.
    Values(TypeId),
    /// A model of the tree with this number, since it began for this time.
    Tree(u64, u64, TypeId),
    /// A computed value.
    Computed,
}

/// What the readers hand to the engine.
pub(crate) type Arrivals = Arc<Mutex<Vec<(For, Box<dyn Any + Send>)>>>;

/// How many queries by keys are read together.
const BATCH: usize = 256;

/// The reads that are made together: of records by their keys, and of the children of several parents.
pub(crate) fn together<M: LiveModel>(wanted: Vec<Wanted<M>>) -> Vec<Vec<Wanted<M>>> {
    let (mut together, mut batches) = (Vec::new(), HashMap::<_, Vec<Wanted<M>>>::new());
    for wanted in wanted {
        let branch = match (&wanted.plan.target, &wanted.plan.parent) {
            (Target::Keys(_), _) => None,
            (Target::Filtered, Some(parent)) => Some((parent.branch, wanted.capacity)),
            (Target::Filtered, None) => {
                together.push(vec![wanted]);
                continue;
            }
        };
        let batch = batches.entry((branch, wanted.is_again)).or_default();
        batch.push(wanted);
        if branch.is_none() && batch.len() >= BATCH {
            together.push(std::mem::take(batch));
        }
    }
    together.extend(batches.into_values().filter(|batch| !batch.is_empty()));
    together
}

/// Reads the rows of queries of one model, and a marker for all of them.
pub(crate) struct FillJob<M: LiveModel> {
    pub(crate) wanted: Vec<Wanted<M>>,
    pub(crate) most_rows: usize,
    pub(crate) to: For,
    pub(crate) shared: Arc<Shared>,
    pub(crate) arrivals: Arrivals,
}

impl<M: LiveModel> FillJob<M> {
    fn hand_over(&self, arrived: impl Iterator<Item = Arrived<M>>) {
        let arrived = arrived.map(|arrived| (self.to, Box::new(arrived) as Box<dyn Any + Send>));
        lock(&self.arrivals).extend(arrived);
        self.shared.tap.wake();
    }

    /// The different keys of all queries; `None` if one of them has a filter, and is read alone.
    fn keys(&self) -> Option<Vec<KeyValue>> {
        let mut keys = Vec::new();
        for wanted in &self.wanted {
            let Target::Keys(of_query) = &wanted.plan.target else { return None };
            keys.extend(of_query.list.iter().cloned());
        }
        keys.sort_unstable();
        keys.dedup();
        Some(keys)
    }

    /// Reads queries by keys one after the other.
    async fn read_each<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
    ) -> Vec<Result<Fill<M>, LiveError>>
    where
        M: LiveOn<DB>,
    {
        let mut fills = Vec::with_capacity(self.wanted.len());
        for wanted in &self.wanted {
            let Target::Keys(keys) = &wanted.plan.target else { continue };
            let rows = live_records::<DB, M, E>(executor, &keys.list).await;
            fills.push(match rows {
                Ok(rows) => Ok(Fill { rows: rows.into_iter().map(Row::new).collect(), complete: true }),
                Err(error) => Err(LiveError::Read { schema: M::SCHEMA, error: Arc::new(error) }),
            });
        }
        fills
    }

    /// Reads the children of several parents. Nothing, if these are other queries.
    async fn siblings<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
    ) -> Result<Vec<Option<Fill<M>>>, Error>
    where
        M: LiveOn<DB>,
    {
        let plans: Vec<_> = self.wanted.iter().map(|wanted| &*wanted.plan).collect();
        let (Some(first), true) = (self.wanted.first(), plans.len() > 1) else { return Ok(Vec::new()) };
        live_siblings::<DB, M, E>(executor, &plans, first.capacity, self.most_rows).await
    }

    async fn read<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
    ) -> Result<Vec<Result<Fill<M>, LiveError>>, Error>
    where
        M: LiveOn<DB>,
    {
        let mut fills = Vec::with_capacity(self.wanted.len());
        if let Some(keys) = self.keys() {
            let rows = match live_records::<DB, M, E>(executor, &keys).await {
                Ok(rows) => rows,
                // One record that cannot be read fails its own query alone.
                Err(_) if self.wanted.len() > 1 => return Ok(self.read_each::<DB, E>(executor).await),
                Err(error) => return Err(error),
            };
            let rows: HashMap<KeyValue, Row<M>> =
                rows.into_iter().map(|row| (M::key_value(&row.key()), Row::new(row))).collect();
            for wanted in &self.wanted {
                let Target::Keys(keys) = &wanted.plan.target else { continue };
                let rows = keys.list.iter().filter_map(|key| rows.get(key).cloned()).collect();
                fills.push(Ok(Fill { rows, complete: true }));
            }
            return Ok(fills);
        }
        let (schema, most) = (M::SCHEMA, self.most_rows);
        let mut known = self.siblings::<DB, E>(executor).await?.into_iter();
        for Wanted { plan, capacity, .. } in &self.wanted {
            if let Some(Some(fill)) = known.next() {
                fills.push(Ok(fill));
                continue;
            }
            fills.push(match live_fill::<DB, M, E>(executor, plan, *capacity, most).await? {
                LiveFill::Rows(fill) => Ok(fill),
                LiveFill::TooManyRows => Err(LiveError::TooManyRows { schema, most }),
                LiveFill::TooManyHidden => Err(LiveError::TooManyHidden { schema, most: MOST_HIDDEN }),
                LiveFill::NoTable => Err(LiveError::NoTable { schema }),
            });
        }
        Ok(fills)
    }
}

impl<E: Reader, M: LiveOn<E::Db>> Job<E> for FillJob<M> {
    fn run<'j>(&'j mut self, executor: &'j mut E) -> Running<'j> {
        Box::pin(async move {
            if self.shared.on_wal {
                wait_until_visible::<E::Db, E>(executor, &self.shared).await?;
            }
            let fills = self.read::<E::Db, E>(executor).await?;
            // After the rows: everything that they contain is before it.
            let marker = marker_of::<E::Db, M, E>(executor, &self.shared).await?;
            self.hand_over(self.wanted.iter().zip(fills).map(|(wanted, fill)| Arrived {
                id: wanted.id,
                generation: wanted.generation,
                read: fill.map(|fill| (fill, marker)),
            }));
            // No hint tells the hub of a commit of another process.
            evented_feed::spi::poll_now();
            Ok(())
        })
    }

    fn fail(&mut self, error: Arc<dyn std::error::Error + Send + Sync>) {
        let error = LiveError::Read { schema: M::SCHEMA, error };
        self.hand_over(self.wanted.iter().map(|wanted| Arrived {
            id: wanted.id,
            generation: wanted.generation,
            read: Err(error.clone()),
        }));
    }
}

/// Reads the position behind everything that the reads so far may have seen.
pub(crate) async fn marker_of<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    shared: &Shared,
) -> Result<Position, Error> {
    #[cfg(feature = "wal")]
    if shared.on_wal {
        // A mark that has the hub look at the publications costs more: once a second is enough.
        if shared.is_check_due() {
            return evented_feed::wal::mark_of::<DB, E>(executor).await;
        }
        return evented_feed::wal::plain_mark_of::<DB, E>(executor).await;
    }
    let _ = shared;
    marker(executor, &SourceLog::of::<M::Log>()).await
}
