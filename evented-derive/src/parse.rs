//! From syntax to [`Model`]: each attribute is read once, and a fault is noted and read past, so that all of
//! them are reported together. What can only be judged by holding parts against each other is in
//! [`check`](crate::check).

mod container;
mod diesel;
mod field;
mod items;
mod key;
mod log;
mod serde;

pub(crate) use self::log::log;

use syn::{Data, DeriveInput, Fields, FieldsNamed};

use self::container::Container;
use self::diesel::OnStruct;
use self::field::Draft;
use crate::errors::Errors;
use crate::model::Model;

/// The model, or `None` if the input is nothing that could be one. It may only be expanded if there are no
/// errors: what was faulty has a stand-in in it or is missing.
pub(crate) fn model(input: &DeriveInput, errors: &mut Errors) -> Option<Model> {
    let container = Container::read(&input.attrs, errors);
    let diesel = OnStruct::read(&input.attrs, errors);
    refuse_generics(input, errors);
    let fields = named_fields(input, errors)?;

    let drafts: Vec<_> = fields.named.iter().filter_map(|field| Draft::read(field, errors)).collect();
    let key = key::find(input, &drafts, diesel.primary_key.as_ref(), errors);
    let fields = drafts.into_iter().enumerate();
    let fields =
        fields.map(|(place, draft)| draft.into_field(&input.ident, Some(place) == key, errors)).collect();
    Some(container.into_model(input, diesel.table, fields))
}

/// What may be written on the struct, for the tests.
#[cfg(test)]
pub(crate) fn struct_forms() -> &'static [(&'static str, &'static str)] {
    container::FORMS
}

/// What may be written on a log, for the tests.
#[cfg(test)]
pub(crate) fn log_forms() -> &'static [(&'static str, &'static str)] {
    log::FORMS
}

/// What may be written on a field, for the tests.
#[cfg(test)]
pub(crate) fn field_forms() -> &'static [(&'static str, &'static str)] {
    field::FORMS
}

/// A generic struct would be many types over one table, and the log would not say which one wrote.
fn refuse_generics(input: &DeriveInput, errors: &mut Errors) {
    if !input.generics.params.is_empty() {
        let reason = "a table holds one type, so a model has no generic parameters";
        errors.push_on(&input.generics.params, format!("{reason}; write `struct {} {{ … }}`", input.ident));
    }
}

/// The fields' names are the columns and the keys in the log.
fn named_fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<&'a FieldsNamed> {
    let what = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(_) => "a tuple struct has no names for its columns",
            Fields::Unit => "a struct without fields has no columns",
        },
        Data::Enum(_) => "an enum is no row of a table",
        Data::Union(_) => "a union is no row of a table",
    };
    let name = &input.ident;
    errors.push(name.span(), format!("{what}; write `struct {name} {{ id: Id<{name}>, … }}`"));
    None
}
