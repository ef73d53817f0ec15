//! Parses `#[event_log(…)]` on a unit struct.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Data, DeriveInput, Fields, Ident, LitInt, LitStr, Path, Token, Visibility, token};

use super::items::{self, Form};
use super::{actions, key};
use crate::errors::Errors;
use crate::model::{Alias, KeyKind, Log, LogLink, Shards, Spanned};

/// Each attribute with its form. The first is the example for a name that resembles no attribute.
pub(super) const FORMS: &[Form] = &[
    ("table", r#"#[event_log(table = "events")]"#),
    ("models", r#"#[event_log(models(Item, Comment(schema = "comments")))]"#),
    ("key", "#[event_log(key = Id)]"),
    ("hashed", "#[event_log(hashed)]"),
    ("links", "#[event_log(links(ancestors, replies(Reply)))]"),
    ("shards", r#"#[event_log(shards(4, by = path::to::f))]"#),
    ("actions", r#"#[event_log(actions(archive(aliases("put_away"))))]"#),
    ("db_schema", r#"#[event_log(db_schema = "audit")]"#),
    ("crate", "#[event_log(crate = path::to::evented_diesel)]"),
];

/// The option of a model of the log.
pub(super) const MODEL: &[Form] = &[("schema", r#"models(Comment(schema = "comments"))"#)];

#[derive(Default)]
struct LogDraft {
    table: Option<Spanned<String>>,
    db_schema: Option<Spanned<String>>,
    key: Option<KeyKind>,
    models: Vec<(Path, Option<Spanned<String>>)>,
    aliases: Vec<Alias>,
    hashed: bool,
    links: Vec<LogLink>,
    shards: Option<Shards>,
    krate: Option<Path>,
}

/// The log; `None` if the input cannot be a log.
pub(crate) fn log(input: &DeriveInput, errors: &mut Errors) -> Option<Log> {
    let mut draft = LogDraft::default();
    let mut seen = Vec::new();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("event_log")) {
        items::each_of(attribute, FORMS[0].1, errors, |input, errors| {
            let unknown = |name: &Ident| items::unknown(name, FORMS, super::container::FORMS, "a model");
            items::named(input, FORMS, unknown, &mut seen, errors, |form, span, input, errors| {
                draft.value(form, span, input, errors)
            })
        });
    }
    let name = &input.ident;
    let is_unit = matches!(&input.data, Data::Struct(data) if matches!(data.fields, Fields::Unit));
    if !is_unit || !input.generics.params.is_empty() {
        let reason = "a struct without fields and parameters identifies a log";
        errors.push(name.span(), format!("{reason}; write `pub struct {name};`"));
        return None;
    }
    if !matches!(input.vis, Visibility::Public(_)) {
        let reason = "the log's table is public, and its types contain the log's type";
        errors.push(
            name.span(),
            format!("{reason}; write `pub struct {name};`, in a private module if need be"),
        );
    }
    if draft.table.is_none() {
        errors.push(name.span(), format!("the log has no table; write `{}`", FORMS[0].1));
    }
    if draft.models.is_empty() {
        errors.push(name.span(), format!("the log has no models; write `{}`", FORMS[1].1));
    }
    Some(Log {
        ident: name.clone(),
        krate: draft.krate.unwrap_or_else(|| syn::parse_quote!(::evented_diesel)),
        table: draft.table.unwrap_or(Spanned { value: "events".to_owned(), span: name.span() }),
        db_schema: draft.db_schema,
        key: draft.key.unwrap_or(KeyKind::Id),
        models: draft.models,
        aliases: draft.aliases,
        hashed: draft.hashed,
        links: draft.links,
        shards: draft.shards,
    })
}

impl LogDraft {
    fn value(
        &mut self,
        (name, form): Form,
        span: Span,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        match name {
            "table" => self.table = Some(items::equals(input)?),
            "db_schema" => self.db_schema = Some(items::equals(input)?),
            "key" => self.key = Some(key_kind(input)?),
            "models" => self.models.extend(items::list(input, form, errors, model)?),
            "actions" => {
                self.aliases.extend(items::list(input, form, errors, actions::named)?.into_iter().flatten());
            }
            "hashed" => self.hashed = true,
            "links" => self.links.extend(items::list(input, form, errors, |input, _| link(input))?),
            "shards" => self.shards = Some(shards(input, form, span, errors)?),
            "crate" => self.krate = Some(items::equals(input)?),
            // An attribute without an arm here stays unread, and the caller reports it.
            _ => {}
        }
        Ok(())
    }
}

/// Parses `path::to::Comment` or `path::to::Comment(schema = "comments")`.
fn model(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<(Path, Option<Spanned<String>>)> {
    let path = items::path(input)?;
    let mut schema = None;
    if input.peek(token::Paren) {
        items::options(input, MODEL, errors, |_, input, _| {
            schema = Some(items::equals(input)?);
            Ok(())
        })?;
    }
    Ok((path, schema))
}

/// Parses `= Id`, `= Uuid` or `= String`.
fn key_kind(input: ParseStream<'_>) -> syn::Result<KeyKind> {
    let fork = input.fork();
    fork.parse::<Token![=]>()?;
    let span = fork.span();
    if fork.parse::<Ident>().is_ok_and(|word| word == "Id") {
        input.parse::<Token![=]>()?;
        input.parse::<Ident>()?;
        return Ok(KeyKind::Id);
    }
    match key::value(input)? {
        kind @ (KeyKind::Uuid | KeyKind::Text) => Ok(kind),
        _ => Err(syn::Error::new(
            span,
            "a key that the database generates is unique in one table only, and a shared log has several; \
             the keys of a shared log are `Id`, `Uuid` or `String`",
        )),
    }
}

/// Parses `ancestors` or `replies(Reply)`.
fn link(input: ParseStream<'_>) -> syn::Result<LogLink> {
    let name = input.call(Ident::parse_any)?;
    let data = if input.peek(token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        let data = content.parse()?;
        if !content.is_empty() {
            let fault = content.error("a link has one type for its fields");
            // Unread input would cause a second error at the same span.
            content.parse::<TokenStream>()?;
            return Err(fault);
        }
        Some(data)
    } else {
        None
    };
    Ok(LogLink { name, data })
}

/// Parses `4`, `"eu"` or `by = path::to::f`, in any order.
fn shards(input: ParseStream<'_>, form: &str, span: Span, errors: &mut Errors) -> syn::Result<Shards> {
    let mut shards = Shards { names: Vec::new(), by: None, span };
    items::list(input, form, errors, |input, _| {
        if input.peek(LitInt) {
            let number: LitInt = input.parse()?;
            let count: u16 = number.base10_parse()?;
            shards.names.extend((0..count).map(|shard| shard.to_string()));
        } else if input.peek(LitStr) {
            shards.names.push(input.parse::<LitStr>()?.value());
        } else {
            let word: Ident = input.parse()?;
            if word != "by" {
                return Err(syn::Error::new(word.span(), "expected a number, a name, or `by = path::to::f`"));
            }
            shards.by = Some(items::equals(input)?);
        }
        Ok(TokenStream::new())
    })?;
    Ok(shards)
}
