//! Tests of trees: how `#[tree(…)]` is parsed, and the generated code.

use syn::{DeriveInput, parse_quote};

use super::snapshots::assert_snapshot;
use super::text;
use crate::errors::Errors;
use crate::model::{BranchKind, Tree, TreeBranch};

/// The tree, if there is one, and the errors of the input.
pub(super) fn read(input: &DeriveInput) -> (Option<Tree>, Vec<String>) {
    let mut errors = Errors::new();
    let tree = crate::parse::tree(input, &mut errors);
    if let Some(tree) = &tree {
        crate::check::check_tree(tree, &mut errors);
    }
    let found = match errors.finish() {
        Ok(()) => Vec::new(),
        Err(all) => all.into_iter().map(|error| error.to_string()).collect(),
    };
    (tree, found)
}

/// The tree of an input without errors.
fn tree(input: &DeriveInput) -> Tree {
    let (tree, found) = read(input);
    assert_eq!(found, Vec::<String>::new());
    tree.expect("a tree")
}

fn expansion(input: &DeriveInput) -> String {
    let file = syn::parse2(crate::expand::expand_tree(&tree(input))).expect("what is generated are items");
    prettyplease::unparse(&file)
}

fn with_every_association() -> DeriveInput {
    parse_quote! {
        #[derive(Tree, Clone, PartialEq)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct ItemCard {
            /// The item.
            #[tree(row)]
            pub item: Row<Item>,
            #[tree(has_many, filter = |c| c.hidden.eq(false), order = |c| (c.at.desc(), c.id.asc()), limit = 20)]
            comments: List<CommentCard>,
            #[tree(has_many)]
            #[tree(by = owner_id)]
            parts: live::List<Row<Part>>,
            #[tree(has_one, order = |p| p.at.desc(), by = item_id, filter = path::to::public)]
            photo: Option<Row<Photo>>,
            #[tree(has_many, through(path::to::Order), limit = MOST)]
            payments: List<Row<Payment>>,
            #[tree(has_one, through(Order, by = thing), by = order_id)]
            first: Option<Row<Payment>>,
            #[tree(belongs_to)]
            shop: Option<ShopCard>,
            #[tree(belongs_to, by = r#type)]
            r#type: Option<Row<Type>>,
            #[tree(many_to_many(Tagging), order = |t| t.name.asc(), limit = 5)]
            tags: List<Row<Tag>>,
            #[tree(many_to_many(path::to::Link, by = from_id, to = to_id), filter = |i| i.open.eq(true), depth = 2)]
            related: List<Self>,
            #[tree(has_many, by = parent_id, depth = 32)]
            below: List<ItemCard>,
        }
    }
}

fn the_smallest() -> DeriveInput {
    parse_quote! {
        #[tree(crate = other::path)]
        struct Alone {
            #[tree(row)]
            row: Row<Item>,
        }
    }
}

#[test]
fn whole_trees() {
    assert_snapshot("a_tree_with_every_association", &expansion(&with_every_association()));
    assert_snapshot("the_smallest_tree", &expansion(&the_smallest()));
}

fn shown(branch: &TreeBranch) -> String {
    let kind = match &branch.kind {
        BranchKind::ManyToMany(join) => {
            format!("many_to_many({} {} {})", text(&join.model), text(&join.by), text(&join.to))
        }
        kind => kind.attribute().to_owned(),
    };
    let options = &branch.options;
    let value = |name: &str| match name {
        "by" => options.by.as_ref().map(|by| text(&by.value)),
        "order" => options.order.as_ref().map(|order| text(&order.value)),
        "filter" => options.filter.as_ref().map(|filter| text(&filter.value)),
        "limit" => options.limit.as_ref().map(|limit| text(&limit.value)),
        "depth" => options.depth.as_ref().map(|depth| depth.value.to_string()),
        _ => options
            .through
            .as_ref()
            .map(|through| format!("{} {}", text(&through.value.model), text(&through.value.by))),
    };
    let options = options.given().map(|(name, _)| format!(" {name}={}", value(name).unwrap_or_default()));
    format!("{} {kind}{}", text(&branch.ident), options.collect::<String>())
}

#[test]
fn what_a_tree_says_is_read() {
    let tree = tree(&with_every_association());
    assert_eq!((text(&tree.ident), text(&tree.vis)), ("ItemCard".into(), "pub(crate)".into()));
    assert_eq!(text(&tree.krate), "::evented_diesel");
    assert_eq!((text(&tree.row.ident), text(&tree.row.ty)), ("item".into(), "Row<Item>".into()));
    let expected = [
        "comments has_many order=|c|(c.at.desc(),c.id.asc()) filter=|c|c.hidden.eq(false) limit=20",
        "parts has_many by=owner_id",
        "photo has_one by=item_id order=|p|p.at.desc() filter=path::to::public",
        "payments has_many limit=MOST through=path::to::Order ",
        "first has_one by=order_id through=Order thing",
        "shop belongs_to",
        "r#type belongs_to by=r#type",
        "tags many_to_many(Tagging  ) order=|t|t.name.asc() limit=5",
        "related many_to_many(path::to::Link from_id to_id) filter=|i|i.open.eq(true) depth=2",
        "below has_many by=parent_id depth=32",
    ];
    assert_eq!(tree.branches.iter().map(shown).collect::<Vec<_>>(), expected);
    // The name of the tree stands for `Self`.
    assert_eq!(text(&tree.branches[8].ty), "List<ItemCard>");
}

#[test]
fn only_the_given_crate_is_named() {
    let mut input = with_every_association();
    let default = crate::expand::expand_tree(&tree(&input)).to_string();
    input.attrs.push(parse_quote!(#[tree(crate = other::path)]));
    let given = crate::expand::expand_tree(&tree(&input)).to_string();
    assert!(!given.contains("evented_diesel"), "{given}");
    assert_eq!(given.replace("other :: path", ":: evented_diesel"), default);
}

#[test]
fn names_of_std_have_their_whole_path() {
    let text = crate::expand::expand_tree(&tree(&with_every_association())).to_string();
    for name in ["Some", "None", "Clone", "Arc"] {
        let (all, whole) =
            (text.matches(&format!(" {name} ")).count(), text.matches(&format!(":: {name} ")).count());
        assert_eq!(all, whole, "{name}");
    }
}

#[test]
fn every_attribute_of_a_tree_is_in_the_reference() {
    let reference = include_str!("../../docs/tree.md");
    for (name, _) in crate::parse::tree_forms() {
        let row = |rest: &str| reference.contains(&format!("| `{name}{rest}"));
        assert!(row("`") || row(" =") || row("("), "`{name}` has no row in the reference");
    }
    for (name, _) in crate::parse::tree_option_forms() {
        assert!(reference.contains(&format!(", {name} =")), "the option `{name}` is not in the reference");
    }
}
