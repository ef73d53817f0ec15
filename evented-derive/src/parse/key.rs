//! Finds the fields of the key, and the types that they are made of.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{DeriveInput, Ident, Type};

use super::field::FieldDraft;
use super::items;
use crate::errors::Errors;
use crate::model::KeyKind;
use crate::names;

/// The largest number of columns of a key.
const MOST_COLUMNS: usize = 4;

/// The indices of the key's fields: the fields marked `#[evented(id)]`, else those of Diesel's primary key, else the
/// field `id`.
pub(super) fn find(
    input: &DeriveInput,
    drafts: &[FieldDraft<'_>],
    primary_key: &[Ident],
    errors: &mut Errors,
) -> Vec<usize> {
    let marked: Vec<usize> = (0..drafts.len()).filter(|index| drafts[*index].id().is_some()).collect();
    let mut found = Vec::new();
    for key in primary_key {
        let column = names::plain(key);
        match drafts.iter().position(|draft| names::plain(&draft.column) == column) {
            Some(index) => found.push(index),
            None if marked.is_empty() => {
                let reason = format!("no field has the column `{column}` of the primary key");
                errors.push(
                    key.span(),
                    format!("{reason}; add the field, or mark the key with `#[evented(id)]`"),
                );
            }
            None => {}
        }
    }
    if !marked.is_empty() {
        half_of_the_key(drafts, &marked, primary_key, errors);
    }
    let key = if marked.is_empty() { found } else { in_order(marked, found) };
    if key.is_empty() && primary_key.is_empty() {
        let Some(id) = drafts.iter().position(|draft| draft.ident == "id") else {
            let form = "name a field `id`, or mark one with `#[evented(id)]`";
            errors.push(input.ident.span(), format!("no key: {form}"));
            return key;
        };
        return vec![id];
    }
    if let Some(field) = key.get(MOST_COLUMNS).and_then(|index| drafts.get(*index)) {
        let reason = format!("a key has at most {MOST_COLUMNS} columns");
        errors.push(
            field.ident.span(),
            format!("{reason}; mark those that identify a record by `#[evented(id)]`"),
        );
    }
    key
}

/// The fields in the order of the primary key, if they are those of the primary key.
fn in_order(marked: Vec<usize>, primary_key: Vec<usize>) -> Vec<usize> {
    let same = marked.len() == primary_key.len() && marked.iter().all(|index| primary_key.contains(index));
    if same { primary_key } else { marked }
}

/// Reports a mark on some columns of the primary key and not on the others: several records would have the same key.
fn half_of_the_key(drafts: &[FieldDraft<'_>], marked: &[usize], primary_key: &[Ident], errors: &mut Errors) {
    let of_key = |index: &usize| {
        let column = names::plain(&drafts[*index].column);
        primary_key.iter().any(|key| names::plain(key) == column)
    };
    if primary_key.len() > marked.len() && marked.iter().all(of_key) {
        let columns: Vec<String> = primary_key.iter().map(names::plain).collect();
        let reason = format!("the primary key has the columns `{}`", columns.join("`, `"));
        let span = drafts[marked[0]].id().unwrap_or_else(Span::call_site);
        errors.push(
            span,
            format!("{reason}, and this is a part of it; leave out `#[evented(id)]`, or mark all of them"),
        );
    }
}

/// The attribute, with each type.
const FORMS: &str = "`#[evented(key = i32)]` (or `i16`, `i64`, `String`, `Uuid`, `bool`, `Vec<u8>`)";

/// The type that a key is made of, if the written type shows it.
pub(super) fn made_of(ty: &Type, errors: &mut Errors) -> KeyKind {
    if let Some(kind) = written(ty) {
        return kind;
    }
    if names::last_segment(ty).is_some_and(|last| last.ident == "Option") {
        errors.push_on(ty, "a key is never null; write its type without `Option`, as in `pub id: i32`");
    } else {
        let reason = "this type does not show what the key is made of";
        errors.push_on(
            ty,
            format!("{reason}; name the type of its column, for a newtype the type inside it: {FORMS}"),
        );
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
        ("i16", false) => Some(KeyKind::I16),
        ("i32", false) => Some(KeyKind::I32),
        ("i64", false) => Some(KeyKind::I64),
        ("bool", false) => Some(KeyKind::Bool),
        ("Vec", true) if names::mentions(ty, "u8") => Some(KeyKind::Bytes),
        _ => None,
    }
}

/// Parses the value of `key = Uuid`.
pub(super) fn value(input: ParseStream<'_>) -> syn::Result<KeyKind> {
    let ty: Type = items::equals(input)?;
    let kind = written(&ty).filter(|kind| *kind != KeyKind::Id);
    kind.ok_or_else(|| {
        syn::Error::new_spanned(
            &ty,
            "a key is made of `i32`, `i16`, `i64`, `String`, `Uuid`, `bool` or `Vec<u8>`",
        )
    })
}
