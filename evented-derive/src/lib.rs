//! The derive macros of `evented-diesel`. Use them through that crate, which re-exports them with their
//! documentation.
//!
//! A derive has three stages: `parse` reads the attributes into a `model`, `check` checks that its parts are
//! consistent, and `expand` generates the code. Generated code consists of data and calls. The logic and the database
//! access are ordinary code in the other crates.

use proc_macro::TokenStream;
use syn::DeriveInput;

use crate::errors::Errors;

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
    derive(input, parse::model, check::check, expand::expand)
}

#[doc = include_str!("../docs/event_log.md")]
#[proc_macro_derive(EventLog, attributes(event_log))]
pub fn event_log(input: TokenStream) -> TokenStream {
    derive(input, parse::log, check::check_log, expand::expand_log)
}

#[doc = include_str!("../docs/domain_event.md")]
#[proc_macro_derive(DomainEvent, attributes(domain_event))]
pub fn domain_event(input: TokenStream) -> TokenStream {
    derive(input, parse::domain_event, check::check_event, expand::expand_event)
}

#[doc = include_str!("../docs/bus.md")]
#[proc_macro_derive(Bus, attributes(bus))]
pub fn bus(input: TokenStream) -> TokenStream {
    derive(input, parse::bus, check::check_bus, expand::expand_bus)
}

#[doc = include_str!("../docs/tree.md")]
#[proc_macro_derive(Tree, attributes(tree))]
pub fn tree(input: TokenStream) -> TokenStream {
    derive(input, parse::tree, check::check_tree, expand::expand_tree)
}

/// Runs the three stages of a derive.
fn derive<T>(
    input: TokenStream,
    parse: fn(&DeriveInput, &mut Errors) -> Option<T>,
    check: fn(&T, &mut Errors),
    expand: fn(&T) -> proc_macro2::TokenStream,
) -> TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    let mut errors = Errors::new();
    let parsed = parse(&input, &mut errors);
    if let Some(parsed) = &parsed {
        check(parsed, &mut errors);
    }
    match errors.finish() {
        Ok(()) => parsed.as_ref().map(expand).unwrap_or_default().into(),
        Err(faults) => faults.into_compile_error().into(),
    }
}
