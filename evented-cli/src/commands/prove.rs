//! `prove-event`, `prove-log` and `check-proof`: make proofs, and check them without the database.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::input;
use evented_diesel::checkpoints::{Checkpoint, Checkpointed, EventProof, HmacKey, LogProof, Verifier};
use evented_diesel::spi::{EventedBackend, Executor, Operation, Record, Until, load_events};
use evented_diesel::{Error, EventLog, Model};

/// A proof. Its JSON form is what `check-proof` reads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Proof {
    Event(EventProof),
    Log(LogProof),
}

impl Proof {
    /// Reads a proof from a file.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let proof = serde_json::from_str(&input::read(file)?);
        proof.map_err(|error| Failure::new(format!("{}: no proof: {error}", file.display())))
    }
}

/// Proves that the event of a record with a revision is in its log.
pub(crate) async fn event<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: Record<M>,
    revision: i64,
) -> Result<Proof, Failure> {
    let until = Until { revision: Some(revision), ..Until::default() };
    let events = load_events(executor, &record, until, false).await?;
    let event = events.into_iter().find(|event| event.data.revision == revision);
    let event = event.ok_or_else(|| Error::NotFound { record: record.name() })?;
    Ok(Proof::Event(M::Log::prove_inclusion(event.offset).perform(executor).await?))
}

/// Proves that the last checkpoint of a log continues an earlier one.
pub(crate) async fn log<DB: EventedBackend, L: EventLog, E: Executor<DB>>(
    executor: &mut E,
    from: i64,
) -> Result<Proof, Failure> {
    Ok(Proof::Log(L::prove_consistency(from).perform(executor).await?))
}

/// The result of checking a proof.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) holds: bool,
    /// What the proof shows, or what is wrong with it.
    /// Whether a key was given. Without one, anybody can make a proof that holds.
    pub(crate) signatures_checked: bool,
    pub(crate) message: String,
}

/// Checks a proof without a database, and the signatures of its checkpoints if a key is given.
pub(crate) fn check(proof: &Proof, keys: &[HmacKey]) -> Checked {
    let (holds, checkpoints, shows) = match proof {
        Proof::Event(proof) => {
            let Checkpoint { log, number, .. } = &proof.checkpoint;
            let event = &proof.event;
            let shows = format!(
                "the event at ({}, {}) with the hash {} is in the log `{log}` up to checkpoint {number}",
                event.txid, event.position, event.hash
            );
            (proof.verify(), vec![&proof.checkpoint], shows)
        }
        Proof::Log(proof) => {
            let shows = format!(
                "checkpoint {} of the log `{}` continues checkpoint {}",
                proof.to.number, proof.to.log, proof.from.number
            );
            (proof.verify(), vec![&proof.from, &proof.to], shows)
        }
    };
    let signatures_checked = !keys.is_empty();
    if !holds {
        return Checked { holds, signatures_checked, message: "the proof does not hold".to_owned() };
    }
    for checkpoint in checkpoints.into_iter().filter(|_| signatures_checked) {
        let verifiers = keys.iter().map(|key| key as &dyn Verifier);
        if let Err(fault) = checkpoint.check_signature_of(verifiers) {
            let message = format!("checkpoint {}: {fault}", checkpoint.number);
            return Checked { holds: false, signatures_checked, message };
        }
    }
    let unchecked =
        if signatures_checked { "" } else { "; the signatures were not checked: pass --key-file" };
    Checked { holds, signatures_checked, message: format!("{shows}{unchecked}") }
}
