//! A proxy that keeps an answer of PostgreSQL from the client, and ends the connection.

use std::io::{self, Read, Write};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::proxy::before;

pub(crate) struct Proxy {
    pub(crate) url: String,
    /// Which of the next answers is swallowed, counted from 1; 0 for none.
    ///
    /// An answer ends where the server is ready for the next query, however many packets it comes in. The answer to
    /// the close of a statement is not counted: clients do not wait for it, and it may come after the next query is sent.
    pub(crate) swallow: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy before the server of this URL.
    pub(crate) fn before(url: &str) -> Self {
        let swallow = Arc::new(AtomicUsize::new(0));
        let swallows = Arc::clone(&swallow);
        let url = before(url, move |mut client, mut server| {
            let (mut asks, mut asked) =
                (client.try_clone().expect("a stream"), server.try_clone().expect("a stream"));
            thread::spawn(move || {
                let _ = io::copy(&mut asks, &mut asked);
                let _ = asked.shutdown(Shutdown::Both);
            });
            let swallows = Arc::clone(&swallows);
            thread::spawn(move || {
                let _ = answer(&mut server, &mut client, &swallows);
                let _ = client.shutdown(Shutdown::Both);
            });
        });
        Self { url, swallow }
    }
}

/// Forwards the server's messages, up to the answer that is swallowed.
fn answer(server: &mut TcpStream, client: &mut TcpStream, swallow: &AtomicUsize) -> io::Result<()> {
    let mut is_encryption_refused = true;
    let mut is_waited_for = false;
    loop {
        let mut kind = [0];
        server.read_exact(&mut kind)?;
        // The server refuses encryption with one byte, before it asks for authentication.
        is_encryption_refused &= kind == *b"N";
        if is_encryption_refused {
            client.write_all(&kind)?;
            continue;
        }
        let mut length = [0; 4];
        server.read_exact(&mut length)?;
        let rest = u32::from_be_bytes(length).checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
        let mut body = vec![0; rest as usize];
        server.read_exact(&mut body)?;
        let is_last = kind == *b"Z";
        // CloseComplete.
        is_waited_for |= !is_last && kind != *b"3";
        let is_swallowed = is_waited_for && swallow.load(Ordering::SeqCst) == 1;
        // Counted before the client sees ReadyForQuery: from then on the test may set the next answer to swallow.
        if is_last && mem::take(&mut is_waited_for) {
            let _ =
                swallow.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |answers| answers.checked_sub(1));
        }
        if !is_swallowed {
            client.write_all(&[&kind[..], &length, &body].concat())?;
        } else if is_last {
            return Ok(());
        }
    }
}
