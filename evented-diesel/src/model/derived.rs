//! Defines the token that generated code implements traits with.

/// A token that only generated code names.
///
/// The traits of the derives have a hidden constant of this type: a trait that is implemented by hand would break with
/// the next item that a new version adds to it.
#[derive(Debug, Clone, Copy)]
pub struct Derived(());

impl Derived {
    /// The token.
    #[doc(hidden)]
    pub const TOKEN: Self = Self(());
}
