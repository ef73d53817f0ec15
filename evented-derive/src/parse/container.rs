//! Parses `#[evented(…)]` on the struct.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Attribute, DeriveInput, Ident, Path, token};

use super::actions::Actions;
use super::diesel::OnStruct;
use super::items::{self, Form};
use super::publish;
use crate::errors::Errors;
use crate::model::{Child, Drift, EventName, Field, GeneratedNames, Model, PublishOn, Spanned};
use crate::names;

/// Each attribute of the struct with its form. The first is the example for a name that resembles no attribute.
pub(super) const FORMS: &[Form] = &[
    ("schema", r#"#[evented(schema = "items")]"#),
    ("version", "#[evented(version = 1)]"),
    ("actions", r#"#[evented(actions(Archive, Close(name = "close")))]"#),
    ("retired", r#"#[evented(retired("shut" = path::to::f))]"#),
    ("scopes", "#[evented(scopes(org = org_id, (org = org_id, post = post_id)))]"),
    ("log", "#[evented(log(shared = Events))]"),
    ("insert", "#[evented(insert = NewItem)]"),
    ("update", "#[evented(update = ItemChanges)]"),
    ("names", NAMES[0].1),
    ("check", "#[evented(check = Item::valid)]"),
    ("savepoint", "#[evented(savepoint(every = 200, with = path::to::f))]"),
    ("before_append", "#[evented(before_append = path::to::f)]"),
    ("after_write", "#[evented(after_write = path::to::f)]"),
    ("publish", "#[evented(publish(on(insert) = OrderPlaced))]"),
    ("cascade", "#[evented(cascade(Comment))]"),
    ("view", "#[evented(view)]"),
    ("live", "#[evented(live)]"),
    ("upcast", "#[evented(upcast(0 = f, 1 = g))]"),
    ("drift", "#[evented(drift = adopt)]"),
    ("crate", "#[evented(crate = path::to::evented_diesel)]"),
];

/// The options of `log(…)`.
pub(super) const LOG: &[Form] = &[
    ("shared", "#[evented(log(shared = Events))]"),
    ("only", "#[evented(log(only))]"),
    ("table", "#[evented(log(table = schema::item_log))]"),
    ("db_schema", r#"#[evented(log(db_schema = "audit"))]"#),
];

/// The options of `names(…)`.
pub(super) const NAMES: &[Form] = &[
    ("insert", "#[evented(names(insert = ItemInput))]"),
    ("update", "#[evented(names(update = ItemPatch))]"),
    ("event", "#[evented(names(event = ItemRecord))]"),
];

/// The options of `savepoint(…)`.
pub(super) const SAVEPOINT: &[Form] =
    &[("every", "#[evented(savepoint(every = 200))]"), ("with", "#[evented(savepoint(with = path::to::f))]")];

const DRIFTS: [(&str, Drift); 3] =
    [("adopt", Drift::Adopt), ("heal", Drift::Heal), ("refuse", Drift::Refuse)];

/// The attributes as written. [`Container::into_model`] adds the defaults.
#[derive(Default)]
pub(super) struct Container {
    schema: Option<Spanned<String>>,
    version: Option<Spanned<u32>>,
    actions: Actions,
    retired: Vec<(Spanned<String>, Path)>,
    scopes: Vec<Vec<(Ident, Ident)>>,
    shared_log: Option<Path>,
    log_only: Option<Span>,
    log_table: Option<Path>,
    db_schema: Option<Spanned<String>>,
    before_append: Option<Path>,
    after_write: Option<Path>,
    publishes: Vec<PublishOn>,
    cascade: Vec<Child>,
    view: Option<Span>,
    live: Option<Span>,
    insert: Option<Path>,
    update: Option<Path>,
    names: GeneratedNames,
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
        let mut seen = Vec::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("evented")) {
            items::each_of(attribute, FORMS[0].1, errors, |input, errors| {
                let unknown = |name: &Ident| items::unknown(name, FORMS, super::field::FORMS, "a field");
                items::named(input, FORMS, unknown, &mut seen, errors, |form, _, input, errors| {
                    container.value(form, input, errors)
                })
            });
        }
        container
    }

    fn value(&mut self, (name, form): Form, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        match name {
            "schema" => self.schema = Some(items::equals(input)?),
            "version" => self.version = Some(items::equals(input)?),
            "actions" => {
                drop(items::list(input, form, errors, |input, errors| self.actions.item(input, errors))?);
            }
            "retired" => self.retired.extend(items::list(input, form, errors, |input, _| retired(input))?),
            "scopes" => self.scopes.extend(scopes(input, form, errors)?),
            "log" => items::options(input, LOG, errors, |(name, _), input, _| self.log(name, input))?,
            "before_append" => self.before_append = Some(items::equals(input)?),
            "after_write" => self.after_write = Some(items::equals(input)?),
            "publish" => {
                self.publishes.extend(items::list(input, form, errors, |input, _| publish::on(input))?);
            }
            "view" => self.view = Some(input.span()),
            "live" => self.live = Some(input.span()),
            "cascade" => self.cascade.extend(items::list(input, form, errors, |input, _| child(input))?),
            "insert" => self.insert = Some(items::equals(input)?),
            "update" => self.update = Some(items::equals(input)?),
            "names" => items::options(input, NAMES, errors, |(name, _), input, _| self.name(name, input))?,
            "check" => self.check = Some(items::equals(input)?),
            "savepoint" => {
                items::options(input, SAVEPOINT, errors, |(name, _), input, _| self.savepoint(name, input))?;
            }
            "upcast" => {
                self.upcasts.extend(items::list(input, form, errors, |input, _| items::upcast(input))?);
            }
            "drift" => self.drift = Some(drift(input)?),
            "crate" => self.krate = Some(items::equals(input)?),
            // An attribute without an arm here stays unread, and the caller reports it.
            _ => {}
        }
        Ok(())
    }

    /// Parses the value of an option of `log(…)`.
    fn log(&mut self, option: &str, input: ParseStream<'_>) -> syn::Result<()> {
        match option {
            "shared" => self.shared_log = Some(items::equals(input)?),
            "only" => self.log_only = Some(input.span()),
            "table" => self.log_table = Some(items::equals(input)?),
            _ => self.db_schema = Some(items::equals(input)?),
        }
        Ok(())
    }

    /// Parses the value of an option of `names(…)`.
    fn name(&mut self, option: &str, input: ParseStream<'_>) -> syn::Result<()> {
        match option {
            "insert" => self.names.insert = Some(items::equals(input)?),
            "update" => self.names.update = Some(items::equals(input)?),
            _ => {
                let name = items::name_or_none(input)?;
                self.names.event = Some(name.map_or(EventName::Hidden, EventName::Given));
            }
        }
        Ok(())
    }

    /// Parses the value of an option of `savepoint(…)`.
    fn savepoint(&mut self, option: &str, input: ParseStream<'_>) -> syn::Result<()> {
        match option {
            "every" => self.savepoint_every = Some(items::equals(input)?),
            _ => self.savepoint = Some(items::equals(input)?),
        }
        Ok(())
    }

    /// The model, with the defaults of the missing attributes.
    pub(super) fn into_model(
        self,
        input: &DeriveInput,
        diesel: OnStruct,
        fields: Vec<Field>,
        key: Vec<usize>,
    ) -> Model {
        let table = diesel.table.unwrap_or_else(|| names::default_table(&input.ident).into());
        let schema = self.schema.unwrap_or_else(|| default_schema(&table, &input.ident));
        Model {
            ident: input.ident.clone(),
            vis: input.vis.clone(),
            krate: self.krate.unwrap_or_else(|| syn::parse_quote!(::evented_diesel)),
            table,
            schema,
            version: self.version.unwrap_or(Spanned { value: 0, span: Span::call_site() }),
            actions: self.actions.list,
            retired: self.retired,
            aliases: self.actions.aliases,
            scopes: self.scopes,
            shared_log: self.shared_log,
            log_only: self.log_only,
            before_append: self.before_append,
            after_write: self.after_write,
            publishes: self.publishes,
            cascade: self.cascade,
            view: self.view,
            live: self.live,
            parents: diesel.parents,
            log_table: self.log_table,
            db_schema: self.db_schema,
            insert: self.insert,
            update: self.update,
            names: self.names,
            check: self.check,
            savepoint: self.savepoint,
            savepoint_every: self.savepoint_every,
            upcasts: self.upcasts,
            drift: self.drift.unwrap_or(Drift::Adopt),
            fields,
            key,
        }
    }
}

/// The name of the table without its modules.
fn default_schema(table: &Path, model: &Ident) -> Spanned<String> {
    let name = table.segments.last().map_or(model, |last| &last.ident);
    Spanned { value: names::plain(name), span: name.span() }
}

/// Parses `"shut" = path::to::f`.
fn retired(input: ParseStream<'_>) -> syn::Result<(Spanned<String>, Path)> {
    Ok((input.parse()?, items::equals(input)?))
}

fn scopes(input: ParseStream<'_>, form: &str, errors: &mut Errors) -> syn::Result<Vec<Vec<(Ident, Ident)>>> {
    items::list(input, form, errors, |input, errors| scope(input, form, errors))
}

/// Parses `org = org_id` or `(org = org_id, post = post_id)`.
fn scope(input: ParseStream<'_>, form: &str, errors: &mut Errors) -> syn::Result<Vec<(Ident, Ident)>> {
    if !input.peek(token::Paren) {
        return Ok(vec![scope_part(input)?]);
    }
    items::list(input, form, errors, |input, _| scope_part(input))
}

fn scope_part(input: ParseStream<'_>) -> syn::Result<(Ident, Ident)> {
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

/// Parses `Comment`, `Comment = comments::item_id` or `Reply = (replies::shop_id, replies::number)`.
fn child(input: ParseStream<'_>) -> syn::Result<Child> {
    let model = input.parse()?;
    let mut columns = Vec::new();
    if input.peek(syn::Token![=]) {
        input.parse::<syn::Token![=]>()?;
        if input.peek(syn::token::Paren) {
            let content;
            syn::parenthesized!(content in input);
            columns.extend(content.parse_terminated(Path::parse_mod_style, syn::Token![,])?);
        } else {
            columns.push(input.call(Path::parse_mod_style)?);
        }
    }
    Ok(Child { model, columns })
}
