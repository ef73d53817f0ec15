//! A place between a client and a PostgreSQL server, from which a test sees or changes what they exchange.

use std::net::{TcpListener, TcpStream};
use std::thread;

/// Listens before the server of a URL, and gives each connection to `serve`, with one to the server. Returns the URL for
/// clients.
pub(crate) fn before(url: &str, serve: impl Fn(TcpStream, TcpStream) + Send + 'static) -> String {
    let (start, rest) = url.split_once("://").expect("a URL");
    let (address, path) = rest.split_once('/').expect("a database");
    let (user, server) = address.rsplit_once('@').map_or(("", address), |(user, server)| (user, server));
    let at = if user.is_empty() { "" } else { "@" };
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = server.to_owned();
    // The thread lives as long as the test, which is a separate process.
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&server).expect("the server");
            // Each message is sent immediately, as without the proxy.
            client.set_nodelay(true).and(server.set_nodelay(true)).expect("an option of TCP");
            serve(client, server);
        }
    });
    format!("{start}://{user}{at}127.0.0.1:{port}/{path}")
}
