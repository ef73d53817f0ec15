//! The tables of an application, in a crate of their own, as `diesel print-schema` prints them. The crate knows nothing
//! of evented.
#![allow(missing_docs, reason = "the columns say it")]

diesel::table! {
    shop_users (shop_id, user_id) {
        shop_id -> Integer,
        user_id -> Integer,
        role -> Text,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    settings (scope, day, active, digest) {
        scope -> Text,
        day -> SmallInt,
        active -> Bool,
        digest -> Binary,
        value -> Integer,
    }
}

diesel::table! {
    shop_limits (shop_id) {
        shop_id -> Integer,
        most -> Integer,
    }
}

diesel::table! {
    levels (id) {
        id -> SmallInt,
        name -> Text,
    }
}

diesel::table! {
    flags (on) {
        on -> Bool,
        name -> Text,
    }
}

diesel::table! {
    blobs (hash) {
        hash -> Binary,
        name -> Text,
    }
}

diesel::table! {
    memos (id) {
        id -> Integer,
        text -> Text,
    }
}

diesel::table! {
    tokens (id) {
        id -> BigInt,
        name -> Text,
    }
}

diesel::table! {
    addresses (id) {
        id -> Integer,
        name -> Text,
        street -> Text,
        city -> Nullable<Text>,
        secret -> Text,
        seen_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    members (team_id, person_id) {
        team_id -> Integer,
        person_id -> Text,
        rank -> Integer,
    }
}

diesel::table! {
    prices (id) {
        id -> Integer,
        amount -> BigInt,
        currency -> Text,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    accounts (id) {
        id -> Integer,
        mail -> Text,
        realm -> Text,
        login -> Text,
    }
}

// What applications declare for all of their tables.
diesel::joinable!(shop_limits -> memos (shop_id));
diesel::allow_tables_to_appear_in_same_query!(shop_users, shop_limits, memos, levels, flags);

/// Tables with UUID keys, as PostgreSQL has them.
pub mod pg {
    diesel::table! {
        persons (id) {
            id -> Uuid,
            name -> Text,
            boss_id -> Nullable<Uuid>,
        }
    }
}

/// A table and its log, as `print-schema` prints both from PostgreSQL.
pub mod logged {
    diesel::table! {
        pinned (id) {
            id -> Int4,
            name -> Text,
        }
    }
    diesel::table! {
        pinned_log (txid, position) {
            position -> Int8,
            txid -> Int8,
            revision -> Int8,
            at -> Timestamptz,
            record_id -> Int4,
            version -> Int2,
            given_id -> Bool,
            action -> Text,
            payload -> Json,
            meta -> Json,
            id -> Uuid,
            state -> Bytea,
        }
    }
    diesel::joinable!(pinned_log -> pinned (record_id));
    diesel::allow_tables_to_appear_in_same_query!(pinned, pinned_log);
}

/// The same tables, as SQLite has them.
pub mod sqlite {
    diesel::table! {
        persons (id) {
            id -> Binary,
            name -> Text,
            boss_id -> Nullable<Binary>,
        }
    }
    diesel::table! {
        texts (id) {
            id -> Text,
            name -> Text,
        }
    }
}
