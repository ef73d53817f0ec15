//! A proxy that simulates a network that silently stops to transmit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Forwards bytes between clients and the server.
pub(crate) struct Proxy {
    port: u16,
    server: String,
    /// Connections with a lower number are frozen.
    frozen: Arc<AtomicU64>,
    made: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) async fn start(url: &str) -> Self {
        let address = url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (frozen, made) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let proxy = Self { port, server: address.clone(), frozen: frozen.clone(), made: made.clone() };
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&address).await.unwrap();
                let number = made.fetch_add(1, Ordering::SeqCst);
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, frozen.clone(), number));
                tokio::spawn(pass(from_server, to_client, frozen.clone(), number));
            }
        });
        proxy
    }

    /// Returns a URL that leads through the proxy.
    pub(crate) fn through(&self, url: &str) -> String {
        url.replace(&self.server, &format!("127.0.0.1:{}", self.port))
    }

    /// Freezes the present connections: nothing passes from now on, and they stay open.
    pub(crate) fn freeze(&self) {
        self.frozen.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    frozen: Arc<AtomicU64>,
    number: u64,
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut bytes).await else { return };
        if number < frozen.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
