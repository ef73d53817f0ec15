//! Runnable programs, smallest first: see the `examples` folder of this package.
//!
//! | program | what it shows |
//! |---|---|
//! | `quickstart` | what evented does for one model, in a minute |
//! | `git_history` | real input: a git repository's history as evented records, checked against git itself |
//! | `migrations` | the command that writes, prints and checks the migrations of an application's logs |
