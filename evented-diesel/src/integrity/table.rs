//! Every row against its log.

use std::collections::HashMap;

use evented_core::{Changeset, FieldDigests, KeyValue, Replay, State};

use super::{Checked, Damage, Finding};
use crate::backend::Dialect;
use crate::error::{Error, RecordName};
use crate::model::Rows;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{RecordRow, ReplayedEvent, Until, page, row_of, rows_between};
use crate::steps::command::{ATTEMPTS, Record};
use crate::steps::drift::digest_of;
use crate::steps::load;

/// Compares every row with what replay of its log gives, and finds rows that are missing, and rows of which the log knows
/// nothing: `Item::verify_table()`.
///
/// It runs beside live writers: what differs is read again before it is a finding.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct VerifyTable<M: crate::model::Model> {
    comparison: Comparison<M>,
}

impl<M: crate::model::Model> VerifyTable<M> {
    /// Of the whole table.
    #[expect(clippy::new_without_default, reason = "a question, not a value to start from")]
    pub fn new() -> Self {
        Self { comparison: Comparison::new() }
    }

    /// How many events a page reads: 2,000, unless it is said here. 0 counts as 1.
    pub fn page_size(mut self, events: u16) -> Self {
        self.comparison.size = i64::from(events.max(1));
        self
    }

    /// Checks the next rows; `None` at the end.
    pub fn page(&mut self) -> TablePage<'_, M> {
        TablePage(self)
    }
}

/// The next page of a check. See [`VerifyTable::page`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct TablePage<'v, M: crate::model::Model>(&'v mut VerifyTable<M>);

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for TablePage<'_, M> {
    type Output = Option<Checked>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Option<Checked>, Error> {
        let Some(differences) = self.0.comparison.next::<DB, D>(driver).await? else { return Ok(None) };
        let mut checked = Checked { seen: differences.seen, findings: Vec::new() };
        for difference in differences.found {
            let finding = |damage| Finding {
                schema: M::SCHEMA.to_owned(),
                record: difference.key().clone(),
                revision: None,
                damage,
            };
            // Writers may have been between the reading of the log and that of the row.
            let damage = match M::key_from(difference.key().clone()) {
                Some(key) => recheck(driver, &Record::<M>::new(key)).await,
                None => Ok(Some(Damage::RowSurplus)),
            };
            match damage {
                Ok(damage) => checked.findings.extend(damage.map(finding)),
                Err(Error::Replay { source, .. }) => {
                    let damage = Damage::Replay(source.reason.to_string());
                    checked.findings.push(Finding { revision: Some(source.revision), ..finding(damage) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(checked))
    }
}

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for VerifyTable<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Driver<DB>>(mut self, driver: &mut D) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        while let Some(checked) = self.page().perform(driver).await? {
            findings.extend(checked.findings);
        }
        Ok(findings)
    }
}

/// Whether row and log of one record differ, read so that a writer between the two readings is noticed.
pub(super) async fn recheck<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
) -> Result<Option<Damage>, Error> {
    for _ in 0..ATTEMPTS {
        let before = load::head(driver, record).await?.map_or(0, |head| head.revision);
        let rows = driver.load::<RecordRow<M>>(row_of::<DB, M>(&record.value)).await;
        let row = rows.map_err(|error| record.failed(error))?.into_iter().next().map(|row| row.0);
        let replay = load::replay(driver, record, Until::default()).await?;
        if replay.revision() != before {
            continue;
        }
        return Ok(match (replay.into_state(), row) {
            (State::Live(state), Some(mut row)) => {
                row.normalize();
                let same = digest_of(record, &state)? == digest_of(record, &row)?;
                (!same).then(|| Damage::Row { columns: columns(&state, &row) })
            }
            (State::Live(_), None) => Some(Damage::RowMissing),
            (_, Some(_)) => Some(Damage::RowSurplus),
            (_, None) => None,
        });
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

fn columns<M: crate::model::Model>(state: &M, row: &M) -> Vec<String> {
    let changes = Changeset::between(Some(state), Some(row)).unwrap_or_default();
    changes.iter().map(|change| change.field.to_owned()).collect()
}

/// A walk over log and table side by side, in the order of their keys.
#[derive(Debug)]
pub(crate) struct Comparison<M: crate::model::Model> {
    size: i64,
    /// The record whose events have been read so far, not all of them perhaps.
    open: Option<(KeyValue, i64, Result<Replay<M>, ()>)>,
    /// The last row that was compared.
    rows_after: Option<KeyValue>,
    done: bool,
}

/// Where row and log differ.
#[derive(Debug)]
pub(crate) enum Difference<M> {
    /// The row is missing.
    Missing(KeyValue, M),
    /// The row differs: the log's state, and which fields.
    Differs(KeyValue, M, Vec<usize>),
    /// The log has no such record.
    Surplus(KeyValue),
    /// The log cannot be replayed.
    Unreadable(KeyValue),
}

impl<M> Difference<M> {
    pub(crate) fn key(&self) -> &KeyValue {
        match self {
            Self::Missing(key, _) | Self::Differs(key, ..) | Self::Surplus(key) | Self::Unreadable(key) => {
                key
            }
        }
    }
}

/// What a part of the walk has found.
#[derive(Debug)]
pub(crate) struct Differences<M> {
    pub(crate) seen: u64,
    pub(crate) found: Vec<Difference<M>>,
}

const PAGE: i64 = 2_000;

impl<M: crate::model::Model> Comparison<M> {
    pub(crate) fn new() -> Self {
        Self::with_pages_of(PAGE)
    }

    /// With pages of so many events.
    pub(crate) fn with_pages_of(size: i64) -> Self {
        Self { size, open: None, rows_after: None, done: false }
    }

    /// The next part; `None` at the end.
    pub(crate) async fn next<DB: Dialect, D: Driver<DB>>(
        &mut self,
        driver: &mut D,
    ) -> Result<Option<Differences<M>>, Error>
    where
        M: Rows<DB>,
    {
        if self.done {
            return Ok(None);
        }
        let of = |error| Error::database(RecordName { schema: M::SCHEMA, key: None }, error);
        let after = self.open.as_ref().map(|(record, revision, _)| (record, *revision));
        let statement = page(M::places(), i64::MAX, after, self.size);
        let events = driver.load::<ReplayedEvent<M>>(statement).await.map_err(of)?;
        self.done = i64::try_from(events.len()).is_ok_and(|read| read < self.size);
        let mut seen = events.len() as u64;
        // The records that end in this page, in their order.
        let mut states = Vec::new();
        for ReplayedEvent { record, event, .. } in events {
            if self.open.as_ref().is_none_or(|(open, ..)| *open != record) {
                if let Some((key, _, replay)) = self.open.take() {
                    states.push((key, Some(replay)));
                }
                let replay = M::key_from(record.clone()).map(Replay::new).ok_or(());
                self.open = Some((record, 0, replay));
            }
            if let Some((_, revision, replay)) = &mut self.open {
                *revision = event.revision;
                if let Ok(so_far) = replay
                    && so_far.apply(&event).is_err()
                {
                    *replay = Err(());
                }
            }
        }
        if self.done
            && let Some((key, _, replay)) = self.open.take()
        {
            states.push((key, Some(replay)));
        }
        let mut found = Vec::new();
        // Rows up to the last record that is known to its end; at the end, all of them.
        let to = if self.done { None } else { states.last().map(|(key, _)| key.clone()) };
        let mut places = HashMap::new();
        if self.done || to.is_some() {
            loop {
                let statement = rows_between::<DB, M>(self.rows_after.as_ref(), to.as_ref(), self.size);
                let rows = driver.load::<RecordRow<M>>(statement).await.map_err(of)?;
                let ended = i64::try_from(rows.len()).is_ok_and(|read| read < self.size);
                seen += rows.len() as u64;
                if places.is_empty() && !rows.is_empty() {
                    places = (0..)
                        .zip(&states)
                        .map(|(place, (key, _)): (usize, _)| (key.clone(), place))
                        .collect();
                }
                for RecordRow(mut row) in rows {
                    let key = M::key_value(row.key());
                    self.rows_after = Some(key.clone());
                    let state = places.get(&key).and_then(|place| states.get_mut(*place));
                    let state = state.and_then(|(_, replay)| replay.take());
                    let state = state.map(|replay| replay.map(Replay::into_state));
                    row.normalize();
                    found.extend(difference(key, state, &row));
                }
                if ended {
                    break;
                }
            }
            self.rows_after = to.or(self.rows_after.take());
        }
        for (key, replay) in states {
            match replay.map(|replay| replay.map(Replay::into_state)) {
                Some(Ok(State::Live(state))) => found.push(Difference::Missing(key, state)),
                Some(Err(())) => found.push(Difference::Unreadable(key)),
                _ => {}
            }
        }
        Ok(Some(Differences { seen, found }))
    }
}

fn difference<M: crate::model::Model>(
    key: KeyValue,
    state: Option<Result<State<M>, ()>>,
    row: &M,
) -> Option<Difference<M>> {
    match state {
        Some(Ok(State::Live(state))) => {
            let fields = match (state.digests(), row.digests()) {
                (Ok(state), Ok(row)) => FieldDigests::differing(&state, &row),
                // A row that cannot be digested is not what any log says.
                _ => (0..M::FIELDS.len()).collect(),
            };
            (!fields.is_empty()).then_some(Difference::Differs(key, state, fields))
        }
        Some(Ok(_)) | None => Some(Difference::Surplus(key)),
        Some(Err(())) => Some(Difference::Unreadable(key)),
    }
}
