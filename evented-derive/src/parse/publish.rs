//! Parses the items of `publish(…)`.

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Ident, Token, parenthesized, token};

use super::items;
use crate::model::{On, PublishOn};

/// Parses `on(insert) = OrderPlaced`.
pub(super) fn on(input: ParseStream<'_>) -> syn::Result<PublishOn> {
    let word: Ident = input.parse()?;
    if word != "on" {
        return Err(syn::Error::new(
            word.span(),
            "expected `on(insert)`, `on(update)`, `on(delete)` or `on(Action)`",
        ));
    }
    let content;
    parenthesized!(content in input);
    let on = change(&content)?;
    if !content.is_empty() {
        return Err(content.error("expected one kind of change"));
    }
    Ok(PublishOn { on, event: items::equals(input)? })
}

fn change(input: ParseStream<'_>) -> syn::Result<On> {
    let word = input.fork().call(Ident::parse_any)?;
    let is_word = |name: &str| word == name;
    if is_word("insert") || is_word("delete") || is_word("update") {
        input.call(Ident::parse_any)?;
    }
    if is_word("insert") {
        return Ok(On::Insert);
    }
    if is_word("delete") {
        return Ok(On::Delete);
    }
    if !is_word("update") {
        return items::path(input).map(On::Action);
    }
    if !input.peek(token::Paren) {
        return Ok(On::Update(Vec::new()));
    }
    let fields;
    let parentheses = parenthesized!(fields in input);
    if fields.is_empty() {
        return Err(syn::Error::new(parentheses.span.join(), "an empty list has no effect"));
    }
    let fields = fields.parse_terminated(Ident::parse_any, Token![,])?;
    Ok(On::Update(fields.into_iter().collect()))
}
