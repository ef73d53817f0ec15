//! Parses `actions(…)`: the actions of a model, and old names of actions.

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Ident, LitStr, Path, token};

use super::items::{self, Form};
use crate::errors::Errors;
use crate::model::{ActionDef, Alias, Spanned};
use crate::names;

/// The options of an action of a model.
pub(super) const OPTIONS: &[Form] = &[
    ("name", r#"actions(Close(name = "close"))"#),
    ("method", "actions(Close(method = close_it))"),
    ("aliases", r#"actions(Close(aliases("shut")))"#),
];

/// The option of an action of every model, and of an action of a log.
const ALIASES: &[Form] = &[("aliases", r#"actions(update(aliases("edit")))"#)];

/// The actions of every model. A model lists them only with their old names.
const BUILT_IN: [&str; 3] = ["insert", "update", "delete"];

/// The content of `actions(…)` on a model.
#[derive(Default)]
pub(super) struct Actions {
    pub(super) list: Vec<ActionDef>,
    pub(super) aliases: Vec<Alias>,
}

impl Actions {
    /// Parses `path::To::Close`, `Close(name = "close", aliases("shut"))` or `update(aliases("edit"))`.
    pub(super) fn item(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        let ty = items::path(input)?;
        let Some(last) = ty.segments.last().map(|last| last.ident.clone()) else {
            return Err(input.error("expected the type of an action"));
        };
        if ty.get_ident().is_some_and(|name| BUILT_IN.iter().any(|known| name == known)) {
            let action = Spanned { value: names::plain(&last), span: last.span() };
            self.aliases.extend(old_names(&action, input, errors)?);
        } else {
            self.of_the_model(ty, &last, input, errors)?;
        }
        Ok(())
    }

    fn of_the_model(
        &mut self,
        ty: Path,
        last: &Ident,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        let mut name = None;
        let mut method = Some(names::method(last));
        let mut old = Vec::new();
        if input.peek(token::Paren) {
            items::options(input, OPTIONS, errors, |option, input, errors| {
                match option {
                    ("name", _) => name = Some(items::equals(input)?),
                    ("method", _) => method = items::name_or_none(input)?,
                    (_, form) => old.extend(items::list(input, form, errors, |input, _| input.parse())?),
                }
                Ok(())
            })?;
        }
        let name = name.unwrap_or_else(|| Spanned { value: names::snake_case(last), span: last.span() });
        self.aliases.extend(old.into_iter().map(|old| Alias { action: name.clone(), old }));
        self.list.push(ActionDef { ty, name: name.value, method, span: name.span });
        Ok(())
    }
}

/// Parses `archive(aliases("put_away"))` or `"archive"(aliases("put_away"))`: an action by its name in the log.
pub(super) fn named(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Vec<Alias>> {
    let action = if input.peek(LitStr) {
        input.parse()?
    } else {
        let name = input.call(Ident::parse_any)?;
        Spanned { value: names::plain(&name), span: name.span() }
    };
    old_names(&action, input, errors)
}

/// Parses `(aliases("edit"))` after the name of an action that has no other option.
fn old_names(
    action: &Spanned<String>,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> syn::Result<Vec<Alias>> {
    if !input.peek(token::Paren) {
        errors.push(action.span, without_effect(&action.value));
        return Ok(Vec::new());
    }
    let mut aliases = Vec::new();
    items::options(input, ALIASES, errors, |(_, form), input, errors| {
        let old = items::list(input, form, errors, |input, _| input.parse())?;
        aliases.extend(old.into_iter().map(|old| Alias { action: action.clone(), old }));
        Ok(())
    })?;
    Ok(aliases)
}

fn without_effect(action: &str) -> String {
    let reason = format!("`{action}` is listed without its old names, which has no effect");
    format!("{reason}; write `actions({action}(aliases(\"old_name\")))`")
}
