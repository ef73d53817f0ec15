//! Reading the log to its end, and on.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::config::{Config, Slot};
use super::session::{self, Begin, Published, Session, Unopened};
use super::stream::Stream;
use super::transport::{Failure, Transport, Wire};
use super::watch::Watch;
use super::{Gap, Lsn, Message, Status, System, WalError};

/// The log of a server, read as it is written.
///
/// ```no_run
/// use evented_diesel::wal::{Config, Message, Slot, Tail};
///
/// # async fn read(url: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let mut tail = Tail::open(Config::from_url(url, Slot::durable("shop"), "shop")?).await?;
/// loop {
///     match tail.next().await? {
///         Message::Insert { relation, new } => println!("{relation}: {}", new.show(&relation)),
///         // Whatever came since the last `Begin` comes again.
///         Message::Restarted => {}
///         Message::Commit { end, .. } => tail.confirm(end),
///         _ => {}
///     }
/// }
/// # }
/// ```
///
/// # What it promises
///
/// - Every transaction that was committed after the tail's [start](Self::start) comes, as a whole, once, in the order of
///   the commits; also if connection or server break in between.
/// - A transaction that was cut in half comes again from its [`Begin`](Message::Begin), after a
///   [`Restarted`](Message::Restarted).
/// - If that cannot be kept, since the slot is lost, say, the tail ends with [`WalError::MustRefetch`]. There is no silent
///   gap.
/// - A large transaction is not held in memory: its changes are passed on as they come, and the server waits if the
///   consumer does.
///
/// Since version 18 PostgreSQL passes over, in silence, what was written while there was no publication of that name: after
/// the slot was made, and before the publication was. Make the publication first, and never anew without a new slot. One
/// that is dropped or made anew under its reader is noticed there within ten seconds.
///
/// A slot that is dropped and made again under its name while nobody reads is not noticed: nothing tells one from the
/// other. Who does that forgets the position that belongs to it.
///
/// It runs on tokio, and reads the socket in a task of its own. The consumer should come back to [`next`](Self::next)
/// again and again: what is [idle](Message::Idle) is confirmed there, and as long as it is not, the server keeps its log
/// and does not shut down.
#[derive(Debug)]
pub struct Tail(Core<Wire>);

impl Tail {
    /// Connects, looks whether slot, publications, position and server fit together, and begins.
    ///
    /// It tries again for a while ([`Config::opens_within`]) if the server is not up yet, or if the last reader still
    /// holds the slot.
    ///
    /// # Errors
    ///
    /// See [`WalError`].
    pub async fn open(config: Config) -> Result<Self, WalError> {
        Core::open(config).await.map(Self)
    }

    /// The next message. It waits for one as long as it takes, and connects again if need be.
    ///
    /// A future that is dropped loses nothing: it may be one of the arms of a `select!`.
    ///
    /// # Errors
    ///
    /// See [`WalError`]. The tail has ended then, and gives the same error again.
    pub async fn next(&mut self) -> Result<Message, WalError> {
        self.0.next().await
    }

    /// Says that everything up to here has been handled, so that the server may forget it: the
    /// [`end`](Message::Commit) of a transaction, or where the log was [idle](Message::Idle). It is sent within the
    /// [interval](Config::status_interval), and never goes back; what has not come yet cannot be confirmed.
    pub fn confirm(&mut self, at: Lsn) {
        self.0.confirm(at);
    }

    /// Where it began: every transaction comes whose commit is behind that.
    #[must_use]
    pub fn start(&self) -> Lsn {
        self.0.start
    }

    /// Where the server was when the tail was opened: what is committed later is behind that.
    pub(crate) fn opened_at(&self) -> Lsn {
        self.0.written.max(self.0.start)
    }

    /// Which server it reads. It belongs to every position.
    #[must_use]
    pub fn system(&self) -> &System {
        &self.0.system
    }

    /// How far it is.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            received: self.0.stream.received(),
            confirmed: self.0.stream.confirmed(),
            acknowledged: self.0.stream.acknowledged(),
            since_last_message: self.0.last.elapsed(),
            connected: matches!(self.0.link, Link::Up(_)),
            reconnects: self.0.reconnects,
        }
    }
}

/// The same over any transport.
struct Core<T: Transport> {
    config: Config,
    stream: Stream,
    link: Link<T>,
    system: System,
    start: Lsn,
    /// Where the server was when it was opened.
    written: Lsn,
    reconnects: u64,
    /// When the last piece came.
    last: Instant,
    /// Since when the consumer has been waiting for one.
    waiting: Option<Instant>,
    /// How it has ended.
    ended: Option<WalError>,
    published: Published,
    /// Looks whether the publications are there, where the server would not say it.
    watch: Option<Watch>,
}

enum Link<T> {
    Up(T),
    /// It is being made anew, in a task: the consumer may drop the future that waits for it.
    Down {
        since: Instant,
        delays: ExponentialBackoff,
        undefined: bool,
        attempt: Option<JoinHandle<Result<Session<T>, Unopened>>>,
    },
}

impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        if let Self::Down { attempt: Some(attempt), .. } = self {
            attempt.abort();
        }
    }
}

fn delays() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_jitter()
        .without_max_times()
        .build()
}

impl<T: Transport> Core<T> {
    async fn open(config: Config) -> Result<Self, WalError> {
        let from = config.from.unwrap_or_default();
        let begin = Begin { start: from, confirmed: from, system: config.system.clone(), ..Begin::default() };
        let (started, mut delays) = (Instant::now(), delays());
        let mut told = None;
        let session = loop {
            let limit = started + config.opens_within;
            let opened = timeout_at(limit, session::open::<T>(&config, &begin)).await;
            let failure = match opened {
                Ok(Ok(session)) => break session,
                Ok(Err(Unopened::Never(error))) => return Err(error),
                Ok(Err(Unopened::Later(failure))) => failure,
                // What was told before says more.
                Err(_) => told.take().unwrap_or_else(|| Failure::Io("the server takes too long".to_owned())),
            };
            let delay = delays.next().unwrap_or_default();
            if Instant::now() + delay >= limit {
                return Err(gave_up(&config, started, &failure));
            }
            tracing::debug!(name: "evented.wal.waiting", slot = config.slot.name(), %failure, "not open yet");
            told = Some(failure);
            sleep(delay).await;
        };
        let Session { wire, system, start, written, published } = session;
        let watch = published.is_silent.then(|| {
            let known = Begin { published: published.clone(), ..Begin::default() };
            Watch::start::<T>(config.clone(), known)
        });
        let stream = Stream::new(from);
        let last = Instant::now();
        let link = Link::Up(wire);
        Ok(Self {
            config,
            stream,
            link,
            system,
            start,
            written,
            reconnects: 0,
            last,
            waiting: None,
            ended: None,
            published,
            watch,
        })
    }

    async fn next(&mut self) -> Result<Message, WalError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        match self.step().await {
            Ok(message) => {
                self.waiting = None;
                Ok(message)
            }
            Err(error) => {
                tracing::error!(name: "evented.wal.ended", slot = self.config.slot.name(), %error, "the tail ends");
                self.ended = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn step(&mut self) -> Result<Message, WalError> {
        loop {
            if let Some(message) = self.stream.pop() {
                if let Message::Idle { .. } = message {
                    self.acknowledge();
                }
                return Ok(message);
            }
            let Link::Up(wire) = &mut self.link else {
                self.reconnect().await?;
                continue;
            };
            // Not from the last piece on: a consumer that was busy has not looked.
            let since = *self.waiting.get_or_insert_with(Instant::now);
            let silent = since.max(self.last) + self.config.liveness;
            let next = tokio::select! {
                biased;
                gone = Watch::gone(self.watch.as_mut()) => return Err(gone),
                next = timeout_at(silent, wire.next()) => next,
            };
            let failure = match next {
                Ok(Ok(frame)) => {
                    self.last = Instant::now();
                    self.waiting = None;
                    self.stream.take(frame)?;
                    continue;
                }
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Io(format!("nothing came for {:?}", self.config.liveness)),
            };
            self.down(failure)?;
        }
    }

    fn confirm(&mut self, at: Lsn) {
        self.stream.confirm(at);
        self.acknowledge();
    }

    fn acknowledge(&self) {
        if let Link::Up(wire) = &self.link {
            wire.confirm(self.stream.acknowledged());
        }
    }

    /// The connection is gone.
    fn down(&mut self, failure: Failure) -> Result<(), WalError> {
        if matches!(self.config.slot, Slot::Temporary(_)) {
            let reason = Gap::TemporarySlotGone { message: failure.to_string() };
            return Err(WalError::MustRefetch { reason });
        }
        // A publication that does not exist is noticed by the first change only. Why, the next connection finds out.
        let undefined = failure.code() == Some("42704");
        if !undefined && let Unopened::Never(error) = session::judge(&self.config, failure.clone()) {
            return Err(error);
        }
        let slot = self.config.slot.name();
        tracing::warn!(name: "evented.wal.disconnected", slot, %failure, "the connection broke, and is made anew");
        self.stream.cut();
        self.link = Link::Down { since: Instant::now(), delays: delays(), undefined, attempt: None };
        Ok(())
    }

    /// One attempt at a new connection, or what is left of it.
    async fn reconnect(&mut self) -> Result<(), WalError> {
        let Link::Down { since, delays, undefined, attempt } = &mut self.link else { return Ok(()) };
        let attempt_now = attempt.get_or_insert_with(|| {
            let begin = Begin {
                start: self.stream.start(),
                confirmed: self.stream.acknowledged(),
                system: Some(self.system.clone()),
                again: true,
                undefined: *undefined,
                published: self.published.clone(),
            };
            let (config, delay) = (self.config.clone(), delays.next().unwrap_or_default());
            tokio::spawn(async move {
                sleep(delay).await;
                let limit = Instant::now() + config.liveness;
                match timeout_at(limit, session::open(&config, &begin)).await {
                    Ok(opened) => opened,
                    Err(_) => Err(Unopened::Later(Failure::Io("the server takes too long".to_owned()))),
                }
            })
        });
        let opened = attempt_now.await;
        *attempt = None;
        let failure = match opened {
            Ok(Ok(session)) => {
                self.reconnects += 1;
                self.last = Instant::now();
                self.waiting = None;
                self.link = Link::Up(session.wire);
                // It may have been raised while the connection was made.
                self.acknowledge();
                let slot = self.config.slot.name();
                tracing::info!(name: "evented.wal.reconnected", slot, "the connection is back");
                return Ok(());
            }
            Ok(Err(Unopened::Never(error))) => return Err(error),
            Ok(Err(Unopened::Later(failure))) => failure,
            Err(ended) => Failure::Io(ended.to_string()),
        };
        let slot = self.config.slot.name();
        tracing::warn!(name: "evented.wal.unreachable", slot, %failure, "no connection yet");
        match self.config.reconnects_within {
            Some(limit) if since.elapsed() >= limit => Err(gave_up(&self.config, *since, &failure)),
            _ => Ok(()),
        }
    }
}

fn gave_up(config: &Config, since: Instant, failure: &Failure) -> WalError {
    if failure.code() == Some("55006") {
        return WalError::SlotBusy { slot: config.slot.name().to_owned() };
    }
    WalError::Unreachable { after: since.elapsed(), message: failure.to_string() }
}

impl<T: Transport> std::fmt::Debug for Core<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("config", &self.config)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
