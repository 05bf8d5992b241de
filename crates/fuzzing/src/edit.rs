//! Examples, and what becomes of them.

use std::fmt;

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    sample::Index,
    strategy::Union,
};

/// As a failure shows it.
#[derive(Clone)]
pub(crate) struct Input(pub(crate) Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// One change. Places are given as parts of what is there, so that a smaller input has the same ones.
#[derive(Clone, Debug)]
enum Edit {
    Cut(Index, Index),
    Insert(Index, Vec<u8>),
    Replace(Index, u8),
    /// A bit.
    Flip(Index, u8),
    /// A piece stands there several times, one after the other.
    Repeat(Index, Index, usize),
    /// A piece goes elsewhere.
    Move(Index, Index, Index),
}

/// What a test reads. `words` and the words of the examples are put in anywhere.
pub(crate) fn inputs(examples: &[&[u8]], words: &[&str]) -> impl Strategy<Value = Input> + use<> {
    let examples: Vec<Vec<u8>> = examples.iter().map(|example| example.to_vec()).collect();
    let mut pieces: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    pieces.extend(ODD.iter().map(|piece| piece.to_vec()));
    pieces.extend(examples.iter().flat_map(|example| words_of(example)));
    let edited = (Union::new(examples.into_iter().map(Just)), vec(edit(pieces.clone()), 0..8))
        .prop_map(|(example, edits)| edits.iter().fold(example, |input, edit| edit.apply(input)));
    let joined =
        vec(Union::new(pieces.clone().into_iter().map(Just)), 0..24).prop_map(|pieces| pieces.concat());
    let grown = (Union::new(pieces.into_iter().map(Just)), 1..MOST_BYTES).prop_map(|(piece, bytes)| {
        let times = bytes / piece.len().max(1);
        piece.repeat(times.max(1))
    });
    Union::new_weighted(vec![
        (8, edited.boxed()),
        (3, joined.boxed()),
        (1, grown.boxed()),
        (1, vec(any::<u8>(), 0..200).boxed()),
    ])
    .prop_map(Input)
}

fn edit(pieces: Vec<Vec<u8>>) -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    let piece = Union::new(pieces.into_iter().map(Just));
    Union::new(vec![
        (place(), place()).prop_map(|(from, to)| Edit::Cut(from, to)).boxed(),
        (place(), piece).prop_map(|(at, piece)| Edit::Insert(at, piece)).boxed(),
        (place(), any::<u8>()).prop_map(|(at, byte)| Edit::Replace(at, byte)).boxed(),
        (place(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)).boxed(),
        (place(), place(), 1..2000_usize).prop_map(|(from, to, times)| Edit::Repeat(from, to, times)).boxed(),
        (place(), place(), place()).prop_map(|(from, to, at)| Edit::Move(from, to, at)).boxed(),
    ])
}

impl Edit {
    fn apply(&self, mut input: Vec<u8>) -> Vec<u8> {
        if input.is_empty() {
            return input;
        }
        let at = |place: &Index| place.index(input.len());
        let piece = |from: &Index, to: &Index| at(from).min(at(to))..at(from).max(at(to)) + 1;
        match self {
            Self::Cut(from, to) => drop(input.drain(piece(from, to))),
            Self::Insert(place, piece) => {
                let place = at(place);
                input.splice(place..place, piece.iter().copied());
            }
            Self::Replace(place, byte) => {
                let place = at(place);
                input.splice(place..=place, [*byte]);
            }
            Self::Flip(place, bit) => {
                let place = at(place);
                let flipped = input.get(place).map(|byte| byte ^ (1 << bit));
                input.splice(place..=place, flipped);
            }
            Self::Repeat(from, to, times) => {
                let range = piece(from, to);
                let room = MOST_BYTES.saturating_sub(input.len()) / range.len();
                let repeated = input.get(range.clone()).unwrap_or_default().repeat((*times).min(room));
                input.splice(range.end..range.end, repeated);
            }
            Self::Move(from, to, place) => {
                let moved: Vec<u8> = input.drain(piece(from, to)).collect();
                let place = place.index(input.len() + 1);
                input.splice(place..place, moved);
            }
        }
        input
    }
}

/// What stands between marks in an example: names, values, operators.
fn words_of(example: &[u8]) -> Vec<Vec<u8>> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 128;
    let mut words: Vec<Vec<u8>> =
        example.chunk_by(|left, right| is_word(left) == is_word(right)).map(<[u8]>::to_vec).collect();
    words.sort();
    words.dedup();
    words.truncate(MOST_WORDS);
    words
}

/// What readers stumble over, whatever they read.
const ODD: [&[u8]; 24] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\"",
    b"'",
    b"\\",
    b"(",
    b"[",
    b"{",
    b"}",
    b"%00",
    b"%",
    b"&",
    b"=",
    b"*",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"\xff\xfe",
    "\u{202e}".as_bytes(),
    "\u{130}".as_bytes(),
    "\u{1f600}".as_bytes(),
];

/// As long as an input becomes.
const MOST_BYTES: usize = 64 * 1024;
const MOST_WORDS: usize = 64;
