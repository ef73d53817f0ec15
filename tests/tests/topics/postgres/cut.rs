//! A proxy before a PostgreSQL server that keeps an answer from the client and ends its connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub(crate) struct Proxy {
    pub(crate) url: String,
    /// Which of the next answers is swallowed, counted from 1; 0 for none.
    pub(crate) swallow: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy before the server of this URL.
    pub(crate) fn before(url: &str) -> Self {
        let (start, rest) = url.split_once("://").expect("a URL");
        let (address, path) = rest.split_once('/').expect("a database");
        let (user, server) = address.rsplit_once('@').map_or(("", address), |(user, server)| (user, server));
        let at = if user.is_empty() { "" } else { "@" };
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (server, swallow) = (server.to_owned(), Arc::new(AtomicUsize::new(0)));
        let swallows = Arc::clone(&swallow);
        // The threads live as long as the test, which is a separate process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the server");
                let never = Arc::new(AtomicUsize::new(0));
                let pair = (client.try_clone().expect("a stream"), server.try_clone().expect("a stream"));
                thread::spawn(move || pass_on(pair.0, pair.1, &never));
                let swallows = Arc::clone(&swallows);
                thread::spawn(move || pass_on(server, client, &swallows));
            }
        });
        Self { url: format!("{start}://{user}{at}127.0.0.1:{port}/{path}"), swallow }
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
