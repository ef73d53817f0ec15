//! The set of four labels in the terminal, compared with hand-written queries at each rest.

use std::fmt::Write as _;
use std::time::Duration;

use diesel::{BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _};
use diesel_async::RunQueryDsl as _;
use evented_diesel::prelude::*;
use evented_live::{Answer, AsyncSet, Label, List, LiveDsl, LiveError, Row};

use crate::database::{Conn, Store};
use crate::model::{Org, Ticket, orgs, tickets};

/// How long nothing changes at a rest.
const REST: Duration = Duration::from_millis(500);

/// The labels.
struct Labels {
    org: Label<Option<Row<Org>>>,
    urgent: Label<List<Row<Ticket>>>,
    closed: Label<List<Id<Ticket>>>,
    counts: Label<Answer<Vec<(i16, i64)>>>,
}

fn labels(store: &Store, set: &mut AsyncSet<Conn>, org: i32) -> Result<Labels, LiveError> {
    Ok(Labels {
        org: set.sync("org", Org::live().one(org))?,
        urgent: set.sync(
            "urgent",
            Ticket::live()
                .filter(|t| t.org_id.eq(org).and(t.closed.eq(false)))
                .order(|t| (t.urgency.desc(), t.title.asc()))
                .limit(5),
        )?,
        closed: set
            .sync("closed", Ticket::live().filter(|t| t.org_id.eq(org).and(t.closed.eq(true))).keys())?,
        // Any other query of Diesel's: it is run again when a ticket of the organisation changes.
        counts: set.sync(
            "counts",
            store.requery(
                ("counts", org),
                Ticket::changes().scope(Ticket::ORG.eq(org)),
                move |conn: &mut Conn| {
                    let counts = tickets::table
                        .filter(tickets::org_id.eq(org))
                        .group_by(tickets::urgency)
                        .select((tickets::urgency, diesel::dsl::count_star()))
                        .order(tickets::urgency);
                    Box::pin(async move { counts.load(conn).await })
                },
            ),
        )?,
    })
}

/// Shows each turn, and whether the set equals the database at each rest, until the store stops.
pub async fn until_the_end(
    store: &Store,
    org: i32,
    conn: &mut Conn,
    mut out: impl FnMut(String),
) -> anyhow::Result<()> {
    let mut set = store.set();
    let labels = labels(store, &mut set, org)?;
    set.ready().await?;
    out(shown(&set, &labels));
    let mut is_checked = false;
    loop {
        match tokio::time::timeout(REST, set.changed()).await {
            Ok(Some(turn)) => {
                let turn = turn?;
                let changed: Vec<&str> = turn.labels().collect();
                let text = format!("changed: {}, at {}", changed.join(", "), turn.position());
                out(text);
                out(shown(&set, &labels));
                is_checked = false;
            }
            Ok(None) => return Ok(()),
            Err(_) if is_checked => {}
            Err(_) => {
                out(format!("at rest; it equals SQL: {}", equals_sql(&set, &labels, org, conn).await?));
                is_checked = true;
            }
        }
    }
}

fn shown(set: &AsyncSet<Conn>, labels: &Labels) -> String {
    let mut text = String::new();
    if let Some(Some(org)) = set.get(labels.org) {
        let _ = write!(text, "  {}", org.name);
    }
    let closed = set.get(labels.closed).map_or(0, |keys| keys.len());
    let _ = writeln!(text, ", {closed} closed; the most urgent:");
    for ticket in &set.get(labels.urgent).unwrap_or_default() {
        let _ = writeln!(text, "    {}  {}", ticket.urgency, ticket.title);
    }
    text
}

/// Whether the labels are what hand-written queries return.
async fn equals_sql(
    set: &AsyncSet<Conn>,
    labels: &Labels,
    org: i32,
    conn: &mut Conn,
) -> anyhow::Result<bool> {
    let of_org: Option<Org> = orgs::table.find(org).first(conn).await.optional()?;
    let urgent: Vec<Ticket> = tickets::table
        .filter(tickets::org_id.eq(org).and(tickets::closed.eq(false)))
        .order((tickets::urgency.desc(), tickets::title, tickets::id))
        .limit(5)
        .load(conn)
        .await?;
    let closed: Vec<Id<Ticket>> = tickets::table
        .filter(tickets::org_id.eq(org).and(tickets::closed.eq(true)))
        .order(tickets::id)
        .select(tickets::id)
        .load(conn)
        .await?;
    let counts: Vec<(i16, i64)> = tickets::table
        .filter(tickets::org_id.eq(org))
        .group_by(tickets::urgency)
        .select((tickets::urgency, diesel::dsl::count_star()))
        .order(tickets::urgency)
        .load(conn)
        .await?;
    Ok(set.get(labels.org).flatten().map(|org| org.to_record()) == of_org
        && set.get(labels.urgent).is_some_and(|list| list == urgent)
        && set.get(labels.closed).is_some_and(|list| list == closed)
        && set.get(labels.counts).is_some_and(|answer| *answer == counts))
}
