//! The architecture of each crate: layers whose imports point down, files that a reader can hold in mind.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use proc_macro2::{TokenStream, TokenTree};

use crate::run::root;

mod crates;
mod sizes;

use crates::CRATES;
use sizes::sizes;

/// A crate, with the modules at its root from the lowest layer to the highest. Those of one line are one layer: they
/// may use each other.
struct Layers {
    package: &'static str,
    layers: &'static [&'static [&'static str]],
    /// Modules that only export what the others have, for a purpose: they may name everything.
    facades: &'static [&'static str],
}

/// Checks all crates, and reports everything that is wrong at once.
pub(crate) fn check() -> Result<()> {
    let mut faults = Vec::new();
    for layers in CRATES {
        let source = root()?.join(layers.package).join("src");
        let exports = exports(&fs::read_to_string(source.join("lib.rs"))?)?;
        let mut names: HashMap<String, PathBuf> = HashMap::new();
        for file in files(&source)? {
            let shown = file.strip_prefix(root()?)?.to_owned();
            let name = file.file_name().context("a file without a name")?.to_string_lossy().into_owned();
            if let Some(first) = names.insert(name, shown.clone()) {
                faults.push(format!(
                    "{}: there is a file of this name already: {}",
                    shown.display(),
                    first.display()
                ));
            }
            let text = fs::read_to_string(&file)?;
            let module = module_of(file.strip_prefix(&source)?);
            // Unit tests may use everything, and hold code as data.
            if !is_test(&module) {
                faults.extend(sizes(&shown, &text)?);
                faults.extend(layers.upward(&shown, &module, &text, &exports)?);
            }
        }
    }
    if !faults.is_empty() {
        bail!("the architecture does not hold:\n  {}", faults.join("\n  "));
    }
    println!("{} crates: no import points up, no file or function is too long", CRATES.len());
    Ok(())
}

impl Layers {
    /// The imports of a file that point to a higher layer. An item that the root of the crate exports counts as one of
    /// its module; an item of the root is above every layer.
    fn upward(&self, file: &Path, module: &[String], text: &str, exports: &Exports) -> Result<Vec<String>> {
        let Some(own) = module.first() else { return Ok(Vec::new()) };
        if self.facades.contains(&own.as_str()) {
            return Ok(Vec::new());
        }
        let rank: BTreeMap<&str, usize> = self
            .layers
            .iter()
            .enumerate()
            .flat_map(|(rank, modules)| modules.iter().map(move |module| (*module, rank)))
            .collect();
        let Some(own_rank) = rank.get(own.as_str()) else {
            return Ok(vec![format!(
                "{}: the module `{own}` is in no layer of {}",
                file.display(),
                self.package
            )]);
        };
        let tokens: TokenStream =
            text.parse().map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
        let mut used = Vec::new();
        imports(tokens, module, &mut used);
        let mut faults = Vec::new();
        for (name, line) in used {
            let location = format!("{}:{line}", file.display());
            let target = exports.get(&name).unwrap_or(&name);
            match rank.get(target.as_str()) {
                Some(rank) if rank > own_rank => {
                    faults.push(format!("{location}: `{own}` uses `{target}`, which is a layer above it"));
                }
                Some(_) => {}
                None => faults.push(format!(
                    "{location}: `{own}` uses `{target}` of the crate's root: name its module"
                )),
            }
        }
        Ok(faults)
    }
}

/// The names that the root of a crate exports, each with its module.
type Exports = HashMap<String, String>;

fn exports(root: &str) -> Result<Exports> {
    let mut exports = Exports::new();
    for item in syn::parse_file(root)?.items {
        if let syn::Item::Use(item) = item
            && let syn::UseTree::Path(path) = item.tree
        {
            leaves(&path.tree, &path.ident.to_string(), &mut exports);
        }
    }
    Ok(exports)
}

fn leaves(tree: &syn::UseTree, module: &str, exports: &mut Exports) {
    match tree {
        syn::UseTree::Path(path) => leaves(&path.tree, module, exports),
        syn::UseTree::Name(name) => drop(exports.insert(name.ident.to_string(), module.to_owned())),
        syn::UseTree::Rename(name) => drop(exports.insert(name.rename.to_string(), module.to_owned())),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, module, exports)),
        syn::UseTree::Glob(_) => {}
    }
}

/// The modules at the root of the crate that a file names, with the line: `crate::module`, `crate::{module, …}`, and
/// `super::…` that leads to the root.
fn imports(tokens: TokenStream, module: &[String], used: &mut Vec<(String, usize)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Group(group) => imports(group.stream(), module, used),
            TokenTree::Ident(ident) if ident == "crate" => names_behind(&tokens, at, used),
            TokenTree::Ident(ident) if ident == "super" => {
                let mut levels = 1;
                while is_path_separator(&tokens, at)
                    && matches!(tokens.get(at + 2), Some(TokenTree::Ident(ident)) if ident == "super")
                {
                    levels += 1;
                    at += 3;
                }
                if levels >= module.len() {
                    names_behind(&tokens, at, used);
                }
            }
            _ => {}
        }
    }
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon =
        |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon(at) && is_colon(at + 1)
}

/// The names behind `crate::`: one, or those of a list in braces.
fn names_behind(tokens: &[TokenTree], at: usize, used: &mut Vec<(String, usize)>) {
    if !is_path_separator(tokens, at) {
        return;
    }
    match tokens.get(at + 2) {
        Some(TokenTree::Ident(ident)) => used.push((ident.to_string(), ident.span().start().line)),
        Some(TokenTree::Group(group)) => {
            let mut is_first = true;
            for token in group.stream() {
                match token {
                    TokenTree::Ident(ident) if is_first => {
                        used.push((ident.to_string(), ident.span().start().line));
                        is_first = false;
                    }
                    TokenTree::Punct(punct) if punct.as_char() == ',' => is_first = true,
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// The path of a file's module from the root of its crate; nothing for the root.
fn module_of(file: &Path) -> Vec<String> {
    let without_extension = file.with_extension("");
    let parts: Vec<String> =
        without_extension.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if parts == ["lib"] { Vec::new() } else { parts }
}

/// Whether the module holds unit tests.
fn is_test(module: &[String]) -> bool {
    module.iter().any(|part| part == "tests" || part.ends_with("_tests"))
}

/// All Rust files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Layers = Layers { package: "two", layers: &[&["low"], &["high"]], facades: &["prelude"] };

    fn upward(module: &str, text: &str) -> usize {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        let exports = exports("pub use low::{Floor, deep::Cellar}; pub use high::Roof;").unwrap();
        TWO.upward(Path::new("low.rs"), &module, text, &exports).unwrap().len()
    }

    #[test]
    fn an_import_that_points_up_is_found() {
        assert_eq!(upward("low", "use crate::high::Thing;"), 1);
        assert_eq!(upward("low", "use crate::{high::Thing, low};"), 1);
        assert_eq!(upward("low::part", "use super::super::high;"), 1);
        assert_eq!(upward("low", "use super::high;"), 1);
        assert_eq!(upward("low", "fn f() { crate::high::g() }"), 1);
        assert_eq!(upward("low", "use crate::prelude::*;"), 1);
        assert_eq!(upward("low", "use crate::{Floor, Roof};"), 1);
        assert_eq!(upward("low", "use crate::OfTheRoot;"), 1);
    }

    #[test]
    fn an_import_that_points_down_is_no_fault() {
        assert_eq!(upward("high", "use crate::low::Thing; use crate::high::other;"), 0);
        assert_eq!(upward("low::part", "use super::high;"), 0);
        assert_eq!(upward("low", "// use crate::high::Thing;\nconst TEXT: &str = \"crate::high\";"), 0);
        assert_eq!(upward("low", "use crate::{Cellar, Floor};"), 0);
        assert_eq!(upward("prelude", "pub use crate::high::Thing;"), 0);
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        assert_eq!(upward("new", ""), 1);
    }
}
