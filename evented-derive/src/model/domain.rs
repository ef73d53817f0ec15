//! The content of the attributes of `#[derive(DomainEvent)]` and `#[derive(Bus)]`.

use syn::{Ident, Path};

use super::Spanned;

/// A type with `#[derive(DomainEvent)]`.
#[derive(Debug)]
pub(crate) struct DomainEvent {
    pub(crate) ident: Ident,
    /// The path of the library.
    pub(crate) krate: Path,
    /// `name = "order_placed"`: the name in the bus.
    pub(crate) name: Spanned<String>,
    /// `aliases("order_created")`: older names.
    pub(crate) aliases: Vec<Spanned<String>>,
    /// `version = 2`: the version of its form.
    pub(crate) version: Spanned<u32>,
    /// `upcast(0 = f, 1 = g)`: the step from each version to the next.
    pub(crate) upcasts: Vec<(Spanned<u32>, Path)>,
    /// `key = order`: the field that orders events.
    pub(crate) key: Option<Ident>,
    /// `bus = Shop`: the bus.
    pub(crate) bus: Option<Path>,
    /// The named fields.
    pub(crate) fields: Vec<Ident>,
}

/// A unit struct with `#[derive(Bus)]`.
#[derive(Debug)]
pub(crate) struct Bus {
    pub(crate) ident: Ident,
    /// The path of the library.
    pub(crate) krate: Path,
    /// `table = "shop_events"`: the table.
    pub(crate) table: Spanned<String>,
}
