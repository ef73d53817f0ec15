//! What a hub reads: some logs, each for some models, over one connection.

use std::num::{NonZeroU16, NonZeroUsize};
use std::time::{Duration, Instant};

use evented_core::Position;

use super::super::hub::Reached;
use super::super::lane::{position, spot};
use super::super::told::Interruption;
use super::desk::{Behind, Desk, Reading};
use super::histories::learn_histories;
use super::reader::now;
use super::{Source, check_log, check_position, epoch, last_final, mark, page};
use crate::backend::Dialect;
use crate::error::Error;
use crate::run::driver::Driver;
use crate::statement::{Logged, Mark, Spot};

/// How long those who are behind at a desk are served before it is looked again for all the others.
const TURN: Duration = Duration::from_millis(10);

/// How many events are read at once.
pub(crate) const PAGE: NonZeroU16 = NonZeroU16::new(1_000).unwrap();

/// A log, and who reads it.
pub(crate) struct Tap {
    source: Source,
    desks: Vec<Box<dyn Desk>>,
    epoch: u64,
    /// The last event that was told.
    told: Position,
    /// Where reading goes on: at the last event, or behind it, where nothing can come any more.
    after: Spot,
    /// The place before the transaction of which only a part has been read.
    open_since: Option<Spot>,
    /// Who was served last of those who are behind, at each desk.
    served: Vec<u64>,
}

/// Some logs of one database.
pub(crate) struct LogSource {
    taps: Vec<Tap>,
    /// When all was told that was committed: what had been by then.
    drained: Option<Mark>,
    /// The oldest transaction that is still open, as far as that keeps events back.
    pub(crate) held_behind: Option<i64>,
    /// Whether somebody is still being told what was before.
    pub(crate) serves: bool,
}

/// A log with its models, before it is known where reading begins.
pub(crate) struct Planned {
    pub(crate) source: Source,
    pub(crate) desks: Vec<PlannedDesk>,
}

/// Makes a model's desk, once it is known where reading begins, in which epoch, and the states of how many records are
/// remembered.
pub(crate) type PlannedDesk = Box<dyn FnOnce(Position, u64, NonZeroUsize) -> Box<dyn Desk> + Send>;

impl LogSource {
    /// Begins at the present.
    pub(crate) async fn open<DB: Dialect, D: Driver<DB>>(
        driver: &mut D,
        plan: Vec<Planned>,
        records: NonZeroUsize,
    ) -> Result<Self, Error> {
        let mut taps = Vec::with_capacity(plan.len());
        for Planned { source, desks } in plan {
            let (last, mark) = check_log(driver, source.log).await?;
            let epoch = epoch(driver, source.log).await?;
            let after = now(mark.horizon, last);
            let told = last_final(driver, &source, epoch, &mark).await?;
            let desks: Vec<_> = desks.into_iter().map(|desk| desk(told, epoch, records)).collect();
            let served = vec![0; desks.len()];
            taps.push(Tap { source, desks, epoch, told, after, open_since: None, served });
        }
        Ok(Self { taps, drained: None, held_behind: None, serves: false })
    }

    /// After the connection was made anew: whether the logs go on as they did. Where one does not, its subscribers are
    /// told, and it begins anew at the present. `passed` hears how far each log has been told now.
    pub(crate) async fn reopen<DB: Dialect, D: Driver<DB>>(
        &mut self,
        driver: &mut D,
        mut passed: impl FnMut(Reached) + Send,
    ) -> Result<(), Error> {
        self.drained = None;
        for tap in &mut self.taps {
            let mark = mark(driver, tap.source.log).await?;
            let epoch = epoch(driver, tap.source.log).await?;
            match check_position(driver, &tap.source, epoch, &mark, tap.told).await {
                // The numbers of transactions beyond the last event are given again after a crash, or in a backup.
                Ok(()) => tap.after = spot(tap.told),
                Err(Error::MustRefetch { reason, .. }) => tap.restart(driver, epoch, reason).await?,
                Err(other) => return Err(other),
            }
            let begun = |place| position(tap.source.stream, tap.epoch, place, None);
            passed(Reached { last: tap.told, to: tap.open_since.map_or(tap.told, begun) });
        }
        Ok(())
    }

    /// Reads what is new; says whether there may be more already. `passed` hears how far each log has been told.
    pub(crate) async fn poll<DB: Dialect, D: Driver<DB>>(
        &mut self,
        driver: &mut D,
        mut passed: impl FnMut(Reached) + Send,
    ) -> Result<bool, Error> {
        let Some(first) = self.taps.first() else { return Ok(false) };
        let mark = mark(driver, first.source.log).await?;
        let mut more = false;
        if self.drained.as_ref() != Some(&mark) {
            self.held_behind = mark.horizon.filter(|horizon| Some(*horizon) != mark.next);
            for tap in &mut self.taps {
                more |= tap.poll(driver, &mark, &mut passed).await?;
            }
            self.drained = (!more).then(|| mark.clone());
        }
        self.serves = false;
        for tap in &mut self.taps {
            let served = tap.serve_behind(driver, &mark).await?;
            more |= served.more;
            self.serves |= served.any;
        }
        Ok(more)
    }
}

impl Tap {
    /// The log does not go on: its subscribers are told, and it begins anew at the present.
    async fn restart<DB: Dialect, D: Driver<DB>>(
        &mut self,
        driver: &mut D,
        epoch: u64,
        reason: &str,
    ) -> Result<(), Error> {
        // First of all: what comes may not be readable at all.
        let why = Interruption::MustRefetch { reason: reason.into() };
        self.desks.iter_mut().for_each(|desk| desk.restart(&why, epoch, self.told));
        let (last, mark) = check_log(driver, self.source.log).await?;
        let told = last_final(driver, &self.source, epoch, &mark).await?;
        (self.epoch, self.after, self.told) = (epoch, now(mark.horizon, last), told);
        self.open_since = None;
        self.desks.iter_mut().for_each(|desk| desk.restart(&why, epoch, told));
        Ok(())
    }

    /// Reads the next page, and tells it to all.
    async fn poll<DB: Dialect, D: Driver<DB>>(
        &mut self,
        driver: &mut D,
        mark: &Mark,
        passed: &mut (impl FnMut(Reached) + Send),
    ) -> Result<bool, Error> {
        if !DB::NUMBERS_TRANSACTIONS {
            // A file can be restored under a connection that stays: the same positions are given again.
            match check_position(driver, &self.source, self.epoch, mark, self.told).await {
                Ok(()) => {}
                Err(Error::MustRefetch { reason, .. }) => self.restart(driver, self.epoch, reason).await?,
                Err(other) => return Err(other),
            }
        }
        let read = page(driver, &self.source, self.after, mark.horizon, PAGE.get().into()).await?;
        let more = read.next_txid.is_some();
        let (stream, epoch) = (self.source.stream, self.epoch);
        let ends = read.ends::<DB>();
        let source = &self.source;
        let mut events = read.events.into_iter();
        for end in ends {
            let Some(logged) = events.next() else { break };
            let (place, id) = ((logged.event.txid, logged.event.position), logged.event.id);
            self.open_since.get_or_insert(self.after);
            if let Some(desk) = self.desks.iter_mut().find(|desk| source.is_of(desk.schema(), &logged)) {
                tell(driver, source, desk.as_mut(), Reading::Live, logged, events.as_slice()).await?;
            }
            self.after = place;
            self.told = position(stream, epoch, place, Some(id));
            if end {
                self.desks.iter_mut().for_each(|desk| desk.end(Reading::Live));
                self.open_since = None;
            }
        }
        if let Some(broken) = read.broken {
            for desk in self.desks.iter_mut().filter(|desk| source.may_be_of(desk.schema(), &broken)) {
                desk.broken(Reading::Live, &broken);
            }
            (self.after, self.told) = (broken.place, position(stream, epoch, broken.place, None));
            self.desks.iter_mut().for_each(|desk| desk.end(Reading::Live));
            self.open_since = None;
        }
        if !more && let Some(horizon) = mark.horizon {
            // Nothing can come any more before the oldest transaction that is open.
            self.after = self.after.max((horizon - 1, i64::MAX));
        }
        if self.open_since.is_none() {
            // Also for those to whose model nothing has happened.
            self.desks.iter_mut().for_each(|desk| desk.passed(self.told));
        }
        // Of a transaction that goes on the last change is not told yet.
        let reached = self.open_since.unwrap_or(self.after);
        passed(Reached { last: self.told, to: position(stream, epoch, reached, None) });
        Ok(more)
    }

    /// Tells those who are behind what there is room for, one after the other, up to a time: the others do not wait for
    /// them. Who was not served goes first the next time.
    async fn serve_behind<DB: Dialect, D: Driver<DB>>(
        &mut self,
        driver: &mut D,
        mark: &Mark,
    ) -> Result<Served, Error> {
        let mut served = Served::default();
        for (desk, last) in self.desks.iter_mut().zip(&mut self.served) {
            let until = Instant::now() + TURN;
            let mut behind = desk.behind();
            let first = behind.iter().position(|it| it.id > *last).unwrap_or(0);
            behind.rotate_left(first);
            for behind in behind {
                if Instant::now() >= until {
                    served.more = true;
                    break;
                }
                served.any = true;
                *last = behind.id;
                served.more |= serve(driver, &self.source, self.epoch, mark, desk.as_mut(), behind).await?;
            }
        }
        Ok(served)
    }
}

/// How those who are behind were served.
#[derive(Default)]
struct Served {
    /// Whether there was anybody.
    any: bool,
    /// Whether there is more to be told that there is room for.
    more: bool,
}

/// Tells somebody who is behind what there is room for; says whether there is more.
async fn serve<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    epoch: u64,
    mark: &Mark,
    desk: &mut (dyn Desk + 'static),
    behind: Behind,
) -> Result<bool, Error> {
    let Behind { id, from, at, room } = behind;
    let after = match at {
        Some(at) => at,
        None => match check_position(driver, source, epoch, mark, from).await {
            Ok(()) => spot(from),
            Err(Error::MustRefetch { reason, .. }) => {
                desk.interrupt_one(id, Interruption::MustRefetch { reason: reason.into() });
                return Ok(false);
            }
            Err(Error::Position { .. }) => {
                let reason = "the position is of another stream of changes".into();
                desk.interrupt_one(id, Interruption::MustRefetch { reason });
                return Ok(false);
            }
            Err(other) => return Err(other),
        },
    };
    let size = i64::try_from(room).unwrap_or(i64::MAX).min(PAGE.get().into());
    if size == 0 {
        return Ok(false);
    }
    let of = Reading::Behind(id);
    let read = page(driver, source, after, mark.horizon, size).await?;
    let ends = read.ends::<DB>();
    let more = read.next_txid.is_some();
    let mut events = read.events.into_iter();
    for end in ends {
        let Some(logged) = events.next() else { break };
        let place = (logged.event.txid, logged.event.position);
        if source.is_of(desk.schema(), &logged) {
            tell(driver, source, desk, of, logged, events.as_slice()).await?;
        }
        desk.read_to(id, place);
        if end {
            desk.end(of);
        }
    }
    if let Some(broken) = read.broken {
        if source.may_be_of(desk.schema(), &broken) {
            desk.broken(of, &broken);
        }
        desk.read_to(id, broken.place);
        desk.end(of);
    }
    if !more {
        desk.caught_up(id);
    }
    Ok(more)
}

/// Tells a desk of an event of its model; first the histories that it lacks, for that event and those after it, so that it
/// takes few statements.
async fn tell<DB: Dialect, D: Driver<DB>>(
    driver: &mut D,
    source: &Source,
    desk: &mut (dyn Desk + 'static),
    of: Reading,
    logged: Logged,
    rest: &[Logged],
) -> Result<(), Error> {
    let Some(logged) = desk.take(of, logged) else { return Ok(()) };
    let (schema, wanted) = (desk.schema(), desk.lacking(of, source, &logged, rest));
    let learn = |record: &_, history: &[_]| desk.learn(of, record, history);
    learn_histories(driver, source, schema, wanted, learn).await?;
    desk.take_after_history(of, logged);
    Ok(())
}
