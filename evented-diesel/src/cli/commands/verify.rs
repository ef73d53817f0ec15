//! `verify`: rows and logs against each other, and against the code of today.

use serde::Serialize;
use serde_json::Value;

use super::key_json;
use crate::backend::Dialect;
use crate::cli::failure::Failure;
use crate::cli::progress::Bar;
use crate::error::Error;
use crate::integrity::{
    Checkpoint, Damage, Finding, Verdict, Verify, VerifyChain, VerifyReplay, VerifySavepoints, VerifyTable,
};
use crate::log::EventLog;
use crate::model::{Model, Rows};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::steps::command::Record;
use crate::steps::load;

/// What all checks have found.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct Verified {
    pub(in crate::cli) findings: Vec<Found>,
    /// Each check that came to its end.
    pub(in crate::cli) checks: Vec<Check>,
    /// Checks that could not be made. The others were.
    #[serde(skip)]
    pub(in crate::cli) failures: Vec<Failure>,
}

impl Verified {
    /// Takes over what a check has come to.
    pub(in crate::cli) fn take(&mut self, part: Result<(Check, Vec<Found>), Failure>) {
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
pub(in crate::cli) struct Check {
    /// Which: `table`, `replay`, `record`, `chain`, `checkpoints`.
    pub(in crate::cli) check: &'static str,
    /// Of which model or log.
    pub(in crate::cli) of: String,
    /// How many rows and events it has read; how many checkpoints.
    pub(in crate::cli) seen: u64,
}

/// What a check has found.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Found {
    pub(in crate::cli) check: &'static str,
    /// The model's name in the log; the log's, for a checkpoint.
    pub(in crate::cli) of: String,
    pub(in crate::cli) record: Option<Value>,
    pub(in crate::cli) revision: Option<i64>,
    pub(in crate::cli) checkpoint: Option<i64>,
    /// What kind of damage it is, for scripts.
    pub(in crate::cli) damage: &'static str,
    /// The columns at fault, where they are known.
    pub(in crate::cli) columns: Vec<String>,
    /// In words.
    pub(in crate::cli) message: String,
}

impl Found {
    pub(in crate::cli) fn of(check: &'static str, finding: Finding) -> Self {
        let message = finding.damage.to_string();
        let (damage, columns) = kind(finding.damage);
        Self {
            check,
            of: finding.schema,
            record: Some(key_json(&finding.record)),
            revision: finding.revision,
            checkpoint: None,
            damage,
            columns,
            message,
        }
    }

    pub(in crate::cli) fn of_checkpoint(log: &str, checkpoint: &Checkpoint, verdict: &Verdict) -> Self {
        let damage = match verdict {
            Verdict::Holds => "holds",
            Verdict::Events { .. } => "events",
            Verdict::Changed => "changed",
            Verdict::Disconnected => "disconnected",
        };
        Self {
            check: "checkpoints",
            of: log.to_owned(),
            record: None,
            revision: None,
            checkpoint: Some(checkpoint.number),
            damage,
            columns: Vec::new(),
            message: verdict.to_string(),
        }
    }
}

fn kind(damage: Damage) -> (&'static str, Vec<String>) {
    match damage {
        Damage::Hash => ("hash", Vec::new()),
        Damage::Gap { .. } => ("gap", Vec::new()),
        Damage::Order => ("order", Vec::new()),
        Damage::Unreadable(_) => ("unreadable", Vec::new()),
        Damage::Replay(_) => ("replay", Vec::new()),
        Damage::State => ("state", Vec::new()),
        Damage::Savepoint { columns } => ("savepoint", columns),
        Damage::Row { columns } => ("row", columns),
        Damage::RowMissing => ("row_missing", Vec::new()),
        Damage::RowSurplus => ("row_surplus", Vec::new()),
    }
}

fn found(check: &'static str, findings: Vec<Finding>) -> impl Iterator<Item = Found> {
    findings.into_iter().map(move |finding| Found::of(check, finding))
}

/// Every row of a model against its log.
pub(in crate::cli) async fn table<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
) -> Result<(Check, Vec<Found>), Failure> {
    let bar = Bar::counting(format!("{}: rows against the log", M::SCHEMA));
    let (mut check, mut all) = (VerifyTable::<M>::new(), Vec::new());
    while let Some(checked) = check.page().perform(driver).await? {
        bar.add(checked.seen);
        all.extend(found("table", checked.findings));
    }
    Ok((Check { check: "table", of: M::SCHEMA.to_owned(), seen: bar.end() }, all))
}

/// The events of all records, or of one in so many, through the code of today.
pub(in crate::cli) async fn replay<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    one_in: u32,
) -> Result<(Check, Vec<Found>), Failure> {
    let bar = Bar::counting(format!("{}: replay", M::SCHEMA));
    let (mut check, mut all) = (VerifyReplay::<M>::new().sample(one_in), Vec::new());
    while let Some(checked) = check.page().perform(driver).await? {
        bar.add(checked.seen);
        all.extend(found("replay", checked.findings));
    }
    Ok((Check { check: "replay", of: M::SCHEMA.to_owned(), seen: bar.end() }, all))
}

/// One record: its chain, its replay, its row and its savepoints.
pub(in crate::cli) async fn record<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: Record<M>,
) -> Result<(Check, Vec<Found>), Failure> {
    let key = || record.key.clone();
    let mut all: Vec<_> = found("record", Verify::<M>::by_key(key()).perform(driver).await?).collect();
    let last = load::head(driver, &record).await?.map_or(0, |head| head.revision);
    if last == 0 && all.is_empty() {
        return Err(Error::NotFound { record: record.name() }.into());
    }
    // What cannot be replayed from its first event is known already.
    if !all.iter().any(|found| found.damage == "replay" || found.damage == "gap") {
        all.extend(found("record", VerifySavepoints::<M>::by_key(key()).perform(driver).await?));
    }
    let seen = u64::try_from(last).unwrap_or(0);
    Ok((Check { check: "record", of: M::SCHEMA.to_owned(), seen }, all))
}

/// Every event of a hashed log against its hash and the one before it.
pub(in crate::cli) async fn chain<DB: Dialect, L: EventLog, D: Driver<DB>>(
    driver: &mut D,
) -> Result<(Check, Vec<Found>), Failure> {
    let bar = Bar::counting(format!("{}: hashes", L::NAME.table));
    let (mut check, mut all) = (VerifyChain::<L>::new(), Vec::new());
    while let Some(checked) = check.page().perform(driver).await? {
        bar.add(checked.seen);
        all.extend(found("chain", checked.findings));
    }
    Ok((Check { check: "chain", of: L::NAME.table.to_owned(), seen: bar.end() }, all))
}
