//! Tests of logs: how `#[event_log(…)]` is parsed, the whole message of each error, and the generated code.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_quote};

use super::snapshots::assert_snapshot;
use super::{assert_struct_faults, text};
use crate::errors::Errors;
use crate::model::{KeyKind, Log};

/// The log, if there is one, and the errors of the input.
fn read(input: &DeriveInput) -> (Option<Log>, Vec<String>) {
    let mut errors = Errors::new();
    let log = crate::parse::log(input, &mut errors);
    if let Some(log) = &log {
        crate::check::check_log(log, &mut errors);
    }
    let found = match errors.finish() {
        Ok(()) => Vec::new(),
        Err(all) => all.into_iter().map(|error| error.to_string()).collect(),
    };
    (log, found)
}

/// The log of an input without errors.
fn log(input: &DeriveInput) -> Log {
    let (log, found) = read(input);
    assert_eq!(found, Vec::<String>::new());
    log.expect("a log")
}

fn expansion(input: &DeriveInput) -> String {
    let file = syn::parse2(crate::expand::expand_log(&log(input))).expect("what is generated are items");
    prettyplease::unparse(&file)
}

fn the_smallest() -> DeriveInput {
    parse_quote! {
        #[event_log(table = "events", models(Item))]
        pub struct Events;
    }
}

fn with_everything() -> DeriveInput {
    parse_quote! {
        #[event_log(table = "events", models(Item, path::to::Comment(schema = "comments")), key = String, hashed)]
        #[event_log(links(ancestors, replies(path::to::Reply)), shards("eu", "us", by = path::to::f))]
        #[event_log(actions(archive(aliases("put_away")), "close"(aliases("shut"))), db_schema = "audit", crate = evented)]
        pub struct Events;
    }
}

#[test]
fn what_a_log_says_is_read() {
    let log = log(&with_everything());
    assert_eq!((text(&log.ident), text(&log.krate)), ("Events".into(), "evented".into()));
    assert_eq!((log.table.value.as_str(), log.key, log.hashed), ("events", KeyKind::Text, true));
    assert_eq!(log.db_schema.as_ref().map(|schema| schema.value.as_str()), Some("audit"));
    let models =
        log.models.iter().map(|(model, name)| (text(model), name.as_ref().map(|it| it.value.as_str())));
    let expected = [("Item".into(), None), ("path::to::Comment".into(), Some("comments"))];
    assert_eq!(models.collect::<Vec<_>>(), expected);
    let links = log.links.iter().map(|link| (text(&link.name), text(&link.data)));
    let expected = [("ancestors".into(), String::new()), ("replies".into(), "path::to::Reply".into())];
    assert_eq!(links.collect::<Vec<_>>(), expected);
    let shards = log.shards.as_ref().expect("shards");
    assert_eq!((shards.names.join(" "), text(&shards.by)), ("eu us".into(), "path::to::f".into()));
    let aliases = log.aliases.iter().map(|alias| (alias.action.value.as_str(), alias.old.value.as_str()));
    assert_eq!(aliases.collect::<Vec<_>>(), [("archive", "put_away"), ("close", "shut")]);
}

#[test]
fn what_a_log_leaves_out_has_a_default() {
    let log = log(&the_smallest());
    assert_eq!((text(&log.krate), log.key, log.hashed), ("::evented_diesel".into(), KeyKind::Id, false));
    assert!(
        log.db_schema.is_none() && log.links.is_empty() && log.shards.is_none() && log.aliases.is_empty()
    );
}

#[test]
fn numbered_shards_have_their_numbers_for_names() {
    let numbered: DeriveInput = parse_quote! {
        #[event_log(table = "events", models(Item), shards(3))]
        pub struct Events;
    };
    let shards = log(&numbered).shards.expect("shards");
    assert_eq!((shards.names.join(" "), shards.by.is_none()), ("0 1 2".into(), true));
}

/// Checks that each log, which has these attributes beside a table and a model, has these errors.
fn assert_faults<const N: usize>(table: [(TokenStream, &str); N]) {
    for (attributes, message) in table {
        let input = parse_quote!(#[event_log(table = "events", models(Item))] #attributes pub struct Events;);
        assert_eq!(read(&input).1, [message], "{attributes}");
    }
}

#[test]
fn faults_of_attributes_of_a_log() {
    assert_faults([
        (
            quote!(#[event_log(hashd)]),
            "unknown attribute `hashd`; did you mean `hashed`? write `#[event_log(hashed)]`",
        ),
        (quote!(#[event_log(hashed, hashed)]), "`hashed` is given twice; write `#[event_log(hashed)]` once"),
        (quote!(#[event_log(hashed = true)]), "expected `,`; write `#[event_log(hashed)]`"),
        (
            quote!(#[event_log(key = i64)]),
            "a key that the database generates is unique in one table only, and a shared log has several; the keys \
             of a shared log are `Id`, `Uuid` or `String`; write `#[event_log(key = Id)]`",
        ),
        (
            quote!(#[event_log(links(replies(A, B)))]),
            "a link has one type for its fields; write `#[event_log(links(ancestors, replies(Reply)))]`",
        ),
        (
            quote!(#[event_log(links(ancestors, ancestors))]),
            "the link `ancestors` is declared already; declare each link once",
        ),
        (
            quote!(#[event_log(links(checkpoints))]),
            "the log has another table whose name ends in `_checkpoints`; write another name",
        ),
        (
            quote!(#[event_log(shards(1))]),
            "a log with shards has at least two; write `shards(4)`, \
             `shards(4, by = path::to::f)` or `shards(\"eu\", \"us\", by = path::to::f)`",
        ),
        (
            quote!(#[event_log(shards("eu", "us"))]),
            "named shards need a function that selects the shard of a record; write `shards(4)`, \
             `shards(4, by = path::to::f)` or `shards(\"eu\", \"us\", by = path::to::f)`",
        ),
        (
            quote!(#[event_log(shards("eu", "eu", by = f))]),
            "the shard `eu` is listed twice; write `shards(4)`, `shards(4, by = path::to::f)` or \
             `shards(\"eu\", \"us\", by = path::to::f)`",
        ),
        (
            quote!(#[event_log(shards("eu", "u-s", by = f))]),
            "`u-s` cannot be a part of a table's name; write `shards(4)`, `shards(4, by = path::to::f)` or \
             `shards(\"eu\", \"us\", by = path::to::f)`",
        ),
        (
            quote!(#[event_log(actions(insert(aliases("create"))))]),
            "every model has an action `insert`; write `#[evented(actions(insert(aliases(\"create\"))))]` on the model \
             whose rows have the old name",
        ),
        (
            quote!(#[event_log(actions(archive))]),
            "`archive` is listed without its old names, which has no effect; write \
             `actions(archive(aliases(\"old_name\")))`",
        ),
        (
            quote!(#[event_log(actions(archive(aliases("a")), close(aliases("a"))))]),
            "the alias `a` is listed twice; list each alias once",
        ),
    ]);
}

#[test]
fn a_log_is_a_unit_struct_with_a_table_and_models() {
    let no_unit: [DeriveInput; 3] = [
        parse_quote!(
            pub struct Events {
                id: i32,
            }
        ),
        parse_quote!(
            pub enum Events {
                A,
            }
        ),
        parse_quote!(
            pub struct Events<T>;
        ),
    ];
    let message = "a struct without fields and parameters identifies a log; write `pub struct Events;`";
    for input in no_unit {
        let (log, found) = read(&input);
        assert!(log.is_none());
        assert_eq!(found, [message]);
    }
    let bare = [
        "the log has no table; write `#[event_log(table = \"events\")]`",
        "the log has no models; write `#[event_log(models(Item, Comment(schema = \"comments\")))]`",
    ];
    assert_eq!(
        read(&parse_quote!(
            pub struct Events;
        ))
        .1,
        bare
    );
    let private = parse_quote!(
        #[event_log(table = "events", models(Item))]
        struct Events;
    );
    let reason = "the log's table is public, and its types contain the log's type";
    let message = format!("{reason}; write `pub struct Events;`, in a private module if need be");
    assert_eq!(read(&private).1, [message]);
    let twice = parse_quote!(
        #[event_log(table = "events", models(Item, Item))]
        pub struct Events;
    );
    assert_eq!(read(&twice).1, ["the model is in the list already; list each model once"]);
}

#[test]
fn faults_of_a_model_in_a_log() {
    assert_struct_faults([
        (
            quote!(#[evented(log(shared = Events, table = schema::item_log))]),
            "the events of the model are in the shared log; write `log(shared = …)` or `log(table = …)`, not both",
        ),
        (
            quote!(#[evented(log(shared = Events, db_schema = "audit"))]),
            "the declaration of a shared log states its schema; write `#[event_log(db_schema = \"audit\")]` there",
        ),
        (
            quote!(#[evented(savepoint(every = 0))]),
            "an interval of 0 would write a savepoint before every event, without end; write for example `savepoint(every = 200)`",
        ),
        (
            quote!(#[evented(savepoint(often = 2))]),
            "unknown option `often`; known here are `every`, `with`; write for example \
             `#[evented(savepoint(every = 200))]`",
        ),
    ]);
    let with_number: [(DeriveInput, &str); 2] = [
        (
            parse_quote!(
                #[evented(log(shared = Events))]
                struct Item {
                    id: i32,
                }
            ),
            "a key that the database generates is unique in one table only, and a shared log has several; write \
             `Id<Item>`, `#[evented(given)]`, or leave out `log(shared = …)`",
        ),
        (
            parse_quote!(
                #[evented(log(only))]
                struct Item {
                    id: i64,
                }
            ),
            "this key is generated by the database on insert, and the model has no table; write `Id<Item>`, `String` or \
             `#[evented(given)]`",
        ),
    ];
    for (input, message) in with_number {
        assert_eq!(super::read(&input).1, [message]);
    }
    let external = parse_quote!(
        #[evented(log(only))]
        struct Item {
            id: Uuid,
            #[evented(generated)]
            rank: i32,
        }
    );
    let message = "a model without a table has no generated columns; leave out \
                   `#[evented(generated)]` or `log(only)`";
    assert_eq!(super::read(&external).1, [message]);
}

#[test]
fn settings_that_would_have_no_effect() {
    let faults = |input: syn::DeriveInput| super::read(&input).1;
    let without_table = faults(parse_quote!(
        #[evented(log(only), view, cascade(Comment))]
        struct Item {
            id: Uuid,
            #[evented(default)]
            rank: i32,
            #[evented(default = 7)]
            level: i32,
        }
    ));
    let expected = [
        "a model without a table has no view either; leave out `view` or `log(only)`",
        "a model without a table has no rows that others refer to; leave out `cascade(…)` or `log(only)`",
        "the model has no table, and so no column with a `DEFAULT`; write `#[evented(default = expression)]`",
    ];
    assert_eq!(without_table, expected);
    let own_insert = faults(parse_quote!(
        #[evented(insert = MyNew)]
        struct Item {
            id: Uuid,
            #[evented(default)]
            rank: i32,
        }
    ));
    let message = "the model has an insert type of your own, which decides what can be left out; write \
                   `Create::left_to_database` for that type";
    assert_eq!(own_insert, [message]);
}

#[test]
fn children_refer_to_each_part_of_the_key() {
    let two_parts = parse_quote!(
        #[diesel(primary_key(shop, number))]
        #[evented(cascade(Line, path::Note = (notes::shop, notes::number)))]
        struct Order {
            shop: i32,
            number: i32,
        }
    );
    let message = "the key has 2 columns, and 1 of `Line` would refer to it; write \
                   `cascade(Line = (table::column, table::other_column))`";
    assert_eq!(super::read(&two_parts).1, [message]);
}

#[test]
fn whole_logs() {
    assert_snapshot("the_smallest_log", &expansion(&the_smallest()));
    assert_snapshot("a_log_with_everything", &expansion(&with_everything()));
}

#[test]
fn every_attribute_is_in_the_reference() {
    let reference = [
        (crate::parse::struct_forms(), include_str!("../../docs/evented.md")),
        (crate::parse::field_forms(), include_str!("../../docs/evented.md")),
        (crate::parse::log_forms(), include_str!("../../docs/event_log.md")),
    ];
    for (forms, text) in reference {
        for (name, _) in forms {
            let row = |rest: &str| text.contains(&format!("| `{name}{rest}"));
            assert!(row("`") || row(" =") || row("("), "`{name}` has no row in the reference");
        }
    }
    let options = [
        (crate::parse::struct_option_forms(), include_str!("../../docs/evented.md")),
        (crate::parse::log_option_forms(), include_str!("../../docs/event_log.md")),
    ];
    for (forms, text) in options {
        for (name, _) in forms {
            let has = |rest: &str| text.contains(&format!("({name}{rest}"));
            assert!(has(" =") || has(")") || has("("), "the option `{name}` is not in the reference");
        }
    }
}
