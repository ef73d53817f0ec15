//! Runs the script, and kills workers. Both databases have these tests, each in a program of its own.

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::{Place, SERVER_OF_TESTS, kills, story};

fn place() -> Place {
    let server = SERVER_OF_TESTS.map(|name| std::env::var(name).expect("a server; or `cargo xtask test`"));
    Place::new(server.as_deref()).unwrap()
}

#[test]
fn the_story_is_what_it_says() {
    let mut out = Vec::new();
    story::tell(&place(), &mut out).unwrap();
    let expected = r#"3 orders are placed, and 2 invoices written.
Set aside: key 2, Dead: order 2: there is no item 3
Desk is created, and 1 delivery is tried again.
Lamp:
  1 insert: name: null → "Lamp", stock: null → 10
  2 take_stock: stock: 10 → 9
Chair:
  1 insert: name: null → "Chair", stock: null → 5
  2 take_stock: stock: 5 → 3
Desk:
  1 insert: name: null → "Desk", stock: null → 5
  2 take_stock: stock: 5 → 4
3 invoices; the mail service was asked 4 times, and wrote to Ada, Bob, Cleo.
Schedule nightly: 0 3 * * * in Europe/Berlin
The day is closed by hand: 3 orders, 420 €
"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

/// The body of a process that is killed. Its options are in the environment.
#[test]
#[ignore = "a process of another test"]
fn worker() {
    if let Ok(arguments) = Arguments::try_parse_from(["shop", "worker"]) {
        arguments.run(&mut std::io::sink()).unwrap();
    }
}

#[test]
fn workers_that_are_killed_write_one_invoice_for_each_order() {
    // The name of the program is not part of a test's name.
    let (_, module) = module_path!().split_once("::").unwrap();
    let worker = format!("{module}::worker");
    let words = [worker.as_str(), "--exact", "--ignored", "--nocapture", "--test-threads=1"];
    kills::check(&place(), &words, kills::KILLS, &mut std::io::stdout()).unwrap();
}
