//! Rooms and floors as text, for people.

use std::fmt::Write;

use super::{Crate, Import, rooms};

/// The rooms of a crate from the top floor down, each with the siblings that it imports, its members indented
/// below it.
pub fn draw(krate: &Crate) -> String {
    let mut text = String::new();
    members(krate, &krate.imports(), &[], &mut text);
    text
}

fn members(krate: &Crate, imports: &[Import<'_>], parent: &[String], text: &mut String) {
    let indent = "    ".repeat(parent.len());
    for room in rooms(krate, imports, parent).iter().rev() {
        let arrow = if room.imports.is_empty() { "" } else { " -> " };
        let circle = if room.is_in_circle { " (in a circle)" } else { "" };
        let siblings = room.imports.join(", ");
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{indent}{:>2} {}{circle}{arrow}{siblings}", room.floor, room.name);
        members(krate, imports, &[parent, &[room.name.to_string()]].concat(), text);
    }
}
