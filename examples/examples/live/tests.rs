//! The example: what it shows equals SQL at each rest, while another thread writes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{database, shown, write};

#[tokio::test(flavor = "multi_thread")]
async fn it_equals_sql_at_each_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("live.db").to_string_lossy().into_owned();
    database::create(&file).expect("a database");
    let store = database::store(&file).await.expect("a store");
    let out = Arc::new(Mutex::new(Vec::<String>::new()));
    let (lines, shows, path) = (Arc::clone(&out), store.clone(), file.clone());
    let showing = tokio::spawn(async move {
        let mut conn = database::connect(&path).await.expect("a connection");
        shown::until_the_end(&shows, 1, &mut conn, |text| lines.lock().expect("lines").push(text)).await
    });
    for _ in 0..2 {
        let path = file.clone();
        tokio::task::spawn_blocking(move || write::at_random(&path, 150, 1))
            .await
            .expect("a thread")
            .expect("writes");
        let rests = |out: &Mutex<Vec<String>>| {
            out.lock().expect("lines").iter().filter(|line| line.contains("equals SQL")).count()
        };
        let before = rests(&out);
        while rests(&out) <= before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    store.stop();
    let _ = showing.await.expect("a task");
    let out = out.lock().expect("lines");
    assert!(out.iter().filter(|line| line.starts_with("changed")).count() > 10);
    let rests: Vec<_> = out.iter().filter(|line| line.contains("equals SQL")).collect();
    assert!(rests.len() >= 2 && rests.iter().all(|line| line.ends_with("true")), "{rests:?}");
}
