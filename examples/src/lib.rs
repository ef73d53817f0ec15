//! Runnable programs, smallest first: see the `examples` folder of this package.
//!
//! | program | what it shows |
//! |---|---|
//! | `quickstart` | what evented does for one model, in a minute |
//! | `listen` | changes as they happen: one terminal writes, another one watches an organisation |
//! | `board` | a web page that changes while you look at it: server-sent events, resumed where a connection broke |
//! | `chat` | two models on a shared log, one without a table; a hook before the write; links from edits to what they edit |
//! | `ai_chat` | a conversation that branches: links with fields of their own, trees and branches read from them |
//! | `git_history` | real input: a git repository's history as evented records, checked against git itself |
//! | `wal_tail` | PostgreSQL's write-ahead log: what plain SQL changes, with old and new values, without any model |
//! | `operators` | the command that looks after an application's tables and logs, on what the others leave behind |
