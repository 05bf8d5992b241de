//! Reads a world file, YAML or JSON. Errors include the line.

use std::{fs::File, io::Read, path::Path};

use domain::world::WorldFile;
use serde_json::error::Category;

pub(super) fn read(file: &Path) -> Result<WorldFile, String> {
    let text = read_text(file)?;
    let is_json = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    parse(&text, is_json)
}

/// Parses JSON or YAML. Without a `.json` name, JSON is recognized by its first character, which a YAML mapping may
/// have too.
pub(super) fn parse(text: &str, is_json: bool) -> Result<WorldFile, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_json || text.trim_start().starts_with('{') {
        match serde_json::from_str(text) {
            Ok(file) => return Ok(file),
            Err(error) if is_json || error.classify() == Category::Data => return Err(error.to_string()),
            Err(_) => {}
        }
    }
    serde_saphyr::from_str(text).map_err(|error| explain(&error))
}

fn read_text(file: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let opened = File::open(file).map_err(cannot)?;
    let mut bytes = Vec::new();
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(format!("is larger than {} MiB", MAX_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|error| format!("is not UTF-8 text: {error}"))
}

/// Formats the error on one line, with the position last, like JSON errors.
fn explain(error: &serde_saphyr::Error) -> String {
    let error = error.without_snippet();
    let place = |text: String| match error.location() {
        Some(location) => format!("{text} at line {}, column {}", location.line(), location.column()),
        None => text,
    };
    match error {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            place(format!("key `{key}` appears twice"))
        }
        serde_saphyr::Error::MultipleDocuments { .. } => {
            place("a second YAML document: expected one world in a file".to_owned())
        }
        other => other.to_string(),
    }
}

const MAX_BYTES: u64 = 64 << 20;
