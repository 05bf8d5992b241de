//! The modules of a crate: which files there are, and which imports which.
//!
//! A file imports another when its code, tests aside, names a path that leads into it: in a `use`, inline, or
//! inside a macro. A name that a module passes on (`pub use child::Thing`) leads to where it is defined. What is
//! reached by a method alone names no path, and is not seen.

mod code;
mod drawing;
mod graph;
mod rooms;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use anyhow::Context;

use code::Code;
pub use drawing::draw;
pub use rooms::{Circle, Import, Room, circles, rooms};

/// Names from the root of the crate; empty for the root.
pub type ModulePath = Vec<String>;

/// The modules of one crate, those inside of files too.
#[derive(Debug)]
pub struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    code: Code,
}

/// A path that stands in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// Whether a `use` brings in the last name.
    pub(crate) is_brought: bool,
}

impl Crate {
    /// From the files below `src` of a crate, each with its place below that folder.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> anyhow::Result<Self> {
        let mut modules = BTreeMap::new();
        let mut tests = Vec::new();
        for (file, text) in files {
            let found = code::read(text).with_context(|| format!("reading {}", file.display()))?;
            let path = module_path(file);
            tests.extend(found.tests.into_iter().map(|below| joined(&path, &below)));
            for (below, code) in found.modules {
                modules.insert(joined(&path, &below), Module { file: file.to_path_buf(), code });
            }
        }
        modules.retain(|path, _| !tests.iter().any(|test| path.starts_with(test)));
        Ok(Self { modules })
    }

    /// Names of libraries that the code mentions, with the first file and line that does.
    pub fn libraries(&self) -> HashMap<&str, (&Path, usize)> {
        let mut found = HashMap::new();
        for (path, module) in &self.modules {
            for written in &module.code.paths {
                if let Some(first) = written.segments.first()
                    && self.absolute(path, &written.segments).is_none()
                {
                    found.entry(first.as_str()).or_insert((module.file.as_path(), written.line));
                }
            }
        }
        found
    }

    /// Where a function or method of this name is called, or handed on by a path.
    pub fn calls<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Path, usize)> {
        self.modules.values().flat_map(move |module| {
            let methods = module.code.calls.iter().filter(move |(called, _)| called == name);
            let is_called = move |path: &&Written| {
                !path.is_brought && path.segments.last().is_some_and(|last| last == name)
            };
            let paths = module.code.paths.iter().filter(is_called).map(|path| path.line);
            methods.map(|(_, line)| *line).chain(paths).map(|line| (module.file.as_path(), line))
        })
    }

    /// Every import of one file by another, once for each pair and in the order of their names.
    pub fn imports(&self) -> Vec<Import<'_>> {
        let mut imports = BTreeMap::new();
        for (path, module) in &self.modules {
            for written in &module.code.paths {
                let Some(target) = self.absolute(path, &written.segments) else { continue };
                // The name of a module alone is no import: what is taken through it is.
                if written.is_brought && self.modules.contains_key(&target) {
                    continue;
                }
                let Some((_, found)) = self.resolve(&target, MOST_STEPS) else { continue };
                if found.file != module.file
                    && let (Some(from), Some(to)) = (self.of_file(&module.file), self.of_file(&found.file))
                {
                    imports.entry((from, to)).or_insert(Import {
                        from,
                        file: &module.file,
                        line: written.line,
                        to,
                        to_file: &found.file,
                    });
                }
            }
        }
        imports.into_values().collect()
    }

    /// Modules that are files, by path.
    pub fn files(&self) -> impl Iterator<Item = &[String]> {
        let mut seen = BTreeSet::new();
        // A file's own module comes before those inside of it.
        self.modules
            .iter()
            .filter_map(move |(path, module)| seen.insert(module.file.as_path()).then_some(path.as_slice()))
    }

    /// The module that a file is, as a whole.
    fn of_file(&self, file: &Path) -> Option<&[String]> {
        self.modules.get_key_value(&module_path(file)).map(|(path, _)| path.as_slice())
    }

    /// What is written in the module at `from`, from the root of the crate; none where it leads out of the crate.
    fn absolute(&self, from: &[String], written: &[String]) -> Option<ModulePath> {
        let mut base = from.to_vec();
        let mut rest = written.iter().peekable();
        match rest.peek()?.as_str() {
            "crate" => {
                base.clear();
                rest.next();
            }
            "self" | "super" => {
                while let Some(step) = rest.next_if(|segment| matches!(segment.as_str(), "self" | "super")) {
                    if step == "super" {
                        base.pop();
                    }
                }
            }
            first => {
                let code = &self.modules.get(from)?.code;
                let child = joined(&base, &[first.to_string()]);
                if !self.modules.contains_key(&child) {
                    let meant = code.brought.get(first)?;
                    if meant.first().is_some_and(|segment| segment == first) {
                        return None;
                    }
                    base = self.absolute(from, meant)?;
                    rest.next();
                }
            }
        }
        base.extend(rest.cloned());
        Some(base)
    }

    /// The module that a path leads into: as far as modules go, and through names that they pass on.
    fn resolve(&self, target: &[String], steps: usize) -> Option<(&[String], &Module)> {
        let mut here = self.modules.get_key_value(&[] as &[String])?;
        for (at, segment) in target.iter().enumerate() {
            if let Some(child) = self.modules.get_key_value(&joined(here.0, std::slice::from_ref(segment))) {
                here = child;
                continue;
            }
            if steps > 0
                && let Some(meant) = self.passed_on(here, segment)
            {
                let rest = target.get(at + 1..).unwrap_or_default();
                return self.resolve(&joined(&meant, rest), steps - 1);
            }
            break;
        }
        Some((here.0, here.1))
    }

    /// Where a name of a module comes from, when the module only passes it on.
    fn passed_on(&self, (path, module): (&ModulePath, &Module), name: &str) -> Option<ModulePath> {
        if module.code.defined.contains(name) {
            return None;
        }
        if let Some(meant) = module.code.brought.get(name) {
            return self.absolute(path, meant);
        }
        module.code.everything_of.iter().find_map(|glob| {
            let source = self.absolute(path, glob)?;
            let found = self.modules.get(&source)?;
            let has_it = found.code.defined.contains(name) || found.code.brought.contains_key(name);
            has_it.then(|| joined(&source, &[name.to_string()]))
        })
    }
}

/// `lib.rs` and `main.rs` are the root; `a/b.rs` is `a::b`.
fn module_path(file: &Path) -> ModulePath {
    let mut path: ModulePath =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if path.len() == 1 && path.first().is_some_and(|name| name == "lib" || name == "main") {
        path.clear();
    }
    path
}

fn joined(path: &[String], below: &[String]) -> ModulePath {
    [path, below].concat()
}

/// Names that pass on names that pass on names: more are a circle.
const MOST_STEPS: usize = 8;
