//! Generated code causes no warning under any lint that users enable, in a private module where nothing is used.
#![deny(warnings)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(
    let_underscore,
    missing_debug_implementations,
    nonstandard_style,
    rust_2018_idioms,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unreachable_pub,
    unused,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![deny(
    clippy::absolute_paths,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::default_numeric_fallback,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::min_ident_chars,
    clippy::missing_inline_in_public_items,
    clippy::multiple_inherent_impl,
    clippy::pattern_type_mismatch,
    clippy::same_name_method,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm
)]
#![forbid(unsafe_code)]

mod schema {
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::{Uid, UtcTime};
        quiets (id) {
            id -> Uid,
            name -> Text,
            note -> Nullable<Text>,
            level -> Integer,
            made_at -> UtcTime,
            changed_at -> UtcTime,
            revision -> BigInt,
            by_database -> Integer,
        }
    }
    diesel::table! {
        quieters (id) {
            id -> Integer,
            rank -> Integer,
        }
    }
    diesel::table! {
        leaves (id) {
            id -> Integer,
            parent -> Nullable<Integer>,
            tree -> Integer,
            size -> Integer,
            color -> Nullable<Text>,
        }
    }
}

/// A model with every attribute, which is not used.
mod unused_model {
    use chrono::{DateTime, Utc};
    use evented_diesel::{Action, Context, Evented, Fields, Id, RawPayload, ValidationErrors};
    use serde::{Deserialize, Serialize};

    use super::schema::quiets;

    #[derive(Evented, Clone, Debug, PartialEq, Eq)]
    #[diesel(table_name = quiets)]
    #[evented(
        schema = "quiet",
        version = 1,
        actions(Hush(aliases("quieten")), Raise(name = "louder"), insert(aliases("create"))),
        retired("shout" = Quiet::shout),
        scopes(level = level, (level = level, name = name)),
        log(db_schema = "audit"),
        upcast(0 = Quiet::from_0),
        check = Quiet::check,
        savepoint(with = Quiet::savepoint_of),
        drift = heal
    )]
    pub(super) struct Quiet {
        id: Id<Self>,
        #[evented(renamed(from = "title", version = 1))]
        pub(super) name: String,
        note: Option<String>,
        #[evented(skip_insert)]
        level: i32,
        #[evented(inserted_at)]
        made_at: DateTime<Utc>,
        #[evented(updated_at)]
        changed_at: DateTime<Utc>,
        #[evented(revision)]
        revision: i64,
        #[evented(generated)]
        by_database: i32,
    }

    #[derive(Serialize, Deserialize, Clone, Debug)]
    pub(super) struct Hush;

    #[derive(Serialize, Deserialize, Clone, Debug)]
    pub(super) struct Raise([u8; 32]);

    impl Action<Quiet> for Hush {
        fn apply(&self, quiet: &mut Quiet, _: &Context) {
            quiet.level = i32::default();
        }
    }

    impl Action<Quiet> for Raise {
        fn apply(&self, quiet: &mut Quiet, _: &Context) {
            quiet.level = self.0.first().copied().unwrap_or_default().into();
        }
    }

    impl Quiet {
        fn check(&self) -> Result<(), ValidationErrors> {
            if self.name.is_empty() { Err(ValidationErrors::field("name", "is empty")) } else { Ok(()) }
        }
        fn savepoint_of(&self) -> Fields {
            let mut fields = Fields::new();
            fields.set("name", self.name.as_str());
            fields
        }
        const fn shout(_: &RawPayload, quiet: &mut Self, _: &Context) {
            quiet.level = i32::MAX;
        }
        fn from_0(attrs: &mut RawPayload) {
            attrs.set("level", i32::MIN);
        }
    }
}

/// A model with only a key to write, and one deprecated field.
mod smallest_model {
    use evented_diesel::Evented;

    use super::schema::quieters;

    #[derive(Evented, Clone, Debug, PartialEq, Eq)]
    #[diesel(table_name = quieters)]
    struct Quieter {
        id: i32,
        #[evented(generated)]
        #[deprecated = "to show that nothing is said of it"]
        rank: i32,
    }
}

/// Models with defaults, that are views, or that cascade.
mod related_models {
    use evented_diesel::Evented;

    use super::schema::{leaves, quieters};

    #[derive(Evented, Clone, Debug, PartialEq, Eq)]
    #[diesel(table_name = quieters)]
    #[evented(schema = "trees", cascade(Leaf = leaves::tree), log(db_schema = "audit"))]
    struct Tree {
        id: i32,
        rank: i32,
    }

    #[derive(Evented, Clone, Debug, PartialEq, Eq)]
    #[diesel(table_name = leaves)]
    #[evented(view, cascade(Self = leaves::parent))]
    struct Leaf {
        id: i32,
        #[evented(default)]
        parent: Option<i32>,
        tree: i32,
        #[evented(default)]
        size: i32,
        #[evented(default = Some("green".to_owned()))]
        color: Option<String>,
    }
}
