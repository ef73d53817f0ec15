//! The right edge of a tree, to which leaves are appended.

use crate::TreeHash;
use crate::tree::{empty_root, node};

/// The right edge of a tree: its size, and the roots of its perfect subtrees, largest first.
///
/// ```
/// # use evented_core::{EventHash, Frontier, Leaf};
/// # let hash = EventHash::from_slice(&[7; 32]).unwrap();
/// let mut tree = Frontier::default();
/// tree.push(Leaf { txid: 731, position: 1, hash }.tree_hash());
/// let resumed = Frontier::from_bytes(tree.size(), &tree.to_bytes()).unwrap();
/// assert_eq!(resumed.root(), tree.root());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<TreeHash>,
}

/// The root of a perfect subtree of 256, 256² or 256³ leaves, and so on. Stored nodes make proofs fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredNode {
    /// The subtree has 256 to the power of this number of leaves; at least 1.
    pub level: u8,
    /// The number of subtrees of this level before it.
    pub index: u64,
    /// The root of the subtree.
    pub hash: TreeHash,
}

/// The number of tree levels between two levels of stored nodes: 256 is 2 to this power.
const BITS: u32 = 8;

impl Frontier {
    /// The edge of a tree with this many leaves, from [`to_bytes`](Self::to_bytes); `None` if the bytes do not belong to
    /// a tree of that size.
    #[must_use]
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<{ TreeHash::LEN }>();
        let is_possible = i64::try_from(size).is_ok();
        let matches = is_possible && rest.is_empty() && hashes.len() == size.count_ones() as usize;
        matches.then(|| Self { size, subtrees: hashes.iter().map(|hash| TreeHash(*hash)).collect() })
    }

    /// The hashes of the edge, one after the other.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.subtrees.iter().flat_map(TreeHash::as_bytes).copied().collect()
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: TreeHash) {
        self.push_with(leaf, |_| {});
    }

    /// Appends a leaf. `completed` receives each node to store that the leaf completes.
    pub fn push_with(&mut self, leaf: TreeHash, mut completed: impl FnMut(StoredNode)) {
        let index = self.size;
        let mut hash = leaf;
        // Two perfect subtrees of one height form one of the next height.
        for height in 1..=index.trailing_ones() {
            let Some(left) = self.subtrees.pop() else { break };
            hash = node(&left, &hash);
            if height.is_multiple_of(BITS)
                && let Ok(level) = u8::try_from(height / BITS)
            {
                completed(StoredNode { level, index: index >> height, hash });
            }
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        let mut subtrees = self.subtrees.iter().rev();
        let Some(smallest) = subtrees.next() else { return empty_root() };
        subtrees.fold(*smallest, |right, left| node(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::{leaf, root_of};

    #[test]
    fn the_root_is_that_of_the_definition() {
        let mut frontier = Frontier::default();
        let mut leaves = Vec::new();
        for number in 0..300 {
            assert_eq!(frontier.root(), root_of(&leaves), "{number} leaves");
            let resumed = Frontier::from_bytes(number, &frontier.to_bytes());
            assert_eq!(resumed.as_ref(), Some(&frontier));
            frontier.push(leaf(number));
            leaves.push(leaf(number));
        }
    }

    #[test]
    fn stored_nodes_are_the_roots_of_their_subtrees() {
        let mut frontier = Frontier::default();
        let mut stored = Vec::new();
        let leaves: Vec<_> = (0..70_000).map(leaf).collect();
        for leaf in &leaves {
            frontier.push_with(*leaf, |node| stored.push(node));
        }
        assert_eq!(stored.len(), 70_000 / 256 + 1);
        assert_eq!(stored.iter().filter(|node| node.level == 2).count(), 1);
        for node in stored {
            let width = 256_usize.pow(u32::from(node.level));
            let start = usize::try_from(node.index).expect("a small number") * width;
            assert_eq!(node.hash, root_of(&leaves[start..start + width]), "{node:?}");
        }
    }

    #[test]
    fn an_edge_of_another_size_is_refused() {
        let mut frontier = Frontier::default();
        (0..5).for_each(|number| frontier.push(leaf(number)));
        let bytes = frontier.to_bytes();
        assert!(Frontier::from_bytes(7, &bytes).is_none());
        assert!(Frontier::from_bytes(5, &bytes[1..]).is_none());
        assert!(Frontier::from_bytes(u64::MAX, &[0; 64 * TreeHash::LEN]).is_none());
    }
}
