//! The lengths of files and functions.

use std::path::Path;

use anyhow::{Context, Result};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// The most lines that a file may have, and a function.
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;

/// What is too long in a file.
pub(super) fn sizes(file: &Path, text: &str) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES {
        faults.push(format!("{}: {lines} lines, and {FILE_LINES} are the most", file.display()));
    }
    let parsed = syn::parse_file(text).with_context(|| file.display().to_string())?;
    let mut functions = Functions::default();
    functions.visit_file(&parsed);
    for (name, line, lines) in functions.long {
        let location = format!("{}:{line}", file.display());
        faults.push(format!("{location}: `{name}` has {lines} lines, and {FUNCTION_LINES} are the most"));
    }
    Ok(faults)
}

/// The functions that are too long: name, line, lines.
#[derive(Default)]
struct Functions {
    long: Vec<(String, usize, usize)>,
}

impl Functions {
    fn measure(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        let mut templates = Templates::default();
        templates.visit_block(block);
        let lines = span.end().line - span.start().line + 1 - templates.lines;
        if lines > FUNCTION_LINES {
            self.long.push((name.to_string(), span.start().line, lines));
        }
    }
}

/// The lines of the templates in a function. The text of generated code is data, and it is read as what it generates.
#[derive(Default)]
struct Templates {
    lines: usize,
}

impl<'ast> Visit<'ast> for Templates {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.segments.last().is_some_and(|it| it.ident == "quote" || it.ident == "quote_spanned") {
            let span = call.delimiter.span();
            self.lines += span.close().start().line - span.open().start().line;
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}
