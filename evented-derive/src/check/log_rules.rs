//! Checks the rules of a shared log.

use super::action_names::RESERVED;
use crate::errors::Errors;
use crate::model::{Alias, Log};
use crate::names;

/// PostgreSQL truncates a longer identifier, and two names could become equal. Names that the library derives from a
/// table's name are cut to this length.
const LONGEST_TABLE: usize = 63;

/// The names of columns, and of other tables of the log. A link cannot have them.
const TAKEN: [&str; 3] = ["checkpoints", "position", "tree"];

/// Reports every inconsistency of the log.
pub(crate) fn check(log: &Log, errors: &mut Errors) {
    tables_are_identifiers(log, errors);
    models_are_distinct(log, errors);
    links_are_distinct(log, errors);
    shards_are_several(log, errors);
    aliases_are_old_names(log, errors);
}

/// Checks the names of the tables. They become the names of modules.
fn tables_are_identifiers(log: &Log, errors: &mut Errors) {
    let table = &log.table;
    if names::ident(&table.value, table.span).is_none() {
        let reason = format!("`{}` cannot name the module that Diesel generates for the table", table.value);
        errors.push(table.span, format!("{reason}; write `#[event_log(table = \"events\")]`"));
    }
    let longest =
        log.shards.iter().flat_map(|shards| &shards.names).map(|name| name.len() + 1).max().unwrap_or(0)
            + log.links.iter().map(|link| names::plain(&link.name).len() + 1).max().unwrap_or(0);
    if table.value.len() + longest > LONGEST_TABLE {
        let reason = "the names of the log's tables would exceed PostgreSQL's limit of 63 bytes";
        errors.push(table.span, format!("{reason}; write a shorter `table`"));
    }
}

/// Checks that each model is in the list once.
fn models_are_distinct(log: &Log, errors: &mut Errors) {
    for (index, (model, _)) in log.models.iter().enumerate() {
        if log.models[..index].iter().any(|(earlier, _)| earlier == model) {
            errors.push_on(model, "the model is in the list already; list each model once");
        }
    }
}

/// Checks that each link has its own name, because it has its own table.
fn links_are_distinct(log: &Log, errors: &mut Errors) {
    for (index, link) in log.links.iter().enumerate() {
        let name = names::plain(&link.name);
        if log.links[..index].iter().any(|earlier| names::plain(&earlier.name) == name) {
            errors.push(
                link.name.span(),
                format!("the link `{name}` is declared already; declare each link once"),
            );
        }
        if TAKEN.contains(&name.as_str()) {
            errors.push(
                link.name.span(),
                format!("the log has another table whose name ends in `_{name}`; write another name"),
            );
        }
    }
}

/// Checks that there are at least two shards, that their names are distinct and valid in a table's name, and that
/// named shards have `by`.
fn shards_are_several(log: &Log, errors: &mut Errors) {
    let Some(shards) = &log.shards else { return };
    let form =
        "write `shards(4)`, `shards(4, by = path::to::f)` or `shards(\"eu\", \"us\", by = path::to::f)`";
    if shards.names.len() < 2 {
        errors.push(shards.span, format!("a log with shards has at least two; {form}"));
    }
    for (index, name) in shards.names.iter().enumerate() {
        if shards.names[..index].contains(name) {
            errors.push(shards.span, format!("the shard `{name}` is listed twice; {form}"));
        }
        if !name.chars().all(|letter| letter == '_' || letter.is_ascii_alphanumeric()) || name.is_empty() {
            errors.push(shards.span, format!("`{name}` cannot be a part of a table's name; {form}"));
        }
    }
    if shards.by.is_none() && shards.names.iter().any(|name| name.parse::<u16>().is_err()) {
        errors.push(
            shards.span,
            format!("named shards need a function that selects the shard of a record; {form}"),
        );
    }
}

/// Checks that each alias is an old name of one action.
fn aliases_are_old_names(log: &Log, errors: &mut Errors) {
    for (index, Alias { action, old }) in log.aliases.iter().enumerate() {
        if log.aliases[..index].iter().any(|earlier| earlier.old.value == old.value) {
            errors.push(old.span, format!("the alias `{}` is listed twice; list each alias once", old.value));
        }
        for name in [action, old] {
            if RESERVED.contains(&name.value.as_str()) {
                let reason = format!("every model has an action `{}`", name.value);
                let form = format!("#[evented(actions({}(aliases(\"{}\"))))]", action.value, old.value);
                errors.push(
                    name.span,
                    format!("{reason}; write `{form}` on the model whose rows have the old name"),
                );
            }
        }
    }
}
