//! Checks every row against its log.

use evented_core::{Changeset, State};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{Model, ModelOn, Record};
use crate::read::load;
use crate::statements::{RecordRow, Until, row_of};
use crate::verify::comparison::Comparison;
use crate::verify::{CheckPage, Finding, Issue};
use crate::write::ATTEMPTS;

/// Compares every row with the replay of its log, and finds missing rows and rows that the log does not know:
/// `Item::verify_table()`.
///
/// Other connections may write in the meantime: the check reads a difference again before it reports it as a finding.
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct VerifyTable<M: Model> {
    comparison: Comparison<M>,
}

impl<M: Model> VerifyTable<M> {
    /// Checks the whole table.
    #[expect(clippy::new_without_default, reason = "an operation has no default value")]
    pub fn new() -> Self {
        Self { comparison: Comparison::new() }
    }

    /// Sets the maximum number of events that a page reads. Default: 2,000. 0 counts as 1.
    pub fn page_size(mut self, events: u16) -> Self {
        self.comparison.page_size = i64::from(events.max(1));
        self
    }

    /// Checks the next page of rows; `None` at the end.
    pub fn page(&mut self) -> TablePage<'_, M> {
        TablePage(self)
    }
}

/// Checks the next page of rows. See [`VerifyTable::page`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct TablePage<'v, M: Model>(&'v mut VerifyTable<M>);

impl<M: Model> sealed::Operation for TablePage<'_, M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for TablePage<'_, M> {
    type Output = Option<CheckPage>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<CheckPage>, Error> {
        let Some(differences) = self.0.comparison.next::<DB, D>(executor).await? else { return Ok(None) };
        let mut checked = CheckPage { examined: differences.examined, findings: Vec::new() };
        for difference in differences.found {
            let finding = |issue| Finding {
                schema: M::SCHEMA.to_owned(),
                record: difference.key().clone(),
                revision: None,
                issue,
            };
            // Other connections may have written between the reads of the log and of the row.
            let issue = match M::key_from(difference.key().clone()) {
                Some(key) => recheck(executor, &Record::<M>::new(key)).await,
                None => Ok(Some(Issue::RowWithoutEvents)),
            };
            match issue {
                Ok(issue) => checked.findings.extend(issue.map(finding)),
                Err(Error::Replay { error: source, .. }) => {
                    let issue = Issue::Replay(source.reason.to_string());
                    checked.findings.push(Finding { revision: Some(source.revision), ..finding(issue) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(checked))
    }
}

impl<M: Model> sealed::Operation for VerifyTable<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for VerifyTable<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Executor<DB>>(mut self, executor: &mut D) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        while let Some(checked) = self.page().perform(executor).await? {
            findings.extend(checked.findings);
        }
        Ok(findings)
    }
}

/// Returns how row and log of one record differ. It detects writes between the two reads.
pub(super) async fn recheck<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    record: &Record<M>,
) -> Result<Option<Issue>, Error> {
    for _ in 0..ATTEMPTS {
        let before = load::head(executor, record).await?.map_or(0, |head| head.revision);
        let row = record.first::<RecordRow<M>, _, _>(executor, row_of::<DB, M>(&record.value)).await?;
        let row = row.map(|row| row.0);
        if let Some(row) = &row {
            record.check_row(row)?;
        }
        let replay = load::replay(executor, record, Until::default()).await?;
        if replay.revision() != before {
            continue;
        }
        return Ok(match (replay.into_state(), row) {
            (State::Live(state), Some(mut row)) => {
                row.normalize();
                let same = record.digest(&state)? == record.digest(&row)?;
                (!same).then(|| Issue::Row { columns: columns(&state, &row) })
            }
            (State::Live(_), None) => {
                let hides = DB::hides_rows::<M, D>(executor).await.map_err(|error| record.failed(error))?;
                if hides {
                    return Err(Error::RowSecurity { record: record.name() });
                }
                Some(Issue::RowMissing)
            }
            (_, Some(_)) => Some(Issue::RowWithoutEvents),
            (_, None) => None,
        });
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

fn columns<M: Model>(state: &M, row: &M) -> Vec<String> {
    let changes = Changeset::between(Some(state), Some(row)).unwrap_or_default();
    changes.iter().map(|change| change.field.to_owned()).collect()
}
