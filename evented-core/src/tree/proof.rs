//! Proofs about trees, which are checked without the log: the algorithms of RFC 9162, sections 2.1.3 and 2.1.4.

use serde::{Deserialize, Serialize};

use crate::TreeHash;
use crate::tree::node;

/// A proof that a leaf is in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The number of leaves of the tree.
    pub size: u64,
    /// The number of leaves before the leaf.
    pub index: u64,
    /// The hashes of the subtrees beside the way from the leaf to the root.
    pub path: Vec<TreeHash>,
}

impl InclusionProof {
    /// Whether the leaf is in the tree with this root, at the place that the proof names.
    #[must_use]
    pub fn verify(&self, leaf: &TreeHash, root: &TreeHash) -> bool {
        if self.index >= self.size {
            return false;
        }
        let (mut first, mut last) = (self.index, self.size - 1);
        let mut hash = *leaf;
        for sibling in &self.path {
            if last == 0 {
                return false;
            }
            if first & 1 == 1 || first == last {
                hash = node(sibling, &hash);
                while first & 1 == 0 && first != 0 {
                    first >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node(&hash, sibling);
            }
            first >>= 1;
            last >>= 1;
        }
        last == 0 && hash == *root
    }
}

/// A proof that a tree is the beginning of a larger one: nothing was removed or changed in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    /// The number of leaves of the earlier tree.
    pub from: u64,
    /// The number of leaves of the later tree.
    pub to: u64,
    /// The hashes of subtrees from which both roots are computed.
    pub path: Vec<TreeHash>,
}

impl ConsistencyProof {
    /// Whether the tree with the root `from` is the beginning of the tree with the root `to`.
    #[must_use]
    pub fn verify(&self, from: &TreeHash, to: &TreeHash) -> bool {
        if self.from == self.to {
            return self.path.is_empty() && from == to;
        }
        if self.from == 0 || self.from > self.to {
            // Every tree begins with the empty one.
            return self.from == 0 && self.path.is_empty() && *from == super::empty_root();
        }
        let (mut first, mut last) = (self.from - 1, self.to - 1);
        while first & 1 == 1 {
            first >>= 1;
            last >>= 1;
        }
        let mut path = self.path.iter();
        // A tree whose size is a power of two is itself the first subtree.
        let start = if self.from.is_power_of_two() { Some(from) } else { path.next() };
        let Some(start) = start else { return false };
        let (mut earlier, mut later) = (*start, *start);
        for hash in path {
            if last == 0 {
                return false;
            }
            if first & 1 == 1 || first == last {
                earlier = node(hash, &earlier);
                later = node(hash, &later);
                while first & 1 == 0 && first != 0 {
                    first >>= 1;
                    last >>= 1;
                }
            } else {
                later = node(&later, hash);
            }
            first >>= 1;
            last >>= 1;
        }
        last == 0 && earlier == *from && later == *to
    }
}
