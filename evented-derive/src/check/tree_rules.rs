//! Checks the rules of trees.

use crate::errors::Errors;
use crate::model::{BranchKind, Tree, TreeBranch};
use crate::names;

/// The most that a tree may contain itself. The library builds 64 levels at most.
const DEEPEST: u32 = 32;

/// Reports every inconsistency of a tree.
pub(crate) fn check(tree: &Tree, errors: &mut Errors) {
    row_has_no_options(tree, errors);
    row_is_one_record(tree, errors);
    for branch in &tree.branches {
        options_have_an_effect(branch, errors);
        holder_has_room(branch, errors);
        depth_is_of_a_tree_that_contains_itself(tree, branch, errors);
    }
}

/// The query chooses the records at the root, and orders them.
fn row_has_no_options(tree: &Tree, errors: &mut Errors) {
    for (option, span) in tree.row.options.given() {
        let reason = format!("`{option}` is for associations, and this is the record at the root");
        errors.push(span, format!("{reason}; write `#[tree(row)]` alone"));
    }
}

fn row_is_one_record(tree: &Tree, errors: &mut Errors) {
    let ty = &tree.row.ty;
    if let Some(last) = names::last_segment(ty)
        && ["List", "Option", "Vec"].iter().any(|holder| last.ident == holder)
    {
        let name = &tree.row.ident;
        errors.push_on(ty, format!("each tree has one record at its root; write `{name}: Row<Model>`"));
    }
}

fn options_have_an_effect(branch: &TreeBranch, errors: &mut Errors) {
    for (option, span) in branch.options.given() {
        let Some(reason) = no_effect(&branch.kind, option) else { continue };
        let instead = match (&branch.kind, option) {
            (BranchKind::ManyToMany(_), "by") => {
                "write `#[tree(many_to_many(Link, by = item_id))]`".to_owned()
            }
            _ => format!("leave out `{option}`"),
        };
        errors.push(span, format!("{reason}, so `{option}` has no effect; {instead}"));
    }
}

/// Why an option has no effect on an association of this kind.
fn no_effect(kind: &BranchKind, option: &str) -> Option<&'static str> {
    match (kind, option) {
        (BranchKind::HasOne, "limit") => Some("`has_one` has one record at most"),
        (BranchKind::BelongsTo, "order" | "filter" | "limit") => Some("a foreign key names one record"),
        (BranchKind::BelongsTo, "through") => Some("the record itself has the foreign key"),
        (BranchKind::ManyToMany(_), "through") => Some("the records of the link lead to the others"),
        (BranchKind::ManyToMany(_), "by") => Some("the records of the link have the foreign keys"),
        _ => None,
    }
}

/// `List` and `Option` are the holders. A type of another name may stand for either.
fn holder_has_room(branch: &TreeBranch, errors: &mut Errors) {
    let Some(last) = names::last_segment(&branch.ty) else { return };
    let (name, kind) = (&branch.ident, branch.kind.attribute());
    let kind = kind.split('(').next().unwrap_or(kind);
    if last.ident == "Option" && !branch.kind.is_single() {
        let reason = format!("`{kind}` has any number of records");
        errors.push_on(&branch.ty, format!("{reason}; write `{name}: List<…>`"));
    }
    if last.ident == "List" && branch.kind.is_single() {
        let reason = format!("`{kind}` has one record at most");
        errors.push_on(&branch.ty, format!("{reason}; write `{name}: Option<…>`"));
    }
}

/// Without a limit, a tree that contains itself would follow its records for as long as there are any.
fn depth_is_of_a_tree_that_contains_itself(tree: &Tree, branch: &TreeBranch, errors: &mut Errors) {
    let attribute = branch.kind.attribute();
    match &branch.options.depth {
        None if branch.contains(tree) => {
            let form = format!("#[tree({attribute}, depth = 3)]");
            errors.push_on(&branch.ty, format!("a tree that contains itself needs a depth: `{form}`"));
        }
        Some(depth) if !branch.contains(tree) => {
            let reason = format!("the type of the field does not contain `{}`", names::plain(&tree.ident));
            errors.push(depth.span, format!("{reason}, so `depth` has no effect; leave out `depth`"));
        }
        Some(depth) if !(1..=DEEPEST).contains(&depth.value) => {
            let form = format!("#[tree({attribute}, depth = 3)]");
            errors.push(depth.span, format!("a depth is from 1 to {DEEPEST}; write `{form}`"));
        }
        _ => {}
    }
}
