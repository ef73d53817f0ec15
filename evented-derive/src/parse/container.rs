//! Parses `#[evented(…)]` on the struct.

use proc_macro2::{Group, Span};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, DeriveInput, Ident, Path, Token, token};

use super::items::{self, Form};
use crate::errors::Errors;
use crate::model::{ActionDef, Drift, Field, Model, Spanned};
use crate::names;

/// Each attribute of the struct with its form. The first is the example for a name that resembles no attribute.
pub(super) const FORMS: &[Form] = &[
    ("schema", r#"#[evented(schema = "items")]"#),
    ("version", "#[evented(version = 1)]"),
    ("actions", r#"#[evented(actions(Archive, Close as "close"))]"#),
    ("retired", r#"#[evented(retired("shut" = path::to::f))]"#),
    ("aliases", r#"#[evented(aliases(close = "shut"))]"#),
    ("scopes", "#[evented(scopes(org = org_id, (org = org_id, post = post_id)))]"),
    ("log", "#[evented(log = Events)]"),
    ("log_only", "#[evented(log_only)]"),
    ("log_table", "#[evented(log_table = schema::item_log)]"),
    ("log_schema", r#"#[evented(log_schema = "audit")]"#),
    ("insert", "#[evented(insert = NewItem)]"),
    ("update", "#[evented(update = ItemChanges)]"),
    ("check", "#[evented(check = Item::valid)]"),
    ("savepoint", "#[evented(savepoint(every = 200, with = path::to::f))]"),
    ("before_append", "#[evented(before_append = path::to::f)]"),
    ("upcast", "#[evented(upcast(0 = f, 1 = g))]"),
    ("drift", "#[evented(drift = adopt)]"),
    ("crate", "#[evented(crate = path::to::evented_diesel)]"),
];

const DRIFTS: [(&str, Drift); 3] =
    [("adopt", Drift::Adopt), ("heal", Drift::Heal), ("refuse", Drift::Refuse)];

/// The attributes as written. [`Container::into_model`] adds the defaults.
#[derive(Default)]
pub(super) struct Container {
    seen: Vec<&'static str>,
    schema: Option<Spanned<String>>,
    version: Option<Spanned<u32>>,
    actions: Vec<ActionDef>,
    retired: Vec<(Spanned<String>, Path)>,
    aliases: Vec<(Spanned<String>, Spanned<String>)>,
    scopes: Vec<Vec<(Ident, Ident)>>,
    log: Option<Path>,
    log_only: Option<Span>,
    log_table: Option<Path>,
    log_schema: Option<Spanned<String>>,
    before_append: Option<Path>,
    insert: Option<Path>,
    update: Option<Path>,
    check: Option<Path>,
    savepoint: Option<Path>,
    savepoint_every: Option<Spanned<u32>>,
    upcasts: Vec<(Spanned<u32>, Path)>,
    drift: Option<Drift>,
    krate: Option<Path>,
}

impl Container {
    pub(super) fn read(attributes: &[Attribute], errors: &mut Errors) -> Container {
        let mut container = Container::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("evented")) {
            items::each_of(attribute, FORMS[0].1, errors, |input, errors| container.item(input, errors));
        }
        container
    }

    fn item(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        let unknown = |name: &Ident| items::unknown(name, FORMS, super::field::FORMS, "a field");
        let (word, form) = items::known(input, FORMS, unknown, &mut self.seen, errors)?;
        let value = self.value(form, word.span(), input, errors).and_then(|()| items::end(input));
        value.map_err(|error| items::explain(&error, form.1))
    }

    fn value(
        &mut self,
        (name, form): Form,
        span: Span,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        match name {
            "schema" => self.schema = Some(items::equals(input)?),
            "version" => self.version = Some(items::equals(input)?),
            "actions" => self.actions.extend(items::list(input, form, errors, |input, _| action(input))?),
            "retired" => self.retired.extend(items::list(input, form, errors, |input, _| retired(input))?),
            "aliases" => self.aliases.extend(items::list(input, form, errors, |input, _| alias(input))?),
            "scopes" => self.scopes.extend(scopes(input, form, errors)?),
            "log" => self.log = Some(items::equals(input)?),
            "log_only" => self.log_only = Some(span),
            "before_append" => self.before_append = Some(items::equals(input)?),
            "log_table" => self.log_table = Some(items::equals(input)?),
            "log_schema" => self.log_schema = Some(items::equals(input)?),
            "insert" => self.insert = Some(items::equals(input)?),
            "update" => self.update = Some(items::equals(input)?),
            "check" => self.check = Some(items::equals(input)?),
            "savepoint" if input.peek(Token![=]) => self.savepoint = Some(items::equals(input)?),
            "savepoint" => drop(items::list(input, form, errors, |input, _| self.savepoint(input))?),
            "upcast" => self.upcasts.extend(items::list(input, form, errors, |input, _| upcast(input))?),
            "drift" => self.drift = Some(drift(input)?),
            "crate" => self.krate = Some(items::equals(input)?),
            // An attribute without an arm here stays unread, and the caller reports it.
            _ => {}
        }
        Ok(())
    }

    /// Parses `every = 200` or `with = path::to::f`.
    fn savepoint(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let word: Ident = input.parse()?;
        match word.to_string().as_str() {
            "every" => self.savepoint_every = Some(items::equals(input)?),
            "with" => self.savepoint = Some(items::equals(input)?),
            _ => return Err(syn::Error::new(word.span(), "a savepoint has `every` and `with`")),
        }
        Ok(())
    }

    /// The model, with the defaults of the missing attributes.
    pub(super) fn into_model(self, input: &DeriveInput, table: Option<Path>, fields: Vec<Field>) -> Model {
        let table = table.unwrap_or_else(|| names::default_table(&input.ident).into());
        let schema = self.schema.unwrap_or_else(|| default_schema(&table, &input.ident));
        Model {
            ident: input.ident.clone(),
            vis: input.vis.clone(),
            krate: self.krate.unwrap_or_else(|| syn::parse_quote!(::evented_diesel)),
            table,
            schema,
            version: self.version.unwrap_or(Spanned { value: 0, span: Span::call_site() }),
            actions: self.actions,
            retired: self.retired,
            aliases: self.aliases,
            scopes: self.scopes,
            log: self.log,
            log_only: self.log_only,
            before_append: self.before_append,
            log_table: self.log_table,
            log_schema: self.log_schema,
            insert: self.insert,
            update: self.update,
            check: self.check,
            savepoint: self.savepoint,
            savepoint_every: self.savepoint_every,
            upcasts: self.upcasts,
            drift: self.drift.unwrap_or(Drift::Adopt),
            fields,
        }
    }
}

/// The name of the table without its modules.
fn default_schema(table: &Path, model: &Ident) -> Spanned<String> {
    let name = table.segments.last().map_or(model, |last| &last.ident);
    Spanned { value: names::plain(name), span: name.span() }
}

/// Parses `path::To::Close` or `path::To::Close as "close"`.
fn action(input: ParseStream<'_>) -> syn::Result<ActionDef> {
    let ty: Path = input.parse()?;
    let Some(last) = ty.segments.last().map(|last| last.ident.clone()) else {
        return Err(input.error("expected the type of an action"));
    };
    let name: Spanned<String> = match input.parse::<Option<Token![as]>>()? {
        Some(_) => input.parse()?,
        None => Spanned { value: names::snake_case(&last), span: last.span() },
    };
    Ok(ActionDef { ty, name: name.value, method: names::method(&last), span: name.span })
}

/// Parses `"shut" = path::to::f`.
fn retired(input: ParseStream<'_>) -> syn::Result<(Spanned<String>, Path)> {
    Ok((input.parse()?, items::equals(input)?))
}

/// Parses `close = "shut"` or `"close" = "shut"`.
pub(super) fn alias(input: ParseStream<'_>) -> syn::Result<(Spanned<String>, Spanned<String>)> {
    let today = if input.peek(syn::LitStr) {
        input.parse()?
    } else {
        let name = input.call(Ident::parse_any)?;
        Spanned { value: names::plain(&name), span: name.span() }
    };
    Ok((today, items::equals(input)?))
}

fn scopes(input: ParseStream<'_>, form: &str, errors: &mut Errors) -> syn::Result<Vec<Vec<(Ident, Ident)>>> {
    items::list(input, form, errors, |input, errors| scope(input, form, errors))
}

/// Parses `org = org_id` or `(org = org_id, post = post_id)`.
fn scope(input: ParseStream<'_>, form: &str, errors: &mut Errors) -> syn::Result<Vec<(Ident, Ident)>> {
    if !input.peek(token::Paren) {
        return Ok(vec![scope_part(input)?]);
    }
    let group: Group = input.fork().parse()?;
    if group.stream().is_empty() {
        return Err(syn::Error::new(group.span(), "a scope needs a field"));
    }
    items::list(input, form, errors, |input, _| scope_part(input))
}

fn scope_part(input: ParseStream<'_>) -> syn::Result<(Ident, Ident)> {
    Ok((input.parse()?, items::equals(input)?))
}

/// Parses `0 = f`.
fn upcast(input: ParseStream<'_>) -> syn::Result<(Spanned<u32>, Path)> {
    Ok((input.parse()?, items::equals(input)?))
}

fn drift(input: ParseStream<'_>) -> syn::Result<Drift> {
    let word: Ident = items::equals(input)?;
    let drift = DRIFTS.into_iter().find(|(name, _)| word == name);
    drift.map(|(_, drift)| drift).ok_or_else(|| {
        let near = names::nearest(&word.to_string(), DRIFTS.map(|(name, _)| name));
        let meant = names::did_you_mean(near);
        let message = format!("no drift policy `{word}`: there are `adopt`, `heal` and `refuse`{meant}");
        syn::Error::new(word.span(), message)
    })
}
