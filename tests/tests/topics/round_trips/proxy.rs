//! A proxy that counts how often a client of PostgreSQL waits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::proxy::before;

/// The proxy, which the clients connect to.
pub(crate) struct Proxy {
    url: String,
}

/// The number of round trips on all connections through the proxy.
#[derive(Clone, Default)]
pub(crate) struct Trips(Arc<AtomicUsize>);

impl Trips {
    /// Takes the number of round trips since the last call.
    pub(crate) fn taken(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Proxy {
    /// Starts a proxy before the server of this URL.
    pub(crate) fn before(url: &str) -> (Self, Trips) {
        let trips = Trips::default();
        let counted = trips.clone();
        let url = before(url, move |client, server| {
            let trips = counted.clone();
            let (mut back, mut to) =
                (server.try_clone().expect("a stream"), client.try_clone().expect("a stream"));
            thread::spawn(move || {
                let _ = io::copy(&mut back, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                let _ = pass_on(&client, &server, &trips);
                let _ = server.shutdown(Shutdown::Both);
            });
        });
        (Self { url }, trips)
    }

    /// Returns the URL of the proxy.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }
}

/// Forwards the client's messages, and counts those after which the client waits: `Sync` ends a group of messages of
/// the extended protocol, and `Query` belongs to the simple protocol.
fn pass_on(mut client: &TcpStream, mut server: &TcpStream, trips: &Trips) -> io::Result<()> {
    // Only the first message has no type byte before its length.
    let mut kind = None;
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let rest = u32::from_be_bytes(length).checked_sub(4).ok_or(io::ErrorKind::InvalidData)?;
        let mut body = vec![0; rest as usize];
        client.read_exact(&mut body)?;
        if let Some(b'S' | b'Q') = kind {
            trips.0.fetch_add(1, Ordering::SeqCst);
        }
        let message: Vec<u8> = kind.into_iter().chain(length).chain(body).collect();
        server.write_all(&message)?;
        let mut next = [0];
        client.read_exact(&mut next)?;
        kind = Some(next[0]);
    }
}
