//! Runs the commands about subscribers, derived tables, domain events and schedules.

use crate::admin::Admin;
use crate::arguments::{Bus, Projection, Reacting, Schedule};
use crate::commands::{publish, schedules, subscribers};
use crate::connection::Connection;
use crate::dispatch::{Answered, boxed, unknown};
use crate::erased::{AnyBus, AnyEvent, AnyProjection};
use crate::failure::Failure;

/// Runs a command. Subscribers and schedules are in the database alone; the program must know projections, buses and
/// events.
pub(super) async fn run<Conn: Connection>(
    admin: &Admin<Conn>,
    asked: Reacting,
    connect: impl AsyncFnOnce() -> Result<Conn::Executor, Failure>,
) -> Answered {
    Ok(match asked {
        Reacting::Subscribers => boxed(subscribers::list(&mut connect().await?).await?),
        Reacting::Subscriber(asked) => {
            subscribers::must_be_confirmed(&asked)?;
            boxed(subscribers::run(&mut connect().await?, asked).await?)
        }
        Reacting::Projection(Projection::Rebuild { name }) => {
            let projection = admin.known_projection(&name)?;
            boxed(projection.rebuild(&mut connect().await?).await?)
        }
        Reacting::Projection(Projection::Verify { name }) => {
            let projection = admin.known_projection(&name)?;
            boxed(projection.verify(&mut connect().await?).await?)
        }
        Reacting::Bus(Bus::Prune { name, older_than }) => {
            let bus = admin.known_bus(&name)?;
            boxed(bus.prune(&mut connect().await?, older_than).await?)
        }
        Reacting::Publish(asked) => {
            let event = admin.known_event(&asked.name)?;
            let operation = publish::with_options(event.decode(&asked.payload)?, &asked);
            boxed(publish::run(&mut connect().await?, event.name(), operation).await?)
        }
        Reacting::Schedules => boxed(schedules::list(&mut connect().await?).await?),
        Reacting::Schedule(Schedule::Remove { name }) => {
            boxed(schedules::remove(&mut connect().await?, name).await?)
        }
    })
}

impl<Conn: Connection> Admin<Conn> {
    /// Finds a projection by the name of its subscriber.
    fn known_projection(&self, name: &str) -> Result<&dyn AnyProjection<Conn::Executor>, Failure> {
        let projection = self.projections.iter().find(|projection| projection.name() == name);
        projection.map(AsRef::as_ref).ok_or_else(|| {
            let known: Vec<&str> = self.projections.iter().map(|projection| projection.name()).collect();
            unknown("projection", name, &known)
        })
    }

    /// Finds a bus by the name of its table.
    fn known_bus(&self, name: &str) -> Result<&dyn AnyBus<Conn::Executor>, Failure> {
        let bus = self.buses.iter().find(|bus| bus.name() == name);
        bus.map(AsRef::as_ref).ok_or_else(|| {
            let known: Vec<&str> = self.buses.iter().map(|bus| bus.name()).collect();
            unknown("bus", name, &known)
        })
    }

    /// Finds a domain event by its name, with or without its bus.
    fn known_event(&self, name: &str) -> Result<&dyn AnyEvent, Failure> {
        if let Some(event) = self.events.iter().find(|event| full(event.as_ref()) == name) {
            return Ok(event.as_ref());
        }
        let of_name: Vec<_> =
            self.events.iter().map(AsRef::as_ref).filter(|event| event.name() == name).collect();
        match of_name.as_slice() {
            [event] => Ok(*event),
            [] => {
                let known: Vec<&str> = self.events.iter().map(|event| event.name()).collect();
                Err(unknown("event", name, &known))
            }
            several => {
                let several: Vec<String> = several.iter().copied().map(full).collect();
                let several = several.join(" and ");
                Err(Failure::new(format!("several buses have an event `{name}`; name one of {several}")))
            }
        }
    }
}

/// Returns the name of an event with its bus.
fn full(event: &dyn AnyEvent) -> String {
    format!("{}.{}", event.bus(), event.name())
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use diesel::SqliteConnection;
    use evented_diesel::{Bus, DomainEvent};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Bus)]
    #[bus(table = "other_events")]
    struct Other;

    #[derive(DomainEvent, Serialize, Deserialize)]
    #[domain_event(name = "closed")]
    struct Closed {
        shop: i32,
    }

    #[derive(DomainEvent, Serialize, Deserialize)]
    #[domain_event(name = "closed", bus = Other)]
    struct OtherClosed;

    #[derive(DomainEvent, Serialize, Deserialize)]
    #[domain_event(name = "opened", bus = Other)]
    struct Opened;

    #[test]
    fn an_event_is_found_by_its_name_and_of_several_by_its_bus() {
        let admin =
            Admin::<SqliteConnection>::new().event::<Closed>().event::<OtherClosed>().event::<Opened>();
        let admin = admin.event::<Closed>().bus::<Other>();
        assert_eq!((admin.events.len(), admin.buses.len()), (3, 2));
        let found = |name: &str| admin.known_event(name).map(full).map_err(|failure| failure.0);
        assert_eq!(found("opened").as_deref(), Ok("other_events.opened"));
        assert_eq!(found("other_events.closed").as_deref(), Ok("other_events.closed"));
        assert_eq!(found("domain_events.closed").as_deref(), Ok("domain_events.closed"));
        let several =
            "several buses have an event `closed`; name one of domain_events.closed and other_events.closed";
        assert_eq!(found("closed").unwrap_err(), several);
        assert!(
            found("domain_events.opened")
                .unwrap_err()
                .starts_with("there is no event `domain_events.opened`")
        );
    }

    #[test]
    fn json_of_another_form_is_no_event() {
        let admin = Admin::<SqliteConnection>::new().event::<Closed>();
        let decoded = |json: &str| admin.known_event("closed").and_then(|event| event.decode(json));
        assert!(decoded(r#"{"shop":7}"#).is_ok());
        for json in ["", "null", "{}", r#"{"shop":"x"}"#, r#"{"shop":7}{"shop":8}"#] {
            let failure = decoded(json).unwrap_err();
            assert!(failure.0.starts_with("the JSON is not a valid event `closed`: "), "{failure:?}");
        }
    }
}
