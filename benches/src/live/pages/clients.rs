//! The clients of many pages, in a process of their own: a process may have fewer files open than both sides need.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// The process of the clients. It ends when this is dropped.
pub(super) struct Clients {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Clients {
    /// Opens the pages of organisations, and waits until each has its first event.
    pub(super) fn start(address: SocketAddr, orgs: i32, pages: usize) -> anyhow::Result<Self> {
        let pages = format!("{address},{orgs},{pages}");
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--url", "", "--pg-bin", ".", "--pages", &pages])
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("no output of the clients")?;
        let mut clients = Self { child, lines: BufReader::new(out).lines() };
        clients.expect("open")?;
        Ok(clients)
    }

    /// Waits until all pages of an organisation have shown this number.
    pub(super) fn wait_for(&mut self, number: u64) -> anyhow::Result<()> {
        self.expect(&format!("seen {number}"))
    }

    fn expect(&mut self, expected: &str) -> anyhow::Result<()> {
        loop {
            let line = self.lines.next().context("the clients have ended")??;
            if line == expected {
                return Ok(());
            }
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a page has received.
enum Received {
    First,
    Number(u64),
}

/// Opens pages, in a process of its own. Prints `open` when each has its first event, and `seen n` when the pages of an organisation
/// have all received the number.
pub(crate) fn open_pages(argument: &str) -> anyhow::Result<()> {
    let mut parts = argument.split(',');
    let mut next = || parts.next().context("three parts");
    let (address, orgs, pages): (SocketAddr, i32, usize) =
        (next()?.parse()?, next()?.parse()?, next()?.parse()?);
    let all = usize::try_from(orgs)? * pages;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (sender, mut received) = unbounded_channel();
        for org in 0..orgs {
            for _ in 0..pages {
                let sender = sender.clone();
                tokio::spawn(async move {
                    if let Err(error) = page(address, org, &sender).await {
                        eprintln!("a page of organisation {org}: {error:#}");
                    }
                });
            }
        }
        drop(sender);
        let (mut open, mut seen) = (0, HashMap::new());
        let mut out = std::io::stdout();
        while let Some(what) = received.recv().await {
            match what {
                Received::First => {
                    open += 1;
                    if open == all {
                        writeln!(out, "open")?;
                    }
                }
                Received::Number(number) => {
                    let count = seen.entry(number).or_insert(0);
                    *count += 1;
                    if *count == pages {
                        writeln!(out, "seen {number}")?;
                    }
                }
            }
            out.flush()?;
        }
        anyhow::bail!("all pages have ended")
    })
}

/// Reads one page until it ends.
async fn page(address: SocketAddr, org: i32, sender: &UnboundedSender<Received>) -> anyhow::Result<()> {
    let mut stream = loop {
        // The queue of connections that wait may be full.
        match tokio::net::TcpStream::connect(address).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    stream.set_nodelay(true)?;
    let request = format!("GET /events?org={org} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut stream = tokio::io::BufReader::with_capacity(1_024, stream);
    let (mut line, mut is_open) = (String::new(), false);
    loop {
        line.clear();
        anyhow::ensure!(stream.read_line(&mut line).await? > 0, "the server closed the connection");
        if !line.starts_with("data:") {
            continue;
        }
        if !std::mem::replace(&mut is_open, true) {
            sender.send(Received::First)?;
        } else if let Some((_, rest)) = line.split_once("marker-")
            && let Some((number, _)) = rest.split_once('-')
        {
            sender.send(Received::Number(number.parse()?))?;
        }
    }
}
