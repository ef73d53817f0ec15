//! Collects the errors of one input, so that all of them are reported at once.

use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// The errors found so far. The owner must [finish](Errors::finish) it: dropping it unfinished panics, so that no
/// error is lost.
#[derive(Debug)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    finished: bool,
}

impl Errors {
    pub(crate) fn new() -> Errors {
        Errors { found: Vec::new(), finished: false }
    }

    /// Adds an error at a span.
    pub(crate) fn push(&mut self, span: Span, message: impl Display) {
        self.append(syn::Error::new(span, message));
    }

    /// Adds an error at several tokens and underlines all of them.
    pub(crate) fn push_on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.append(syn::Error::new_spanned(tokens, message));
    }

    /// Adds an existing error.
    pub(crate) fn append(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// The number of errors found so far.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Returns all errors as one, or `Ok` if there are none.
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
