//! CRC-64 checksums; they cover every byte of the store file.
//!
//! The variant is CRC-64/XZ (ECMA-182 polynomial, reflected, all ones before and after). It finds every burst of up to
//! 64 damaged bits and misses other damage once in 2^64. It detects accidents, not tampering: a writer of the file
//! can compute a checksum, too.

/// A checksum that is being computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checksum(u64);

impl Checksum {
    /// A checksum of nothing yet.
    pub(super) fn new() -> Checksum {
        Checksum(u64::MAX)
    }

    /// Adds `bytes`.
    #[expect(clippy::indexing_slicing, reason = "tables have 256 entries and are indexed by a byte")]
    pub(super) fn add(mut self, bytes: &[u8]) -> Checksum {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            let [a, b, c, d, e, f, g, h] = (self.0 ^ u64::from_le_bytes(*word)).to_le_bytes();
            self.0 = TABLES[7][a as usize]
                ^ TABLES[6][b as usize]
                ^ TABLES[5][c as usize]
                ^ TABLES[4][d as usize]
                ^ TABLES[3][e as usize]
                ^ TABLES[2][f as usize]
                ^ TABLES[1][g as usize]
                ^ TABLES[0][h as usize];
        }
        for byte in rest {
            let [low, ..] = self.0.to_le_bytes();
            self.0 = TABLES[0][(low ^ byte) as usize] ^ (self.0 >> 8);
        }
        self
    }

    /// The checksum of all bytes so far.
    pub(super) fn value(self) -> u64 {
        !self.0
    }
}

/// `TABLES[n][b]`: what byte `b` contributes when `n` more bytes follow it in the same word.
static TABLES: [[u64; 256]; 8] = tables();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// ECMA-182, bits reversed.
const POLYNOMIAL: u64 = 0xc96c_5795_d787_0f42;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_check_value_of_the_catalogue() {
        assert_eq!(Checksum::new().add(b"123456789").value(), 0x995d_c9bb_df19_39fa);
    }

    #[test]
    fn does_not_depend_on_how_the_bytes_are_split() {
        let bytes: Vec<u8> = (0..=255).collect();
        let whole = Checksum::new().add(&bytes).value();
        for split in 0..bytes.len() {
            let (left, right) = bytes.split_at(split);
            assert_eq!(Checksum::new().add(left).add(right).value(), whole, "{split}");
        }
    }
}
