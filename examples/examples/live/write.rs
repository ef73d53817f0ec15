//! Writes at random.

use std::time::{Duration, SystemTime};

use diesel::prelude::*;
use evented_diesel::prelude::*;

use crate::database;
use crate::model::{NewTicket, Org, OrgChanges, Ticket, TicketChanges, tickets};

const TITLES: [&str; 6] =
    ["Lamp flickers", "Door is stuck", "No <heat>", "Printer jams", "Leak & smell", "Wi-Fi drops"];

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end.max(1)
    }

    fn urgency(&mut self) -> i16 {
        i16::try_from(self.below(10)).unwrap_or_default()
    }
}

/// Makes this many changes, with a pause after each, in milliseconds.
pub fn at_random(file: &str, changes: usize, pause: u64) -> anyhow::Result<()> {
    let mut conn = database::open(file)?;
    let seed = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.subsec_nanos());
    let mut random = Random(u64::from(seed));
    for number in 0..changes {
        // Another writer may have deleted the ticket meanwhile.
        if let Err(error) = change(&mut conn, &mut random, number)
            && !error.downcast_ref().is_some_and(evented_diesel::Error::is_missing)
        {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(pause));
    }
    println!("{changes} changes written");
    Ok(())
}

fn change(conn: &mut SqliteConnection, random: &mut Random, number: usize) -> anyhow::Result<()> {
    let open: Vec<Ticket> = tickets::table.filter(tickets::closed.eq(false)).load(conn)?;
    let ticket = open.get(random.below(open.len()));
    match (random.below(8), ticket) {
        (0..3, _) | (_, None) => {
            let org_id = 1 + i32::try_from(random.below(2))?;
            let title = format!("{} ({number})", TITLES[random.below(TITLES.len())]);
            let urgency = random.urgency();
            Ticket::insert(NewTicket { org_id, title, urgency, closed: false }).by("user:1").run(conn)?;
        }
        (3, Some(ticket)) => {
            ticket
                .update(TicketChanges { closed: Some(true), ..Default::default() })
                .by("user:2")
                .run(conn)?;
        }
        (4, Some(ticket)) => {
            // To the other organisation: it leaves one page and enters the other.
            let org_id = Some(3 - ticket.org_id);
            ticket.update(TicketChanges { org_id, ..Default::default() }).by("user:2").run(conn)?;
        }
        (5, Some(ticket)) => drop(ticket.delete().run(conn)?),
        (6, Some(ticket)) => {
            // Two records in one transaction: no viewer sees one without the other.
            let name = Some(format!("Org {} of {number}", ticket.org_id));
            conn.immediate_transaction(|conn| {
                if let Some(org) = Org::replay(ticket.org_id).run(conn)? {
                    org.update(OrgChanges { name }).run(conn)?;
                }
                ticket.update(TicketChanges { urgency: Some(9), ..Default::default() }).run(conn)?;
                Ok::<_, evented_diesel::Error>(())
            })?;
        }
        (_, Some(ticket)) => {
            let urgency = Some(random.urgency());
            ticket.update(TicketChanges { urgency, ..Default::default() }).by("user:3").run(conn)?;
        }
    }
    Ok(())
}
