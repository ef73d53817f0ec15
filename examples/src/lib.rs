//! Runnable example programs, smallest first, in the `examples` folder of this package.
//!
//! | program | what it demonstrates |
//! |---|---|
//! | `quickstart` | what evented does for one model, in one minute |
//! | `listen` | live changes: one terminal writes, another terminal watches an organisation |
//! | `board` | a web page on live trees: two organisations, edits with `If-Match`, the history of an item |
//! | `live` | live values that equal their queries: a set of labels in a terminal, and a page of the same set |
//! | `chat` | two models on a shared log, one without a table; a hook before the write; links from edits to what they edit |
//! | `ai_chat` | a conversation that branches: links with fields of their own, trees and branches read from them |
//! | `counter` | a derived table that stays right while its workers are killed |
//! | `shop` | orders that publish an event: the stock, an invoice, a mail and a nightly job, while workers are killed |
//! | `git_history` | real input: the history of a git repository as evented records, checked against git |
//! | `wal_tail` | PostgreSQL's write-ahead log: the changes by plain SQL, with old and new values, without any model |
//! | `admin` | the admin command: it inspects and maintains the tables and logs that the other examples leave behind |

mod target;

pub use target::Target;
