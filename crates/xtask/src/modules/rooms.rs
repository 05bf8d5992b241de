//! Modules as rooms, and files in circles.
//!
//! A room is a module with everything below it: an import by a file deep in one room of a file deep in another is
//! one between the rooms. A circle is one of files. A parent and its own members may import each other, at any
//! depth, and are no circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use super::{Crate, graph::Graph, module_path};

/// One file imports another.
#[derive(Clone, Copy, Debug)]
pub struct Import<'a> {
    pub from: &'a [String],
    pub file: &'a Path,
    pub line: usize,
    pub to: &'a [String],
    pub to_file: &'a Path,
}

/// A module with all that is below it, among the members of one parent.
#[derive(Debug)]
pub struct Room<'a> {
    pub name: &'a str,
    /// Siblings that it imports.
    pub imports: Vec<&'a str>,
    /// How many siblings stand below it, one on the other.
    pub floor: usize,
    /// Whether it is imported, by way of others or at once, by a room that it imports.
    pub is_in_circle: bool,
}

/// Files that import each other in a circle.
#[derive(Debug)]
pub struct Circle<'a> {
    pub files: BTreeSet<&'a Path>,
    /// The shortest way around from the first of the files: each import leads into the file that makes the next.
    pub way: Vec<Import<'a>>,
}

impl fmt::Display for Circle<'_> {
    /// `files in a circle: a.rs:3 -> b.rs:5 -> a.rs`, with the line of each import.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("files in a circle: ")?;
        for import in &self.way {
            write!(formatter, "{}:{} -> ", import.file.display(), import.line)?;
        }
        if let Some(first) = self.way.first() {
            write!(formatter, "{}", first.file.display())?;
        }
        Ok(())
    }
}

/// The members of the module at `parent`, by floor and name.
pub fn rooms<'a>(krate: &'a Crate, imports: &[Import<'a>], parent: &[String]) -> Vec<Room<'a>> {
    let mut graph: BTreeMap<&str, BTreeMap<&str, Import>> = BTreeMap::new();
    for path in krate.files() {
        if let Some(name) = member(path, parent) {
            graph.entry(name).or_default();
        }
    }
    for import in imports {
        if let (Some(from), Some(to)) = (member(import.from, parent), member(import.to, parent))
            && from != to
            && graph.contains_key(to)
            && let Some(room) = graph.get_mut(from)
        {
            room.entry(to).or_insert(*import);
        }
    }
    let graph = Graph(graph);
    let (floors, circles) = (graph.floors(), graph.circles());
    let mut rooms: Vec<Room> = graph
        .0
        .into_iter()
        .map(|(name, imports)| Room {
            name,
            imports: imports.into_keys().collect(),
            floor: floors.get(name).copied().unwrap_or_default(),
            is_in_circle: circles.contains_key(name),
        })
        .collect();
    rooms.sort_by_key(|room| (room.floor, room.name));
    rooms
}

/// The circles of files that are not parent and child.
pub fn circles<'a>(krate: &'a Crate) -> Vec<Circle<'a>> {
    let mut graph: BTreeMap<&Path, BTreeMap<&Path, Import>> = BTreeMap::new();
    for import in krate.imports() {
        let (from, to) = (module_path(import.file), module_path(import.to_file));
        if !from.starts_with(&to) && !to.starts_with(&from) {
            graph.entry(import.file).or_default().entry(import.to_file).or_insert(import);
        }
    }
    let graph = Graph(graph);
    let files: BTreeSet<BTreeSet<&Path>> = graph.circles().into_values().collect();
    let circle = |files: BTreeSet<&'a Path>| Circle {
        way: files.first().map(|first| graph.way_around(first)).unwrap_or_default(),
        files,
    };
    files.into_iter().map(circle).collect()
}

/// The name of the member of `parent` that `path` is, or is below of.
fn member<'a>(path: &'a [String], parent: &[String]) -> Option<&'a str> {
    path.strip_prefix(parent)?.first().map(String::as_str)
}
