//! Parses the syntax into a [`Model`]. Each attribute is read once. An error is recorded and skipped, so that all
//! errors are reported together. [`check`](crate::check) has the rules that need several parts of the model.

mod actions;
mod container;
mod diesel;
mod domain_attributes;
mod field;
mod items;
mod key;
mod log_attributes;
mod publish;
mod tree_attributes;

pub(crate) use self::domain_attributes::{bus, domain_event};
pub(crate) use self::log_attributes::log;
pub(crate) use self::tree_attributes::tree;

use syn::{Data, DeriveInput, Fields, FieldsNamed};

use self::container::Container;
use self::diesel::OnStruct;
use self::field::FieldDraft;
use crate::errors::Errors;
use crate::model::Model;

/// The model; `None` if the input cannot be a model. The model may be expanded only if there are no errors, because
/// placeholders stand for the parts with errors, or these parts are missing.
pub(crate) fn model(input: &DeriveInput, errors: &mut Errors) -> Option<Model> {
    let container = Container::read(&input.attrs, errors);
    let diesel = OnStruct::read(&input.attrs, errors);
    refuse_generics(input, errors);
    let fields = named_fields(input, errors)?;

    let drafts: Vec<_> = fields.named.iter().filter_map(|field| FieldDraft::read(field, errors)).collect();
    let key = key::find(input, &drafts, &diesel.primary_key, errors);
    let mut fields = Vec::with_capacity(drafts.len());
    // An embedded struct is several fields, so the indices of the fields after it differ.
    let mut places = vec![0; drafts.len()];
    for (index, draft) in drafts.into_iter().enumerate() {
        places[index] = fields.len();
        fields.extend(draft.into_fields(&input.ident, key.contains(&index), errors));
    }
    let key = key.into_iter().map(|index| places[index]).collect();
    Some(container.into_model(input, diesel, fields, key))
}

/// The attributes of the struct, for the tests.
#[cfg(test)]
pub(crate) fn struct_forms() -> &'static [(&'static str, &'static str)] {
    container::FORMS
}

/// The options of the struct's attributes, for the tests.
#[cfg(test)]
pub(crate) fn struct_option_forms() -> Vec<(&'static str, &'static str)> {
    [container::LOG, container::NAMES, container::SAVEPOINT, actions::OPTIONS].concat()
}

/// The options of a log's attributes, for the tests.
#[cfg(test)]
pub(crate) fn log_option_forms() -> Vec<(&'static str, &'static str)> {
    log_attributes::MODEL.to_vec()
}

/// The attributes of a log, for the tests.
#[cfg(test)]
pub(crate) fn log_forms() -> &'static [(&'static str, &'static str)] {
    log_attributes::FORMS
}

/// The attributes of a tree and of its fields, for the tests.
#[cfg(test)]
pub(crate) fn tree_forms() -> Vec<(&'static str, &'static str)> {
    [tree_attributes::FIELD, tree_attributes::STRUCT].concat()
}

/// The options of the attributes of a tree's fields, for the tests.
#[cfg(test)]
pub(crate) fn tree_option_forms() -> Vec<(&'static str, &'static str)> {
    [tree_attributes::JOIN, tree_attributes::THROUGH].concat()
}

/// The attributes of a field, for the tests.
#[cfg(test)]
pub(crate) fn field_forms() -> &'static [(&'static str, &'static str)] {
    field::FORMS
}

/// A generic struct would be several types over one table, and the log would not record which type wrote an event.
fn refuse_generics(input: &DeriveInput, errors: &mut Errors) {
    if !input.generics.params.is_empty() {
        let reason = "a table holds one type, so a model has no generic parameters";
        errors.push_on(&input.generics.params, format!("{reason}; write `struct {} {{ … }}`", input.ident));
    }
}

/// The fields of the struct. Their names are the columns, and the keys in the log.
fn named_fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<&'a FieldsNamed> {
    let what = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(_) => "a tuple struct has no names for its columns",
            Fields::Unit => "a struct without fields has no columns",
        },
        Data::Enum(_) => "an enum cannot be a row of a table",
        Data::Union(_) => "a union cannot be a row of a table",
    };
    let name = &input.ident;
    errors.push(name.span(), format!("{what}; write `struct {name} {{ id: Id<{name}>, … }}`"));
    None
}
