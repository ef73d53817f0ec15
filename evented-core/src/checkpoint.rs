//! Checkpoints: the root of the tree over a log at one moment, in the text form that is signed.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::{TreeHash, sha256};

mod note;
mod proofs;
mod sign;

pub use proofs::{EventProof, LogProof};
#[cfg(feature = "ed25519")]
pub use sign::{Ed25519Signer, Ed25519Verifier};
pub use sign::{HmacKey, Signature, SignatureFault, Signer, Verifier};

/// The root of the tree over the events of a log up to a moment.
///
/// A log keeps its checkpoints in a table of its own. Whoever can write that table can replace them, so sign them with a
/// key that the database does not know, and keep a copy elsewhere: a checkpoint is `Serialize`, and [`note`](Self::note)
/// gives it as a signed note, which witnesses can hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The name of the log.
    pub log: String,
    /// The number of the checkpoint in its log: 1, 2, 3, …
    pub number: i64,
    /// The number of events in the tree.
    pub size: u64,
    /// The root of the tree.
    pub root: TreeHash,
    /// The last event before the events that the checkpoint added, as (transaction, position).
    pub after: (i64, i64),
    /// The last event that the checkpoint added, as (transaction, position).
    pub to: (i64, i64),
    /// Events at or below this position were not added. `0`, unless the database was restored: transaction ids then
    /// restart, and this is the last position before the restore.
    pub floor: i64,
    /// The highest position in the tree.
    pub highest: i64,
    /// The time when the checkpoint was created, to the microsecond.
    pub at: DateTime<Utc>,
    /// The [digest](Self::digest) of the previous checkpoint; that of no bytes for the first one.
    pub previous: TreeHash,
    /// The signature of the [text](Self::text); `None` if the checkpoint is not signed.
    pub signature: Option<Signature>,
}

impl Checkpoint {
    /// Creates a checkpoint without a signature.
    #[doc(hidden)]
    #[must_use]
    pub fn new(log: &str, size: u64, root: TreeHash, parts: CheckpointParts) -> Self {
        let CheckpointParts { number, after, to, floor, highest, at, previous } = parts;
        let log = log.to_owned();
        Self { log, number, size, root, after, to, floor, highest, at, previous, signature: None }
    }

    /// The text that the signature covers. It names every property of the checkpoint, and its first three lines are
    /// those of a [C2SP checkpoint](https://c2sp.org/tlog-checkpoint): the log, the size, and the root in base64.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { log, number, size, root, after, to, floor, highest, at, previous, signature: _ } = self;
        let root = note::base64(root.as_bytes());
        let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
        format!(
            "{log}\n{size}\n{root}\ncheckpoint {number}\nafter {} {}\nto {} {}\nfloor {floor}\nhighest {highest}\n\
             at {at}\nprevious {previous}\n",
            after.0, after.1, to.0, to.1
        )
    }

    /// The SHA-256 of the [text](Self::text), which the next checkpoint names.
    #[must_use]
    pub fn digest(&self) -> TreeHash {
        TreeHash(sha256::of(&[self.text().as_bytes()]))
    }

    /// What the first checkpoint of a log names as the previous one: the SHA-256 of no bytes.
    #[must_use]
    pub fn no_previous() -> TreeHash {
        TreeHash(sha256::of(&[]))
    }

    /// Signs the checkpoint.
    ///
    /// # Errors
    ///
    /// The error of the signer.
    pub fn sign(&mut self, signer: &dyn Signer) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let bytes = signer.sign(self.text().as_bytes())?;
        self.signature = Some(Signature { signer: signer.name().to_owned(), key_id: signer.key_id(), bytes });
        Ok(())
    }

    /// Checks that the checkpoint is signed with the verifier's key.
    ///
    /// # Errors
    ///
    /// [`SignatureFault`]: it is not signed, or by another key, or was changed.
    pub fn check_signature(&self, verifier: &dyn Verifier) -> Result<(), SignatureFault> {
        self.check_signature_of([verifier])
    }

    /// Checks that the checkpoint is signed with the key of one of the verifiers, as after a change of the key.
    ///
    /// # Errors
    ///
    /// [`SignatureFault`]: it is not signed, or by another key, or was changed.
    pub fn check_signature_of<'v>(
        &self,
        verifiers: impl IntoIterator<Item = &'v dyn Verifier>,
    ) -> Result<(), SignatureFault> {
        let Some(signature) = &self.signature else { return Err(SignatureFault::Unsigned) };
        let text = self.text();
        let mut fault = SignatureFault::OtherSigner { signer: signature.signer.clone() };
        for verifier in verifiers {
            if signature.signer != verifier.name() || signature.key_id != verifier.key_id() {
                continue;
            }
            if verifier.verify(text.as_bytes(), &signature.bytes) {
                return Ok(());
            }
            fault = SignatureFault::Broken;
        }
        Err(fault)
    }
}

/// The properties of a [`Checkpoint`] beside its tree.
#[doc(hidden)]
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as in `Checkpoint`")]
pub struct CheckpointParts {
    pub number: i64,
    pub after: (i64, i64),
    pub to: (i64, i64),
    pub floor: i64,
    pub highest: i64,
    pub at: DateTime<Utc>,
    pub previous: TreeHash,
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn checkpoint() -> Checkpoint {
        let parts = CheckpointParts {
            number: 2,
            after: (731, 12),
            to: (740, 20),
            floor: 0,
            highest: 20,
            at: DateTime::from_timestamp_micros(1_700_000_000_000_001).expect("a time"),
            previous: Checkpoint::no_previous(),
        };
        Checkpoint::new("items_events", 20, TreeHash([7; TreeHash::LEN]), parts)
    }

    #[test]
    fn the_text_never_changes() {
        let expected = "items_events\n20\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\ncheckpoint 2\nafter 731 12\n\
                        to 740 20\nfloor 0\nhighest 20\nat 2023-11-14T22:13:20.000001Z\n\
                        previous e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
        assert_eq!(checkpoint().text(), expected);
    }

    #[test]
    fn every_property_is_signed() {
        let key = HmacKey::new("shop", [1; 32]);
        let mut signed = checkpoint();
        signed.sign(&key).expect("signed");
        assert!(signed.check_signature(&key).is_ok());
        let changes: [fn(&mut Checkpoint); 10] = [
            |it| it.log.push('x'),
            |it| it.number += 1,
            |it| it.size += 1,
            |it| it.root = TreeHash([8; TreeHash::LEN]),
            |it| it.after.1 += 1,
            |it| it.to.0 += 1,
            |it| it.floor += 1,
            |it| it.highest += 1,
            |it| it.at += chrono::TimeDelta::microseconds(1),
            |it| it.previous = TreeHash([8; TreeHash::LEN]),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = signed.clone();
            change(&mut changed);
            assert_eq!(changed.check_signature(&key), Err(SignatureFault::Broken), "change {index}");
        }
    }

    #[test]
    fn a_missing_signature_and_one_of_another_key_are_faults() {
        let (key, other) = (HmacKey::new("shop", [1; 32]), HmacKey::new("other", [1; 32]));
        let mut signed = checkpoint();
        assert_eq!(signed.check_signature(&key), Err(SignatureFault::Unsigned));
        signed.sign(&other).expect("signed");
        let fault = signed.check_signature(&key);
        assert_eq!(fault, Err(SignatureFault::OtherSigner { signer: "other".to_owned() }));
        signed.sign(&HmacKey::new("shop", [2; 32])).expect("signed");
        assert_eq!(signed.check_signature(&key), Err(SignatureFault::Broken));
    }
}
