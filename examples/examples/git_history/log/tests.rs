//! Tests the parser against the real output of git and possible unusual output.

use super::*;

const A: &str = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3";
const B: &str = "535d2b01d3397c2228490875defc92370602ca46";
const NONE: &str = "0000000000000000000000000000000000000000";

fn all(input: impl AsRef<[u8]>) -> Result<Vec<Commit>> {
    let mut commits = Commits::new(input.as_ref());
    let mut read = Vec::new();
    while let Some(commit) = commits.read()? {
        read.push(commit);
    }
    Ok(read)
}

fn entry(mode: &str, object: &str) -> Entry {
    Entry { mode: mode.into(), object: object.into() }
}

fn path(bytes: &[u8]) -> RepoPath {
    RepoPath::new(bytes.to_vec())
}

#[test]
fn nothing_is_no_commit() {
    assert_eq!(all("").unwrap(), []);
}

#[test]
fn commits_with_and_without_changes() {
    let log = format!(
        "{A} 12 Ann <a@x>\0\n:000000 100644 {NONE} {A} A\0f\0{B} 11 Bob B. <>\0{A} 13  <>\0\n:100644 000000 {A} {NONE} D\0f\0"
    );
    let commits = all(log).unwrap();
    let seen: Vec<_> = commits.iter().map(|it| (&*it.id, it.time.timestamp(), &*it.author)).collect();
    assert_eq!(seen, [(A, 12, "Ann <a@x>"), (B, 11, "Bob B. <>"), (A, 13, " <>")]);
    assert_eq!(commits[0].changes, [Change::Create(path(b"f"), entry("100644", A))]);
    assert_eq!(commits[1].changes, []);
    assert_eq!(commits[2].changes, [Change::Delete(path(b"f"))]);
}

#[test]
fn every_kind_of_change() {
    let log = format!(
        "{A} 1 Ann <a@x>\0\n:100644 120000 {A} {B} T\0t\0:100644 100755 {A} {A} M\0m\0:100644 100644 {A} {B} R087\0from\0to\0\
         :100644 100644 {A} {B} C100\0from\0copy\0:000000 160000 {NONE} {B} A\0sub\0"
    );
    let expected = [
        Change::Edit(path(b"t"), entry("120000", B)),
        Change::Edit(path(b"m"), entry("100755", A)),
        Change::Rename(path(b"from"), path(b"to"), entry("100644", B)),
        Change::Create(path(b"copy"), entry("100644", B)),
        Change::Create(path(b"sub"), entry("160000", B)),
    ];
    assert_eq!(all(log).unwrap()[0].changes, expected);
}

#[test]
fn a_path_may_look_like_anything() {
    for name in [&b":100644"[..], b"\n", b"\n:x", b" ", b"\xff\xfe", format!("{A} 1 Ann <a@x>").as_bytes()] {
        let mut log = format!("{A} 1 Ann <a@x>\0\n:000000 100644 {NONE} {A} A\0").into_bytes();
        log.extend_from_slice(name);
        log.extend_from_slice(format!("\0:000000 100644 {NONE} {A} A\0last\0").as_bytes());
        let changes = &all(log).unwrap()[0].changes;
        let created = [name, b"last"].map(|name| Change::Create(path(name), entry("100644", A)));
        assert_eq!(changes, &created);
    }
}

#[test]
fn an_author_and_a_time_may_be_anything() {
    let mut log = format!("{A} 18446744073709551615 Andr").into_bytes();
    log.extend_from_slice(b"\xe9 :\n <a\xff@x>\0");
    log.extend_from_slice(format!("{B}  <>\0").as_bytes());
    let commits = all(log).unwrap();
    assert_eq!(commits[0].author, "Andr\u{fffd} :\n <a\u{fffd}@x>");
    assert_eq!(commits[0].time.to_rfc3339(), "9999-12-31T23:59:59+00:00");
    assert_eq!((commits[1].time.timestamp(), &*commits[1].author), (0, "<>"));
}

#[test]
fn what_is_cut_or_not_a_log_is_an_error() {
    let faulty = [
        format!("{A} 1 Ann <a@x>"),
        format!("{A} 1 Ann <a@x>\0\n:000000 100644 {NONE} {A} A\0"),
        format!("{A} 1 Ann <a@x>\0\n:000000 100644 {NONE} {A} A\0f"),
        format!("{A} 1 Ann <a@x>\0\n:100644 100644 {A} {B} R100\0from\0"),
        format!("{A} 1 Ann <a@x>\0\n:000000 100644 {NONE} A\0f\0"),
        format!("{A} 1 Ann <a@x>\0\n:000000 100644 {NONE} {A} U\0f\0"),
        format!("{A}\0"),
        "fatal: something 1 2\0".to_owned(),
        "\0".to_owned(),
    ];
    for log in faulty {
        assert!(all(&log).is_err(), "{log:?}");
    }
}
