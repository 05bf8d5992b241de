//! The first place of a pattern with gaps (`?`) in a text. Each step of the pattern takes a bit: 64 of them
//! move over the text at once, so that the time is that of reading the text once for each 64 bytes of the
//! pattern, whatever both contain. Nothing is allocated.
//!
//! Shift-and (R. Baeza-Yates, G. Gonnet: A new approach to text searching, Communications of the ACM 35,
//! 1992), on the bytes of UTF-8. A gap takes the first byte of a character and then, by staying where it is,
//! the others. A pattern longer than a word goes over the text block by block, each beginning where the
//! steps before it can have ended.

use super::case::Case;

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Byte(u8),
    /// One whole character.
    Gap,
}

/// Where the first occurrence ends. `text` is at most [`MAXIMUM_TEXT`] bytes long; there is at least one step.
pub(super) fn end_of_first(text: &str, steps: impl Iterator<Item = Step>, case: Case) -> Option<usize> {
    let mut steps = steps.peekable();
    let mut reached = Positions::all();
    while steps.peek().is_some() {
        reached = Block::new(steps.by_ref().take(u64::BITS as usize), case).advance(text, &reached);
    }
    let end = reached.first()?;
    (end..=text.len()).find(|end| text.is_char_boundary(*end))
}

/// Up to 64 steps.
struct Block {
    /// For each byte the steps that it fits.
    fits: [u64; 256],
    gaps: u64,
    last: u64,
}

impl Block {
    fn new(steps: impl Iterator<Item = Step>, case: Case) -> Self {
        let mut block = Self { fits: [0; 256], gaps: 0, last: 0 };
        let mut bit = 1;
        for step in steps {
            match step {
                Step::Gap => block.gaps |= bit,
                Step::Byte(byte) => {
                    for same in [byte, case.fold(byte), case.unfold(byte)] {
                        if let Some(fits) = block.fits.get_mut(usize::from(same)) {
                            *fits |= bit;
                        }
                    }
                }
            }
            block.last = bit;
            bit <<= 1;
        }
        block
    }

    /// Where this block can end if the steps before it end at `reached`.
    fn advance(&self, text: &str, reached: &Positions) -> Positions {
        let mut ends = Positions::none();
        let mut state = 0;
        for (position, byte) in text.bytes().enumerate() {
            let entered = (state << 1) | u64::from(reached.contains(position));
            let fits = self.fits.get(usize::from(byte)).copied().unwrap_or(0);
            let is_continuation = byte & 0b1100_0000 == 0b1000_0000;
            let gaps = if is_continuation { state & self.gaps } else { entered & self.gaps };
            state = (entered & fits) | gaps;
            if state & self.last != 0 {
                ends.insert(position + 1);
            }
        }
        ends
    }
}

/// A set of offsets into a text of bounded length.
struct Positions([u64; MAXIMUM_TEXT / 64 + 1]);

impl Positions {
    fn none() -> Self {
        Self([0; MAXIMUM_TEXT / 64 + 1])
    }

    fn all() -> Self {
        Self([u64::MAX; MAXIMUM_TEXT / 64 + 1])
    }

    fn contains(&self, position: usize) -> bool {
        self.0.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    fn insert(&mut self, position: usize) {
        if let Some(word) = self.0.get_mut(position / 64) {
            *word |= 1 << (position % 64);
        }
    }

    fn first(&self) -> Option<usize> {
        let (index, word) = self.0.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some(index * 64 + word.trailing_zeros() as usize)
    }
}

/// Texts longer than this, in bytes, are not compared, which bounds the work that a request can cause. Names,
/// paths, tags and resource ids stay far below.
pub(super) const MAXIMUM_TEXT: usize = 8192;
