//! What must hold for every input. The fuzz targets in `fuzz/` run these functions, and so does `seeds.rs` on the
//! inputs that fuzzing has kept.

use evented_core::{
    ConsistencyProof, EventProof, Frontier, InclusionProof, Json, LogProof, Meta, Position, ProofPlan,
    TreeHash,
};
use serde_json::Value;

/// A position is what its text says, or the text is refused.
pub(crate) fn position(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(position) = text.parse::<Position>() {
        let again: Position = position.to_string().parse().expect("a position has a text");
        assert_eq!(again.to_string(), position.to_string());
        assert_eq!((again.epoch(), again.anchor()), (position.epoch(), position.anchor()));
    }
}

/// What passes the check of payloads is read back as it was; other text is read without a panic.
pub(crate) fn payload(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let raw = Json::from_text(text.to_owned());
    let erased = raw.erased();
    assert!(erased.is_erased());
    assert_eq!(erased.erased(), erased);
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    if let Ok(json) = Json::write(&value) {
        assert!(!json.is_erased());
        assert_eq!(json.read::<Value>().expect("it is read back"), value);
    }
}

/// Metadata is read whatever it is, and what was written keeps its actor.
pub(crate) fn metadata(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Meta::from_json(&Json::from_text(text.to_owned()));
    let Ok(Value::Object(own)) = serde_json::from_str(text) else { return };
    let mut meta = Meta { actor: Some("ada".to_owned()), ..Meta::default() };
    meta.own.extend(own);
    for name in ["actor", "cause", "correlation"] {
        meta.own.remove(name);
    }
    if let Ok(Some(json)) = meta.to_json() {
        assert_eq!(Meta::from_json(&json), meta);
        assert_eq!(
            Meta::without_overwritten(Some(json)).map(|json| Meta::from_json(&json).actor),
            Some(meta.actor)
        );
    }
}

/// Proofs from elsewhere are checked without a panic, and a proof holds for its own tree alone.
pub(crate) fn proof(data: &[u8]) {
    if let Ok(proof) = serde_json::from_slice::<EventProof>(data) {
        let _ = (proof.verify(), proof.checkpoint.text(), proof.checkpoint.note());
    }
    if let Ok(proof) = serde_json::from_slice::<LogProof>(data) {
        let _ = proof.verify();
    }
    let [a, b, c, rest @ ..] = data else { return };
    let (size, index, change) = (u64::from(*a) % 64 + 1, u64::from(*b) % 64, usize::from(*c));
    let leaf = |number: u64| {
        let byte = |at: usize| rest.get(at).copied().unwrap_or(0) ^ u8::try_from(number % 256).unwrap_or(0);
        let bytes: Vec<u8> = (0..TreeHash::LEN).map(byte).collect();
        TreeHash::from_slice(&bytes).expect("the length of a hash")
    };
    let mut frontier = Frontier::default();
    let mut roots = vec![frontier.root()];
    for number in 0..size {
        frontier.push(leaf(number));
        roots.push(frontier.root());
    }
    let fill = |mut plan: ProofPlan| {
        for group in plan.groups() {
            plan.add(group, (0..size).map(leaf).collect());
        }
        plan
    };
    let root = &roots[usize::try_from(size).expect("a small number")];
    if let Some(plan) = ProofPlan::inclusion(size, index) {
        let proof = fill(plan).prove_inclusion().expect("all nodes");
        assert!(proof.verify(&leaf(index), root));
        let path = cut(&proof.path, change);
        assert!(!InclusionProof { path, ..proof }.verify(&leaf(index), root));
    }
    if let Some(plan) = ProofPlan::consistency(index, size) {
        let proof = fill(plan).prove_consistency().expect("all nodes");
        let from = &roots[usize::try_from(index).expect("a small number")];
        assert!(proof.verify(from, root));
        let path = cut(&proof.path, change);
        assert!(!ConsistencyProof { path, ..proof }.verify(from, root));
    }
}

/// Another path: with a hash more, or with one less.
fn cut(path: &[TreeHash], change: usize) -> Vec<TreeHash> {
    let mut path = path.to_vec();
    if path.is_empty() || change.is_multiple_of(2) {
        let more = path.first().copied().or_else(|| TreeHash::from_slice(&[7; TreeHash::LEN]));
        path.extend(more);
    } else {
        path.remove(change % path.len());
    }
    path
}
