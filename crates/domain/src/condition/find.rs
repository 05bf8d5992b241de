//! The first place of a text in another one, in linear time, without allocation and, where wanted, without
//! regard to ASCII case. The standard library has only the search that regards case.
//!
//! The two-way algorithm (M. Crochemore, D. Perrin: Two-way string-matching, Journal of the ACM 38, 1991).
//! The needle is cut in two at a place where its local period is its whole period. Its right half is
//! compared forwards, then its left half backwards; a mismatch in either tells how far to move on.

use super::case::Case;

/// The lowest offset of `needle` in `haystack`.
pub(super) fn find(haystack: &[u8], needle: &[u8], case: Case) -> Option<usize> {
    if haystack.len().saturating_mul(needle.len()) <= SMALL {
        return haystack_windows(haystack, needle.len()).position(|window| equal(window, needle, case));
    }
    let (cut, period) = cut(needle, case);
    let (left, right) = needle.split_at_checked(cut)?;
    // Short: the left half repeats one period later, so that after a move by one period the beginning of
    // the needle is known to match. Otherwise moves are longer and nothing is remembered.
    let is_short = needle.get(period..period + cut).is_some_and(|repeated| equal(left, repeated, case));
    let step = if is_short { period } else { left.len().max(right.len()) + 1 };
    let mut position = 0;
    let mut known = 0;
    while let Some(window) = haystack.get(position..position + needle.len()) {
        let same = |index: &usize| fold_at(window, *index, case) == fold_at(needle, *index, case);
        if let Some(mismatch) = (cut.max(known)..needle.len()).find(|index| !same(index)) {
            position += mismatch - cut + 1;
            known = 0;
        } else if (known..cut).rev().all(|index| same(&index)) {
            return Some(position);
        } else {
            position += step;
            known = if is_short { needle.len() - period } else { 0 };
        }
    }
    None
}

/// The critical cut of the needle and the period of what lies right of it.
fn cut(needle: &[u8], case: Case) -> (usize, usize) {
    let smallest = maximal_suffix(needle, case, |left, right| left < right);
    let greatest = maximal_suffix(needle, case, |left, right| left > right);
    if smallest.0 > greatest.0 { smallest } else { greatest }
}

/// Start and period of the greatest suffix in the order of bytes that `precedes` gives.
fn maximal_suffix(needle: &[u8], case: Case, precedes: impl Fn(u8, u8) -> bool) -> (usize, usize) {
    let (mut best, mut candidate, mut offset, mut period) = (0, 1, 0, 1);
    while let (Some(challenger), Some(holder)) =
        (fold_at(needle, candidate + offset, case), fold_at(needle, best + offset, case))
    {
        if challenger == holder {
            offset += 1;
            if offset == period {
                candidate += period;
                offset = 0;
            }
        } else if precedes(challenger, holder) {
            candidate += offset + 1;
            offset = 0;
            period = candidate - best;
        } else {
            best = candidate;
            candidate += 1;
            offset = 0;
            period = 1;
        }
    }
    (best, period)
}

/// All windows of a length, of which zero is one: an empty needle stands everywhere.
fn haystack_windows(haystack: &[u8], length: usize) -> impl Iterator<Item = &[u8]> {
    let starts = haystack.len().checked_sub(length).map_or(0, |last| last + 1);
    (0..starts).filter_map(move |start| haystack.get(start..start + length))
}

fn equal(left: &[u8], right: &[u8], case: Case) -> bool {
    match case {
        Case::Counts => left == right,
        Case::Ignored => left.eq_ignore_ascii_case(right),
    }
}

fn fold_at(bytes: &[u8], index: usize, case: Case) -> Option<u8> {
    bytes.get(index).map(|byte| case.fold(*byte))
}

/// Below this product of lengths, trying every place is faster than preparing the pattern.
pub(super) const SMALL: usize = 2048;
