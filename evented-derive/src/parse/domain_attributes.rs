//! Parses `#[domain_event(…)]` and `#[bus(…)]`.

use syn::parse::ParseStream;
use syn::{Data, DeriveInput, Fields, Ident, Path};

use super::items::{self, Form};
use crate::errors::Errors;
use crate::model::{Bus, DomainEvent, Spanned};

/// The attributes of a domain event.
pub(super) const EVENT: &[Form] = &[
    ("name", "#[domain_event(name = \"order_placed\")]"),
    ("aliases", "#[domain_event(aliases(\"order_created\"))]"),
    ("version", "#[domain_event(version = 1)]"),
    ("upcast", "#[domain_event(upcast(0 = f, 1 = g))]"),
    ("key", "#[domain_event(key = order)]"),
    ("bus", "#[domain_event(bus = Shop)]"),
    ("crate", "#[domain_event(crate = path::to::evented_diesel)]"),
];

/// The attributes of a bus.
pub(super) const BUS: &[Form] =
    &[("table", "#[bus(table = \"shop_events\")]"), ("crate", "#[bus(crate = path::to::evented_diesel)]")];

#[derive(Default)]
struct EventDraft {
    name: Option<Spanned<String>>,
    aliases: Vec<Spanned<String>>,
    version: Option<Spanned<u32>>,
    upcasts: Vec<(Spanned<u32>, Path)>,
    key: Option<Ident>,
    bus: Option<Path>,
    krate: Option<Path>,
}

/// The domain event; `None` if the input cannot be one.
pub(crate) fn domain_event(input: &DeriveInput, errors: &mut Errors) -> Option<DomainEvent> {
    let mut draft = EventDraft::default();
    let mut seen = Vec::new();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("domain_event")) {
        items::each_of(attribute, EVENT[0].1, errors, |input, errors| {
            let unknown = |name: &Ident| items::unknown_among(EVENT, "attribute", &name.to_string());
            items::named(input, EVENT, unknown, &mut seen, errors, |form, _, input, errors| {
                draft.value(form, input, errors)
            })
        });
    }
    let ident = &input.ident;
    if !input.generics.params.is_empty() {
        let reason = "the events of one name have one form, so a domain event has no generic parameters";
        errors.push_on(&input.generics.params, format!("{reason}; write `struct {ident} {{ … }}`"));
        return None;
    }
    let Some(name) = draft.name else {
        let reason = "the event has no name, by which a bus stores it";
        errors.push(ident.span(), format!("{reason}; write `{}`", EVENT[0].1));
        return None;
    };
    let version = draft.version.unwrap_or(Spanned { value: 0, span: ident.span() });
    Some(DomainEvent {
        ident: ident.clone(),
        krate: draft.krate.unwrap_or_else(|| syn::parse_quote!(::evented_diesel)),
        name,
        aliases: draft.aliases,
        version,
        upcasts: draft.upcasts,
        key: draft.key,
        bus: draft.bus,
        fields: named_fields(&input.data),
    })
}

impl EventDraft {
    fn value(&mut self, (name, form): Form, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        match name {
            "name" => self.name = Some(items::equals(input)?),
            "aliases" => self.aliases.extend(items::list(input, form, errors, |input, _| input.parse())?),
            "version" => self.version = Some(items::equals(input)?),
            "upcast" => {
                self.upcasts.extend(items::list(input, form, errors, |input, _| items::upcast(input))?);
            }
            "key" => self.key = Some(items::equals(input)?),
            "bus" => self.bus = Some(items::equals(input)?),
            "crate" => self.krate = Some(items::equals(input)?),
            // An attribute without an arm here stays unread, and the caller reports it.
            _ => {}
        }
        Ok(())
    }
}

fn named_fields(data: &Data) -> Vec<Ident> {
    match data {
        Data::Struct(data) => data.fields.iter().filter_map(|field| field.ident.clone()).collect(),
        Data::Enum(_) | Data::Union(_) => Vec::new(),
    }
}

/// The bus; `None` if the input cannot be one.
pub(crate) fn bus(input: &DeriveInput, errors: &mut Errors) -> Option<Bus> {
    let (mut table, mut krate) = (None, None);
    let mut seen = Vec::new();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("bus")) {
        items::each_of(attribute, BUS[0].1, errors, |input, errors| {
            let unknown = |name: &Ident| items::unknown_among(BUS, "attribute", &name.to_string());
            items::named(input, BUS, unknown, &mut seen, errors, |(name, _), _, input, _| {
                match name {
                    "table" => table = Some(items::equals(input)?),
                    "crate" => krate = Some(items::equals(input)?),
                    _ => {}
                }
                Ok(())
            })
        });
    }
    let ident = &input.ident;
    let is_unit = matches!(&input.data, Data::Struct(data) if matches!(data.fields, Fields::Unit));
    if !is_unit || !input.generics.params.is_empty() {
        let reason = "a struct without fields and parameters identifies a bus";
        errors.push(ident.span(), format!("{reason}; write `pub struct {ident};`"));
        return None;
    }
    let Some(table) = table else {
        errors.push(ident.span(), format!("the bus has no table; write `{}`", BUS[0].1));
        return None;
    };
    let krate = krate.unwrap_or_else(|| syn::parse_quote!(::evented_diesel));
    Some(Bus { ident: ident.clone(), krate, table })
}
