//! A proxy before a PostgreSQL server, which counts how often the client waits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

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
        let (start, rest) = url.split_once("://").expect("a URL");
        let (address, path) = rest.split_once('/').expect("a database");
        let (user, server) = address.rsplit_once('@').map_or(("", address), |(user, server)| (user, server));
        let at = if user.is_empty() { "" } else { "@" };
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("{start}://{user}{at}127.0.0.1:{port}/{path}");
        let (server, trips) = (server.to_owned(), Trips::default());
        let counted = trips.clone();
        // The threads live as long as the test, which is a separate process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the server");
                // Each message is sent immediately, as without the proxy.
                client.set_nodelay(true).and(server.set_nodelay(true)).expect("an option of TCP");
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
            }
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
