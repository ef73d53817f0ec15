//! Tests of the order of messages, frame by frame, without a server.

use super::*;
use crate::relation::{Column, Identity};
use crate::tuple::{Cell, Tuple};

fn begin(commit: u64) -> Frame {
    Frame::Decoded(Raw::Begin { commit: Lsn(commit), at: chrono::DateTime::UNIX_EPOCH, xid: 1 })
}

fn commit(commit: u64, end: u64) -> Frame {
    Frame::Decoded(Raw::Commit { commit: Lsn(commit), end: Lsn(end) })
}

fn described(names: &[&str]) -> Frame {
    let column = |name: &&str| Column { name: (*name).into(), type_oid: 23, type_modifier: -1, key: true };
    Frame::Decoded(Raw::Relation(Relation {
        oid: 1,
        schema: "public".into(),
        table: "t".into(),
        identity: Identity::Default,
        columns: names.iter().map(column).collect(),
    }))
}

fn insert(cells: usize) -> Frame {
    Frame::Decoded(Raw::Insert { relation: 1, new: Tuple::new(vec![Cell::Null; cells]) })
}

fn silence(end: u64) -> Frame {
    Frame::KeepAlive { end: Lsn(end) }
}

/// The messages that the frames give, in short form.
fn feed(stream: &mut Stream, frames: impl IntoIterator<Item = Frame>) -> Vec<String> {
    let mut said = Vec::new();
    for frame in frames {
        stream.take(frame).unwrap();
        while let Some(message) = stream.pop() {
            said.push(word(&message));
        }
    }
    said
}

fn word(message: &Message) -> String {
    match message {
        Message::Begin { commit, .. } => format!("begin {}", commit.0),
        Message::Relation { seen: Seen::First, .. } => "first".into(),
        Message::Relation { relation, seen: Seen::Changed { before } } => {
            format!("{} columns, {} before", relation.columns.len(), before.columns.len())
        }
        Message::Insert { new, .. } => format!("insert {}", new.cells().len()),
        Message::Commit { end, .. } => format!("end {}", end.0),
        Message::Idle { at } => format!("idle {}", at.0),
        Message::Restarted => "restarted".into(),
        other => format!("{other:?}"),
    }
}

#[test]
fn silence_waits_for_what_is_pending() {
    let mut stream = Stream::new(Lsn(10));
    assert_eq!(feed(&mut stream, [silence(15)]), ["idle 15"]);
    assert_eq!(stream.acknowledged(), Lsn(15));
    assert_eq!(
        feed(&mut stream, [begin(20), commit(20, 25), silence(40), silence(50)]),
        ["begin 20", "end 25"]
    );
    assert_eq!(stream.acknowledged(), Lsn(10), "nobody has confirmed the transaction");
    stream.confirm(Lsn(20));
    assert_eq!(stream.acknowledged(), Lsn(20), "where its commit begins it has not ended");
    assert_eq!(stream.pop(), None);
    stream.confirm(Lsn(25));
    assert_eq!(stream.acknowledged(), Lsn(50));
    assert_eq!(stream.pop(), Some(Message::Idle { at: Lsn(50) }));
    assert_eq!(stream.pop(), None);
    assert_eq!(feed(&mut stream, [silence(50)]), [""; 0], "it is no news");
}

#[test]
fn a_sign_of_life_within_a_transaction_says_nothing() {
    let mut stream = Stream::new(Lsn::ZERO);
    assert_eq!(feed(&mut stream, [begin(20), silence(60), commit(20, 25)]), ["begin 20", "end 25"]);
    stream.confirm(Lsn(25));
    assert_eq!(stream.acknowledged(), Lsn(25));
}

#[test]
fn a_confirmed_idle_position_does_not_skip_the_transaction_behind_it() {
    let mut stream = Stream::new(Lsn(10));
    feed(&mut stream, [silence(15), begin(20)]);
    assert_eq!(stream.acknowledged(), Lsn(15));
    feed(&mut stream, [commit(20, 25)]);
    stream.confirm(Lsn(15));
    assert!(stream.acknowledged() < Lsn(20), "{}", stream.acknowledged());
    stream.confirm(Lsn(u64::MAX));
    assert_eq!(stream.acknowledged(), Lsn(25));
}

#[test]
fn a_half_is_forgotten_and_a_whole_does_not_come_again() {
    let mut stream = Stream::new(Lsn::ZERO);
    let whole = || [begin(20), described(&["a"]), insert(1), commit(20, 25)];
    assert_eq!(feed(&mut stream, whole()), ["begin 20", "first", "insert 1", "end 25"]);
    assert_eq!(feed(&mut stream, [begin(30), insert(1)]), ["begin 30", "insert 1"]);
    stream.cut();
    assert_eq!(stream.pop(), Some(Message::Restarted));
    assert_eq!(stream.start(), Lsn(25));
    // The server may start at an earlier position than requested.
    let again = whole().into_iter().chain([begin(30), insert(1), commit(30, 35)]);
    assert_eq!(feed(&mut stream, again), ["begin 30", "insert 1", "end 35"]);
    stream.cut();
    assert_eq!(stream.pop(), None, "between transactions there is nothing to forget");
}

#[test]
fn a_transaction_that_was_passed_over_is_cut_without_a_word() {
    let mut stream = Stream::new(Lsn(25));
    assert_eq!(feed(&mut stream, [begin(20), described(&["a"]), insert(1)]), [""; 0]);
    stream.cut();
    assert_eq!(stream.pop(), None);
    let next =
        [begin(20), described(&["a"]), insert(1), commit(20, 25), begin(25), insert(1), commit(25, 30)];
    assert_eq!(feed(&mut stream, next), ["begin 25", "first", "insert 1", "end 30"]);
}

#[test]
fn a_relation_is_passed_on_once_for_each_definition() {
    let mut stream = Stream::new(Lsn(25));
    feed(&mut stream, [begin(20), described(&["a"]), described(&["a", "b"]), commit(20, 25)]);
    let frames = [
        begin(30),
        described(&["a", "b"]),
        insert(2),
        described(&["a", "b"]),
        insert(2),
        described(&["a"]),
        described(&["a", "b", "c"]),
        insert(3),
        commit(30, 35),
    ];
    assert_eq!(
        feed(&mut stream, frames),
        ["begin 30", "first", "insert 2", "insert 2", "3 columns, 2 before", "insert 3", "end 35"]
    );
    // The table changes and changes back, without a change of a row in between.
    let frames = [begin(40), described(&["a"]), described(&["a", "b", "c"]), insert(3), commit(40, 45)];
    assert_eq!(feed(&mut stream, frames), ["begin 40", "insert 3", "end 45"]);
}

#[test]
fn what_cannot_be_is_an_error() {
    let broken = |frames: Vec<Frame>| {
        let mut stream = Stream::new(Lsn::ZERO);
        frames.into_iter().find_map(|frame| stream.take(frame).err())
    };
    assert!(matches!(broken(vec![insert(1)]), Some(DecodeError::Order(_))));
    assert!(matches!(broken(vec![commit(1, 2)]), Some(DecodeError::Order(_))));
    assert!(matches!(broken(vec![begin(1), begin(2)]), Some(DecodeError::Order(_))));
    assert_eq!(broken(vec![begin(1), insert(1)]), Some(DecodeError::Relation { oid: 1 }));
    let wide = DecodeError::Width { relation: "public.t".into(), columns: 1, found: 2 };
    assert_eq!(broken(vec![begin(1), described(&["a"]), insert(2)]), Some(wide));
}
