//! `verify`: checks rows and logs against each other, and against the present code.

use evented_core::KeyValue;
use serde::Serialize;

use crate::failure::Failure;
use crate::progress::Bar;
use evented_diesel::checkpoints::CheckpointFinding;
use evented_diesel::spi::{EventedBackend, Executor, Operation, Record, load_head};
use evented_diesel::verify::{Finding, LogChecks, Verify, VerifyReplay, VerifySavepoints, VerifyTable};
use evented_diesel::{Error, EventLog, Model, ModelOn};

/// The results of all checks.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verified {
    pub(crate) findings: Vec<Found>,
    /// The checks that were completed.
    pub(crate) checks: Vec<Check>,
    /// The errors of the checks that could not be completed.
    #[serde(skip)]
    pub(crate) failures: Vec<Failure>,
}

impl Verified {
    /// Adds the result of a check.
    pub(crate) fn take(&mut self, part: Result<(Check, Vec<Found>), Failure>) {
        match part {
            Ok((check, found)) => {
                self.checks.push(check);
                self.findings.extend(found);
            }
            Err(failure) => self.failures.push(failure),
        }
    }
}

/// A check of a model, of a log or of a record.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    /// The kind of check: `table`, `replay`, `record`, `chain` or `checkpoints`.
    pub(crate) check: &'static str,
    /// The model or the log that was checked.
    pub(crate) of: String,
    /// How many rows and events, or checkpoints, the check has read.
    pub(crate) seen: u64,
    /// How many events no checkpoint covers yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) later: Option<u64>,
}

/// A problem that a check has found.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) check: &'static str,
    /// The model's name in the log; for a checkpoint, the name of the log.
    pub(crate) of: String,
    pub(crate) record: Option<KeyValue>,
    pub(crate) revision: Option<i64>,
    pub(crate) checkpoint: Option<i64>,
    /// The code of the issue, for scripts.
    pub(crate) issue: &'static str,
    /// The columns at fault, if they are known.
    pub(crate) columns: Vec<String>,
    /// The description of the issue, for people.
    pub(crate) message: String,
}

impl Found {
    pub(crate) fn of(check: &'static str, finding: Finding) -> Self {
        let message = finding.issue.to_string();
        let (issue, columns) = (finding.issue.code(), finding.issue.columns().to_vec());
        Self {
            check,
            of: finding.schema,
            record: Some(finding.record),
            revision: finding.revision,
            checkpoint: None,
            issue,
            columns,
            message,
        }
    }

    pub(crate) fn of_checkpoint(log: &str, finding: &CheckpointFinding) -> Self {
        Self {
            check: "checkpoints",
            of: log.to_owned(),
            record: None,
            revision: None,
            checkpoint: finding.checkpoint,
            issue: finding.issue.code(),
            columns: Vec::new(),
            message: finding.issue.to_string(),
        }
    }
}

fn found(check: &'static str, findings: Vec<Finding>) -> impl Iterator<Item = Found> {
    findings.into_iter().map(move |finding| Found::of(check, finding))
}

/// Checks every row of a model against its log.
pub(crate) async fn table<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
) -> Result<(Check, Vec<Found>), Failure> {
    let bar = Bar::counting(format!("{}: rows against the log", M::SCHEMA));
    let (mut check, mut all) = (VerifyTable::<M>::new(), Vec::new());
    while let Some(checked) = check.page().perform(executor).await? {
        bar.add(checked.examined);
        all.extend(found("table", checked.findings));
    }
    Ok((Check { check: "table", of: M::SCHEMA.to_owned(), seen: bar.end(), later: None }, all))
}

/// Replays the events of all records, or of one record in `one_in`, with the present code.
pub(crate) async fn replay<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    one_in: u32,
) -> Result<(Check, Vec<Found>), Failure> {
    let bar = Bar::counting(format!("{}: replay", M::SCHEMA));
    let (mut check, mut all) = (VerifyReplay::<M>::new().sample(one_in), Vec::new());
    while let Some(checked) = check.page().perform(executor).await? {
        bar.add(checked.examined);
        all.extend(found("replay", checked.findings));
    }
    Ok((Check { check: "replay", of: M::SCHEMA.to_owned(), seen: bar.end(), later: None }, all))
}

/// Checks one record: its chain, its replay, its row and its savepoints.
pub(crate) async fn record<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: Record<M>,
) -> Result<(Check, Vec<Found>), Failure> {
    let key = || record.key.clone();
    let mut all: Vec<_> = found("record", Verify::<M>::by_key(key()).perform(executor).await?).collect();
    let last = load_head(executor, &record).await?.map_or(0, |head| head.revision);
    if last == 0 && all.is_empty() {
        return Err(Error::NotFound { record: record.name() }.into());
    }
    // A record that cannot be replayed from its first event has already been reported.
    if !all.iter().any(|found| found.issue == "replay" || found.issue == "gap") {
        all.extend(found("record", VerifySavepoints::<M>::by_key(key()).perform(executor).await?));
    }
    let seen = u64::try_from(last).unwrap_or(0);
    Ok((Check { check: "record", of: M::SCHEMA.to_owned(), seen, later: None }, all))
}

/// Checks every event of a hashed log against its hash and the hash of the event before it.
pub(crate) async fn chain<DB: EventedBackend, L: EventLog, E: Executor<DB>>(
    executor: &mut E,
) -> Result<(Check, Vec<Found>), Failure> {
    let bar = Bar::counting(format!("{}: hashes", L::NAME.table));
    let (mut check, mut all) = (L::verify_chain(), Vec::new());
    while let Some(checked) = check.page().perform(executor).await? {
        bar.add(checked.examined);
        all.extend(found("chain", checked.findings));
    }
    Ok((Check { check: "chain", of: L::NAME.table.to_owned(), seen: bar.end(), later: None }, all))
}
