//! Tests of the models that are parsed, and of the whole message of each error.

mod field_attributes;
mod foreign_keys;
mod key_kinds;
mod logs_of_models;
mod rules;
mod snapshots;
mod struct_attributes;
mod tree_faults;
mod trees;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{DeriveInput, parse_quote};

use crate::errors::Errors;
use crate::model::{Drift, FieldKind, KeyKind, Model};
use crate::names;

/// The model, if there is one, and the errors of the input.
fn read(input: &DeriveInput) -> (Option<Model>, Vec<String>) {
    let mut errors = Errors::new();
    let model = crate::parse::model(input, &mut errors);
    if let Some(model) = &model {
        crate::check::check(model, &mut errors);
    }
    let found = match errors.finish() {
        Ok(()) => Vec::new(),
        Err(all) => all.into_iter().map(|error| error.to_string()).collect(),
    };
    (model, found)
}

/// The model of an input without errors.
fn model(input: &DeriveInput) -> Model {
    let (model, found) = read(input);
    assert_eq!(found, Vec::<String>::new(), "{}", input.to_token_stream());
    model.expect("a model")
}

/// Checks that each model, which has these attributes on the struct, has this one error.
fn assert_struct_faults<const N: usize>(table: [(TokenStream, &str); N]) {
    for (attributes, message) in table {
        let input = parse_quote!(#attributes struct Item { id: Uuid, org_id: Uuid, name: String });
        assert_eq!(read(&input).1, [message], "{attributes}");
    }
}

/// Checks that each model, which has these fields beside a key, has this one error.
fn assert_field_faults<const N: usize>(table: [(TokenStream, &str); N]) {
    for (fields, message) in table {
        let input = parse_quote!(struct Item { id: Uuid, #fields });
        assert_eq!(read(&input).1, [message], "{fields}");
    }
}

fn text(tokens: impl ToTokens) -> String {
    tokens.to_token_stream().to_string().replace(' ', "")
}

#[test]
fn a_full_model() {
    let model = model(&parse_quote! {
        #[derive(Evented, Queryable)]
        #[diesel(table_name = crate::schema::items, check_for_backend(diesel::pg::Pg))]
        #[diesel(primary_key(uid), belongs_to(Org, foreign_key = org_id))]
        #[diesel(base_query_type = dsl::Order<items::table, primary_key>)]
        #[evented(schema = "things", version = 2, retired("lost" = old::lost))]
        #[evented(actions(
            Archive,
            Close(name = "shut", aliases("close", "end")),
            path::To::Move<u8>,
            insert(aliases("create"))
        ))]
        #[evented(scopes(org = org_id, (post = post_id, org = org_id)))]
        #[evented(log(table = crate::schema::log, db_schema = "audit"), insert = NewThing, update = Changes)]
        #[evented(check = Item::valid, savepoint(with = path::save), upcast(0 = f, 1 = v::g), drift = heal)]
        #[evented(crate = evented)]
        pub(crate) struct Item {
            uid: Id<Item>,
            /// Whose it is.
            pub org_id: i32,
            post_id: Option<i32>,
            #[evented(renamed(from = "title", version = 1), renamed(version = 2, from = "caption"))]
            #[diesel(column_name = "type", deserialize_as = Map<String, Stored>, skip_update)]
            #[serde(rename = "n", default, alias = "m")]
            name: String,
            #[evented(inserted_at)] since: chrono::DateTime<chrono::Utc>,
            #[evented(updated_at)] changed: NaiveDateTime,
            #[evented(revision)] revision: i64,
            #[evented(skip_insert)] note: Option<String>,
            #[evented(generated)] #[serde(skip)] #[diesel(skip_insertion)] rank: Rank,
        }
    });

    assert_eq!((text(&model.ident), text(&model.vis)), ("Item".into(), "pub(crate)".into()));
    assert_eq!((text(&model.krate), text(&model.table)), ("evented".into(), "crate::schema::items".into()));
    assert_eq!((model.schema.value.as_str(), model.version.value), ("things", 2));
    let actions = model.actions.iter().map(|a| format!("{} {} {}", text(&a.ty), a.name, text(&a.method)));
    let actions = actions.collect::<Vec<_>>();
    assert_eq!(actions, ["Archive archive archive", "Close shut close", "path::To::Move<u8> move r#move"]);
    let retired = model.retired.iter().map(|(name, f)| format!("{} {}", name.value, text(f)));
    assert_eq!(retired.collect::<Vec<_>>(), ["lost old::lost"]);
    let aliases = model.aliases.iter().map(|alias| format!("{} {}", alias.action.value, alias.old.value));
    assert_eq!(aliases.collect::<Vec<_>>(), ["shut close", "shut end", "insert create"]);
    let scopes = model.scopes.iter().map(|scope| scope.iter().map(|(name, _)| text(name)).collect());
    assert_eq!(scopes.collect::<Vec<Vec<_>>>(), [vec!["org"], vec!["post", "org"]]);
    let paths = [&model.log_table, &model.insert, &model.update, &model.check, &model.savepoint];
    let expected = ["crate::schema::log", "NewThing", "Changes", "Item::valid", "path::save"];
    assert_eq!(paths.map(text), expected);
    assert_eq!(model.db_schema.as_ref().map(|schema| schema.value.as_str()), Some("audit"));
    let upcasts = model.upcasts.iter().map(|(from, f)| (from.value, text(f)));
    assert_eq!(upcasts.collect::<Vec<_>>(), [(0, "f".into()), (1, "v::g".into())]);
    assert_eq!(model.drift, Drift::Heal);

    let kinds = model.fields.iter().map(|field| field.kind).collect::<Vec<_>>();
    let plain = FieldKind::Plain;
    let (id, since, changed) = (FieldKind::Key(KeyKind::Id), FieldKind::InsertedAt, FieldKind::UpdatedAt);
    let others = [FieldKind::Revision, plain, FieldKind::Generated];
    assert_eq!(kinds, [&[id, plain, plain, plain, since, changed], &others[..]].concat());
    let name = &model.fields[3];
    assert_eq!((text(&name.ident), text(&name.column)), ("name".into(), "r#type".into()));
    assert_eq!(text(&name.deserialize_as), "Map<String,Stored>");
    let renamed = name.renamed.iter().map(|renamed| (renamed.from.as_str(), renamed.version));
    assert_eq!(renamed.collect::<Vec<_>>(), [("title", 1), ("caption", 2)]);
    assert_eq!(model.fields[1].docs.len(), 1);
    let skipped = model.fields.iter().filter(|field| field.skip_insert).map(|field| text(&field.ident));
    assert_eq!(skipped.collect::<Vec<_>>(), ["note"]);
}

#[test]
fn the_defaults() {
    let model = model(&parse_quote!(
        struct UserPost {
            id: uuid::Uuid,
            r#type: String,
        }
    ));
    assert_eq!((text(&model.krate), text(&model.table)), ("::evented_diesel".into(), "user_posts".into()));
    assert_eq!((model.schema.value.as_str(), model.version.value), ("user_posts", 0));
    assert_eq!((model.drift, model.fields[0].kind), (Drift::Adopt, FieldKind::Key(KeyKind::Uuid)));
    assert_eq!(text(&model.fields[1].column), "r#type");
}

#[test]
fn self_is_the_model() {
    let model = model(&parse_quote! {
        struct r#Item {
            id: Id<Self>,
            parent: Option<(Id<Self>, [Self; 2])>,
            #[diesel(deserialize_as = Stored<Self>)]
            rest: <Self as Rest>::Type,
        }
    });
    let types = model.fields.iter().map(|field| text(&field.ty)).collect::<Vec<_>>();
    let item = text(&model.ident);
    let expected =
        ["Id<Item>", "Option<(Id<Item>,[Item;2])>", "<ItemasRest>::Type"].map(|ty| ty.replace("Item", &item));
    assert_eq!(types, expected);
    assert_eq!(text(&model.fields[2].deserialize_as), format!("Stored<{item}>"));
}

#[test]
fn all_faults_are_reported() {
    let (_, found) = read(&parse_quote! {
        #[evented(versoin = 1, schema = 7, actions(Archive(name = archive), Filter), upcast(0 = f))]
        #[diesel(table_name = "items", primary_key(a, b))]
        struct Item<T> {
            #[evented(id, renamed(frm = "title", version = 1))]
            a: Uuid,
            #[evented(generated, revision)]
            #[diesel(embed)]
            b: T,
        }
    });
    let starts = [
        "unknown attribute `versoin`; did you mean `version`?",
        "expected string literal; write `#[evented(schema",
        "expected string literal; write `actions(Close(name = ",
        "expected identifier; write `#[diesel(table_name = items)]`",
        "a table holds one type",
        "unknown option `frm`; did you mean `from`? write `#[evented(renamed",
        "the primary key has the columns",
        "a field has one role",
        "evented must know each column by name",
        "no step starts at version 0",
        "every model has a method `filter`",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (message, start) in found.iter().zip(starts) {
        assert!(message.starts_with(start), "`{message}` does not start with `{start}`");
    }
}

#[test]
fn what_is_no_model() {
    let table: [(DeriveInput, &str); 5] = [
        (
            parse_quote!(
                enum Item {
                    A,
                }
            ),
            "an enum cannot be a row of a table",
        ),
        (parse_quote!(union Item { a: u8 }), "a union cannot be a row of a table"),
        (
            parse_quote!(
                struct Item(Uuid);
            ),
            "a tuple struct has no names for its columns",
        ),
        (
            parse_quote!(
                struct Item;
            ),
            "a struct without fields has no columns",
        ),
        (
            parse_quote!(
                #[evented(schema = "i")]
                struct Item {}
            ),
            "",
        ),
    ];
    for (input, reason) in table {
        let (model, found) = read(&input);
        if reason.is_empty() {
            assert_eq!(found, ["no key: name a field `id`, or mark one with `#[evented(id)]`"]);
        } else {
            assert!(model.is_none());
            assert_eq!(found, [format!("{reason}; write `struct Item {{ id: Id<Item>, … }}`")]);
        }
    }
    let generic = parse_quote!(
        struct Item<'a, T> {
            id: Uuid,
            name: &'a T,
        }
    );
    let message = "a table holds one type, so a model has no generic parameters; write `struct Item { … }`";
    assert_eq!(read(&generic).1, [message]);
}

#[test]
#[should_panic(expected = "the errors were not finished")]
fn errors_cannot_be_forgotten() {
    Errors::new().push(proc_macro2::Span::call_site(), "lost");
}

#[test]
fn names_of_types() {
    let table = [
        ("Archive", "archive", "archive", "archives"),
        ("SendMail", "send_mail", "send_mail", "send_mails"),
        ("HTTPCall", "http_call", "http_call", "h_t_t_p_calls"),
        ("Move", "move", "r#move", "moves"),
        ("Super", "super", "super_", "supers"),
        ("__", "__", "__", "__s"),
        ("_1", "_1", "_1", "_1s"),
        ("A", "a", "a", "r#as"),
        ("Änderung", "änderung", "änderung", "änderungs"),
    ];
    for (ty, snake, method, default_table) in table {
        let ty = syn::parse_str(ty).expect("an identifier");
        assert_eq!(names::snake_case(&ty), snake);
        assert_eq!(names::method(&ty).to_string(), method);
        assert_eq!(names::default_table(&ty).to_string(), default_table);
        let foreign_key =
            default_table.trim_start_matches("r#").strip_suffix('s').map(|name| format!("{name}_id"));
        assert_eq!(Some(names::default_foreign_key(&ty).to_string()), foreign_key);
    }
}

#[test]
fn the_nearest_name() {
    let known = ["id", "version", "revision", "upcast"];
    for (word, near) in
        [("versoin", Some("version")), ("di", Some("id")), ("ids", Some("id")), ("publish", None)]
    {
        assert_eq!(names::nearest(word, known), near, "{word}");
    }
}
