//! The layers of each crate.

use super::Layers;

pub(super) const CRATES: &[Layers] = &[
    Layers {
        package: "evented-core",
        layers: &[
            &["sha256"],
            &["digest", "fields", "invalid", "json", "key", "normal", "optional", "position"],
            &["context", "meta"],
            // The traits of a model, and the values that their methods take.
            &["action", "attrs", "event", "evented", "external", "never", "scope"],
            &["chain", "changeset", "command", "record_ref", "replay"],
            &["tree"],
            &["checkpoint"],
            &["change"],
            &["kinds"],
            &["channel", "policy"],
        ],
        facades: &[],
    },
    Layers {
        package: "evented-derive",
        layers: &[&["errors", "names"], &["model"], &["parse"], &["check"], &["expand"], &["tests"]],
        facades: &[],
    },
    Layers {
        package: "evented-diesel",
        layers: &[
            &["error", "sql_types"],
            &["sql"],
            &["telemetry"],
            &["exec"],
            &["model"],
            &["statements"],
            &["backend"],
            &["migrations"],
            &["read"],
            &["write"],
            &["stream"],
            &["verify", "checkpoints"],
            &["maintenance"],
            &["dsl"],
        ],
        facades: &["prelude", "async_prelude", "private", "spi"],
    },
    Layers {
        package: "evented-wal",
        layers: &[
            &["lsn", "quoting", "relation", "system"],
            &["status", "table_name", "tuple"],
            &["published_in_part", "required_table"],
            &["message", "table_setup"],
            &["config"],
            &["decode", "read_row"],
            &["error"],
            &["found_table", "transport"],
            &["session", "stream"],
            &["publication_watch"],
            &["tail"],
        ],
        facades: &[],
    },
    Layers {
        package: "evented-feed",
        layers: &[
            &["hints", "status", "sync"],
            &["wal"],
            &["feed", "telemetry"],
            &["router"],
            &["shared"],
            &["source"],
            &["hub"],
            &["relay"],
        ],
        facades: &[],
    },
    Layers {
        package: "evented-cli",
        layers: &[
            &["progress", "screen"],
            &["failure"],
            &["answer", "input"],
            &["arguments"],
            &["commands"],
            &["render"],
            &["erased"],
            &["connection"],
            &["admin", "dispatch"],
        ],
        facades: &[],
    },
];
