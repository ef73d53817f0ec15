//! Checks that fields have the types of their roles and distinct columns, and that scopes consist of fields.

use proc_macro2::Span;
use syn::{GenericArgument, PathArguments, Type};

use crate::errors::Errors;
use crate::model::{FieldKind, Model};
use crate::names;

/// Checks the fields of scopes. The values of a record's scopes route a change, and they are read from its fields.
pub(super) fn scopes_are_fields(model: &Model, errors: &mut Errors) {
    let fields: Vec<String> = model.fields.iter().map(|field| names::plain(&field.ident)).collect();
    for (name, field) in model.scopes.iter().flatten() {
        let word = names::plain(field);
        if !fields.contains(&word) {
            let near = names::nearest(&word, fields.iter().map(String::as_str));
            let (meant, near) = (names::did_you_mean(near), near.unwrap_or("a_field"));
            errors.push(field.span(), format!("no field `{word}`{meant} write `scopes({name} = {near})`"));
        }
    }
}

/// Checks that the names of a scope lead to one combination, and each name to one value: a subscriber gives the parts
/// of a scope in any order. Returns whether they do.
pub(super) fn scopes_are_distinct(model: &Model, errors: &mut Errors) -> bool {
    let mut distinct = true;
    let mut seen: Vec<Vec<String>> = Vec::new();
    for scope in &model.scopes {
        let mut combination: Vec<String> = Vec::new();
        for (name, _) in scope {
            let word = names::plain(name);
            if combination.contains(&word) {
                let reason = format!("the scope has `{word}` twice");
                errors.push(name.span(), format!("{reason}; write `(org = org_id, post = post_id)`"));
                distinct = false;
            }
            combination.push(word);
        }
        combination.sort();
        if seen.contains(&combination) {
            let span = scope.first().map_or(Span::call_site(), |(name, _)| name.span());
            let reason = format!("another scope already combines `{}`", combination.join("` and `"));
            errors.push(span, format!("{reason}; write each combination once, as in `scopes(org = org_id)`"));
            distinct = false;
        }
        seen.push(combination);
    }
    distinct
}

/// Checks the names of scopes. Each name is a constant of the model with its field's type, and a scope may be given
/// with its parts in any order.
pub(super) fn scopes_can_be_named(model: &Model, errors: &mut Errors) {
    const MOST: usize = 4;
    for scope in model.scopes.iter().filter(|scope| scope.len() > MOST) {
        let span = scope.first().map_or(Span::call_site(), |(name, _)| name.span());
        errors.push(
            span,
            format!("a scope has at most {MOST} parts; write `scopes((org = org_id, post = post_id))`"),
        );
    }
    let mut seen: Vec<(String, String)> = Vec::new();
    for (name, field) in model.scopes.iter().flatten() {
        let (word, field) = (names::plain(name), names::plain(field));
        match seen.iter().find(|(known, _)| *known == word) {
            Some((_, known)) if *known != field => {
                let reason = format!("`{word}` stands for `{known}` in another scope");
                errors.push(name.span(), format!("{reason}; write `{word} = {known}`, or another name"));
            }
            Some(_) => {}
            None => seen.push((word, field)),
        }
    }
}

/// Checks that no field of a scope has `with`: a subscriber gives values of the field's type, which are compared in the
/// form of the type itself.
pub(super) fn scopes_have_their_own_form(model: &Model, errors: &mut Errors) {
    for (_, field) in model.scopes.iter().flatten() {
        let found = model.fields.iter().find(|it| names::plain(&it.ident) == names::plain(field));
        if found.is_some_and(|found| found.with.is_some()) {
            let reason =
                format!("the field `{field}` has `with`, and values of scopes have the form of their type");
            errors.push(field.span(), format!("{reason}; write `scopes(…)` with another field"));
        }
    }
}

/// Checks that a field with `default` is part of a generated input of an insert, and that the database has its column.
pub(super) fn defaults_have_an_effect(model: &Model, errors: &mut Errors) {
    for default in model.fields.iter().filter_map(|field| field.default.as_ref()) {
        if model.insert.is_some() {
            let reason = "the model has an insert type of your own, which decides what can be left out";
            errors.push(default.span, format!("{reason}; write `Create::left_to_database` for that type"));
        } else if model.log_only.is_some() && default.value.is_none() {
            let reason = "the model has no table, and so no column with a `DEFAULT`";
            errors.push(default.span, format!("{reason}; write `#[evented(default = expression)]`"));
        }
    }
}

/// Checks that a child refers to each part of the key.
pub(super) fn children_refer_to_the_key(model: &Model, errors: &mut Errors) {
    let parts = model.key.len();
    for child in &model.cascade {
        // Diesel's `belongs_to` has one column.
        let columns = child.columns.len().max(1);
        if columns != parts {
            let name = child.model.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
            let form = format!("cascade({name} = (table::column, table::other_column))");
            let reason = format!("the key has {parts} columns, and {columns} of `{name}` would refer to it");
            errors.push_on(&child.model, format!("{reason}; write `{form}`"));
        }
    }
}

/// Checks that each role has one field. The library writes these fields, and one value goes into one field.
pub(super) fn roles_are_single(model: &Model, errors: &mut Errors) {
    let roles = [
        (FieldKind::Revision, "revision"),
        (FieldKind::InsertedAt, "inserted_at"),
        (FieldKind::UpdatedAt, "updated_at"),
    ];
    for (kind, role) in roles {
        for field in model.fields.iter().filter(|field| field.kind == kind).skip(1) {
            let reason = format!("the model has another field for `{role}`");
            errors.push(field.ident.span(), format!("{reason}; write `#[evented({role})]` on one field"));
        }
    }
}

/// Checks the types of the fields that the library sets. A derive sees types only as they are written, so these types
/// must be written plainly.
pub(super) fn types_fit_the_roles(model: &Model, errors: &mut Errors) {
    for field in &model.fields {
        let name = &field.ident;
        match field.kind {
            FieldKind::Revision if !is_integer(&field.ty) => {
                let reason = "the type of a revision is written `i32` or `i64`";
                errors.push_on(&field.ty, format!("{reason}; write `{name}: i64`"));
            }
            FieldKind::InsertedAt | FieldKind::UpdatedAt if !is_time(&field.ty) => {
                let reason = "the type of a time is written `DateTime<Utc>`, `NaiveDateTime`, `OffsetDateTime` or `PrimitiveDateTime`, or `Option` of one";
                errors.push_on(&field.ty, format!("{reason}; write `{name}: DateTime<Utc>`"));
            }
            _ => {}
        }
    }
}

fn is_integer(ty: &Type) -> bool {
    names::is_written(ty, "i32") || names::is_written(ty, "i64")
}

fn is_time(ty: &Type) -> bool {
    if ["NaiveDateTime", "OffsetDateTime", "PrimitiveDateTime"].iter().any(|name| names::is_written(ty, name))
    {
        return true;
    }
    let Some(last) = names::last_segment(ty) else { return false };
    if last.ident == "Option" {
        return names::argument(ty).is_some_and(is_time);
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    let all_utc = arguments.args.iter().all(is_utc);
    last.ident == "DateTime" && arguments.args.len() == 1 && all_utc
}

fn is_utc(argument: &GenericArgument) -> bool {
    matches!(argument, GenericArgument::Type(ty) if names::is_written(ty, "Utc"))
}

/// Checks that each field has its own name: the fields of embedded structs have theirs beside those of the model.
pub(super) fn names_are_distinct(model: &Model, errors: &mut Errors) {
    for (index, field) in model.fields.iter().enumerate() {
        if model.fields[..index].iter().any(|other| other.ident == field.ident) {
            let reason = format!("another field is called `{}`", field.ident);
            errors.push(
                field.ident.span(),
                format!("{reason}; the log names fields by their names, so rename one"),
            );
        }
    }
}

/// Checks that each field has its own column. Otherwise both fields would write the column.
pub(super) fn columns_are_distinct(model: &Model, errors: &mut Errors) {
    let mut seen = Vec::new();
    for field in &model.fields {
        let column = names::plain(&field.column);
        if seen.contains(&column) {
            let reason = format!("another field has the column `{column}`");
            let form = "#[diesel(column_name = another_column)]";
            errors.push(field.column.span(), format!("{reason}; write `{form}`"));
        }
        seen.push(column);
    }
}
