//! Patterns with wildcards: actions (`*`) and the `Like` operators (`*`, `?` and escapes).
//!
//! Actions have one meaning of the star, whoever asks: `actions`, `notActions` and the data lists of roles and deny
//! assignments, `ActionMatches` and `SubOperationMatches` of conditions. A guard names what a grant names.
//!
//! A pattern is cut at its stars. Its first piece must stand at the beginning of the text, its last one at
//! the end, and each piece between them is sought once, leftmost, behind the one before it: nothing is
//! ever tried again. Plain pieces are found in linear time, those with `?` or escapes by 64 steps of the
//! pattern at once. Nothing is allocated.
//!
//! Only the case of ASCII letters can be ignored, which is all that names of actions and of Kubernetes
//! objects consist of. Look-alikes and the special cases of Unicode are different characters here.

use super::{
    case::Case,
    find::{SMALL, find},
    gaps::{MAXIMUM_TEXT, Step, end_of_first},
};

/// Whether a pattern, in which `*` stands for any run of characters, slashes and nothing at all included, names an
/// action. Case does not count for ASCII letters; every other character stands for itself.
///
/// A star that is a segment of its own may also stand for none: `userAssignedIdentities/*/assign/action`, which Managed
/// Identity Operator holds, names `userAssignedIdentities/assign/action`. One slash is then that before the star and
/// that behind it.
///
/// Takes time proportional to the lengths of both.
///
/// ```
/// use domain::condition::glob_matches;
/// assert!(glob_matches("Microsoft.Storage/*/read", "microsoft.storage/accounts/blobs/READ"));
/// assert!(glob_matches("Microsoft.Storage/*/read", "Microsoft.Storage/read"));
/// assert!(!glob_matches("Microsoft.Storage/a*/read", "Microsoft.Storage/read"));
/// ```
pub fn glob_matches(pattern: &str, action: &str) -> bool {
    names_action(pattern, action, Case::Ignored)
}

/// The same for texts that are both in lower case already.
pub(crate) fn folded_glob_matches(pattern: &str, action: &str) -> bool {
    names_action(pattern, action, Case::Counts)
}

/// Each star takes as little as it can, which finds a match if there is one, in one pass.
fn names_action(pattern: &str, action: &str, case: Case) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return case.equal(pattern, action) };
    if case.strip_prefix(action, start).is_none() {
        return false;
    }
    let (mut before, mut taken) = (start, start.len());
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let from = |before: &str, part: &str, taken: usize| {
        let shared = before.ends_with('/') && part.starts_with('/');
        action.get(taken - usize::from(shared)..).unwrap_or_default()
    };
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        let left = from(before, part, taken);
        let Some(place) = first_place(case, left, part) else { return false };
        taken = action.len() - left.len() + place + part.len();
        before = part;
    }
    case.strip_suffix(from(before, end, taken), end).is_some()
}

/// Whether `text` matches `pattern`, in which `*` is any run of characters, `?` exactly one character, and
/// a backslash makes the `*`, `?` or backslash behind it an ordinary character. Any other backslash stands
/// for itself.
pub(super) fn like_matches(pattern: &str, text: &str, case: Case) -> bool {
    pieces_match(LikePieces { rest: Some(pattern) }, text, case)
}

/// What stands between two stars.
#[derive(Clone, Copy, Debug)]
enum Piece<'p> {
    Plain(&'p str),
    /// With `?` or a backslash in it.
    Special(&'p str),
}

fn pieces_match<'p>(mut pieces: impl Iterator<Item = Piece<'p>>, text: &str, case: Case) -> bool {
    let Some(rest) = pieces.next().and_then(|piece| piece.at_beginning(text, case)) else { return false };
    let Some(mut piece) = pieces.next() else { return rest.is_empty() };
    let mut rest = rest;
    for next in pieces {
        match piece.behind_first(rest, case) {
            Some(behind) => rest = behind,
            None => return false,
        }
        piece = next;
    }
    piece.at_end(rest, case)
}

impl Piece<'_> {
    /// The text behind this piece, if the text begins with it.
    fn at_beginning<'t>(&self, text: &'t str, case: Case) -> Option<&'t str> {
        let pattern = match self {
            Self::Plain(plain) => return case.strip_prefix(text, plain),
            Self::Special(pattern) => pattern,
        };
        let mut rest = text.chars();
        for element in elements(pattern) {
            let character = rest.next()?;
            match element {
                Element::AnyOne => {}
                Element::Literal(literal) if case.same(literal, character) => {}
                Element::Literal(_) => return None,
            }
        }
        Some(rest.as_str())
    }

    /// The text behind the first place where this piece occurs.
    fn behind_first<'t>(&self, text: &'t str, case: Case) -> Option<&'t str> {
        match self {
            Self::Plain(plain) => {
                let start = first_place(case, text, plain)?;
                text.get(start + plain.len()..)
            }
            Self::Special(pattern) => {
                let is_small = text.len().saturating_mul(pattern.len()) <= SMALL;
                if is_small || text.len() > MAXIMUM_TEXT {
                    return text
                        .char_indices()
                        .find_map(|(start, _)| self.at_beginning(text.get(start..)?, case));
                }
                text.get(end_of_first(text, elements(pattern).flat_map(steps), case)?..)
            }
        }
    }

    fn at_end(&self, text: &str, case: Case) -> bool {
        let pattern = match self {
            Self::Plain(plain) => return case.strip_suffix(text, plain).is_some(),
            Self::Special(pattern) => pattern,
        };
        let length = elements(pattern).count();
        let behind = text.chars().count().checked_sub(length);
        let start = behind.and_then(|count| text.char_indices().nth(count));
        start
            .and_then(|(start, _)| text.get(start..))
            .and_then(|tail| self.at_beginning(tail, case))
            .is_some_and(str::is_empty)
    }
}

enum Element {
    AnyOne,
    Literal(char),
}

/// The characters of a piece: what its escapes mean.
fn elements(pattern: &str) -> impl Iterator<Item = Element> {
    let mut characters = pattern.chars().peekable();
    std::iter::from_fn(move || {
        Some(match characters.next()? {
            '?' => Element::AnyOne,
            '\\' => Element::Literal(characters.next_if(|next| is_escapable(*next)).unwrap_or('\\')),
            other => Element::Literal(other),
        })
    })
}

fn steps(element: Element) -> impl Iterator<Item = Step> {
    let mut bytes = [0; 4];
    let (length, step): (_, fn(u8) -> Step) = match element {
        Element::AnyOne => (1, |_| Step::Gap),
        Element::Literal(character) => (character.encode_utf8(&mut bytes).len(), Step::Byte),
    };
    bytes.into_iter().take(length).map(step)
}

/// Cuts a pattern at those stars that no backslash precedes.
struct LikePieces<'p> {
    rest: Option<&'p str>,
}

impl<'p> Iterator for LikePieces<'p> {
    type Item = Piece<'p>;

    fn next(&mut self) -> Option<Piece<'p>> {
        let pattern = self.rest.take()?;
        let piece = |text: &'p str, special| if special { Piece::Special(text) } else { Piece::Plain(text) };
        let mut special = false;
        let mut bytes = pattern.bytes().enumerate();
        while let Some((index, byte)) = bytes.next() {
            match byte {
                b'*' => {
                    let (head, tail) = pattern.split_at_checked(index)?;
                    self.rest = tail.strip_prefix('*');
                    return Some(piece(head, special));
                }
                b'?' => special = true,
                b'\\' => {
                    special = true;
                    if pattern.as_bytes().get(index + 1).is_some_and(|next| is_escapable(char::from(*next))) {
                        bytes.next();
                    }
                }
                _ => {}
            }
        }
        Some(piece(pattern, special))
    }
}

/// The first place of `part` in `text`.
fn first_place(case: Case, text: &str, part: &str) -> Option<usize> {
    match case {
        Case::Counts => text.find(part),
        Case::Ignored => find(text.as_bytes(), part.as_bytes(), case),
    }
}

/// The characters that a backslash turns into ordinary ones.
pub(super) fn is_escapable(character: char) -> bool {
    matches!(character, '*' | '?' | '\\')
}
