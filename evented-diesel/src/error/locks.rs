//! Recognizes lock errors of the databases: a deadlock, and a lock that another session holds.
//!
//! PostgreSQL has a SQLSTATE for each. Diesel exposes few of them, and 40P01 and 55P03 are not among those, neither
//! with its own connection nor with diesel-async's. Only the texts are visible, in the language of the server's
//! `lc_messages`.
//!
//! A deadlock is recognized by the structure of its details, which is the same in every language: the server lists the
//! processes in a circle and names the modes of their locks, which it never translates. The message about an
//! unavailable lock has no structure. The library compares the whole message with every existing translation (see
//! `texts.rs`).
//!
//! Three cases remain. A translation that a later version changes, or that a third party made, is not recognized,
//! except for a deadlock. A text in an encoding that the client cannot read is not recognized. An error that a user's
//! function raises is also judged by its text: with exactly the server's text it is taken for the server's error, and
//! with only the SQLSTATE it is not recognized.

use diesel::result::{DatabaseErrorInformation, Error as DieselError};

mod texts;

use texts::{LOCK_TIMEOUT, RECOVERY, RELATION_LOCKED, ROW_LOCKED, STALE_PLAN, Text};

/// The outcome of a lock conflict for the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// The database ended the transaction so that others can continue, or because another one changed the tables after a
    /// statement was prepared.
    Lost,
    /// Another session holds the lock, and the statement was configured not to wait longer.
    Taken,
}

/// Classifies an error for which Diesel has no kind; `None` if it is not about locks.
pub(super) fn lock_of(information: &dyn DatabaseErrorInformation) -> Option<Lock> {
    let message = information.message();
    let details = information.details();
    if is_sqlite_lock(message) {
        return Some(Lock::Taken);
    }
    if details.is_some_and(is_circle) || any(RECOVERY, message) || any(STALE_PLAN, message) {
        return Some(Lock::Lost);
    }
    // The server adds no details to these messages. An error that a user's function raises usually has details or a
    // hint.
    let is_bare = details.is_none() && information.hint().is_none();
    let is_taken = [LOCK_TIMEOUT, ROW_LOCKED, RELATION_LOCKED].into_iter().any(|texts| any(texts, message));
    (is_bare && is_taken).then_some(Lock::Taken)
}

/// Returns whether a statement failed because another connection changed the types of its result after it was prepared.
/// The connection must prepare its statements again.
pub(crate) fn is_stale_plan(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, information) if any(STALE_PLAN, information.message()))
}

/// Recognizes SQLite's lock messages, which are always English. In a transaction that has read, the message can also
/// mean that the data was changed since; waiting would not help then, and SQLite does not distinguish the two cases.
fn is_sqlite_lock(message: &str) -> bool {
    message == "database is locked"
        || message.starts_with("database table is locked")
        || message.starts_with("database schema is locked")
}

/// PostgreSQL's names of lock modes, the same in every language. Every other name of a mode contains one of these.
const MODES: [&str; 2] = ["ShareLock", "ExclusiveLock"];

/// Whether these are the details of a deadlock:
///
/// ```text
/// Process 11 waits for ShareLock on transaction 700; blocked by process 12.
/// Process 12 waits for ShareLock on transaction 701; blocked by process 11.
/// ```
///
/// Every translation begins a line with one process and ends it with the other. If a translation swaps the two, the
/// circle runs in the other direction.
fn is_circle(details: &str) -> bool {
    let Some(ends) = details.lines().map(processes).collect::<Option<Vec<_>>>() else { return false };
    let next = || ends.iter().cycle().skip(1);
    let is_distinct =
        ends.iter().enumerate().all(|(at, one)| ends.iter().skip(at + 1).all(|it| it.0 != one.0));
    let forwards = ends.iter().zip(next()).all(|(one, next)| one.1 == next.0);
    let backwards = ends.iter().zip(next()).all(|(one, next)| one.0 == next.1);
    ends.len() > 1 && is_distinct && (forwards || backwards)
}

/// Returns the first and the last number of a line about a lock. The line has at least one number between them, that of
/// the lock.
fn processes(line: &str) -> Option<(&str, &str)> {
    if !MODES.iter().any(|mode| line.contains(mode)) {
        return None;
    }
    let mut numbers = line.split(|it: char| !it.is_ascii_digit()).filter(|it| !it.is_empty());
    let first = numbers.next()?;
    numbers.next()?;
    Some((first, numbers.next_back()?))
}

/// Returns whether the message is one of the texts.
fn any(texts: &[Text], message: &str) -> bool {
    texts.iter().any(|(_, text)| match text.split_once("%s") {
        None => message == *text,
        Some((before, after)) => {
            let name = message.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            name.is_some_and(|name| !name.is_empty())
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Report {
        message: String,
        details: Option<String>,
        hint: Option<String>,
    }

    impl DatabaseErrorInformation for Report {
        fn message(&self) -> &str {
            &self.message
        }
        fn details(&self) -> Option<&str> {
            self.details.as_deref()
        }
        fn hint(&self) -> Option<&str> {
            self.hint.as_deref()
        }
        fn table_name(&self) -> Option<&str> {
            None
        }
        fn column_name(&self) -> Option<&str> {
            None
        }
        fn constraint_name(&self) -> Option<&str> {
            None
        }
        fn statement_position(&self) -> Option<i32> {
            None
        }
    }

    fn of_message(message: &str) -> Option<Lock> {
        lock_of(&Report { message: message.to_owned(), ..Report::default() })
    }

    fn of_details(details: &str) -> Option<Lock> {
        lock_of(&Report { details: Some(details.to_owned()), ..Report::default() })
    }

    /// The line of a deadlock in each language; `%1` to `%4` stand for the values that the server inserts.
    const LINES: [&str; 18] = [
        "Process %1 waits for %2 on %3; blocked by process %4.",
        "Prozess %1 wartet auf %2-Sperre auf %3; blockiert von Prozess %4.",
        "El proceso %1 espera %2 en %3; bloqueado por proceso %4.",
        "Le processus %1 attend %2 sur %3 ; bloqué par le processus %4.",
        "proses %1 menunggu %2 pada %3; diblok oleh proses %4.",
        "Il processo %1 è in attesa di %2 su %3; bloccato dal processo %4",
        "Il processo %1 è in attesa di %2 su %3; bloccato dal processo %4.",
        "プロセス %1 は %2 を %3 で待機していましたが、プロセス %4 でブロックされました",
        "%1 프로세스가 %2 상태로 지연되고 있음(해당 작업: %3); %4 프로세스에 의해 블록킹되었음",
        "Proces %1 oczekuje na %2 na %3; zablokowany przez %4.",
        "Processo %1 espera por %2 em %3; bloqueado pelo processo %4.",
        "Процесс %1 ожидает в режиме %2 блокировку \"%3\"; заблокирован процессом %4.",
        "Process %1 väntar på %2 för %3; blockerad av process %4.",
        "Процес %1 очікує в режимі %2 блокування \"%3\"; заблокований процесом %4.",
        "进程%1等待在%3上的%2; 由进程%4阻塞.",
        "进程 %1 正在等待 %3 上的 %2；被进程 %4 阻塞。",
        "行程 %1 正在等候 %3 上的 %2；由行程 %4 封鎖。",
        // No existing translation has this order.
        "%4 blocks %1, which waits for %3 (%2), says process %1",
    ];

    /// Inserts the values into a line.
    fn line(text: &str, process: u32, mode: &str, lock: &str, by: u32) -> String {
        let text = text.replace("%1", &process.to_string()).replace("%2", mode);
        text.replace("%3", lock).replace("%4", &by.to_string())
    }

    const KINDS: [&str; 8] = [
        "AccessShareLock",
        "RowShareLock",
        "RowExclusiveLock",
        "ShareUpdateExclusiveLock",
        "ShareLock",
        "ShareRowExclusiveLock",
        "ExclusiveLock",
        "AccessExclusiveLock",
    ];

    #[test]
    fn two_that_wait_for_each_other_are_a_deadlock_in_every_language() {
        for text in LINES {
            for kind in KINDS {
                let one = line(text, 11, kind, "transaction 700", 12);
                let two = line(text, 12, kind, "tuple (0,7) of relation 16388 of database 5", 11);
                assert_eq!(of_details(&format!("{one}\n{two}")), Some(Lock::Lost), "{one}\n{two}");
            }
        }
    }

    #[test]
    fn three_in_a_circle_are_a_deadlock_in_every_language() {
        for text in LINES {
            let circle = [
                line(text, 700, "ShareLock", "transaction 701", 12),
                line(text, 12, "AccessExclusiveLock", "relation 12 of database 700", 1301),
                line(text, 1301, "ExclusiveLock", "advisory lock [5,0,12,1]", 700),
            ];
            assert_eq!(of_details(&circle.join("\n")), Some(Lock::Lost), "{circle:?}");
        }
    }

    #[test]
    fn similar_messages_are_no_deadlock() {
        let waits = |process, by| line(LINES[0], process, "ShareLock", "transaction 700", by);
        let row = [waits(11, 12), waits(12, 13)].join("\n");
        let none = [
            // Messages about tasks of the user, with circles of their own.
            "Task 3 waits for task 4.\nTask 4 waits for task 3.".to_owned(),
            "Task 3 waits at 9 for task 4.\nTask 4 waits at 9 for task 3.".to_owned(),
            "3 holds ShareLock of 4\n4 holds ShareLock of 3".to_owned(),
            // One process that waits, and several in a row.
            waits(11, 12),
            waits(11, 11),
            row.clone(),
            // A circle that does not include the first process, and one followed by an unrelated line.
            [waits(10, 11), waits(11, 12), waits(12, 11)].join("\n"),
            format!("{}\n{}\nSee the log.", waits(11, 12), waits(12, 11)),
            format!("It was so:\n{}\n{}", waits(11, 12), waits(12, 11)),
            [waits(11, 12), waits(12, 11), waits(11, 12), waits(12, 11)].join("\n"),
            String::new(),
        ];
        for details in none {
            assert_eq!(of_details(&details), None, "{details}");
        }
        // The message alone, without the details that the server always adds.
        assert_eq!(of_message("deadlock detected"), None);
        assert_eq!(of_message("Verklemmung (Deadlock) entdeckt"), None);
    }

    #[test]
    fn a_lock_that_is_taken_is_known_in_every_language() {
        for (language, text) in [LOCK_TIMEOUT, ROW_LOCKED, RELATION_LOCKED].concat() {
            for name in ["racers", "public.racers", "a \"b\" »c« %s"] {
                let message = text.replace("%s", name);
                assert_eq!(of_message(&message), Some(Lock::Taken), "{language}: {message}");
            }
        }
        for (language, text) in RECOVERY {
            assert_eq!(of_message(text), Some(Lock::Lost), "{language}: {text}");
        }
    }

    #[test]
    fn the_tables_have_every_language() {
        let languages = "en de es fr id it ja ka ko pl pt_BR ru sv tr uk zh_CN zh_TW";
        for texts in [LOCK_TIMEOUT, ROW_LOCKED, RELATION_LOCKED, RECOVERY] {
            for language in languages.split(' ') {
                // The Turkish catalogue leaves one of them in English.
                let is_left = language == "tr" && texts == LOCK_TIMEOUT;
                assert_eq!(texts.iter().any(|it| it.0 == language), !is_left, "{language}");
            }
            let names = texts.iter().map(|(_, text)| text.matches("%s").count());
            let expected = usize::from(texts == ROW_LOCKED || texts == RELATION_LOCKED);
            assert!(names.into_iter().all(|names| names == expected));
        }
    }

    #[test]
    fn similar_messages_are_no_lock_timeout() {
        for (language, text) in [LOCK_TIMEOUT, ROW_LOCKED, RELATION_LOCKED, RECOVERY].concat() {
            let message = text.replace("%s", "racers");
            for other in [
                format!("the archive says: {message}"),
                format!("{message} (try later)"),
                format!("{message}\n"),
                text.replace("%s", ""),
            ] {
                let is_bare_text = !text.contains("%s") && other == *text;
                assert_eq!(of_message(&other).is_some(), is_bare_text, "{language}: {other}");
            }
        }
        for (language, text) in [LOCK_TIMEOUT, ROW_LOCKED, RELATION_LOCKED].concat() {
            let message = text.replace("%s", "racers");
            let details = Report { details: Some("It is archived.".to_owned()), ..report(&message) };
            assert_eq!(lock_of(&details), None, "{language}: {message}");
            let hint = Report { hint: Some("Ask for it.".to_owned()), ..report(&message) };
            assert_eq!(lock_of(&hint), None, "{language}: {message}");
        }
        for message in ["", "canceling statement due to statement timeout", "the lock of the door is broken"]
        {
            assert_eq!(of_message(message), None, "{message}");
        }
    }

    fn report(message: &str) -> Report {
        Report { message: message.to_owned(), ..Report::default() }
    }

    #[test]
    fn sqlite_messages_are_recognized() {
        for message in [
            "database is locked",
            "database table is locked",
            "database table is locked: items",
            "database schema is locked: main",
        ] {
            assert_eq!(of_message(message), Some(Lock::Taken), "{message}");
        }
        for message in ["the database is locked by the archive", "the table is locked by the archive"] {
            assert_eq!(of_message(message), None, "{message}");
        }
    }
}
