//! Parses `#[name(item, item, …)]` so that an error in one item does not hide the errors of the others.

use proc_macro2::TokenTree;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, LitInt, LitStr, Token, parenthesized};

use crate::errors::Errors;
use crate::model::Spanned;
use crate::names;

/// The name of an attribute, and how it is written.
pub(super) type Form = (&'static str, &'static str);

/// Reads each item of the attribute. Reports an item that fails, and continues after it.
pub(super) fn each_of(
    attribute: &Attribute,
    form: &str,
    errors: &mut Errors,
    item: impl FnMut(ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    let parsed = attribute.parse_args_with(|input: ParseStream<'_>| {
        each(input, errors, item);
        Ok(())
    });
    if let Err(error) = parsed {
        errors.append(explain(&error, form));
    }
}

/// Reads the items in parentheses as values of one kind. Reports each item that fails, with the form.
pub(super) fn list<T>(
    input: ParseStream<'_>,
    form: &str,
    errors: &mut Errors,
    mut value: impl FnMut(ParseStream<'_>, &mut Errors) -> syn::Result<T>,
) -> syn::Result<Vec<T>> {
    let content;
    parenthesized!(content in input);
    let mut values = Vec::new();
    each(&content, errors, |input, errors| {
        let read = value(input, errors).and_then(|value| end(input).map(|()| value));
        values.push(read.map_err(|error| explain(&error, form))?);
        Ok(())
    });
    Ok(values)
}

/// Reads to the end of the input in any case, because syn reports unread input as a further error.
fn each(
    input: ParseStream<'_>,
    errors: &mut Errors,
    mut item: impl FnMut(ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    while !input.is_empty() {
        if let Err(error) = item(input, errors) {
            errors.append(error);
        }
        while input.parse::<TokenTree>().is_ok_and(|token| !is_comma(&token)) {}
    }
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// Checks that an item ends here. This must follow every item that does not belong to another derive.
pub(super) fn end(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) { Ok(()) } else { Err(input.error("expected `,`")) }
}

/// Skips `= Type`, whose commas within `<…>` do not end the item. [`each`] skips everything else, token by token.
pub(super) fn skip_type(input: ParseStream<'_>) {
    use syn::parse::discouraged::Speculative;

    let fork = input.fork();
    if equals::<syn::Type>(&fork).is_ok() && end(&fork).is_ok() {
        input.advance_to(&fork);
    }
}

/// The error, followed by the form to write.
pub(super) fn explain(error: &syn::Error, form: &str) -> syn::Error {
    let message = error.to_string();
    let stop = if message.ends_with(['?', ';']) { "" } else { ";" };
    syn::Error::new(error.span(), format!("{message}{stop} write `{form}`"))
}

/// Reads the name of an attribute, which may be a keyword. Reports a name that is not in `forms`, and one in `seen`.
pub(super) fn known(
    input: ParseStream<'_>,
    forms: &'static [Form],
    unknown: impl Fn(&Ident) -> String,
    seen: &mut Vec<&'static str>,
    errors: &mut Errors,
) -> syn::Result<(Ident, Form)> {
    let name = input.call(Ident::parse_any).map_err(|error| {
        let error = syn::Error::new(error.span(), "expected the name of an attribute");
        explain(&error, forms[0].1)
    })?;
    let Some(&(known, form)) = forms.iter().find(|(known, _)| name == known) else {
        return Err(syn::Error::new(name.span(), unknown(&name)));
    };
    if seen.contains(&known) {
        errors.push(name.span(), format!("`{known}` is given twice; write `{form}` once"));
    }
    seen.push(known);
    Ok((name, (known, form)))
}

/// The message for an unknown name. `there` are the forms of the attributes that go on `place` instead.
pub(super) fn unknown(name: &Ident, forms: &[Form], there: &[Form], place: &str) -> String {
    let word = name.to_string();
    if let Some((_, form)) = there.iter().find(|(known, _)| word == *known) {
        return format!("`{word}` goes on {place}; write `{form}` there");
    }
    let names = forms.iter().map(|(known, _)| *known);
    match names::nearest(&word, names.clone()) {
        Some(near) => {
            let form = forms.iter().find(|(known, _)| *known == near).map_or("", |(_, form)| form);
            format!("unknown attribute `{word}`; did you mean `{near}`? write `{form}`")
        }
        None => {
            let names = names.collect::<Vec<_>>().join("`, `");
            format!(
                "unknown attribute `{word}`; known here are `{names}`; write for example `{}`",
                forms[0].1
            )
        }
    }
}

/// Parses `= value`.
pub(super) fn equals<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

impl Parse for Spanned<String> {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let literal: LitStr = input.parse()?;
        Ok(Spanned { value: literal.value(), span: literal.span() })
    }
}

impl Parse for Spanned<u32> {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let literal: LitInt = input.parse()?;
        Ok(Spanned { value: literal.base10_parse()?, span: literal.span() })
    }
}
