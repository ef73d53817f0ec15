//! Invalid input is refused with a reason, if possible before the command connects to a database.

use evented_diesel::EventedDsl as _;
use evented_diesel::migrations::Database;
use evented_tests::models::{NewNote, Note};

use super::{Db, program, run};
use evented_tests::models::ledger::create;

const NOBODY: &str = "01970000-0000-7000-8000-000000000000";

#[tokio::test]
async fn unknown_names_list_the_known_ones() {
    let mut program = program(&Db::new().await);
    program.url = None;
    let known = "there is no model `itemz`; this program knows items, notes, pages, accounts, memos";
    for arguments in [
        &["log", "itemz", "7"][..],
        &["show", "itemz", "7"],
        &["diff", "itemz", "7", "1", "2"],
        &["verify", "itemz"],
        &["verify", "itemz", "7"],
        &["rebuild", "itemz"],
        &["backfill", "itemz"],
        &["adopt", "itemz"],
    ] {
        assert_eq!(program.run(&[arguments, &["--json"]].concat()).error(), known);
    }
    let human = program.run(&["log", "itemz", "7"]);
    assert_eq!(
        (human.code, human.out.as_str(), human.err.as_str()),
        (2, "", format!("error: {known}\n").as_str())
    );
    for arguments in [["checkpoint", "leger"], ["verify-checkpoints", "leger"]] {
        let failure = program.run(&[arguments[0], arguments[1], "--json"]).error();
        assert_eq!(failure, "there is no hashed log `leger`; this program knows ledger");
    }
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let mut program = program(&Db::new().await);
    program.url = None;
    for (arguments, reason) in [
        (&["log", "items", "7"][..], "`7` is not a key of this model: it must be a UUID"),
        (&["log", "notes", "x"], "`x` is not a key of this model: it must be an integer of 32 bits"),
        (&["log", "notes", "5000000000"], "it must be an integer of 32 bits"),
        (
            &["show", "items", NOBODY, "--as-of", "yesterday"],
            "write 2026-01-31T12:00:00Z, 2026-01-31 12:00 or 2026-01-31",
        ),
        (&["show", "items", NOBODY, "--at-revision", "0"], "0 is not in 1.."),
        (&["show", "items", NOBODY, "--at-revision", "1", "--as-of", "2026-01-31"], "cannot be used with"),
        (&["diff", "items", NOBODY, "1"], "<B>"),
        (&["diff", "items", NOBODY, "1", "x"], "invalid value 'x' for '<B>'"),
        (&["verify", "--sample", "2"], "--replay"),
        (&["verify", "items", NOBODY, "--replay"], "cannot be used with"),
        (&["verify", "items", NOBODY, "--key-file", "key"], "cannot be used with"),
        (&["checkpoint", "ledger", "--continue-unsigned"], "--key-file"),
        (&["verify", "--key-file", "/no/such/key"], "/no/such/key: "),
        (&["verify", "--key-file", "/dev/null"], "a key has exactly 64 hex digits"),
        (&["verify-checkpoints", "ledger", "--against", "/dev/null"], "/dev/null has no checkpoint"),
        (&["backfill", "notes", "--chunk", "0"], "0 is not in 1.."),
        (&["burn"], "unrecognized subcommand 'burn'"),
        (&[], "requires a subcommand"),
        (&["log", "items", NOBODY], "no database is given: pass --database-url, or set DATABASE_URL"),
    ] {
        let failure = program.run(&[arguments, &["--json"]].concat()).error();
        assert!(failure.contains(reason), "{arguments:?}: {failure}");
    }
    let help = program.run(&["help"]);
    assert!(help.text(0).contains("Usage"), "{help:?}");
}

#[tokio::test]
async fn missing_things_are_reported() {
    let mut db = Db::new().await;
    let note = db.run(Note::insert(NewNote { text: "Milk".into() })).await.unwrap();
    let nobody = format!("items {NOBODY}: there is no such record");
    for arguments in [
        &["log", "items", NOBODY][..],
        &["show", "items", NOBODY],
        &["show", "items", NOBODY, "--at-revision", "1"],
        &["diff", "items", NOBODY, "0", "0"],
        &["verify", "items", NOBODY],
    ] {
        assert_eq!(run(&db, &[arguments, &["--json"]].concat()).error(), nobody, "{arguments:?}");
    }
    let id = note.id.to_string();
    let none = format!("notes {id}: there is no revision 2, the last one is 1");
    assert_eq!(run(&db, &["show", "notes", &id, "--at-revision", "2", "--json"]).error(), none);
    assert_eq!(run(&db, &["diff", "notes", &id, "2", "1", "--json"]).error(), none);
    let before = run(&db, &["show", "notes", &id, "--as-of", "2020-01-01", "--json"]).error();
    assert_eq!(before, format!("notes {id}: there was no such record at 2020-01-01 00:00:00 UTC"));
    let plain = run(&db, &["verify-checkpoints", "notes_events", "--json"]);
    assert_eq!(plain.code, 2);
    assert!(plain.err.contains("has no hashes"), "{plain:?}");
}

#[tokio::test]
async fn a_missing_table_or_database_is_a_failure() {
    let mut db = Db::new().await;
    create(&mut db).await;
    db.sql("DROP TABLE notes").await;
    // The other checks still run.
    let verify = run(&db, &["verify", "--json"]);
    assert_eq!(verify.code, 2, "{verify:?}");
    assert!(verify.err.starts_with(r#"{"error":"notes: "#) && verify.err.lines().count() == 1, "{verify:?}");
    assert!(verify.out.contains(r#""check":"chain","of":"ledger""#), "{verify:?}");
    db.sql("DROP TABLE notes_events").await;
    let log = run(&db, &["log", "notes", "1", "--json"]).error();
    assert!(log.starts_with("notes 1: ") && log.contains("notes_events"), "{log}");

    let mut program = program(&db);
    let url = match Db::DATABASE {
        Database::Postgres => "postgres://nobody@127.0.0.1:1/nothing",
        Database::Sqlite => "/no/such.db",
    };
    program.url = None;
    let nowhere = program.run(&["log", "notes", "1", "--json", "--database-url", url]).error();
    match Db::DATABASE {
        Database::Postgres => assert!(nowhere.starts_with("cannot connect: "), "{nowhere}"),
        Database::Sqlite => assert_eq!(nowhere, "there is no database /no/such.db"),
    }
}
