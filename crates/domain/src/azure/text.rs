//! Text that is kept as written and compared without regard to case, as Azure does with scopes and actions.
//! Both forms lie in one allocation, so that a copy costs one counter. It knows ASCII only: the types built
//! on it refuse everything else.

use std::{fmt, hash, sync::Arc};

#[derive(Clone)]
pub(crate) struct CaseFolded {
    /// Invariant: ASCII, of even length; the second half is the first in lower case.
    both: Arc<str>,
}

impl CaseFolded {
    /// `text` must be ASCII: other characters keep their case in both forms.
    pub(crate) fn new(text: &str) -> Self {
        let mut both = text.repeat(2);
        if let Some(folded) = both.get_mut(text.len()..) {
            folded.make_ascii_lowercase();
        }
        Self { both: both.into() }
    }

    /// This text and some more, which must be ASCII as well.
    pub(crate) fn followed_by<const N: usize>(&self, more: [&str; N]) -> Self {
        let length = self.both.len() + 2 * more.iter().map(|part| part.len()).sum::<usize>();
        let mut both = String::with_capacity(length);
        both.push_str(self.written());
        more.iter().for_each(|part| both.push_str(part));
        both.push_str(self.folded());
        let start = both.len();
        more.iter().for_each(|part| both.push_str(part));
        if let Some(folded) = both.get_mut(start..) {
            folded.make_ascii_lowercase();
        }
        Self { both: both.into() }
    }

    pub(crate) fn written(&self) -> &str {
        self.both.split_at(self.both.len() / 2).0
    }

    pub(crate) fn folded(&self) -> &str {
        self.both.split_at(self.both.len() / 2).1
    }

    pub(crate) fn is_same_value(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.both, &other.both)
    }
}

impl PartialEq for CaseFolded {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_value(other) || self.folded() == other.folded()
    }
}
impl Eq for CaseFolded {}
impl PartialOrd for CaseFolded {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for CaseFolded {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(other.folded())
    }
}
impl hash::Hash for CaseFolded {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}
impl fmt::Debug for CaseFolded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written().fmt(f)
    }
}

/// The part of a refused value that an error repeats: enough to recognise it, never a whole large input.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(SHOWN).flat_map(char::escape_debug).collect()
}

const SHOWN: usize = 160;
