//! Hearing of it.

use std::io::Write;

use anyhow::bail;
use evented_diesel::listen::{Feed, Hub, Interruption};

use crate::model::Item;
use crate::{database, show};

/// A hub on a thread and a connection of its own, and a subscription to the items of an organisation. The feed ends with
/// the hub: keep both.
pub fn subscribe(file: &str, org: i32) -> anyhow::Result<(Hub, Feed<Item>)> {
    let file = file.to_owned();
    let hub = Hub::of::<Item>().start(move || database::open(&file))?;
    let feed = hub.subscribe(Item::changes().scope(Item::ORG.eq(org)))?;
    Ok((hub, feed))
}

/// Prints every change of an organisation's items from now on.
pub fn until_the_end(file: &str, org: i32, out: &mut impl Write) -> anyhow::Result<()> {
    let (hub, mut feed) = subscribe(file, org)?;
    writeln!(out, "Watching organisation {org} in {file}. Ctrl-C ends it.")?;
    while let Some(told) = feed.recv() {
        match told {
            Ok(change) => writeln!(out, "{}", show::change(&change)?)?,
            // A terminal that was halted for long: what it missed is in the log, and comes now.
            Err(Interruption::Lagged { resume_from }) => {
                feed = hub.subscribe_from(Item::changes().scope(Item::ORG.eq(org)), resume_from)?;
            }
            // A write by a newer version of this program, say: told, and gone on after.
            Err(error) if !error.is_final() => writeln!(out, "{error}")?,
            Err(error) => bail!(error),
        }
    }
    Ok(())
}
