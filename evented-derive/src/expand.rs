//! Generates code from the model: one file for each kind of generated item.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Path};

use crate::model::{EventName, Field, FieldKind, Model, Owner};
use crate::names::plain;

mod action_impls;
mod domain_impls;
mod event;
mod evented;
mod formats;
mod inputs;
mod keys;
mod live;
mod log_impl;
mod log_only;
mod methods;
mod publishes;
mod rows;
mod scopes;
mod tables;
mod tree_branches;
mod tree_impls;

pub(crate) use domain_impls::{expand_bus, expand_event};
pub(crate) use log_impl::expand as expand_log;
pub(crate) use tree_impls::expand as expand_tree;

/// Generates all code of the derive.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let names = Names::new(model);
    let inputs = inputs::expand(model, &names);
    let event = event::expand(model, &names);
    let log = log_impl::of_ones_own(model, &names);
    let methods = methods::expand(model, &names);
    let live_fields = live::fields(model, &names);
    let hidden = [
        evented::expand(model, &names),
        action_impls::expand(model, &names),
        event::body(model, &names),
        inputs::impls(model, &names),
        formats::expand(model, &names),
        tables::expand(model, &names),
        scopes::expand(model, &names),
        live::impls(model, &names),
    ];
    let hides_event = matches!(model.names.event, Some(EventName::Hidden));
    let hidden_event = hides_event.then_some(&event);
    let event = (!hides_event).then_some(&event);
    // The compiler reports errors in this order. The errors in the hidden parts show their origin best.
    quote! {
        #[doc(hidden)]
        const _: () = {
            #hidden_event
            #(#hidden)*
        };
        #inputs
        #event
        #log
        #methods
        #live_fields
    }
}

/// The names by which the generated parts refer to each other.
pub(crate) struct Names {
    /// The hidden module of the library that generated code may use.
    private: TokenStream,
    /// The input of an insert: generated, or the user's own.
    new: TokenStream,
    /// The input of an update: generated, or the user's own.
    changes: TokenStream,
    event: Ident,
    /// The log: the struct that several models share, or the table of the model's own.
    log: TokenStream,
    /// The module of the model's own log, generated or the user's.
    log_table: TokenStream,
    /// The name of that module.
    log_name: Ident,
}

impl Names {
    fn new(model: &Model) -> Self {
        let ident = &model.ident;
        let krate = &model.krate;
        let generated = |name: Ident| quote!(#name);
        let new = model.insert.as_ref().map(|path| quote!(#path));
        let changes = model.update.as_ref().map(|path| quote!(#path));
        let table = model.table.segments.last().map(|segment| plain(&segment.ident)).unwrap_or_default();
        let log_name = match model.log_table.as_ref().and_then(|path| path.segments.last()) {
            Some(segment) => segment.ident.clone(),
            None => format_ident!("{table}_events"),
        };
        let log_table =
            model.log_table.as_ref().map_or_else(|| generated(log_name.clone()), |path| quote!(#path));
        let own_log = if model.log_table.is_some() {
            generated(format_ident!("{ident}Log"))
        } else {
            quote!(#log_table::table)
        };
        let log = model.shared_log.as_ref().map_or(own_log, |path| quote!(#path));
        Self {
            private: quote!(#krate::__private),
            new: new.unwrap_or_else(|| {
                generated(model.names.insert.clone().unwrap_or_else(|| format_ident!("New{ident}")))
            }),
            changes: changes.unwrap_or_else(|| {
                generated(model.names.update.clone().unwrap_or_else(|| format_ident!("{ident}Changes")))
            }),
            event: match &model.names.event {
                Some(EventName::Given(name)) => name.clone(),
                Some(EventName::Hidden) | None => format_ident!("{ident}Event"),
            },
            log,
            log_table,
            log_name,
        }
    }
}

impl Model {
    /// The type of the key: the type of the field, or a tuple.
    fn key_type(&self) -> TokenStream {
        let types: Vec<_> = self.keys().map(|(field, _)| &field.ty).collect();
        match types.as_slice() {
            [ty] => quote!(#ty),
            types => quote!((#(#types),*)),
        }
    }

    /// The expression for a part of the key in the variable `key`.
    fn key_part(&self, key: &TokenStream, part: usize) -> TokenStream {
        if self.key.len() == 1 {
            return quote!(#key);
        }
        let part = syn::Index::from(part);
        quote!(#key.#part)
    }

    /// The index of a field among the parts of the key.
    fn part_of(&self, field: &Field) -> Option<usize> {
        self.keys().position(|(part, _)| part.ident == field.ident)
    }

    fn state(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.is_state())
    }

    /// The content of a struct expression of the model, with a value for each field.
    fn fields_with(&self, value: impl Fn(&Field) -> TokenStream) -> TokenStream {
        let mut content = TokenStream::new();
        for group in self.fields.chunk_by(|one, next| {
            one.owner.as_ref().zip(next.owner.as_ref()).is_some_and(|(one, next)| one.ident == next.ident)
        }) {
            let parts = group.iter().map(|field| {
                let (ident, value) = (&field.ident, value(field));
                quote!(#ident: #value)
            });
            content.extend(match group.first().and_then(|field| field.owner.as_ref()) {
                Some(Owner { ident, ty }) => quote!(#ident: #ty { #(#parts),* },),
                None => quote!(#(#parts),*,),
            });
        }
        content
    }

    /// The fields that are columns of the table, in the order in which rows are read.
    fn columns(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.is_column())
    }

    fn of_kind(&self, kind: FieldKind) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |field| field.kind == kind)
    }
}

impl Field {
    /// The path of the field within the model: its name, or that of the embedded struct and its name there.
    fn path(&self) -> TokenStream {
        let ident = &self.ident;
        match &self.owner {
            Some(Owner { ident: owner, .. }) => quote!(#owner.#ident),
            None => quote!(#ident),
        }
    }
}

/// Generates `let function: type = path;`. A function of another type is then reported where the user names it, with
/// the expected type.
fn typed_function(path: &Path, ty: &TokenStream) -> TokenStream {
    // The statement has the span of the user's path. The variable has not, because that path may be within a macro.
    let function = quote!(function);
    quote_spanned!(path.span()=> let #function: #ty = #path;)
}
