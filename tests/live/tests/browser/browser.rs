//! Windows of a browser, and what they show.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// The longest time that a test waits for anything.
pub(crate) const LONG: Duration = Duration::from_secs(100);

/// A process that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    /// Kills it at once: on Unix, by SIGKILL.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A browser, which opens windows with nothing in common.
pub(crate) struct Browser {
    port: u16,
    _driver: Process,
}

impl Browser {
    /// Starts the WebDriver; `None` if there is none.
    pub(crate) fn start() -> Option<Self> {
        let port = free_port();
        let mut driver = Command::new("chromedriver");
        match driver.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(driver) => Some(Self { port, _driver: Process(driver) }),
            Err(_) => {
                println!(
                    "LEFT OUT: there is no chromedriver; on Debian, install chromium and chromium-driver"
                );
                None
            }
        }
    }

    /// Opens a page in a window of its own.
    pub(crate) async fn open(&self, url: &str) -> Window {
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let Value::Object(wanted) = json!({ "goog:chromeOptions": { "args": arguments } }) else {
            unreachable!()
        };
        let driver = format!("http://127.0.0.1:{}", self.port);
        let end = Instant::now() + LONG;
        loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            match builder.capabilities(wanted.clone()).connect(&driver).await {
                Ok(client) => {
                    client.goto(url).await.expect("a page");
                    return Window(client);
                }
                Err(error) => assert!(Instant::now() < end, "no browser: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Everything that a page shows, but for the state.
const SHOWN: &str = "
    const texts = (from, what) => [...from.querySelectorAll(what)].map(it => it.textContent)
    const card = it => [it.querySelector('.title').textContent, it.querySelector('select').value,
        texts(it, '.tags span'), texts(it, '.comments li')]
    const column = it => [it.dataset.state, it.querySelector('.count').textContent,
        [...it.querySelectorAll('.card')].map(card)]
    return { org: document.querySelector('#org').textContent, me: document.querySelector('#my-name').value,
        tags: [...document.querySelectorAll('#tag-names option')].map(it => it.value),
        columns: [...document.querySelectorAll('.column')].map(column) }";

/// A window with a page.
pub(crate) struct Window(Client);

impl Window {
    pub(crate) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.0.execute(script, arguments.to_vec()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    pub(crate) async fn shown(&self) -> Value {
        self.run(SHOWN, &[]).await
    }

    /// Waits until a script returns `true`.
    pub(crate) async fn until(&self, what: &str, script: &str) {
        let end = Instant::now() + LONG;
        while self.run(script, &[]).await != Value::Bool(true) {
            assert!(Instant::now() < end, "{what}; the page shows {:#}", self.shown().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn is(&self, state: &str) {
        let script = format!("return document.querySelector('#state').textContent == '{state}'");
        self.until(state, &script).await;
    }

    /// Waits until the page shows cards with these titles, in this order.
    pub(crate) async fn has(&self, column: &str, titles: &[&str]) {
        let script = format!(
            "return JSON.stringify([...document.querySelectorAll('[data-state={column}] .title')]\
             .map(it => it.textContent)) == JSON.stringify({})",
            json!(titles)
        );
        self.until(&format!("{column}: {titles:?}"), &script).await;
    }

    /// Waits until the page shows what this one does, and is live.
    pub(crate) async fn equals(&self, other: &Self) {
        self.is("live").await;
        let end = Instant::now() + LONG;
        loop {
            let (shown, expected) = (self.shown().await, other.shown().await);
            if shown == expected {
                return;
            }
            assert!(Instant::now() < end, "the page shows {shown:#}, and not {expected:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn close(self) {
        self.0.close().await.expect("it closes");
    }
}
