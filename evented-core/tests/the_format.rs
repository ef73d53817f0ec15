//! Checks the test vectors of the chapter *The format*. They were computed by a program in another language, and never
//! change: logs keep these hashes for years.
//!
//! `cargo xtask ci` runs this file under each feature of serde_json that could change what it reads or writes.

#![allow(clippy::unwrap_used, reason = "a test")]

use chrono::DateTime;
use evented_core::{
    Chained, Checkpoint, CheckpointParts, Commitment, Digest, EventHash, Frontier, HmacKey, Json, KeyValue,
    Leaf, StateDigester,
};
use serde_json::{Value, json};
use uuid::Uuid;

const RECORD: &str = "0199aaaa-0000-7000-8000-000000000001";

fn state(fields: &[(&'static str, Value)]) -> Digest {
    let mut digester = StateDigester::new(fields.len());
    for (name, value) in fields {
        digester.field(name, value).unwrap();
    }
    let mut order: Vec<usize> = (0..fields.len()).collect();
    order.sort_by_key(|index| fields[*index].0);
    digester.finish().state(&order)
}

fn account(balance: i32) -> Digest {
    state(&[("owner", json!("Ada")), ("balance", json!(balance))])
}

fn events() -> (EventHash, EventHash) {
    let record = KeyValue::Uuid(RECORD.parse().unwrap());
    let (insert, deposit) =
        (Json::from_text(r#"{"owner":"Ada","balance":0}"#.into()), Json::from_text("10".into()));
    let clerk = Json::from_text(r#"{"actor":"clerk"}"#.into());
    let at = |micros| DateTime::from_timestamp_micros(micros).unwrap();
    let first = Chained {
        id: RECORD.parse().unwrap(),
        given_id: false,
        schema: "accounts",
        record: &record,
        revision: 1,
        action: "insert",
        version: 0,
        at: at(1_767_225_600_000_000),
        payload: &insert,
        meta: None,
        state: &account(0),
    };
    let first_hash = first.hash(None);
    let second = Chained {
        id: Uuid::from_u128(first.id.as_u128() + 1),
        given_id: true,
        revision: 2,
        action: "deposit",
        at: at(1_767_225_600_000_001),
        payload: &deposit,
        meta: Some(&clerk),
        state: &account(10),
        ..first
    };
    (first_hash, second.hash(Some(&first_hash)))
}

fn tree() -> Frontier {
    let (first, second) = events();
    let mut tree = Frontier::default();
    tree.push(Leaf { txid: 731, position: 1, hash: first }.tree_hash());
    tree.push(Leaf { txid: 732, position: 2, hash: second }.tree_hash());
    tree
}

#[test]
fn digests_of_states() {
    assert_eq!(account(0).to_string(), "684730673644099dbc8bf3da1da0cf80");
    assert_eq!(account(10).to_string(), "7c70cf7f55aebfda7ba2870200f1f4b4");
}

#[test]
fn hashes_of_events() {
    let (first, second) = events();
    assert_eq!(first.to_string(), "27817861e335c46a807e7c9b9be2d16fcb5a4c917088549a65f2795cb58a436a");
    assert_eq!(second.to_string(), "5927ea355909df9fb61a98a91ad3b63def01965aa17b8ad4af9fb5851e3749d6");
}

#[test]
fn leaves_and_the_root() {
    let (first, second) = events();
    let leaf = |txid, position, hash| Leaf { txid, position, hash }.tree_hash().to_string();
    assert_eq!(leaf(731, 1, first), "d86fc031a540dc134f1cc6bad8f3b22942e7f7c8e56f88de893266f2d17ac7cd");
    assert_eq!(leaf(732, 2, second), "013c8202e09c5f370535fc2a6817687391e210b36454f0025881f720b001c51f");
    let root = tree().root().to_string();
    assert_eq!(root, "07b7e5e4dbb771446555d8dc9a584f628bf3163f78b312b775ef145d4845f897");
}

#[test]
fn the_text_and_the_signature_of_a_checkpoint() {
    let parts = CheckpointParts {
        number: 1,
        after: (-1, 0),
        to: (732, 2),
        floor: 0,
        highest: 2,
        at: DateTime::from_timestamp(1_767_225_601, 0).unwrap(),
        previous: Checkpoint::no_previous(),
    };
    let mut checkpoint = Checkpoint::new("ledger", 2, tree().root(), parts);
    checkpoint.sign(&HmacKey::new("auditor", [7; 32])).unwrap();
    let text = "ledger\n2\nB7fl5Nu3cURlVdjcmlhPYovzFj94sxK3de8UXUhF+Jc=\ncheckpoint 1\nafter -1 0\nto 732 2\nfloor 0\n\
                highest 2\nat 2026-01-01T00:00:01.000000Z\n\
                previous e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
    assert_eq!(checkpoint.text(), text);
    let digest = checkpoint.digest().to_string();
    assert_eq!(digest, "506880296b12ee0bacfe5c90b767ff11749b979304642bdeb286c3581eec515b");
    let signature = "— auditor pHNc02LZvtI8Rzj/hvPWuB2jA5qQBEGao4j2RAo+aiP5zT4Q\n";
    assert_eq!(checkpoint.note(), format!("{text}\n{signature}"));
}

#[test]
fn a_commitment() {
    let commitment = Commitment::of(&[1; 32], "name", "Ada").unwrap();
    let expected = "63a5c6abc6d39cd96f55bf018034922e5205fcf796895aeed19fc5e32f394308";
    assert_eq!(serde_json::to_string(&commitment).unwrap(), format!("{{\"$commitment\":\"{expected}\"}}"));
    assert!(expected.starts_with(&commitment.digest().to_string()));
}

/// Documents whose reading depends on the features of serde_json, and what their digests are without them.
#[test]
fn documents_have_one_digest_under_every_feature() {
    let of = |text: &str| state(&[("it", serde_json::from_str(text).unwrap())]).to_string();
    for (text, expected) in GOLDEN {
        assert_eq!(of(text), *expected, "{text}");
    }
    assert_eq!(of(r#"{"a":1,"b":2}"#), of(r#"{"b":2.0,"a":1e0}"#));
}

const GOLDEN: &[(&str, &str)] = &[
    (r#"null"#, "c8f6ef6889bd1c8c95d70269dd886126"),
    (r#"5"#, "26ec3476782fc21a91ab27949da5478e"),
    (r#"5.0"#, "26ec3476782fc21a91ab27949da5478e"),
    (r#"-0.0"#, "7675282e150cfff9920a0d13736c89c7"),
    (r#"1.5"#, "97a241b69c7b9ad980c761271242b5f1"),
    (r#"0.1"#, "b6b00a945687832c2eb7a229556ff394"),
    (r#"1e23"#, "3f7c254d5fbd2755988d3870390357a8"),
    (r#"18446744073709551615"#, "6a53731c6da75c5a329aeec486d47eaf"),
    (r#"18446744073709551616"#, "59d4ed05e855b43ee5cf96e4b909b117"),
    (r#"100000000000000000000001"#, "95ccdc742f42935ca69d75ee4ced948c"),
    (r#"-9223372036854775808"#, "15cef34a3167dad29221dccce3532623"),
    (r#"1e300"#, "f01764273a3ce1f83982ea53c2a5052f"),
    (r#"3.141592653589793238"#, "e190af1a2823912aa5971ef2e5c7b8db"),
    (r#"{"b":[1,2.50,"x"],"a":{"z":null,"y":true}}"#, "938b30c26669343c62ba8553a39fb436"),
    (r#""\u00e4 \ud83e\udd80""#, "59350cb90c09ceb5e2218b0220701519"),
];
