//! What an operator does: waits, looks at what is set aside, and tries it again.

use std::time::{Duration, Instant};

use anyhow::ensure;
use evented_diesel::prelude::*;
use evented_react::{SetAside, SetAsideState, Which, lag, retry, set_aside};

use crate::Conn;
use crate::subscribers::NAMES;

/// Waits until every event is handled, except orders that are parked: the stock found no item for them.
pub fn settle(conn: &mut Conn, parked: usize, end: Instant) -> anyhow::Result<()> {
    for name in NAMES {
        let parked = if name == "stock" { parked } else { 0 };
        wait(conn, end, name, |conn| {
            let lags = lag(name).run(conn)?;
            // Read after the lag: a delivery is set aside in the transaction that goes on after it.
            let aside = set_aside(name).run(conn)?;
            let is_done = !lags.is_empty() && lags.iter().all(|lag| lag.events == 0);
            Ok(is_done && aside.len() == parked && aside.iter().all(is_parked))
        })?;
    }
    Ok(())
}

/// Waits until a condition holds. What was killed too often is tried again meanwhile.
pub fn wait(
    conn: &mut Conn,
    end: Instant,
    what: &str,
    mut holds: impl FnMut(&mut Conn) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    loop {
        for name in NAMES {
            retry_killed(conn, name)?;
        }
        if holds(conn)? {
            return Ok(());
        }
        if Instant::now() > end {
            let mut aside = Vec::new();
            for name in NAMES {
                aside.extend(set_aside(name).run(conn)?);
            }
            anyhow::bail!("the workers have not finished in time: {what}; set aside: {aside:#?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Tries the deliveries again that are dead because their process has ended three times. A worker cannot tell whether somebody killed
/// the process or the handler ended it. The operator knows that it was killed.
fn retry_killed(conn: &mut Conn, name: &str) -> anyhow::Result<()> {
    for row in set_aside(name).run(conn)?.into_iter().filter(was_killed) {
        retry(name, Which::One(row.id)).run(conn)?;
    }
    Ok(())
}

fn was_killed(row: &SetAside) -> bool {
    let of_process = |error: &String| error.contains("has ended the process");
    row.state == SetAsideState::Dead && row.error.as_ref().is_some_and(of_process)
}

fn is_parked(row: &SetAside) -> bool {
    row.state == SetAsideState::Dead && !was_killed(row)
}

/// Returns the one order that is parked.
pub fn parked(conn: &mut Conn) -> anyhow::Result<SetAside> {
    let mut aside = set_aside("stock").run(conn)?;
    ensure!(aside.len() == 1, "one order is expected to be set aside, not {aside:#?}");
    Ok(aside.remove(0))
}
