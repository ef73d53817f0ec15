//! A proxy that keeps an answer of PostgreSQL from the client, and ends the connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::proxy::before;

pub(crate) struct Proxy {
    pub(crate) url: String,
    /// Which of the next answers is swallowed, counted from 1; 0 for none.
    pub(crate) swallow: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy before the server of this URL.
    pub(crate) fn before(url: &str) -> Self {
        let swallow = Arc::new(AtomicUsize::new(0));
        let swallows = Arc::clone(&swallow);
        let url = before(url, move |client, server| {
            let never = AtomicUsize::new(0);
            let pair = (client.try_clone().expect("a stream"), server.try_clone().expect("a stream"));
            thread::spawn(move || pass_on(pair.0, pair.1, &never));
            let swallows = Arc::clone(&swallows);
            thread::spawn(move || pass_on(server, client, &swallows));
        });
        Self { url, swallow }
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, swallow: &AtomicUsize) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        let swallowed =
            swallow.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |answer| answer.checked_sub(1)) == Ok(1);
        if swallowed || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
