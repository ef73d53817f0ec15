//! Checks the rules of domain events and buses.

use crate::errors::Errors;
use crate::model::{Bus, DomainEvent};
use crate::names;

/// PostgreSQL truncates a longer identifier.
const LONGEST_TABLE: usize = 63;
/// The column has 16 bits.
const LARGEST_VERSION: u32 = 32_767;

/// Reports every inconsistency of a domain event.
pub(crate) fn check_event(event: &DomainEvent, errors: &mut Errors) {
    names_are_names(event, errors);
    key_is_a_field(event, errors);
    each_version_is_reached(event, errors);
}

/// A name that is empty, or an older name that is the name, would never be found.
fn names_are_names(event: &DomainEvent, errors: &mut Errors) {
    for name in std::iter::once(&event.name).chain(&event.aliases) {
        if name.value.is_empty() || name.value.contains('\0') {
            errors.push(name.span, "the name is empty or contains NUL; write `name = \"order_placed\"`");
        }
    }
    for (index, alias) in event.aliases.iter().enumerate() {
        let is_known = alias.value == event.name.value
            || event.aliases[..index].iter().any(|earlier| earlier.value == alias.value);
        if is_known {
            errors.push(alias.span, "the event has this name already; write each older name once");
        }
    }
}

fn key_is_a_field(event: &DomainEvent, errors: &mut Errors) {
    let Some(key) = &event.key else { return };
    if !event.fields.contains(key) {
        let known: Vec<String> = event.fields.iter().map(names::plain).collect();
        let near = names::nearest(&key.to_string(), known.iter().map(String::as_str));
        let meant = names::did_you_mean(near);
        errors.push(
            key.span(),
            format!("no field `{key}`{meant} write `key = field`, with a field of the struct"),
        );
    }
}

/// An event of an older version is upcast step by step, so no step may be missing, and none may be without effect.
fn each_version_is_reached(event: &DomainEvent, errors: &mut Errors) {
    let version = event.version.value;
    if version > LARGEST_VERSION {
        errors.push(
            event.version.span,
            format!("the column has 16 bits; write a version up to {LARGEST_VERSION}"),
        );
        return;
    }
    for from in 0..version {
        if !event.upcasts.iter().any(|(step, _)| step.value == from) {
            let to = from + 1;
            errors.push(
                event.version.span,
                format!("no step from version {from} to {to}; write `upcast({from} = your_fn)`"),
            );
        }
    }
    for (index, (step, _)) in event.upcasts.iter().enumerate() {
        if step.value >= version {
            let needed = step.value + 1;
            errors.push(
                step.span,
                format!("the step never runs, because the version is {version}; write `version = {needed}`"),
            );
        } else if event.upcasts[..index].iter().any(|(earlier, _)| earlier.value == step.value) {
            errors
                .push(step.span, format!("a second step from version {}; write each step once", step.value));
        }
    }
}

/// Reports every inconsistency of a bus.
pub(crate) fn check_bus(bus: &Bus, errors: &mut Errors) {
    let table = &bus.table;
    if table.value.is_empty() || table.value.contains(['"', '\0', '.']) {
        errors.push(table.span, "the name is not that of a table; write `table = \"shop_events\"`");
    }
    if table.value.len() > LONGEST_TABLE {
        errors.push(table.span, "the name exceeds PostgreSQL's limit of 63 bytes; write a shorter `table`");
    }
}
