//! Checks the rules of a shared log.

use crate::errors::Errors;
use crate::model::Log;
use crate::names;

/// PostgreSQL truncates a longer identifier, and two names could become equal. The longest name that is derived from
/// the table's name ends in `_savepoint_idx`.
const LONGEST_TABLE: usize = 63 - "_savepoint_idx".len();

/// The names of columns, and of other tables of the log. A link cannot have them.
const TAKEN: [&str; 2] = ["checkpoints", "position"];

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
        let reason = format!("`{}` is no name for a module, which Diesel makes of a table", table.value);
        errors.push(table.span, format!("{reason}; write `#[event_log(table = \"events\")]`"));
    }
    let longest =
        log.shards.iter().flat_map(|shards| &shards.names).map(|name| name.len() + 1).max().unwrap_or(0)
            + log.links.iter().map(|link| names::plain(&link.name).len() + 1).max().unwrap_or(0);
    if table.value.len() + longest > LONGEST_TABLE {
        let reason = "the names of the log's tables and indexes would be longer than PostgreSQL keeps";
        errors.push(table.span, format!("{reason}; write a shorter `table`"));
    }
}

/// Checks that each model is in the list once.
fn models_are_distinct(log: &Log, errors: &mut Errors) {
    for (place, (model, _)) in log.models.iter().enumerate() {
        if log.models[..place].iter().any(|(earlier, _)| earlier == model) {
            errors.push_on(model, "the log holds this model already; write each model once");
        }
    }
}

/// Checks that each link has its own name, because it has its own table.
fn links_are_distinct(log: &Log, errors: &mut Errors) {
    for (place, link) in log.links.iter().enumerate() {
        let name = names::plain(&link.name);
        if log.links[..place].iter().any(|earlier| names::plain(&earlier.name) == name) {
            errors.push(link.name.span(), format!("there is a link `{name}` already; write each link once"));
        }
        if TAKEN.contains(&name.as_str()) {
            errors.push(
                link.name.span(),
                format!("a table of the log's own ends in `_{name}`; write another name"),
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
        errors.push(shards.span, format!("how many shards there are must be said, and two at least; {form}"));
    }
    for (place, name) in shards.names.iter().enumerate() {
        if shards.names[..place].contains(name) {
            errors.push(shards.span, format!("there is a shard `{name}` already; {form}"));
        }
        if !name.chars().all(|letter| letter == '_' || letter.is_ascii_alphanumeric()) || name.is_empty() {
            errors.push(shards.span, format!("`{name}` is no part of a table's name; {form}"));
        }
    }
    if shards.by.is_none() && shards.names.iter().any(|name| name.parse::<u16>().is_err()) {
        errors
            .push(shards.span, format!("which record is in which shard must be said of named ones; {form}"));
    }
}

/// Checks that each alias is an old name of one action.
fn aliases_are_old_names(log: &Log, errors: &mut Errors) {
    const RESERVED: [&str; 5] = ["insert", "update", "delete", "savepoint", "external"];
    for (place, (today, old)) in log.aliases.iter().enumerate() {
        if log.aliases[..place].iter().any(|(_, earlier)| earlier.value == old.value) {
            errors.push(old.span, format!("`{}` is an old name already; write each alias once", old.value));
        }
        for name in [today, old] {
            if RESERVED.contains(&name.value.as_str()) {
                let reason = format!("`{}` is an action of every model", name.value);
                let form = format!("#[evented(aliases({} = \"{}\"))]", today.value, old.value);
                errors.push(
                    name.span,
                    format!("{reason}; write `{form}` on the model whose rows have the name"),
                );
            }
        }
    }
}
