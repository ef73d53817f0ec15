//! The derive macros of `evented-diesel`. Use them through that crate, which re-exports them with their
//! documentation.
//!
//! A derive has three stages: `parse` reads the attributes into a `model`, `check` checks that its parts are
//! consistent, and `expand` generates the code. Generated code consists of data and calls. The logic and the database
//! access are ordinary code in the other crates.

use proc_macro::TokenStream;
use syn::DeriveInput;

mod check;
mod errors;
mod expand;
mod model;
mod names;
mod parse;
#[cfg(test)]
mod tests;

#[doc = include_str!("../docs/evented.md")]
#[proc_macro_derive(Evented, attributes(evented, diesel))]
pub fn evented(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    evented_inner(&input).unwrap_or_else(|faults| faults.into_compile_error()).into()
}

#[doc = include_str!("../docs/event_log.md")]
#[proc_macro_derive(EventLog, attributes(event_log))]
pub fn event_log(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    event_log_inner(&input).unwrap_or_else(|faults| faults.into_compile_error()).into()
}

#[doc = include_str!("../docs/domain_event.md")]
#[proc_macro_derive(DomainEvent, attributes(domain_event))]
pub fn domain_event(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    domain_event_inner(&input).unwrap_or_else(|faults| faults.into_compile_error()).into()
}

#[doc = include_str!("../docs/bus.md")]
#[proc_macro_derive(Bus, attributes(bus))]
pub fn bus(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    bus_inner(&input).unwrap_or_else(|faults| faults.into_compile_error()).into()
}

fn domain_event_inner(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    let mut errors = errors::Errors::new();
    let event = parse::domain_event(input, &mut errors);
    if let Some(event) = &event {
        check::check_event(event, &mut errors);
    }
    errors.finish()?;
    Ok(event.map(|event| expand::expand_event(&event)).unwrap_or_default())
}

fn bus_inner(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    let mut errors = errors::Errors::new();
    let bus = parse::bus(input, &mut errors);
    if let Some(bus) = &bus {
        check::check_bus(bus, &mut errors);
    }
    errors.finish()?;
    Ok(bus.map(|bus| expand::expand_bus(&bus)).unwrap_or_default())
}

fn event_log_inner(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    let mut errors = errors::Errors::new();
    let log = parse::log(input, &mut errors);
    if let Some(log) = &log {
        check::check_log(log, &mut errors);
    }
    errors.finish()?;
    Ok(log.map(|log| expand::expand_log(&log)).unwrap_or_default())
}

fn evented_inner(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    let mut errors = errors::Errors::new();
    let model = parse::model(input, &mut errors);
    if let Some(model) = &model {
        check::check(model, &mut errors);
    }
    errors.finish()?;
    Ok(model.map(|model| expand::expand(&model)).unwrap_or_default())
}
