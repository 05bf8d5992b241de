//! Changes as cargo-mutants names them, and a random sample of them.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    pub(super) name: String,
    pub(super) package: String,
    /// From the root of the repository.
    pub(super) file: String,
    /// Line and column, both counted from 1; the end is behind the last character.
    start: (usize, usize),
    end: (usize, usize),
    replacement: String,
}

/// From the output of `cargo mutants --list --json`.
pub(super) fn read(json: &[u8]) -> anyhow::Result<Vec<Mutant>> {
    let list: Vec<Value> = serde_json::from_slice(json).context("the list of cargo mutants")?;
    let mutant = |value: &Value| {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |pointer: &str| value.pointer(pointer)?.as_u64()?.try_into().ok();
        Some(Mutant {
            name: text("name")?,
            package: text("package")?,
            file: text("file")?,
            start: (number("/span/start/line")?, number("/span/start/column")?),
            end: (number("/span/end/line")?, number("/span/end/column")?),
            replacement: text("replacement")?,
        })
    };
    list.iter().map(|value| mutant(value).with_context(|| format!("not a change: {value}"))).collect()
}

/// As many as wanted, in an order that the seed gives and that does not depend on the other changes: a sample stays
/// much the same when the code changes a little.
pub(super) fn draw(all: &[Mutant], wanted: usize, seed: u64) -> Vec<Mutant> {
    let mut seen: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut ordered = Vec::new();
    for mutant in all {
        // Without line and column; which of several that read alike, is counted.
        let what = mutant.name.split_once(": ").map_or(mutant.name.as_str(), |(_, what)| what);
        let number = seen.entry((&mutant.file, what)).or_default();
        *number += 1;
        ordered.push((order(&mutant.file, what, *number, seed), mutant));
    }
    ordered.sort_by_key(|(order, mutant)| (*order, &mutant.name));
    ordered.into_iter().take(wanted).map(|(_, mutant)| mutant.clone()).collect()
}

/// FNV-1a, and then mixed, for that alone leaves names that are alike close together.
fn order(file: &str, what: &str, number: u64, seed: u64) -> u64 {
    let numbers = [seed.to_le_bytes(), number.to_le_bytes()].concat();
    let bytes = numbers.into_iter().chain(file.bytes()).chain(what.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Mutant {
    /// The text with the change; none where the text has no such place.
    pub(super) fn applied(&self, text: &str) -> Option<String> {
        let before = text.get(..offset(text, self.start)?)?;
        let after = text.get(offset(text, self.end)?..)?;
        Some(format!("{before}{}{after}", self.replacement))
    }
}

/// Where a line and column are in a text, in bytes.
fn offset(text: &str, (line, column): (usize, usize)) -> Option<usize> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(start..)?;
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    Some(start + ends.take(column).last()?)
}
