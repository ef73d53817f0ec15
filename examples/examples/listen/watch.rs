//! Subscribes to the items of an organisation, and prints their changes.

use evented_diesel::EventedDsl as _;
use std::io::Write;

use anyhow::bail;
use evented_feed::{Feed, Hub, Interruption};

use crate::model::Item;
use crate::{database, show};

/// Starts a hub on its own thread and connection, and subscribes to the items of an organisation. The feed ends when
/// the hub is dropped: keep both.
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
    while let Some(delivered) = feed.recv() {
        match delivered {
            Ok(change) => writeln!(out, "{}", show::change(&change)?)?,
            // The terminal was suspended for a long time. The changes that it missed are in the log, and are delivered
            // now.
            Err(Interruption::Lagged { resume_from }) => {
                feed = hub.subscribe_from(Item::changes().scope(Item::ORG.eq(org)), resume_from)?;
            }
            // An event that cannot be read, for example a write by a newer version of this program: print the error,
            // and continue.
            Err(error) if !error.is_final() => writeln!(out, "{error}")?,
            Err(error) => bail!(error),
        }
    }
    Ok(())
}
