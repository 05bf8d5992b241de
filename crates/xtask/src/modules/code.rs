//! What one file says, as far as modules go: names that it defines and imports, and paths that it mentions.
//!
//! What stands under `#[cfg(test)]` is left out.

use std::collections::{BTreeMap, HashMap, HashSet};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{
    Attribute, ImplItem, Item, Macro, Meta, TraitItem, UseTree,
    visit::{self, Visit},
};

use super::{ModulePath, Written};

/// What one module says.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// Names of its items.
    pub(super) defined: HashSet<String>,
    /// Names that a `use` brings in, with the path that each stands for.
    pub(super) brought: HashMap<String, Vec<String>>,
    /// Modules that a `use` takes everything of.
    pub(super) everything_of: Vec<Vec<String>>,
    /// Every path of two names or more, and every path of a `use`.
    pub(super) paths: Vec<Written>,
    /// Names of methods that are called, with the line; inside macros, of functions too.
    pub(super) calls: Vec<(String, usize)>,
}

/// The modules of one file, by their path from the file's own.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) modules: BTreeMap<ModulePath, Code>,
    /// Modules that are there for tests only; their files are elsewhere.
    pub(super) tests: Vec<ModulePath>,
}

pub(super) fn read(text: &str) -> syn::Result<Found> {
    let file = syn::parse_file(text)?;
    let mut reader = Reader::default();
    reader.found.modules.insert(Vec::new(), Code::default());
    reader.visit_file(&file);
    Ok(reader.found)
}

#[derive(Default)]
struct Reader {
    /// The module inside of the file that is being read.
    here: ModulePath,
    found: Found,
}

impl Reader {
    fn code(&mut self) -> &mut Code {
        self.found.modules.entry(self.here.clone()).or_default()
    }

    /// What a `use` brings in.
    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
            UseTree::Glob(glob) => {
                self.mention(before.to_vec(), glob.star_token.spans[0].start().line);
                self.code().everything_of.push(before.to_vec());
            }
            UseTree::Name(name) if name.ident == "self" => {
                self.bring(before.last().cloned().unwrap_or_default(), before.to_vec(), &name.ident);
            }
            UseTree::Name(name) => self.bring(name.ident.to_string(), with(&name.ident), &name.ident),
            UseTree::Rename(name) if name.ident == "self" => {
                self.bring(name.rename.to_string(), before.to_vec(), &name.ident);
            }
            UseTree::Rename(name) => self.bring(name.rename.to_string(), with(&name.ident), &name.ident),
        }
    }

    fn bring(&mut self, name: String, path: Vec<String>, at: &Ident) {
        let written = Written { segments: path.clone(), line: at.span().start().line, is_brought: true };
        self.code().paths.push(written);
        self.code().brought.insert(name, path);
    }

    fn mention(&mut self, segments: Vec<String>, line: usize) {
        self.code().paths.push(Written { segments, line, is_brought: false });
    }

    fn path(&mut self, path: &syn::Path, line: usize) {
        if path.segments.len() > 1 {
            self.mention(path.segments.iter().map(|segment| segment.ident.to_string()).collect(), line);
        }
    }

    /// Paths and calls in what a macro or an attribute is given, which has no syntax of its own.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_colon =
            |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                // Attributes of serde name functions in strings.
                TokenTree::Literal(literal) => {
                    if let Ok(path) = syn::parse_str::<syn::Path>(literal.to_string().trim_matches('"')) {
                        self.path(&path, literal.span().start().line);
                    }
                }
                TokenTree::Ident(first) => {
                    let line = first.span().start().line;
                    let mut path = vec![first.to_string()];
                    while is_colon(at)
                        && is_colon(at + 1)
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 2)
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    if path.len() > 1 {
                        self.mention(path, line);
                    } else if let Some(TokenTree::Group(_)) = tokens.get(at) {
                        self.code().calls.push((first.to_string(), line));
                    }
                }
                TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = parts(item);
        let is_test = attributes.iter().any(is_for_tests);
        match item {
            Item::Mod(module) => {
                self.here.push(module.ident.to_string());
                if is_test {
                    let path = self.here.clone();
                    self.found.tests.push(path);
                } else {
                    if module.content.is_some() {
                        self.code();
                    }
                    visit::visit_item(self, item);
                }
                self.here.pop();
            }
            _ if is_test => {}
            Item::Use(import) => self.tree(&[], &import.tree),
            _ => visit::visit_item(self, item),
        }
        if !is_test && let Some(name) = name {
            self.code().defined.insert(name.to_string());
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let is_test = matches!(item, TraitItem::Fn(item) if item.attrs.iter().any(is_for_tests));
        if !is_test {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            self.path(path, first.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let found = (call.method.to_string(), call.method.span().start().line);
        self.code().calls.push(found);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.visit_path(attribute.path());
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<Ident>().is_ok_and(|condition| condition == "test")
}

/// The attributes of an item, and the name that it defines.
fn parts(item: &Item) -> (&[Attribute], Option<&Ident>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Mod(item) => (&item.attrs, Some(&item.ident)),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}
