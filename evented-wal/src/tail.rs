//! Reads the log continuously, across reconnects.

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::{Config, Slot};
use crate::error::{Gap, WalError};
use crate::found_table::{FoundTable, FoundTables};
use crate::link::{Link, delays};
use crate::lsn::Lsn;
use crate::message::Message;
use crate::publication_watch::{Watch, check_now};
use crate::session;
use crate::session::{Begin, Published, Session, Unopened};
use crate::status::TailStatus;
use crate::stream::Stream;
use crate::system::SystemId;
use crate::table_name::TableName;
use crate::transport::{Failure, Transport, Wire};

/// A reader of a server's log, which follows the log as it is written.
///
/// ```no_run
/// use evented_wal::{Config, Message, Slot, Tail};
///
/// # async fn read(url: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let mut tail = Tail::open(Config::from_url(url, Slot::durable("shop"), "shop")?).await?;
/// loop {
///     match tail.next().await? {
///         Message::Insert { relation, new } => println!("{relation}: {}", new.show(&relation)),
///         // Everything since the last `Begin` comes again.
///         Message::Restarted => {}
///         Message::Commit { end, .. } => tail.confirm(end),
///         _ => {}
///     }
/// }
/// # }
/// ```
///
/// # Guarantees
///
/// - The tail returns every transaction that commits after its [start](Self::start), completely, once, and in commit
///   order, even if the connection or the server fails in between.
/// - A transaction that was interrupted comes again from its [`Begin`](Message::Begin), after a
///   [`Restarted`](Message::Restarted).
/// - If the tail cannot guarantee this, for example because the slot is lost, it ends with [`WalError::MustRefetch`].
///   There is no silent gap.
/// - The tail does not hold a large transaction in memory. It passes on changes as they arrive, and the server waits
///   if the consumer does.
///
/// From version 18 on, PostgreSQL silently skips changes that were written while the publication did not exist,
/// between the creation of the slot and that of the publication. So create the publication first, and do not create
/// it again without a new slot. If a publication is dropped or created again while a tail reads it, the tail detects
/// this within ten seconds.
///
/// A tail that [requires](Config::require) tables ends with `MustRefetch` if one of them is renamed, moved to another
/// schema, replaced by another table, or taken out of its publication, and if the publication is altered. It detects
/// another name at the next change of the table, and the rest when it reconnects, before a mark of `evented_feed` that
/// was made after it, and within ten seconds otherwise.
///
/// The tail cannot detect that a slot was dropped and created again under the same name while nobody read it, because
/// the two slots cannot be distinguished. After you do this, discard the position that belongs to the slot.
///
/// A tail runs on tokio, and reads the socket in its own task. The consumer should call [`next`](Self::next)
/// continually. `next` confirms [idle](Message::Idle) positions. Until they are confirmed, the server keeps its log
/// and does not shut down.
#[derive(Debug)]
pub struct Tail(Core<Wire>);

impl Tail {
    /// Connects, checks that the slot, the publications, the position and the server match, and starts the stream.
    ///
    /// If the server is not up yet, or the last reader still holds the slot, `open` tries again until
    /// [`Config::connect_timeout`].
    ///
    /// # Errors
    ///
    /// See [`WalError`].
    pub async fn open(config: Config) -> Result<Self, WalError> {
        Core::open(config).await.map(Self)
    }

    /// Returns the next message. Waits for it without limit, and reconnects if necessary.
    ///
    /// This method is cancel safe: dropping its future loses no message, so it may be used in a `select!`.
    ///
    /// # Errors
    ///
    /// See [`WalError`]. The tail has then ended, and returns the same error on each further call.
    pub async fn next(&mut self) -> Result<Message, WalError> {
        self.0.next().await
    }

    /// Confirms that the consumer has handled everything up to this position, so that the server may discard its log
    /// before it. The position is the [`end`](Message::Commit) of a transaction, or one at which the log was
    /// [idle](Message::Idle). The tail sends it within the [interval](Config::status_interval). The confirmed
    /// position never decreases, and never exceeds the last position that the tail has returned.
    pub fn confirm(&mut self, at: Lsn) {
        self.0.confirm(at);
    }

    /// The position at which the tail started. It returns every transaction that commits after this position.
    #[must_use]
    pub fn start(&self) -> Lsn {
        self.0.start
    }

    /// The end of the server's log when the tail was opened. Later transactions commit after this position.
    pub fn opened_at(&self) -> Lsn {
        self.0.written.max(self.0.start)
    }

    /// The server that the tail reads. Store it with each position.
    #[must_use]
    pub fn system(&self) -> &SystemId {
        &self.0.system
    }

    /// The table that a name in [`Config::require`] means on this connection. `None` if the name is not required, or if
    /// the table is only required if published, and did not exist when the tail was opened.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Option<&FoundTable> {
        self.0.tables.get(name)
    }

    /// The progress of the tail.
    #[must_use]
    pub fn status(&self) -> TailStatus {
        TailStatus {
            received: self.0.stream.received(),
            confirmed: self.0.stream.confirmed(),
            acknowledged: self.0.stream.acknowledged(),
            since_last_message: self.0.last.elapsed(),
            connected: matches!(self.0.link, Link::Up(_)),
            reconnects: self.0.reconnects,
        }
    }
}

/// The implementation of a tail, over any transport.
struct Core<T: Transport> {
    config: Config,
    stream: Stream,
    link: Link<T>,
    system: SystemId,
    start: Lsn,
    /// The end of the server's log when the tail was opened.
    written: Lsn,
    reconnects: u64,
    /// When the last frame arrived.
    last: Instant,
    /// When the consumer started to wait for a frame; `None` if it does not wait.
    waiting: Option<Instant>,
    /// The error that ended the tail.
    ended: Option<WalError>,
    published: Published,
    tables: FoundTables,
    /// The check of the publications, for tails that require tables, and on servers that do not report a missing
    /// publication.
    watch: Option<Watch>,
    /// A mark that is passed on after a check of the publications.
    held: Option<HeldMark>,
}

struct HeldMark {
    mark: Message,
    check: JoinHandle<Result<(), WalError>>,
}

impl Drop for HeldMark {
    fn drop(&mut self) {
        self.check.abort();
    }
}

impl<T: Transport> Core<T> {
    async fn open(config: Config) -> Result<Self, WalError> {
        let from = config.from.unwrap_or_default();
        let begin = Begin { start: from, confirmed: from, system: config.system.clone(), ..Begin::default() };
        let (started, mut delays) = (Instant::now(), delays());
        let mut last_failure = None;
        let session = loop {
            let limit = started + config.connect_timeout;
            let opened = timeout_at(limit, session::open::<T>(&config, &begin)).await;
            let failure = match opened {
                Ok(Ok(session)) => break session,
                Ok(Err(Unopened::Never(error))) => return Err(error),
                Ok(Err(Unopened::Later(failure))) => failure,
                // The failure of the previous attempt has more information.
                Err(_) => {
                    last_failure.take().unwrap_or_else(|| Failure::Io("the server takes too long".to_owned()))
                }
            };
            let delay = delays.next().unwrap_or_default();
            if Instant::now() + delay >= limit {
                return Err(gave_up(&config, started, &failure));
            }
            tracing::debug!(name: "evented.wal.waiting", slot = config.slot.name(), %failure, "not open yet");
            last_failure = Some(failure);
            sleep(delay).await;
        };
        let Session { wire, system, start, written, published, tables } = session;
        let watches = published.is_silent || !tables.is_empty();
        let stream = Stream::new(from);
        let last = Instant::now();
        let link = Link::Up(wire);
        let mut core = Self {
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
            tables,
            watch: None,
            held: None,
        };
        core.watch = watches.then(|| Watch::start::<T>(core.config.clone(), core.known()));
        Ok(core)
    }

    async fn next(&mut self) -> Result<Message, WalError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        let step = self.step().await;
        match step.and_then(|message| self.tables.examine(&message).map(|()| message)) {
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
            if let Some(held) = &mut self.held {
                let checked = (&mut held.check).await;
                let mark = held.mark.clone();
                self.held = None;
                checked.unwrap_or_else(|ended| Err(WalError::Protocol(ended.to_string())))?;
                self.tables.checked_at(&mark);
                return Ok(mark);
            }
            if let Some(message) = self.stream.pop() {
                if self.tables.needs_check(&message) {
                    let check = tokio::spawn(check_now::<T>(self.config.clone(), self.known()));
                    self.held = Some(HeldMark { mark: message, check });
                    continue;
                }
                if let Message::Idle { .. } = message {
                    self.acknowledge();
                }
                return Ok(message);
            }
            let Link::Up(wire) = &mut self.link else {
                self.reconnect().await?;
                continue;
            };
            // The timeout does not start at the last frame alone: a consumer that was busy has not looked for frames.
            let since = *self.waiting.get_or_insert_with(Instant::now);
            let silent = since.max(self.last) + self.config.idle_timeout;
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
                Err(_) => Failure::Io(format!("nothing came for {:?}", self.config.idle_timeout)),
            };
            self.down(failure)?;
        }
    }

    /// What a check of the publications compares with.
    fn known(&self) -> Begin {
        Begin { published: self.published.clone(), tables: self.tables.clone(), ..Begin::default() }
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

    /// Handles a lost connection.
    fn down(&mut self, failure: Failure) -> Result<(), WalError> {
        if matches!(self.config.slot, Slot::Temporary(_)) {
            let reason = Gap::TemporarySlotGone { message: failure.to_string() };
            return Err(WalError::MustRefetch { reason });
        }
        // The server reports a missing publication only at the first change. The next connection determines the
        // cause.
        let undefined = failure.code() == Some("42704");
        if !undefined && let Unopened::Never(error) = session::judge(&self.config, failure.clone()) {
            return Err(error);
        }
        let slot = self.config.slot.name();
        tracing::warn!(name: "evented.wal.disconnected", slot, %failure, "the connection broke; the reader connects again");
        self.stream.cut();
        self.link = Link::Down { since: Instant::now(), delays: delays(), undefined, attempt: None };
        Ok(())
    }

    /// Makes one attempt to reconnect, or continues the current one.
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
                tables: self.tables.clone(),
            };
            let (config, delay) = (self.config.clone(), delays.next().unwrap_or_default());
            tokio::spawn(async move {
                sleep(delay).await;
                let limit = Instant::now() + config.idle_timeout;
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
                // The confirmed position may have increased while the connection was opened.
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
        match self.config.reconnect_timeout {
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
