//! Finds the key field, and the type that the key is made of.

use syn::parse::ParseStream;
use syn::{DeriveInput, Ident, Type};

use super::field::FieldDraft;
use super::items;
use crate::errors::Errors;
use crate::model::KeyKind;
use crate::names;

/// The index of the key among the fields: the field marked `#[evented(id)]`, else Diesel's primary key, else the
/// field `id`.
pub(super) fn find(
    input: &DeriveInput,
    drafts: &[FieldDraft<'_>],
    primary_key: Option<&Ident>,
    errors: &mut Errors,
) -> Option<usize> {
    let mut marked = None;
    for (index, draft) in drafts.iter().enumerate() {
        let Some(mark) = draft.id() else { continue };
        if marked.is_some() {
            let reason = "the log identifies a record by one value, and the model has another key";
            errors.push(mark, format!("{reason}; write `#[evented(id)]` on one field"));
        }
        marked = marked.or(Some(index));
    }
    if marked.is_some() {
        return marked;
    }
    let (found, span, reason) = match primary_key {
        Some(key) => {
            let found = drafts.iter().position(|draft| names::plain(&draft.column) == names::plain(key));
            (found, key.span(), format!("no field has the column `{}` of the primary key", names::plain(key)))
        }
        None => {
            let found = drafts.iter().position(|draft| draft.ident == "id");
            (found, input.ident.span(), "no key".to_owned())
        }
    };
    if found.is_none() {
        errors.push(span, format!("{reason}: name a field `id`, or mark one with `#[evented(id)]`"));
    }
    found
}

/// The type that a key is made of, if the written type shows it.
pub(super) fn made_of(ty: &Type, errors: &mut Errors) -> KeyKind {
    if let Some(kind) = written(ty) {
        return kind;
    }
    if names::last_segment(ty).is_some_and(|last| last.ident == "Option") {
        errors.push_on(ty, "a key is never null; write its type without `Option`, as in `pub id: i32`");
    } else {
        let reason = "this type does not show what the key is made of";
        errors.push_on(ty, format!("{reason}; write `#[evented(key = Uuid)]` (or `String`, `i32`, `i64`)"));
    }
    // Any kind is valid here, because no code is generated after an error.
    KeyKind::Uuid
}

fn written(ty: &Type) -> Option<KeyKind> {
    let last = names::last_segment(ty)?;
    let angled = matches!(last.arguments, syn::PathArguments::AngleBracketed(_));
    match (last.ident.to_string().as_str(), angled) {
        ("Id", true) => Some(KeyKind::Id),
        ("Uuid", false) => Some(KeyKind::Uuid),
        ("String", false) => Some(KeyKind::Text),
        ("i32", false) => Some(KeyKind::I32),
        ("i64", false) => Some(KeyKind::I64),
        _ => None,
    }
}

/// Parses the value of `key = Uuid`.
pub(super) fn value(input: ParseStream<'_>) -> syn::Result<KeyKind> {
    let ty: Type = items::equals(input)?;
    let kind = written(&ty).filter(|kind| *kind != KeyKind::Id);
    kind.ok_or_else(|| syn::Error::new_spanned(&ty, "a key is made of `Uuid`, `String`, `i32` or `i64`"))
}
