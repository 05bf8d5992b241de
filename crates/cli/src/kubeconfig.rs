//! Reads, merges and writes kubeconfig files. Unknown fields are preserved.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::files::{self, Replacement};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Kubeconfig {
    #[serde(rename = "apiVersion", default = "v1")]
    api_version: String,
    #[serde(default = "config")]
    kind: String,
    #[serde(default)]
    pub(crate) clusters: Option<Vec<Named>>,
    #[serde(default)]
    pub(crate) contexts: Option<Vec<Named>>,
    #[serde(default)]
    pub(crate) users: Option<Vec<Named>>,
    #[serde(default)]
    pub(crate) current_context: String,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// A cluster, user or context entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) content: Map<String, Value>,
}

impl Kubeconfig {
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        if text.trim().is_empty() {
            return Ok(Self { api_version: v1(), kind: config(), ..Self::default() });
        }
        serde_saphyr::from_str(text).map_err(|error| anyhow::anyhow!("not a kubeconfig: {error}"))
    }

    /// Reads a file; one that does not exist is empty.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).with_context(|| format!("reading {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::parse(""),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Reads, changes and writes a file under its lock.
    pub(crate) fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        }
        // A symbolic link is resolved, so that its target is replaced and the link stays.
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let _lock = Lock::take(path)?;
        let known = Self::read(path)?;
        let mut config = known.clone();
        let done = change(&mut config)?;
        // An unchanged file is not rewritten, which keeps its comments.
        if config != known {
            config.write(path)?;
        }
        Ok(done)
    }

    /// Checks that an entry for `user` could be added to the file.
    pub(crate) fn check_place(path: &Path, user: &str, overwrite: bool) -> anyhow::Result<()> {
        Self::change(path, |config| {
            let known = config.users.iter().flatten().find(|each| each.name.eq_ignore_ascii_case(user));
            match known.filter(|_| !overwrite) {
                Some(known) => Err(taken("user", &known.name)),
                None => {
                    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
                    Replacement::prepare(&place).map(drop)
                }
            }
        })
    }

    pub(crate) fn render(&self) -> anyhow::Result<String> {
        serde_saphyr::to_string(self).map_err(|error| anyhow::anyhow!("writing YAML: {error}"))
    }

    fn write(&self, path: &Path) -> anyhow::Result<()> {
        files::replace_private(path, self.render()?.as_bytes())
    }

    /// Adds the entries of `new` and makes its context the current one. A different entry of the same name is
    /// replaced only with `overwrite`.
    pub(crate) fn merge(&mut self, new: Self, overwrite: bool) -> anyhow::Result<()> {
        merge_list("cluster", &mut self.clusters, new.clusters, overwrite)?;
        merge_list("user", &mut self.users, new.users, overwrite)?;
        merge_list("context", &mut self.contexts, new.contexts, overwrite)?;
        self.current_context = new.current_context;
        Ok(())
    }
}

/// kubectl's lock: a file beside the kubeconfig that exists while a program changes it.
#[derive(Debug)]
struct Lock(PathBuf);

impl Lock {
    fn take(kubeconfig: &Path) -> anyhow::Result<Self> {
        let mut name = kubeconfig.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        for _ in 0..TRIES {
            match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => std::thread::sleep(PAUSE),
                Err(error) => return Err(error).with_context(|| format!("making {}", path.display())),
            }
        }
        bail!(
            "{} is there: another program is changing the kubeconfig, or was ended while it did; delete the file if \
             none is",
            path.display()
        )
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If removing fails, the next program reports the lock file.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn merge_list(
    kind: &str,
    known: &mut Option<Vec<Named>>,
    new: Option<Vec<Named>>,
    overwrite: bool,
) -> anyhow::Result<()> {
    let known = known.get_or_insert_default();
    for entry in new.unwrap_or_default() {
        match known.iter_mut().find(|each| each.name == entry.name) {
            None => known.push(entry),
            Some(old) if old.content == entry.content => {}
            Some(old) if overwrite => *old = entry,
            Some(_) => return Err(taken(kind, &entry.name)),
        }
    }
    Ok(())
}

fn taken(kind: &str, name: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "the kubeconfig has another {kind} named \"{name}\": give --overwrite-existing to replace it, or --file for \
         another file"
    )
}

/// The file that commands write to: the one given, the first of `$KUBECONFIG`, or `~/.kube/config`.
pub(crate) fn default_path(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    default_paths(given)?.into_iter().next().context("no kubeconfig: give --file")
}

/// The files that kubectl reads: the one given, all of `$KUBECONFIG`, or `~/.kube/config`.
pub(crate) fn default_paths(given: Option<&Path>) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(path) = given {
        return Ok(vec![path.to_owned()]);
    }
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<_> = std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect();
    if !listed.is_empty() {
        return Ok(listed);
    }
    let home = std::env::var_os("HOME").context("no home directory: name the kubeconfig")?;
    Ok(vec![PathBuf::from(home).join(".kube/config")])
}

fn v1() -> String {
    "v1".into()
}

fn config() -> String {
    "Config".into()
}

const PAUSE: Duration = Duration::from_millis(20);
const TRIES: u32 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: 'https://a'}\ncontexts: []\nusers: null\ncurrent-context: a\nextensions: [x]\n";
    const NEW: &str = "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: 'https://b'}\n- name: '012'\n  cluster: {server: 'https://c'}\ncurrent-context: '012'\n";

    #[test]
    fn a_merge_keeps_what_is_there_and_asks_before_it_replaces() {
        let mut known = Kubeconfig::parse(OLD).unwrap();
        assert!(known.clone().merge(Kubeconfig::parse(NEW).unwrap(), false).is_err());
        known.merge(Kubeconfig::parse(NEW).unwrap(), true).unwrap();
        let text = serde_saphyr::to_string(&known).unwrap();
        let again = Kubeconfig::parse(&text).unwrap();
        let names: Vec<_> = again.clusters.unwrap().into_iter().map(|each| each.name).collect();
        assert_eq!(names, ["a", "012"]);
        assert_eq!(again.current_context, "012");
        assert!(text.contains("extensions"), "{text}");
    }

    #[test]
    fn of_those_who_change_a_file_at_once_nobody_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/config");
        std::thread::scope(|scope| {
            for each in 0..20 {
                let path = &path;
                scope.spawn(move || {
                    Kubeconfig::change(path, |config| {
                        let entry = Named { name: each.to_string(), content: Map::new() };
                        config.users.get_or_insert_default().push(entry);
                        Ok(())
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(Kubeconfig::read(&path).unwrap().users.unwrap().len(), 20);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
