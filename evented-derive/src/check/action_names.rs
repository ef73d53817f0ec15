//! Checks that each action has its own method and its own name in the log.

use proc_macro2::Span;
use syn::Ident;

use crate::errors::Errors;
use crate::model::{ActionDef, Alias, Model, Spanned};
use crate::names;

/// The names of the library's own actions in the log.
pub(super) const RESERVED: [&str; 5] = ["insert", "update", "delete", "savepoint", "external"];

/// Methods that a model has already, from evented or from Diesel.
pub(crate) const METHODS: [&str; 46] = [
    "insert",
    "update",
    "delete",
    "delete_by",
    "execute_on",
    "upsert",
    "save",
    "update_where",
    "execute_where",
    "delete_where",
    "replay",
    "events",
    "savepoint",
    "changes",
    "changeset",
    "history",
    "previous_events",
    "table_at",
    "last_position",
    "run",
    "load",
    "load_stream",
    "first",
    "get_result",
    "get_results",
    "save_changes",
    "filter",
    "select",
    "find",
    "order",
    "limit",
    "belonging_to",
    "key",
    "check",
    "materialize",
    "undelete",
    "revert_to",
    "recent_events",
    "verify",
    "verify_savepoints",
    "verify_table",
    "verify_replay",
    "rebuild",
    "backfill",
    "adopt",
    "read_point",
];

/// PostgreSQL truncates a longer identifier, and two names could become equal.
const LONGEST_NAME: usize = 63;

/// Checks the method that an action becomes. It would hide a method of the same name, or be hidden by it.
pub(super) fn methods_are_free(model: &Model, errors: &mut Errors) {
    for index in 0..model.actions.len() {
        let action = &model.actions[index];
        let Some(reason) = method_fault(model, index) else { continue };
        let (ty, log_name) = (type_name(action), &action.name);
        // The name in the log is kept if possible, so that old rows stay readable.
        let keeps_name = !RESERVED.contains(&log_name.as_str()) && !is_repeated(model, index);
        let kept = if keeps_name { format!("(name = \"{log_name}\")") } else { String::new() };
        let form = format!("actions({ty}{}{kept})", model.ident);
        let span = action.method.as_ref().map_or(action.span, Ident::span);
        let other = format!("rename the method, `actions({ty}(method = {log_name}_it))`");
        errors.push(span, format!("{reason}; {other}, or the type: write for example `{form}`"));
    }
}

fn method_fault(model: &Model, index: usize) -> Option<String> {
    let method = names::plain(model.actions[index].method.as_ref()?);
    if METHODS.contains(&method.as_str()) {
        return Some(format!("every model has a method `{method}`"));
    }
    let repeated = model.actions[..index]
        .iter()
        .filter_map(|it| it.method.as_ref())
        .any(|earlier| names::plain(earlier) == method);
    repeated.then(|| format!("two actions would generate the method `{method}`"))
}

/// The variants that every model's event type has.
const VARIANTS: [&str; 6] = ["Insert", "Update", "Delete", "External", "Savepoint", "Retired"];

/// Checks the variant of the event type that an action becomes. It has the name of the action's type.
pub(super) fn variants_are_free(model: &Model, errors: &mut Errors) {
    for (index, action) in model.actions.iter().enumerate() {
        // Of a method or a name in the log that is taken, too, the other check says it.
        let name = type_name(action);
        let reported = method_fault(model, index).is_some() || RESERVED.contains(&action.name.as_str());
        if VARIANTS.contains(&name.as_str()) && !reported {
            let reason = format!("the event type of every model has a variant `{name}`");
            let form = format!("actions({name}{}(name = \"{}\"))", model.ident, action.name);
            errors.push(action.span, format!("{reason}; rename the type: write for example `{form}`"));
        }
    }
}

/// Whether an earlier action has the same name in the log.
fn is_repeated(model: &Model, index: usize) -> bool {
    model.actions[..index].iter().any(|earlier| earlier.name == model.actions[index].name)
}

fn type_name(action: &ActionDef) -> String {
    action.ty.segments.last().map(|last| names::plain(&last.ident)).unwrap_or_default()
}

/// Checks the names of actions in the log. A row of the log identifies its action by name alone, so current, retired
/// and old names form one set.
pub(super) fn log_names_are_unique(model: &Model, errors: &mut Errors) {
    let mut taken: Vec<(&str, &str)> =
        RESERVED.map(|name| (name, "a name that the log itself uses")).to_vec();
    for (index, action) in model.actions.iter().enumerate() {
        // If a type must be renamed because of its method, its name in the log changes too.
        let same = action.method.as_ref().is_some_and(|method| names::plain(method) == action.name);
        if !same || method_fault(model, index).is_none() {
            let form = format!("actions({}(name = \"another_name\"))", type_name(action));
            claim(&mut taken, (&action.name, action.span), "the name of an action", &form, errors);
        }
    }
    for (name, _) in &model.retired {
        let form = "retired(\"old_name\" = path::to::f)";
        claim(&mut taken, (&name.value, name.span), "the name of a retired action", form, errors);
    }
    for Alias { old, .. } in &model.aliases {
        let form = "aliases(\"old_name\")";
        claim(&mut taken, (&old.value, old.span), "the old name of an action", form, errors);
    }
}

/// Claims the name, or reports what has claimed it already.
fn claim<'a>(
    taken: &mut Vec<(&'a str, &'a str)>,
    (name, span): (&'a str, Span),
    what: &'static str,
    form: &str,
    errors: &mut Errors,
) {
    match taken.iter().find(|(other, _)| *other == name) {
        Some((_, holder)) => {
            errors.push(span, format!("`{name}` is already {holder}; write `{form}` with another name"));
        }
        None => taken.push((name, what)),
    }
}

/// Checks `names`: a type that is not generated has no name to give.
pub(super) fn names_are_of_generated_types(model: &Model, errors: &mut Errors) {
    for (name, own, attribute) in
        [(&model.names.insert, &model.insert, "insert"), (&model.names.update, &model.update, "update")]
    {
        if let (Some(name), Some(_)) = (name, own) {
            let reason = format!("`{attribute} = …` names a type of your own, so none is generated");
            errors.push(name.span(), format!("{reason}; leave out one of the two"));
        }
    }
}

/// Checks the name of the log's schema. The log's `table!` is generated, and accepts only identifiers.
pub(super) fn db_schema_is_an_identifier(model: &Model, errors: &mut Errors) {
    let Some(Spanned { value, span }) = &model.db_schema else { return };
    if model.log_table.is_none() && !value.is_empty() && syn::parse_str::<syn::Ident>(value).is_err() {
        let reason = format!("`{value}` is not an identifier, and Diesel's `table!` accepts no other schema");
        errors.push(*span, format!("{reason}; write `#[evented(log(db_schema = \"audit\"))]`"));
    }
}

/// Checks the length and the characters of names. They are columns of the log, and parts of the names of database
/// objects.
pub(super) fn names_fit(model: &Model, errors: &mut Errors) {
    let mut fits = |name: &str, span: Span, form: &str| {
        let fault = match name {
            "" => "an empty name".to_owned(),
            _ if name.contains('\0') => {
                "a name with a NUL character, which the database cannot store".to_owned()
            }
            _ if name.len() > LONGEST_NAME => {
                format!("a name of {} bytes, and the limit is {LONGEST_NAME}", name.len())
            }
            _ => return,
        };
        errors.push(span, format!("this is {fault}; write `{form}`"));
    };
    let Spanned { value, span } = &model.schema;
    fits(value, *span, "#[evented(schema = \"items\")]");
    if let Some(Spanned { value, span }) = &model.db_schema {
        fits(value, *span, "#[evented(log(db_schema = \"audit\"))]");
    }
    for action in &model.actions {
        fits(&action.name, action.span, &format!("actions({}(name = \"close\"))", type_name(action)));
    }
    for (name, _) in &model.retired {
        fits(&name.value, name.span, "retired(\"shut\" = path::to::f)");
    }
    for Alias { old, .. } in &model.aliases {
        fits(&old.value, old.span, "aliases(\"shut\")");
    }
}
