//! Computes the root of a Merkle tree over events, one event at a time, in memory proportional to the tree's height.

use super::{EventHash, Root};

/// An event with its position in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// The event's position in the log.
    pub position: i64,
    /// The transaction that wrote it.
    pub txid: i64,
    /// The event's hash, as stored.
    pub hash: EventHash,
}

/// Computes a [`Root`].
///
/// With a key, only a holder of the key can compute the root. Write access to every table of the database is not
/// enough.
#[derive(Debug, Clone)]
pub struct RootBuilder {
    key: Option<[u8; 32]>,
    /// The roots of the full subtrees, largest first: one for each bit that is set in `leaves`.
    subtrees: Vec<[u8; 32]>,
    leaves: u64,
}

/// The tags keep the hash of a leaf, of an inner node and of the whole tree distinct.
mod tag {
    pub(super) const LEAF: u8 = 0;
    pub(super) const NODE: u8 = 1;
    pub(super) const ROOT: u8 = 2;
}

const TREE: &[u8] = b"evented 1 tree";

impl RootBuilder {
    /// Creates a builder without events.
    #[must_use]
    pub fn new(key: Option<[u8; 32]>) -> Self {
        Self { key, subtrees: Vec::new(), leaves: 0 }
    }

    /// Adds the next event.
    pub fn push(&mut self, leaf: &Leaf) {
        let parts = [&leaf.position.to_le_bytes()[..], &leaf.txid.to_le_bytes()[..], leaf.hash.as_bytes()];
        let mut node = self.hash(tag::LEAF, &parts);
        // Two full subtrees of one height form a full subtree of the next height.
        let mut height = self.leaves;
        while height & 1 == 1 {
            let Some(left) = self.subtrees.pop() else { break };
            node = self.hash(tag::NODE, &[&left, &node]);
            height >>= 1;
        }
        self.subtrees.push(node);
        self.leaves += 1;
    }

    /// The number of events added so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.leaves
    }

    /// The root over the events and their number.
    #[must_use]
    pub fn finish(mut self) -> Root {
        let mut node = self.subtrees.pop().unwrap_or_default();
        while let Some(left) = self.subtrees.pop() {
            node = self.hash(tag::NODE, &[&left, &node]);
        }
        Root(self.hash(tag::ROOT, &[&self.leaves.to_le_bytes(), &node]))
    }

    fn hash(&self, tag: u8, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = match &self.key {
            Some(key) => blake3::Hasher::new_keyed(key),
            None => blake3::Hasher::new(),
        };
        hasher.update(TREE).update(&[tag]);
        for part in parts {
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(key: Option<[u8; 32]>, leaves: impl IntoIterator<Item = u8>) -> Root {
        let mut builder = RootBuilder::new(key);
        for leaf in leaves {
            builder.push(&Leaf { position: i64::from(leaf), txid: 0, hash: EventHash([leaf; 32]) });
        }
        builder.finish()
    }

    #[test]
    fn the_root_never_changes() {
        assert_eq!(
            root(None, 1..=5).to_string(),
            "bb217a8cf0ba7cd1946a5cbbecb2188d38fd9d0553675e19a84a4a9bf04c6574"
        );
    }

    #[test]
    fn events_left_out_swapped_or_repeated_give_another_root() {
        for length in 1..20_u8 {
            let whole = root(None, 0..length);
            assert_ne!(whole, root(None, 0..length - 1), "the last one of {length} is missing");
            assert_ne!(whole, root(None, 1..length), "the first one of {length} is missing");
            assert_ne!(
                whole,
                root(None, (0..length).chain([length - 1])),
                "the last one of {length} is doubled"
            );
            if length > 1 {
                assert_ne!(whole, root(None, (0..length).rev()), "{length} are turned round");
            }
            assert_ne!(whole, root(Some([1; 32]), 0..length), "the key counts");
        }
    }
}
