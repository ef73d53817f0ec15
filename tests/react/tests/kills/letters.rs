//! Checks what the effects of killed workers have written.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use evented_react_tests::{Kit, eventually_with_retries};
use evented_tests::db::Db;

use crate::process::sender;

/// Runs what is left, and checks that each event had its effect at least once, always with the same idempotency key, and that the
/// effects of a record began in the order of its events.
pub(crate) async fn hold<C: Kit>(db: &mut Db<C>, letters: &Path) {
    let worker = C::start(sender(letters), &db.url).await;
    let events = usize::try_from(db.number("SELECT count(*) FROM comments_events").await).unwrap();
    let undelivered = "SELECT count(*) FROM evented_deferred";
    let deadline = Instant::now() + Duration::from_secs(100);
    while read(letters).len() < events && Instant::now() < deadline {
        // On a slow machine a kill may hit the same effect three times.
        eventually_with_retries(db, "letters", undelivered, 0).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let keys = read(letters);
    assert_eq!(keys.len(), events);
    eventually_with_retries(db, "letters", undelivered, 0).await;
    worker.stop().await;
    let mut seen: HashMap<String, Vec<String>> = HashMap::new();
    for line in std::fs::read_to_string(letters).unwrap().lines() {
        let [key, event, idempotency_key] = words(line);
        assert_eq!(keys[event], idempotency_key);
        let of_key = seen.entry(key.to_owned()).or_default();
        if !of_key.iter().any(|known| known == event) {
            of_key.push(event.to_owned());
        }
    }
    // One process has written all events, so their ids are in the order of the log.
    assert!(seen.values().all(|events| events.is_sorted()), "{seen:?}");
}

fn words(line: &str) -> [&str; 3] {
    let words: Vec<&str> = line.split(' ').collect();
    words.try_into().unwrap_or_else(|words| panic!("{words:?}"))
}

/// Returns the idempotency key of each event.
fn read(letters: &Path) -> HashMap<String, String> {
    let text = std::fs::read_to_string(letters).unwrap_or_default();
    text.lines().map(|line| (words(line)[1].to_owned(), words(line)[2].to_owned())).collect()
}
