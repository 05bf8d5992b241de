//! Output of commands: tables for people, JSON for scripts.

use std::{
    fmt::Display,
    io::{ErrorKind, IsTerminal, Write},
};

use clap::{Args, ValueEnum};
use serde_json::Value;

#[derive(Args, Clone, Copy, Debug, Default)]
pub struct OutputArgs {
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[default]
    Table,
    Json,
}

/// A column: its heading, and the JSON pointer of its value.
pub(crate) type Column = (&'static str, &'static str);

/// Writes to standard output. A closed pipe (`| head`) ends the program silently, with the status of SIGPIPE; any
/// other write error (a full disk) ends it with a message.
pub fn print(text: &[u8]) {
    if let Err(error) = try_print(text) {
        std::process::exit(match error.kind() {
            ErrorKind::BrokenPipe => i32::from(READER_GONE),
            _ => {
                note(format_args!("portcullis: standard output cannot be written: {error}"));
                1
            }
        });
    }
}

/// As [`print()`], but returns the error, for output that must not be lost.
pub(crate) fn try_print(text: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush())
}

/// Prints a line on standard output.
pub(crate) fn say(line: impl Display) {
    print(format!("{line}\n").as_bytes());
}

/// Prints a line on standard error; write errors are ignored.
pub fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints a question; the user answers on the same line.
pub(crate) fn ask(question: impl Display) {
    let _ = write!(std::io::stderr(), "{question}").and_then(|()| std::io::stderr().flush());
}

/// The exit status for a closed pipe, as shells report it: 128 plus the number of SIGPIPE.
pub const READER_GONE: u8 = 141;

impl OutputArgs {
    /// Prints a list.
    pub(crate) fn list(&self, columns: &[Column], objects: &[Value]) {
        match self.output {
            Output::Json => print(format!("{:#}\n", Value::Array(objects.to_vec())).as_bytes()),
            Output::Table => print(shown(columns, objects, width()).as_bytes()),
        }
    }

    /// Prints one object.
    pub(crate) fn one(&self, columns: &[Column], object: &Value) {
        print(self.text(columns, object).as_bytes());
    }

    /// Prints an object with a secret that is shown only once; an error means that it was not shown.
    pub(crate) fn secret(&self, columns: &[Column], object: &Value) -> std::io::Result<()> {
        try_print(self.text(columns, object).as_bytes())
    }

    fn text(&self, columns: &[Column], object: &Value) -> String {
        match self.output {
            Output::Json => format!("{object:#}\n"),
            Output::Table => shown(columns, std::slice::from_ref(object), width()),
        }
    }
}

/// The width of the terminal, if the output is one.
fn width() -> Option<usize> {
    let out = std::io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Formats a table; if the terminal is too narrow, one line for each value, because wrapped rows are unreadable.
fn shown(columns: &[Column], objects: &[Value], width: Option<usize>) -> String {
    let table = table(columns, objects);
    let needed = table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    if width.is_none_or(|width| needed <= width) {
        return table;
    }
    let longest = columns.iter().map(|(heading, _)| heading.len()).max().unwrap_or(0);
    let lines = |object: &Value| -> String {
        let line = |(heading, pointer): &Column| {
            format!("{heading:<longest$}   {}\n", cell(object.pointer(pointer)))
        };
        columns.iter().map(line).collect()
    };
    objects.iter().map(lines).collect::<Vec<_>>().join("\n")
}

fn table(columns: &[Column], objects: &[Value]) -> String {
    let rows: Vec<Vec<String>> = objects
        .iter()
        .map(|object| columns.iter().map(|(_, pointer)| cell(object.pointer(pointer))).collect())
        .collect();
    let width = |place: usize, heading: &str| {
        let cells = rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.chars().count());
        cells.chain([heading.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> =
        columns.iter().enumerate().map(|(place, (heading, _))| width(place, heading)).collect();
    let mut text = String::new();
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    for row in std::iter::once(headings).chain(rows) {
        let row: Vec<String> = row;
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("   ").trim_end());
        text.push('\n');
    }
    text
}

/// Formats a value for people; control characters are removed.
fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Array(values)) if values.is_empty() => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        // A Graph type, without its namespace.
        Some(Value::String(text)) => text.strip_prefix("#microsoft.graph.").unwrap_or(text).to_owned(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(values)) => {
            values.iter().map(|each| cell(Some(each))).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    };
    text.chars().map(|each| if each.is_control() { ' ' } else { each }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_are_aligned_and_say_nothing_as_a_dash() {
        let objects = [
            json!({"name": "alice", "on": true}),
            json!({"name": "bo\u{1b}b", "on": null}),
            json!({"name": "", "on": []}),
        ];
        let text = table(&[("NAME", "/name"), ("ENABLED", "/on")], &objects);
        assert_eq!(text, "NAME    ENABLED\nalice   yes\nbo b    -\n-       -\n");
    }

    #[test]
    fn what_is_too_wide_for_a_terminal_has_a_line_for_each_value() {
        let columns = [("NAME", "/name"), ("KIND", "/kind"), ("PRINCIPAL NAME", "/upn")];
        let objects = [
            json!({"name": "alice", "kind": "#microsoft.graph.user", "upn": "alice@example.org"}),
            json!({"name": "sre", "kind": "#microsoft.graph.group"}),
        ];
        let table = "NAME    KIND    PRINCIPAL NAME\nalice   user    alice@example.org\nsre     group   -\n";
        for wide in [None, Some(33), Some(80)] {
            assert_eq!(shown(&columns, &objects, wide), table);
        }
        let records = "\
NAME             alice
KIND             user
PRINCIPAL NAME   alice@example.org

NAME             sre
KIND             group
PRINCIPAL NAME   -
";
        assert_eq!(shown(&columns, &objects, Some(32)), records);
        assert_eq!(shown(&columns, &[], Some(10)), "");
    }
}
