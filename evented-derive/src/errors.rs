//! The faults of one input, collected so that all of them are reported at once.

use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// The faults found so far. It must be [finished](Errors::finish): dropping it before is a bug that panics,
/// so that no fault can get lost.
#[derive(Debug)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    finished: bool,
}

impl Errors {
    pub(crate) fn new() -> Errors {
        Errors { found: Vec::new(), finished: false }
    }

    /// Adds a fault at a place.
    pub(crate) fn push(&mut self, span: Span, message: impl Display) {
        self.append(syn::Error::new(span, message));
    }

    /// Adds a fault at something of several tokens, all of which are underlined.
    pub(crate) fn push_on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.append(syn::Error::new_spanned(tokens, message));
    }

    /// Adds a fault that is an error already.
    pub(crate) fn append(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// All faults as one error, or that there are none.
    pub(crate) fn finish(mut self) -> syn::Result<()> {
        self.finished = true;
        let all = std::mem::take(&mut self.found).into_iter().reduce(|mut all, next| {
            all.combine(next);
            all
        });
        all.map_or(Ok(()), Err)
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        // A second panic while the first unwinds would abort and hide it.
        assert!(self.finished || std::thread::panicking(), "the errors were not finished");
    }
}
