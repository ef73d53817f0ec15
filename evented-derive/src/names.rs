//! Names: conversion from types to methods and tables, identifiers that are keywords, suggestions for mistyped names,
//! and how types are written.

use heck::ToSnakeCase;
use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Ident, PathSegment, Type};

/// The identifier without `r#`, as it is in the log and in the database.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The name of a type in snake case: `SendMail` becomes `send_mail`.
pub(crate) fn snake_case(ty: &Ident) -> String {
    let name = plain(ty);
    let snake = name.to_snake_case();
    // Leading underscores are dropped. The rest of `_1` or `__` is not an identifier.
    if snake.is_empty() || snake.starts_with(|first: char| first.is_ascii_digit()) { name } else { snake }
}

/// The identifier with this name, raw if it is a keyword; `None` if the name is not an identifier.
pub(crate) fn ident(name: &str, span: Span) -> Option<Ident> {
    // The compiler prints its own errors for text that is not a token, such as a lone quote.
    if !name.chars().all(|letter| letter == '_' || letter.is_alphanumeric()) {
        return None;
    }
    let mut ident = match syn::parse_str::<Ident>(name) {
        Ok(ident) => ident,
        // These keywords have no raw form.
        Err(_) if ["", "_", "self", "Self", "super", "crate"].contains(&name) => return None,
        Err(_) => syn::parse_str(&format!("r#{name}")).ok()?,
    };
    ident.set_span(span);
    Some(ident)
}

/// The method name for an action's type: `Archive` becomes `archive`, `Move` becomes `r#move`, `Super` becomes
/// `super_`.
pub(crate) fn method(ty: &Ident) -> Ident {
    let snake = snake_case(ty);
    ident(&snake, ty.span()).unwrap_or_else(|| Ident::new(&format!("{snake}_"), ty.span()))
}

/// Whether a type mentions another one by name, itself or as a parameter: `Json<HashSet<String>>` mentions `HashSet`.
pub(crate) fn mentions(ty: &Type, name: &str) -> bool {
    fn within(tokens: TokenStream, name: &str) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => plain(&ident) == name,
            TokenTree::Group(group) => within(group.stream(), name),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        })
    }
    within(ty.to_token_stream(), name)
}

/// The name of a table, cut if it is longer than the 63 bytes that PostgreSQL keeps, with a checksum of the whole name at
/// its end. `evented-diesel` names the other objects of a log by the same rule.
pub(crate) fn fitted(name: &str) -> String {
    const LONGEST: usize = 63;
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let checksum =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let kept = name.chars().scan(LONGEST - 9, |left, letter| {
        *left = left.checked_sub(letter.len_utf8())?;
        Some(letter)
    });
    format!("{}_{checksum:08x}", kept.collect::<String>())
}

/// The table that Diesel uses by default: the name in Diesel's snake case with an `s`.
pub(crate) fn default_table(model: &Ident) -> Ident {
    // Only `As` and similar names become a keyword here, and those keywords have a raw form.
    ident(&format!("{}s", diesel_case(model)), model.span()).unwrap_or_else(|| model.clone())
}

/// The foreign key that Diesel uses by default: the name of the parent in Diesel's snake case with `_id`.
pub(crate) fn default_foreign_key(parent: &Ident) -> Ident {
    ident(&format!("{}_id", diesel_case(parent)), parent.span()).unwrap_or_else(|| parent.clone())
}

/// Diesel's snake case: an underscore before each capital but the first, all in lower case. It differs from
/// [`snake_case`]: Diesel converts `HTTPCall` to `h_t_t_p_call`.
fn diesel_case(ty: &Ident) -> String {
    let mut name = String::new();
    for letter in plain(ty).chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The text between an error and `write …`: the nearest name as a question, if there is one.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| ";".to_owned(), |near| format!("; did you mean `{near}`?"))
}

/// The known name that is nearest to the word, if at most a third of the word differs from it.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    let near = known.into_iter().map(|name| (distance(word, name), name));
    near.filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The number of letters to insert, delete, replace or swap with the next to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

/// The type without the invisible group that a `macro_rules!` variable puts around it.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        _ => ty,
    }
}

/// The type with the model's name instead of `Self`. `Self` would be another type where the type is repeated: in
/// `NewItem`, or before the `{` of an `impl`.
pub(crate) fn without_self(ty: &Type, model: &Ident) -> Type {
    syn::parse2(named(ty.to_token_stream(), model)).unwrap_or_else(|_| ty.clone())
}

fn named(tokens: TokenStream, model: &Ident) -> TokenStream {
    let tokens = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(ident) if ident == "Self" => {
            let mut name = model.clone();
            name.set_span(ident.span());
            TokenTree::Ident(name)
        }
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), named(group.stream(), model));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        other => other,
    });
    tokens.collect()
}

/// The last segment of a type's path. A derive sees the type only as it is written, so it reads `uuid::Uuid` as
/// `Uuid`.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ungrouped(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// The only argument of a type: `T` of `Option<T>`.
pub(crate) fn argument(ty: &Type) -> Option<&Type> {
    let syn::PathArguments::AngleBracketed(arguments) = &last_segment(ty)?.arguments else { return None };
    match arguments.args.iter().collect::<Vec<_>>().as_slice() {
        [syn::GenericArgument::Type(ty)] => Some(ty),
        _ => None,
    }
}

/// Whether the type is written with this name, with any path before it and without arguments.
pub(crate) fn is_written(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == name && last.arguments.is_none())
}
