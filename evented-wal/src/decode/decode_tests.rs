//! Tests that each message is decoded from its encoded form, and that no input panics.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use crate::decode::reader::POSTGRES_EPOCH;
use crate::decode::{DecodeError, Raw, decode};
use crate::lsn::Lsn;
use crate::relation::{Column, Identity, Relation};
use crate::tuple::{Cell, Old, Tuple};

fn put_name(out: &mut BytesMut, name: &str) {
    out.put_slice(name.as_bytes());
    out.put_u8(0);
}

fn put_tuple(out: &mut BytesMut, kind: u8, tuple: &Tuple) {
    out.put_u8(kind);
    out.put_u16(u16::try_from(tuple.cells().len()).unwrap());
    for cell in tuple.cells() {
        let (kind, bytes) = match cell {
            Cell::Null => (b'n', None),
            Cell::Unchanged => (b'u', None),
            Cell::Text(text) => (b't', Some(text)),
            Cell::Binary(bytes) => (b'b', Some(bytes)),
        };
        out.put_u8(kind);
        if let Some(bytes) = bytes {
            out.put_u32(u32::try_from(bytes.len()).unwrap());
            out.put_slice(bytes);
        }
    }
}

fn put_old(out: &mut BytesMut, old: &Old) {
    match old {
        Old::Full(tuple) => put_tuple(out, b'O', tuple),
        Old::Key(tuple) => put_tuple(out, b'K', tuple),
    }
}

/// Encodes a message as a server would send it.
fn encode(raw: &Raw) -> Bytes {
    let mut out = BytesMut::new();
    match raw {
        Raw::Begin { commit, at, xid } => {
            out.put_u8(b'B');
            out.put_u64(commit.0);
            out.put_i64(at.timestamp_micros() - POSTGRES_EPOCH);
            out.put_u32(*xid);
        }
        Raw::Commit { commit, end } => {
            out.put_u8(b'C');
            out.put_u8(0);
            out.put_u64(commit.0);
            out.put_u64(end.0);
            out.put_i64(0);
        }
        Raw::Relation(relation) => {
            out.put_u8(b'R');
            out.put_u32(relation.oid);
            put_name(&mut out, &relation.schema);
            put_name(&mut out, &relation.table);
            out.put_u8(match relation.identity {
                Identity::Nothing => b'n',
                Identity::Default => b'd',
                Identity::Index => b'i',
                Identity::Full => b'f',
            });
            out.put_u16(u16::try_from(relation.columns.len()).unwrap());
            for column in &relation.columns {
                out.put_u8(u8::from(column.key));
                put_name(&mut out, &column.name);
                out.put_u32(column.type_oid);
                out.put_i32(column.type_modifier);
            }
        }
        Raw::Insert { relation, new } => {
            out.put_u8(b'I');
            out.put_u32(*relation);
            put_tuple(&mut out, b'N', new);
        }
        Raw::Update { relation, old, new } => {
            out.put_u8(b'U');
            out.put_u32(*relation);
            if let Some(old) = old {
                put_old(&mut out, old);
            }
            put_tuple(&mut out, b'N', new);
        }
        Raw::Delete { relation, old } => {
            out.put_u8(b'D');
            out.put_u32(*relation);
            put_old(&mut out, old);
        }
        Raw::Truncate { relations, cascade, restart_identity } => {
            out.put_u8(b'T');
            out.put_u32(u32::try_from(relations.len()).unwrap());
            out.put_u8(u8::from(*cascade) | u8::from(*restart_identity) << 1);
            relations.iter().for_each(|oid| out.put_u32(*oid));
        }
        Raw::Logical { prefix, content, transactional, at } => {
            out.put_u8(b'M');
            out.put_u8(u8::from(*transactional));
            out.put_u64(at.0);
            put_name(&mut out, prefix);
            out.put_u32(u32::try_from(content.len()).unwrap());
            out.put_slice(content);
        }
        Raw::Other => out.put_slice(b"Ywhatever"),
    }
    out.freeze()
}

fn cell() -> impl Strategy<Value = Cell> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
    prop_oneof![
        Just(Cell::Null),
        Just(Cell::Unchanged),
        bytes().prop_map(Cell::Text),
        bytes().prop_map(Cell::Binary),
    ]
}

fn tuple() -> impl Strategy<Value = Tuple> {
    proptest::collection::vec(cell(), 0..6).prop_map(Tuple::new)
}

fn old() -> impl Strategy<Value = Old> {
    prop_oneof![tuple().prop_map(Old::Full), tuple().prop_map(Old::Key)]
}

fn relation() -> impl Strategy<Value = Relation> {
    let identity = prop_oneof![
        Just(Identity::Nothing),
        Just(Identity::Default),
        Just(Identity::Index),
        Just(Identity::Full)
    ];
    let column = ("[^\0]{0,12}", any::<u32>(), any::<i32>(), any::<bool>())
        .prop_map(|(name, type_oid, type_modifier, key)| Column { name, type_oid, type_modifier, key });
    let columns = proptest::collection::vec(column, 0..6);
    (any::<u32>(), "[^\0]{1,12}", "[^\0]{0,12}", identity, columns).prop_map(
        |(oid, schema, table, identity, columns)| Relation { oid, schema, table, identity, columns },
    )
}

fn raw() -> impl Strategy<Value = Raw> {
    let lsn = || any::<u64>().prop_map(Lsn);
    let time = (0_i64..4_000_000_000_000_000)
        .prop_map(|micros| chrono::DateTime::from_timestamp_micros(micros).unwrap());
    let bytes = proptest::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
    prop_oneof![
        (lsn(), time, any::<u32>()).prop_map(|(commit, at, xid)| Raw::Begin { commit, at, xid }),
        (lsn(), lsn()).prop_map(|(commit, end)| Raw::Commit { commit, end }),
        relation().prop_map(Raw::Relation),
        (any::<u32>(), tuple()).prop_map(|(relation, new)| Raw::Insert { relation, new }),
        (any::<u32>(), proptest::option::of(old()), tuple()).prop_map(|(relation, old, new)| Raw::Update {
            relation,
            old,
            new
        }),
        (any::<u32>(), old()).prop_map(|(relation, old)| Raw::Delete { relation, old }),
        (proptest::collection::vec(any::<u32>(), 0..4), any::<bool>(), any::<bool>()).prop_map(
            |(relations, cascade, restart_identity)| Raw::Truncate { relations, cascade, restart_identity }
        ),
        ("[^\0]{0,12}", bytes, any::<bool>(), lsn()).prop_map(|(prefix, content, transactional, at)| {
            Raw::Logical { prefix, content, transactional, at }
        }),
        Just(Raw::Other),
    ]
}

/// The update after its large values were filled in.
fn filled(raw: &Raw) -> Raw {
    let mut raw = raw.clone();
    if let Raw::Update { old: Some(Old::Full(old)), new, .. } = &mut raw {
        new.fill(old);
    }
    raw
}

proptest! {
    #[test]
    fn a_message_is_read_as_it_was_written(raw in raw()) {
        prop_assert_eq!(decode(encode(&raw)), Ok(filled(&raw)));
    }

    #[test]
    fn a_message_that_is_cut_off_is_an_error(raw in raw(), at in any::<proptest::sample::Index>()) {
        let whole = encode(&raw);
        let cut = whole.slice(..at.index(whole.len()));
        match decode(cut) {
            Err(DecodeError::Short { .. } | DecodeError::Kind { kind: '\0' }) | Ok(Raw::Other) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_message_that_goes_on_is_an_error(raw in raw(), more in 1_usize..5) {
        let mut long = encode(&raw).to_vec();
        long.extend(std::iter::repeat_n(0, more));
        match decode(long.into()) {
            Err(DecodeError::Long { rest, .. }) => prop_assert_eq!(rest, more),
            other => prop_assert_eq!(other, Ok(Raw::Other)),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(bytes.into());
    }

    #[test]
    fn no_bytes_of_a_known_kind_make_it_panic(
        kind in proptest::sample::select(b"BCRIUDTMOY".to_vec()),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = decode([vec![kind], bytes].concat().into());
    }

    #[test]
    fn no_wrong_byte_makes_it_panic(raw in raw(), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&raw).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(bytes.into());
    }
}

#[test]
fn a_large_value_is_filled_in_from_a_whole_old_row_only() {
    let text = |text: &'static str| Cell::Text(Bytes::from_static(text.as_bytes()));
    let old = Tuple::new(vec![text("1"), text("large")]);
    let new = Tuple::new(vec![text("2"), Cell::Unchanged]);
    for (old, large) in [(Old::Full(old.clone()), text("large")), (Old::Key(old), Cell::Unchanged)] {
        let raw = Raw::Update { relation: 1, old: Some(old), new: new.clone() };
        let Ok(Raw::Update { new, .. }) = decode(encode(&raw)) else { panic!("no update") };
        assert_eq!(new.get(1), Some(&large));
    }
}

#[test]
fn a_number_of_cells_that_cannot_be_takes_no_memory() {
    let mut out = BytesMut::new();
    out.put_u8(b'T');
    out.put_u32(u32::MAX);
    out.put_u8(0);
    assert_eq!(decode(out.freeze()), Err(DecodeError::Short { kind: 'T', length: 6, what: "a table" }));
}
