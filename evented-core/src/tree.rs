//! A Merkle tree over the events of a log, in the order in which checkpoints took them in: that of RFC 6962, with
//! SHA-256.
//!
//! A [`Frontier`] is all that has to be kept of a tree to append to it: its size and at most 64 hashes. Two proofs can be
//! checked without the log: that an event is in a tree ([`InclusionProof`]), and that a tree is the beginning of a later
//! one ([`ConsistencyProof`]).

use serde::{Deserialize, Serialize};

use crate::{EventHash, TreeHash, sha256};

mod frontier;
mod proof;
mod ranges;

pub use frontier::{Frontier, StoredNode};
pub use proof::{ConsistencyProof, InclusionProof};
pub use ranges::{NodeGroup, ProofPlan, WIDTH};

/// A prefix that separates these leaves from those of other trees.
const LEAF: &[u8] = b"evented 1 leaf";

/// An event with its position in the log: what a leaf of the tree covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// The transaction that orders the event; 0 on SQLite.
    pub txid: i64,
    /// The event's position in the log.
    pub position: i64,
    /// The event's hash, as stored.
    pub hash: EventHash,
}

impl Leaf {
    /// The hash of the leaf.
    #[must_use]
    pub fn tree_hash(&self) -> TreeHash {
        TreeHash(sha256::of(&[
            &[0],
            LEAF,
            &self.txid.to_be_bytes(),
            &self.position.to_be_bytes(),
            self.hash.as_bytes(),
        ]))
    }
}

/// The hash of a node with two children.
fn node(left: &TreeHash, right: &TreeHash) -> TreeHash {
    TreeHash(sha256::of(&[&[1], left.as_bytes(), right.as_bytes()]))
}

/// The root of the tree without leaves.
fn empty_root() -> TreeHash {
    TreeHash(sha256::of(&[]))
}

/// The largest power of two below a number of leaves, where a tree is split; the number is at least 2.
fn split(leaves: u64) -> u64 {
    1 << (u64::BITS - 1 - (leaves - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn leaf(number: u64) -> TreeHash {
        let hash = EventHash([u8::try_from(number % 251).unwrap_or(0); EventHash::LEN]);
        Leaf { txid: 7, position: number.cast_signed(), hash }.tree_hash()
    }

    /// The definition of RFC 6962, section 2.1.
    pub(super) fn root_of(leaves: &[TreeHash]) -> TreeHash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            leaves => {
                let at = usize::try_from(split(leaves.len() as u64)).expect("a small number");
                let (left, right) = leaves.split_at(at);
                node(&root_of(left), &root_of(right))
            }
        }
    }

    #[test]
    fn the_empty_tree_has_the_hash_of_nothing() {
        assert_eq!(
            empty_root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn a_tree_is_split_at_the_largest_power_of_two_below_its_size() {
        let splits: Vec<u64> = (2..10).map(split).collect();
        assert_eq!(splits, [1, 2, 2, 4, 4, 4, 4, 8]);
    }
}
