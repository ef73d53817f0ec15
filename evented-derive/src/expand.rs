//! From the model to code: one file for each thing that is generated.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Path};

use crate::model::{Field, FieldKind, KeyKind, Model};
use crate::names::plain;

mod actions;
mod event;
mod evented;
mod inputs;
mod log;
mod log_only;
mod methods;
mod scopes;
mod tables;

pub(crate) use log::expand as expand_log;

/// Everything that a derive generates.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let names = Names::new(model);
    let inputs = inputs::expand(model, &names);
    let event = event::expand(model, &names);
    let log = log::of_ones_own(model, &names);
    let methods = methods::expand(model, &names);
    let hidden = [
        evented::expand(model, &names),
        actions::expand(model, &names),
        event::body(model, &names),
        inputs::impls(model, &names),
        tables::expand(model, &names),
        scopes::expand(model, &names),
    ];
    // The compiler reports errors in this order, and those of the hidden parts say best where they come from.
    quote! {
        #[doc(hidden)]
        const _: () = {
            #(#hidden)*
        };
        #inputs
        #event
        #log
        #methods
    }
}

/// The names that the generated parts know each other by.
pub(crate) struct Names {
    /// The one hidden module that generated code may name.
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
    /// Its name.
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
        let log = model.log.as_ref().map_or_else(|| quote!(#log_table::table), |path| quote!(#path));
        Self {
            private: quote!(#krate::__private),
            new: new.unwrap_or_else(|| generated(format_ident!("New{ident}"))),
            changes: changes.unwrap_or_else(|| generated(format_ident!("{ident}Changes"))),
            event: format_ident!("{ident}Event"),
            log,
            log_table,
            log_name,
        }
    }
}

impl Model {
    /// The key; parsing made sure that there is one.
    fn key(&self) -> Option<(&Field, KeyKind)> {
        self.fields.iter().find_map(|field| match field.kind {
            FieldKind::Key(kind) => Some((field, kind)),
            _ => None,
        })
    }

    fn state(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.is_state())
    }

    fn of_kind(&self, kind: FieldKind) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |field| field.kind == kind)
    }
}

/// `let function: type = path;`, so that a function of another type is reported where the user names it, with the
/// type it must have.
fn typed_function(path: &Path, ty: &TokenStream) -> TokenStream {
    // The statement is the user's path to the compiler, but the variable is not: that may be within a macro.
    let function = quote!(function);
    quote_spanned!(path.span()=> let #function: #ty = #path;)
}
