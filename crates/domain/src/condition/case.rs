//! Whether the case of ASCII letters counts when texts are compared.

/// Whether upper and lower case of the ASCII letters differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Counts,
    Ignored,
}

impl Case {
    pub(super) fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Counts => byte,
            Self::Ignored => byte.to_ascii_lowercase(),
        }
    }

    pub(super) fn unfold(self, byte: u8) -> u8 {
        match self {
            Self::Counts => byte,
            Self::Ignored => byte.to_ascii_uppercase(),
        }
    }

    pub(super) fn equal(self, left: &str, right: &str) -> bool {
        match self {
            Self::Counts => left == right,
            Self::Ignored => left.eq_ignore_ascii_case(right),
        }
    }

    /// What is left of `text` behind `prefix`.
    pub(super) fn strip_prefix<'t>(self, text: &'t str, prefix: &str) -> Option<&'t str> {
        let (head, rest) = text.split_at_checked(prefix.len())?;
        self.equal(head, prefix).then_some(rest)
    }

    pub(super) fn strip_suffix<'t>(self, text: &'t str, suffix: &str) -> Option<&'t str> {
        let (rest, tail) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
        self.equal(tail, suffix).then_some(rest)
    }

    pub(super) fn same(self, left: char, right: char) -> bool {
        match self {
            Self::Counts => left == right,
            Self::Ignored => left.eq_ignore_ascii_case(&right),
        }
    }
}
