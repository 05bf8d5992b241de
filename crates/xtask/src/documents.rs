//! The text files of the repository.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::modules::Crate;

/// A text file of the repository.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Document {
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|found| found == extension)
    }

    /// Lines with their numbers, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Every text file below `root`, in the order of their paths.
pub(crate) fn read(root: &Path) -> anyhow::Result<Vec<Document>> {
    let mut documents = Vec::new();
    collect(root, Path::new(""), &mut documents).with_context(|| format!("reading {}", root.display()))?;
    documents.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(documents)
}

/// The crates of the workspace at `root` by name, with their modules.
pub fn crates(root: &Path) -> anyhow::Result<BTreeMap<String, Crate>> {
    crates_of(&read(root)?)
}

pub(crate) fn crates_of(documents: &[Document]) -> anyhow::Result<BTreeMap<String, Crate>> {
    let mut sources: BTreeMap<&str, Vec<(&Path, &str)>> = BTreeMap::new();
    for document in documents.iter().filter(|document| document.has_extension("rs")) {
        if let Some((name, file)) = in_source(&document.path) {
            sources.entry(name).or_default().push((file, &document.text));
        }
    }
    let read = |(name, files): (&str, Vec<_>)| {
        let found = Crate::read(files).with_context(|| format!("the crate {name}"))?;
        Ok((name.to_string(), found))
    };
    sources.into_iter().map(read).collect()
}

/// The name of the crate and the rest of the path, for `crates/NAME/src/...`.
fn in_source(path: &Path) -> Option<(&str, &Path)> {
    let below = path.strip_prefix("crates").ok()?;
    let name = below.iter().next()?.to_str()?;
    Some((name, below.strip_prefix(name).ok()?.strip_prefix("src").ok()?))
}

/// Hidden folders other than those of the build are somebody's tools; `target` holds nothing of ours, nor does
/// the file `.git` of a linked checkout.
fn collect(root: &Path, folder: &Path, documents: &mut Vec<Document>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            let name = name.to_string_lossy();
            if (!name.starts_with('.') && name != "target") || VISIBLE_FOLDERS.contains(&name.as_ref()) {
                collect(root, &path, documents)?;
            }
        } else if name != ".git"
            && let Ok(text) = fs::read_to_string(root.join(&path))
        {
            documents.push(Document { path, text });
        }
    }
    Ok(())
}

const VISIBLE_FOLDERS: [&str; 2] = [".ci", ".cargo"];
