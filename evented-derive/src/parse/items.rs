//! Parses `#[name(item, item, …)]` so that an error in one item does not hide the errors of the others.

use proc_macro2::{Span, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, LitInt, LitStr, Path, PathArguments, Token, parenthesized};

use crate::errors::Errors;
use crate::model::Spanned;
use crate::names;

/// The name of an attribute or an option, and how it is written.
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

/// Parses `= value`, or nothing.
pub(super) fn optional<T: Parse>(input: ParseStream<'_>) -> syn::Result<Option<T>> {
    if !input.peek(Token![=]) {
        return Ok(None);
    }
    input.parse::<Token![=]>()?;
    input.parse().map(Some)
}

/// Parses `= name` or `= _`, which stands for none.
pub(super) fn name_or_none(input: ParseStream<'_>) -> syn::Result<Option<Ident>> {
    input.parse::<Token![=]>()?;
    if input.peek(Token![_]) {
        input.parse::<Token![_]>()?;
        return Ok(None);
    }
    input.call(Ident::parse_any).map(Some)
}

/// Reads the items in parentheses as values of one kind. Reports each item that fails, with the form.
pub(super) fn list<T>(
    input: ParseStream<'_>,
    form: &str,
    errors: &mut Errors,
    mut value: impl FnMut(ParseStream<'_>, &mut Errors) -> syn::Result<T>,
) -> syn::Result<Vec<T>> {
    let content = in_parentheses(input)?;
    let mut values = Vec::new();
    each(&content, errors, |input, errors| {
        let read = value(input, errors).and_then(|value| end(input).map(|()| value));
        values.push(read.map_err(|error| explain(&error, form))?);
        Ok(())
    });
    Ok(values)
}

/// Reads the options in parentheses, each with its name in `forms`. Reports each option that fails.
pub(super) fn options(
    input: ParseStream<'_>,
    forms: &'static [Form],
    errors: &mut Errors,
    mut value: impl FnMut(Form, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) -> syn::Result<()> {
    let content = in_parentheses(input)?;
    each_option(&content, forms, errors, &mut value);
    Ok(())
}

/// Reads a path, then the options after it, in parentheses: `(path::to::Link, by = item_id)`.
pub(super) fn path_with_options(
    input: ParseStream<'_>,
    forms: &'static [Form],
    errors: &mut Errors,
    mut value: impl FnMut(Form, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) -> syn::Result<Path> {
    let content = in_parentheses(input)?;
    let read = path(&content).and_then(|path| end(&content).map(|()| path));
    // What follows a path that fails is read in any case, as in `each`.
    while content.parse::<TokenTree>().is_ok_and(|token| !is_comma(&token)) {}
    each_option(&content, forms, errors, &mut value);
    read
}

/// Reads each option to the end of the input.
fn each_option(
    content: ParseStream<'_>,
    forms: &'static [Form],
    errors: &mut Errors,
    value: &mut impl FnMut(Form, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    let mut seen = Vec::new();
    each(content, errors, |input, errors| {
        let unknown = |name: &Ident| unknown_among(forms, "option", &name.to_string());
        named(input, forms, unknown, &mut seen, errors, |form, _, input, errors| value(form, input, errors))
    });
}

/// The content of parentheses. An empty list has no effect, so it is an error.
fn in_parentheses(input: ParseStream<'_>) -> syn::Result<syn::parse::ParseBuffer<'_>> {
    let content;
    let parentheses = parenthesized!(content in input);
    if content.is_empty() {
        return Err(syn::Error::new(parentheses.span.join(), "an empty list has no effect"));
    }
    Ok(content)
}

/// Reads one item: a name in `forms`, then its value. An error of the value ends with the form of the item.
pub(super) fn named(
    input: ParseStream<'_>,
    forms: &'static [Form],
    unknown: impl Fn(&Ident) -> String,
    seen: &mut Vec<&'static str>,
    errors: &mut Errors,
    value: impl FnOnce(Form, Span, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) -> syn::Result<()> {
    let (name, form) = known(input, forms, unknown, seen, errors)?;
    let read = value(form, name.span(), input, errors).and_then(|()| end(input));
    read.map_err(|error| explain(&error, form.1))
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
fn known(
    input: ParseStream<'_>,
    forms: &'static [Form],
    unknown: impl Fn(&Ident) -> String,
    seen: &mut Vec<&'static str>,
    errors: &mut Errors,
) -> syn::Result<(Ident, Form)> {
    let name = input.call(Ident::parse_any).map_err(|error| {
        let error = syn::Error::new(error.span(), "expected a name");
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

/// The message for an unknown name. `there` are the forms of the attributes that go on `target` instead.
pub(super) fn unknown(name: &Ident, forms: &[Form], there: &[Form], target: &str) -> String {
    let word = name.to_string();
    if let Some((_, form)) = there.iter().find(|(known, _)| word == *known) {
        return format!("`{word}` goes on {target}; write `{form}` there");
    }
    unknown_among(forms, "attribute", &word)
}

pub(super) fn unknown_among(forms: &[Form], what: &str, word: &str) -> String {
    let names = forms.iter().map(|(known, _)| *known);
    match names::nearest(word, names.clone()) {
        Some(near) => {
            let form = forms.iter().find(|(known, _)| *known == near).map_or("", |(_, form)| form);
            format!("unknown {what} `{word}`; did you mean `{near}`? write `{form}`")
        }
        None => {
            let names = names.collect::<Vec<_>>().join("`, `");
            format!("unknown {what} `{word}`; known here are `{names}`; write for example `{}`", forms[0].1)
        }
    }
}

/// Parses a path whose last segment may have arguments in `<…>`. Parentheses after it belong to the caller.
pub(super) fn path(input: ParseStream<'_>) -> syn::Result<Path> {
    let mut path = Path::parse_mod_style(input)?;
    if input.peek(Token![<])
        && let Some(last) = path.segments.last_mut()
    {
        last.arguments = PathArguments::AngleBracketed(input.parse()?);
    }
    Ok(path)
}

/// Parses `0 = f`, a step from one version to the next.
pub(super) fn upcast(input: ParseStream<'_>) -> syn::Result<(Spanned<u32>, Path)> {
    Ok((input.parse()?, equals(input)?))
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
